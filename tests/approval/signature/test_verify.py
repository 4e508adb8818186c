"""Whose a signature is, and each reason for which it is nobody's, with keys of OpenSSH."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519

from pytest_workflow_exec.approval.signature import (
    SignatureRefusedError,
    SignatureToolError,
    Verified,
    demand_sound,
    revoked_keys,
    sign,
)

from ._made import (
    ALICE,
    KINDS,
    MESSAGE,
    NAMESPACE,
    NOW,
    Keys,
    Token,
    armored,
    judged,
    openssh,
    refusal,
    sshsig,
    string,
    unarmored,
)

LIBRARY = "cryptography.hazmat.primitives.asymmetric.ed25519"


@pytest.fixture(params=["cryptography", "ssh-keygen"])
def checker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What does the arithmetic: the library, or OpenSSH where it is not installed."""
    if request.param == "ssh-keygen":
        monkeypatch.setitem(sys.modules, LIBRARY, None)
    return str(request.param)


@pytest.mark.parametrize("kind", KINDS)
def test_a_listed_key_that_signed_these_bytes_counts(keys: Keys, kind: str, checker: str) -> None:
    """A signature of each kind is its signer's; it says which key made it, and that no token was touched."""
    fingerprint = openssh("-l", "-f", keys.folder / f"{kind}.pub").stdout.decode().split()[1]

    found = judged(keys.sign(kind), f"{ALICE} {keys.line(kind)}\n")

    assert found == Verified(
        principal=ALICE,
        key_type=keys.line(kind).split()[0],
        fingerprint=fingerprint,
        presence=False,
        user_verified=False,
        by="cryptography" if checker == "cryptography" else "ssh-keygen",
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
def test_both_hashes_count(keys: Keys, kind: str, hash_name: str) -> None:
    """A signer may hash with SHA-256 or SHA-512."""
    armor = keys.sign(kind, options=["-O", f"hashalg={hash_name}"])

    assert refusal(armor, f"{ALICE} {keys.line(kind)}\n") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_is_for_its_bytes_alone(keys: Keys, kind: str, checker: str) -> None:
    """One changed, missing or added byte of the message, and the signature is not for it."""
    armor, signers = keys.sign(kind), f"{ALICE} {keys.line(kind)}\n"

    for other in (MESSAGE[:-1], MESSAGE + b"\n", MESSAGE.replace(b"42", b"43"), b""):
        assert refusal(armor, signers, message=other) == "other bytes"


def test_a_signature_for_something_else_is_refused(keys: Keys, checker: str) -> None:
    """A signature for another namespace is none for this one, also where it was only relabelled."""
    signers = f"{ALICE} {keys.line('ed25519')}\n"
    for_files = keys.sign("ed25519", namespace="file")

    assert refusal(for_files, signers) == "namespace"
    relabelled = unarmored(for_files).replace(b"\0\0\0\x04file", b"\0\0\0\x14" + NAMESPACE.encode())
    assert refusal(armored(relabelled), signers) == "other bytes"


def test_only_listed_principals_count(keys: Keys) -> None:
    """Who is not listed, another's key and a key that is not on the list are three different reasons."""
    armor, alice = keys.sign("ed25519"), keys.line("ed25519")
    mallory = keys.line("mallory")

    assert refusal(armor, "") == "principal not listed"
    assert refusal(armor, f"bob@example.org {mallory}\n") == "principal not listed"
    assert refusal(armor, f"bob@example.org {alice}\n") == "listed under another principal"
    assert refusal(armor, f"{ALICE} {mallory}\nbob@example.org {alice}\n") == "listed under another principal"
    assert refusal(armor, f"{ALICE} {mallory}\n") == "key not listed"
    for nobody in ("", "\0", "\n", "\ud800", "\u202ealice"):
        assert refusal(armor, f"* {alice}\n", principal=nobody) == "principal not listed"
    with pytest.raises(SignatureRefusedError, match=r"is listed in signers:2, but not for 'alice@example\.org'"):
        judged(armor, f"# people\nbob@example.org {alice}\n")


def test_a_key_counts_only_for_what_its_line_allows(keys: Keys) -> None:
    """A line may limit its key to namespaces; another line of the same key may allow more."""
    armor, key = keys.sign("ed25519"), keys.line("ed25519")

    assert refusal(armor, f'{ALICE} namespaces="git,file" {key}\n') == "not for this namespace"
    assert refusal(armor, f'{ALICE} namespaces="*,!{NAMESPACE}" {key}\n') == "not for this namespace"
    assert refusal(armor, f'{ALICE} namespaces="git,pytest-*" {key}\n') == ""
    assert refusal(armor, f'{ALICE} namespaces="git" {key}\n{ALICE} {key}\n') == ""


def test_a_key_counts_only_while_it_is_valid(keys: Keys) -> None:
    """The time that the caller gives is what counts, to the second."""
    armor = keys.sign("ed25519")
    signers = f'{ALICE} valid-after="20260501120000Z",valid-before="20260502Z" {keys.line("ed25519")}\n'
    end = datetime(2026, 5, 2, tzinfo=timezone.utc)

    assert refusal(armor, signers, at=NOW - timedelta(microseconds=1)) == "not yet valid"
    assert refusal(armor, signers, at=NOW) == ""
    assert refusal(armor, signers, at=end - timedelta(seconds=1)) == ""
    assert refusal(armor, signers, at=end) == "expired"
    assert refusal(armor, signers, at=NOW.astimezone(timezone(timedelta(hours=5)))) == ""
    with pytest.raises(ValueError, match="needs its zone"):
        judged(armor, signers, at=NOW.replace(tzinfo=None))


def test_a_revoked_key_does_not_count(keys: Keys, tmp_path: Path) -> None:
    """A key on a plain list or in a binary list of revoked keys is refused; one that is not counts."""
    armor, signers = keys.sign("ed25519"), f"{ALICE} {keys.line('ed25519')}\n"
    for revoked, expected in (("ed25519", "revoked"), ("mallory", "")):
        plain = revoked_keys(f"# gone\n{keys.line(revoked)} old laptop\n".encode(), file="revoked")
        assert refusal(armor, signers, revoked=plain) == expected
        assert openssh("-q", "-k", "-f", tmp_path / "krl", keys.folder / f"{revoked}.pub").returncode == 0
        binary = revoked_keys((tmp_path / "krl").read_bytes(), file="krl")
        assert refusal(armor, signers, revoked=binary) == expected


def test_an_unreadable_binary_list_closes(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A binary list that ssh-keygen can't read, or no ssh-keygen for it, is an error and no 'not revoked'."""
    armor, signers = keys.sign("ed25519"), f"{ALICE} {keys.line('ed25519')}\n"
    krl = revoked_keys(b"SSHKRL\n\0" + b"\xff" * 40, file="krl")

    with pytest.raises(SignatureToolError, match="can't read the list of revoked keys"):
        judged(armor, signers, revoked=krl)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SignatureToolError, match="there is no ssh-keygen"):
        judged(armor, signers, revoked=krl)


def test_a_weak_key_does_not_count(keys: Keys) -> None:
    """RSA below 3072 bits is refused by its size, whoever lists it."""
    armor = keys.sign("weak")

    with pytest.raises(SignatureRefusedError, match="RSA key of 2048 bits is too weak to count: 3072") as caught:
        judged(armor, "")
    assert caught.value.refusal == "weak key"


def test_a_certificate_does_not_count(keys: Keys) -> None:
    """A signature under a certificate is refused by that name."""
    armor = keys.sign("certified-cert.pub", message=MESSAGE)

    assert refusal(armor, f"{ALICE} {keys.line('ed25519')}\n") == "certificate"


def test_sha1_does_not_count(keys: Keys) -> None:
    """RSA with SHA-1 (ssh-rsa), and a message hashed by anything but SHA-256 or SHA-512, is refused."""
    signers = f"{ALICE} {keys.line('rsa')}\n"
    blob = unarmored(keys.sign("rsa"))

    old = blob.replace(b"\0\0\0\x0crsa-sha2-512", b"\0\0\0\x07ssh-rsa")
    old = old.replace(
        (len(b"rsa-sha2-512") + 8 + 384).to_bytes(4, "big"), (len(b"ssh-rsa") + 8 + 384).to_bytes(4, "big")
    )
    assert refusal(armored(old), signers) == "algorithm"
    for name in (b"sha1", b"md5", b"SHA512", b"sha384"):
        assert (
            refusal(armored(blob.replace(b"\0\0\0\x06sha512", len(name).to_bytes(4, "big") + name)), signers) == "hash"
        )


def test_a_signature_is_made_by_the_key_that_it_names(keys: Keys, checker: str) -> None:
    """Another key put before a signature, and one key's algorithm on another's, is not believed."""
    signed = keys.sign("mallory")
    swapped = unarmored(signed).replace(keys.blob("mallory"), keys.blob("ed25519"))

    assert refusal(armored(swapped), f"{ALICE} {keys.line('ed25519')}\n") == "other bytes"
    crossed = sshsig(keys.blob("ecdsa-256"), unarmored(signed)[-83:])
    assert refusal(armored(crossed), f"{ALICE} {keys.line('ecdsa-256')}\n") == "algorithm"


def test_presence_is_never_claimed_of_a_file(keys: Keys, checker: str) -> None:
    """A key that lies in a file is no sign that anybody was there, whatever checks it."""
    assert refusal(keys.sign("ed25519"), f"{ALICE} {keys.line('ed25519')}\n", need_presence=True) == "no presence"


def test_nothing_that_can_check_is_no_verdict(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library and without OpenSSH a signature is not judged at all, and the message says how it could be."""
    armor = keys.sign("ed25519")
    monkeypatch.setitem(sys.modules, LIBRARY, None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SignatureToolError, match=r"no ssh-keygen here.*pytest-workflow-exec\[sign\]"):
        judged(armor, f"{ALICE} {keys.line('ed25519')}\n")


def test_what_was_just_signed_is_checked_without_a_list(keys: Keys, checker: str) -> None:
    """A signature can be checked before anybody lists its signer: it must be sound, and for this."""
    armor = sign(MESSAGE, keys.folder / "ed25519", namespace=NAMESPACE)

    demand_sound(MESSAGE, armor, namespace=NAMESPACE)

    for message, namespace in ((b"", NAMESPACE), (MESSAGE, "file")):
        with pytest.raises(SignatureRefusedError):
            demand_sound(message, armor, namespace=namespace)


def test_a_point_beside_its_curve_is_no_key(keys: Keys, checker: str) -> None:
    """An ECDSA key whose point is not on its curve counts for nobody, even if somebody lists it."""
    moved = keys.blob("ecdsa-256")[:-1] + bytes([keys.blob("ecdsa-256")[-1] ^ 1])
    armor = armored(unarmored(keys.sign("ecdsa-256")).replace(keys.blob("ecdsa-256"), moved))
    listed = f"{ALICE} ecdsa-sha2-nistp256 {base64.b64encode(moved).decode()}\n"

    assert refusal(armor, listed) == ("weak key" if checker == "cryptography" else "other bytes")


def test_a_library_without_a_kind_of_key_is_no_verdict(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library was built without Ed25519, as some hardened systems have it, that is said, and nothing counts."""

    def unsupported(_: bytes) -> None:
        raise UnsupportedAlgorithm("ed25519 is not supported")

    monkeypatch.setattr(ed25519.Ed25519PublicKey, "from_public_bytes", unsupported)

    with pytest.raises(SignatureToolError, match="can't check a ssh-ed25519 key: ed25519 is not supported"):
        judged(keys.sign("ed25519"), f"{ALICE} {keys.line('ed25519')}\n")


def test_openssh_that_does_not_answer_is_no_verdict(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ssh-keygen that can't be started is told, whatever it was to do."""
    armor = keys.sign("ed25519")
    broken = tmp_path / "ssh-keygen"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, LIBRARY, None)

    with pytest.raises(SignatureToolError, match="ssh-keygen can't be used"):
        judged(armor, f"{ALICE} {keys.line('ed25519')}\n")
    with pytest.raises(SignatureToolError, match="ssh-keygen can't be used"):
        sign(MESSAGE, keys.folder / "ed25519", namespace=NAMESPACE)


@pytest.fixture
def agent(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh-agent that holds a key of each kind."""
    for program in ("ssh-agent", "ssh-add"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}")
    with subprocess.Popen(["ssh-agent", "-D", "-s"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        socket = process.stdout.readline().partition("=")[2].partition(";")[0]
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        files = [str(keys.folder / kind) for kind in KINDS]
        subprocess.run(["ssh-add", "-q", *files], check=True, env={**os.environ})
        yield
        process.terminate()


@pytest.mark.usefixtures("agent")
def test_an_agent_signs_as_its_keys_do(keys: Keys, tmp_path: Path) -> None:
    """With only the public key at hand, what the agent signs counts."""
    for kind in KINDS:
        public = tmp_path / f"{kind}.pub"
        shutil.copy(keys.folder / f"{kind}.pub", public)

        armor = sign(MESSAGE, public, namespace=NAMESPACE)

        assert refusal(armor, f"{ALICE} {keys.line(kind)}\n") == ""


TOKENS = ("ed25519", "ecdsa")


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("flags", [0x00, 0x01, 0x04, 0x05, 0x1D])
def test_a_token_says_whether_it_was_touched(kind: str, flags: int) -> None:
    """Touch and PIN are read from what the token signed; without a touch its signature counts, but is no presence."""
    token = Token(kind)
    armor, signers = token.sign(flags=flags), f"{ALICE} {token.line}\n"

    found = judged(armor, signers)

    assert (found.key_type, found.presence, found.user_verified) == (token.type, bool(flags & 1), bool(flags & 4))
    assert refusal(armor, signers, need_presence=True) == ("" if flags & 1 else "no presence")
    demanding = f"{ALICE} verify-required {token.line}\n"
    assert refusal(armor, demanding) == ("" if flags & 4 else "no user verification")


@pytest.mark.parametrize("kind", TOKENS)
def test_what_a_token_says_can_not_be_edited(kind: str) -> None:
    """Flags, the counter, the message and the application are under the signature."""
    token = Token(kind)
    signers = f"{ALICE} {token.line}\n"
    blob = unarmored(token.sign(flags=0x00))

    assert refusal(token.sign(flags=0x00, said=0x01), signers) == "other bytes"
    assert refusal(armored(blob[:-1] + b"\x08"), signers) == "other bytes"
    assert refusal(token.sign(), signers, message=b"another") == "other bytes"
    renamed = token.blob.replace(string(b"ssh:"), string(b"ssh:x"))
    moved = armored(blob.replace(string(token.blob), string(renamed)))
    assert refusal(moved, f"* {token.type} {base64.b64encode(renamed).decode()}\n") == "other bytes"
    assert refusal(moved, f"* {token.line}\n") == "key not listed"


def test_a_line_that_needs_a_pin_holds_for_each_line_of_its_key() -> None:
    """Where one of the lines for a signer and key needs a PIN, no other line lets it go."""
    token = Token("ed25519")
    signers = f"{ALICE} {token.line}\n*@example.org verify-required {token.line}\n"

    assert refusal(token.sign(flags=0x01), signers) == "no user verification"
    assert refusal(token.sign(flags=0x05), signers) == ""


def test_a_token_that_signed_more_than_ssh_asks_for_is_refused() -> None:
    """Flags of attached data or extensions mean another content than the one that is checked."""
    token = Token("ecdsa")

    for flags in (0x41, 0x81, 0xC1):
        assert refusal(token.sign(flags=flags), f"{ALICE} {token.line}\n") == "not a signature"


@pytest.mark.parametrize("kind", TOKENS)
def test_a_key_for_a_web_site_is_none_for_ssh(kind: str) -> None:
    """A token's key for anything but `ssh:` is refused by what it is for."""
    for application in ("example.org", "", "https://ssh:", "SSH:"):
        token = Token(kind, application=application)
        with pytest.raises(SignatureRefusedError, match="not for SSH") as caught:
            judged(token.sign(), "")
        assert caught.value.refusal == "key type"
    named = Token(kind, application="ssh:release")
    assert refusal(named.sign(), f"{ALICE} {named.line}\n") == ""


@pytest.mark.parametrize("kind", TOKENS)
def test_openssh_does_not_vouch_for_a_touch(kind: str, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSH accepts a token's signature with and without a touch, so through it nothing is claimed of presence."""
    token = Token(kind)
    signers = f"{ALICE} {token.line}\n"
    monkeypatch.setitem(sys.modules, LIBRARY, None)

    for flags in (0x00, 0x01, 0x05):
        armor = token.sign(flags=flags)
        found = judged(armor, signers)
        assert (found.presence, found.user_verified, found.by) == (None, None, "ssh-keygen")
        assert refusal(armor, signers, need_presence=True) == "presence unknown"
        assert refusal(armor, f"{ALICE} verify-required {token.line}\n") == "presence unknown"
    assert refusal(token.sign(flags=0x00, said=0x01), signers) == "other bytes"
