"""The strict reading of armor and signature: one spelling, nothing missing, nothing more."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from pytest_workflow_exec.approval.signature import SignatureRefusedError, read_signature

from ._made import NAMESPACE, Keys, Token, armored, mpint, sshsig, string, unarmored

KEY = string(b"ssh-ed25519") + string(bytes(range(32)))
SIGNED = string(b"ssh-ed25519") + string(bytes(64))
GOOD = armored(sshsig(KEY, SIGNED))


def test_a_signature_is_read_whole() -> None:
    """Key, namespace and hash are what the text holds; its last newline may be missing."""
    found = read_signature(GOOD.removesuffix("\n"))

    assert (found.key.blob, found.namespace, found.hash, found.token) == (KEY, NAMESPACE, "sha512", None)
    assert read_signature(GOOD) == found


def _lines(change: Callable[[list[str]], object]) -> str:
    lines = GOOD.split("\n")
    change(lines)
    return "\n".join(lines)


def _padding_bits() -> str:
    # A namespace of one byte more, until the base64 ends in "=": then its last character has bits that mean nothing.
    blob = next(blob for n in range(4) if len(blob := sshsig(KEY, SIGNED, namespace=b"x" * (n + 1))) % 3 == 2)
    text = base64.b64encode(blob).decode()
    last = chr(ord(text[-2]) + 1)
    changed = f"{text[:-2]}{last}="
    assert base64.b64decode(changed) == blob
    return f"-----BEGIN SSH SIGNATURE-----\n{changed}\n-----END SSH SIGNATURE-----\n"


ARMOR = {
    "nothing": "",
    "a newline": "\n",
    "no first line": GOOD.split("\n", 1)[1],
    "another first line": GOOD.replace("BEGIN SSH SIGNATURE", "BEGIN SSH  SIGNATURE"),
    "no last line": GOOD.rsplit("-----END", 1)[0],
    "text before it": "hello\n" + GOOD,
    "text after it": GOOD + "hello\n",
    "another one after it": GOOD + GOOD,
    "two newlines after it": GOOD + "\n",
    "space before it": " " + GOOD,
    "space at the end of a line": GOOD.replace("\n", " \n"),
    "carriage returns": GOOD.replace("\n", "\r\n"),
    "an empty line": _lines(lambda lines: lines.insert(1, "")),
    "no body": "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
    "both lines in one": "-----BEGIN SSH SIGNATURE----------END SSH SIGNATURE-----\n",
    "no base64": _lines(lambda lines: lines.insert(1, "????")),
    "base64 of URLs": _lines(lambda lines: lines.insert(1, "-_-_")),
    "padding in the middle": _lines(lambda lines: lines.insert(1, "QQ==")),
    "padding missing": _lines(lambda lines: lines.insert(-2, "QUI")),
    "other bits below the padding": _padding_bits(),
    "letters that are none of ASCII": _lines(lambda lines: lines.insert(1, "ÄÖÜß")),
    "fullwidth digits": _lines(lambda lines: lines.insert(1, "１２３４")),  # noqa: RUF001  # such letters are the point
    "too long": _lines(lambda lines: lines.insert(1, "A" * 20_000)),
}


@pytest.mark.parametrize("armor", ARMOR.values(), ids=ARMOR)
def test_armor_has_one_spelling(armor: str) -> None:
    """Whatever is not exactly one armored signature is none."""
    with pytest.raises(SignatureRefusedError, match="no SSH signature") as caught:
        read_signature(armor)
    assert caught.value.refusal == "not a signature"


def test_carriage_returns_are_named() -> None:
    """A signature that came through a machine with other line ends is refused by that name, as nobody sees them."""
    with pytest.raises(SignatureRefusedError, match="carriage returns"):
        read_signature(GOOD.replace("\n", "\r\n"))


BLOBS = {
    "nothing": b"",
    "another magic": b"SSHSIH" + sshsig(KEY, SIGNED)[6:],
    "version 0": sshsig(KEY, SIGNED, version=0),
    "version 2": sshsig(KEY, SIGNED, version=2),
    "a reserved field": sshsig(KEY, SIGNED, reserved=b"x"),
    "no namespace": sshsig(KEY, SIGNED, namespace=b""),
    "a namespace with a zero": sshsig(KEY, SIGNED, namespace=b"file\0"),
    "a namespace that is no text": sshsig(KEY, SIGNED, namespace=b"\xff"),
    "a long namespace": sshsig(KEY, SIGNED, namespace=b"x" * 257),
    "bytes after it": sshsig(KEY, SIGNED) + b"\0",
    "bytes after the key": sshsig(KEY + b"\0", SIGNED),
    "bytes after what was signed": sshsig(KEY, SIGNED + b"\0"),
    "a flag where no token is": sshsig(KEY, SIGNED + b"\x01\0\0\0\0"),
    "a short key": sshsig(string(b"ssh-ed25519") + string(bytes(31)), SIGNED),
    "a short signature": sshsig(KEY, string(b"ssh-ed25519") + string(bytes(63))),
    "no key": sshsig(b"", SIGNED),
    "nothing signed": sshsig(KEY, b""),
    "a length beyond the end": sshsig(KEY, b"\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("blob", BLOBS.values(), ids=BLOBS)
def test_a_signature_has_nothing_more_and_nothing_less(blob: bytes) -> None:
    """A field that is missing, cut, longer or unknown makes it no signature."""
    with pytest.raises(SignatureRefusedError, match="no SSH signature") as caught:
        read_signature(armored(blob))
    assert caught.value.refusal == "not a signature"


def test_every_cut_is_seen() -> None:
    """No beginning of a signature is one."""
    blob = sshsig(KEY, SIGNED)

    for end in range(len(blob)):
        with pytest.raises(SignatureRefusedError):
            read_signature(armored(blob[:end]))


@pytest.mark.parametrize(
    ("key", "signed", "refusal"),
    [
        (string(b"ssh-ed25519-cert-v01@openssh.com") + string(b""), SIGNED, "certificate"),
        (string(b"ssh-dss") + string(b""), SIGNED, "weak key"),
        (string(b"ssh-ed448") + string(bytes(57)), SIGNED, "key type"),
        (string(b"ssh-ed25519@example.org") + string(bytes(range(32))), SIGNED, "key type"),
        (KEY, string(b"ssh-ed448") + string(bytes(64)), "algorithm"),
        (KEY, string(b"sk-ssh-ed25519@openssh.com") + string(bytes(64)), "algorithm"),
        (KEY, string(b"rsa-sha2-512") + string(bytes(64)), "algorithm"),
    ],
)
def test_kinds_that_do_not_count_are_refused_by_name(key: bytes, signed: bytes, refusal: str) -> None:
    """Certificates, DSA, unknown kinds and an algorithm that is not the key's have reasons of their own."""
    with pytest.raises(SignatureRefusedError) as caught:
        read_signature(armored(sshsig(key, signed)))
    assert caught.value.refusal == refusal


