"""Whatever bytes come: a value, or one of our errors, and nothing else."""

from __future__ import annotations

import base64
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.approval.signature import (
    SignatureRefusedError,
    SignersError,
    allowed_signers,
    read_signature,
    revoked_keys,
)

from ._made import ALICE, Token, armored, refusal, sshsig, string, unarmored

TOKEN = Token("ed25519")
SIGNERS = f"{ALICE} {TOKEN.line}\n"
BLOB = unarmored(TOKEN.sign())
KEY = "ssh-ed25519 " + base64.b64encode(string(b"ssh-ed25519") + string(bytes(range(32)))).decode()
WORDS = ["alice", "*", "!", ",", '"', "\\", '\\"', "=", " ", "\t", "\n", "\r", "#", KEY, "ssh-ed25519", "cert-authority",
         "namespaces=", '"git"', "valid-after=", "valid-before=", '"20260101Z"', '"99991231"', "verify-required",
         TOKEN.line, "\0", "ä", "\u2028"]  # fmt: skip

lists = st.one_of(
    st.binary(max_size=300), st.lists(st.sampled_from(WORDS), max_size=14).map(lambda words: "".join(words).encode())
)
kinds = st.sampled_from(
    [b"ssh-ed25519", b"ssh-rsa", b"rsa-sha2-512", b"ecdsa-sha2-nistp256", b"nistp256", b"sk-ssh-ed25519@openssh.com",
     b"sk-ecdsa-sha2-nistp256@openssh.com", b"ssh-dss", b"ssh:", b"sha512", b"\x01", bytes(32), bytes(64)]
)  # fmt: skip
parts = st.lists(st.one_of(kinds.map(string), st.binary(max_size=80), st.binary(max_size=80).map(string)), max_size=6)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(armored)))
def test_any_text_is_a_signature_or_refused(text: str) -> None:
    """No text makes reading a signature fail in another way."""
    with suppress(SignatureRefusedError):
        read_signature(text)


@settings(deadline=None, max_examples=300)
@given(parts, parts)
def test_any_parts_are_a_signature_or_refused(key: list[bytes], signed: list[bytes]) -> None:
    """Nor do fields of the right form with anything in them, judged to the end."""
    armor = armored(sshsig(b"".join(key), b"".join(signed)))

    assert refusal(armor, SIGNERS) != ""


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_changed_signature_never_counts(data: st.DataObject) -> None:
    """A signature with any piece of it replaced is refused, unless nothing changed."""
    start = data.draw(st.integers(0, len(BLOB)))
    end = data.draw(st.integers(start, min(len(BLOB), start + 8)))
    changed = BLOB[:start] + data.draw(st.binary(max_size=8)) + BLOB[end:]

    assert (refusal(armored(changed), SIGNERS) == "") == (changed == BLOB)


@settings(deadline=None, max_examples=500)
@given(lists)
def test_any_content_is_a_list_or_an_error(content: bytes) -> None:
    """No content of a file makes reading signers or revoked keys fail in another way."""
    with suppress(SignersError):
        allowed_signers(content, file="signers")
    with suppress(SignersError):
        revoked_keys(content, file="revoked")


@settings(deadline=None)
@given(st.text(), st.text(alphabet="ab*?,!", min_size=1, max_size=12))
def test_any_name_meets_any_pattern(name: str, patterns: str) -> None:
    """A name is meant or not, whatever is in it."""
    with suppress(SignersError):
        [signer] = allowed_signers(f"{patterns} {KEY}".encode(), file="signers").signers
        assert signer.principals.matches(name) in (True, False)