def test_a_web_authentication_is_no_signature_of_a_key() -> None:
    """A token's signature for a browser has another algorithm, which does not count."""
    token = Token("ecdsa")
    signed = string(b"webauthn-sk-ecdsa-sha2-nistp256@openssh.com") + string(mpint(1) + mpint(1)) + b"\x01\0\0\0\0"

    with pytest.raises(SignatureRefusedError) as caught:
        read_signature(armored(sshsig(token.blob, signed)))
    assert caught.value.refusal == "algorithm"


@pytest.mark.parametrize(
    "numbers",
    [
        mpint(1),
        mpint(1) + mpint(1) + b"\0",
        string(b"") + mpint(1),
        string(b"\0") + mpint(1),
        string(b"\0\x01") + mpint(1),
        string(b"\x80") + mpint(1),
        mpint(1) + string(b"\0\0\x80"),
    ],
)
def test_numbers_have_one_spelling(keys: Keys, numbers: bytes) -> None:
    """An ECDSA signature is two positive numbers, each as short as it can be."""
    signed = string(b"ecdsa-sha2-nistp256") + string(numbers)

    with pytest.raises(SignatureRefusedError) as caught:
        read_signature(armored(sshsig(keys.blob("ecdsa-256"), signed)))
    assert caught.value.refusal == "not a signature"


def test_an_rsa_signature_is_as_long_as_its_key(keys: Keys) -> None:
    """A shorter or longer RSA signature is another spelling, which is refused."""
    blob = unarmored(keys.sign("rsa"))
    raw = blob[-384:]

    for other in (raw[1:], b"\0" + raw):
        with pytest.raises(SignatureRefusedError, match="not as long as its RSA key"):
            read_signature(armored(sshsig(keys.blob("rsa"), string(b"rsa-sha2-512") + string(other))))
