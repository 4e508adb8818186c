"""Public keys: which kinds count, read from their encoding, and the rest refused by name."""

from __future__ import annotations

import base64
import hashlib
from types import MappingProxyType
from typing import NamedTuple

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._base64 import decoded
from ._refusals import SignatureRefusedError
from ._wire import MalformedError, Reader

RSA_MIN_BITS = 3072
_RSA_MAX_BITS = 16_384
_RSA_MIN_EXPONENT = 3
_MAX_BLOB = 1 << 13
_ED25519_BYTES = 32
_ED25519_PRIME = 2**255 - 19
_TOKEN_PREFIX = "ssh:"  # noqa: S105  # no secret: what the application of a token's key begins with
_CURVE_BYTES = MappingProxyType({"nistp256": 32, "nistp384": 48, "nistp521": 66})
_UNCOMPRESSED = 4
_KEY_PREFIXES = ("ssh-", "ecdsa-", "sk-", "rsa-", "webauthn-")
_WORDS = lazy_pattern(r"(?P<kind>[^ \t]+)[ \t]+(?P<blob>[^ \t]+)(?:[ \t].*)?")

_ED25519_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_ED25519_SMALL = frozenset(
    {0, 1, _ED25519_PRIME - 1, _ED25519_OF_ORDER_8, _ED25519_PRIME - _ED25519_OF_ORDER_8},
)
"""Points that eight steps bring back to the neutral one: under such a "key", anybody can sign anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rsa:
    """The numbers of an RSA key."""

    exponent: int
    modulus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecdsa:
    """A point on one of the NIST curves, uncompressed."""

    curve: str
    point: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519:
    """The bytes of an Ed25519 key."""

    point: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key of a kind that counts."""

    type: str
    """Its kind, as OpenSSH names it."""
    blob: bytes
    """Its encoding; two keys are the same if their encodings are."""
    numbers: Rsa | Ecdsa | Ed25519
    application: str | None = None
    """What a key of a token was made for; None for a key that is no token's."""

    @property
    def fingerprint(self) -> str:
        """The key's SHA-256 as OpenSSH writes it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return f"SHA256:{digest.rstrip('=')}"

    @property
    def text(self) -> str:
        """The key as it stands in a file: kind and base64."""
        return f"{self.type} {base64.b64encode(self.blob).decode('ascii')}"


class KeyWords(NamedTuple):
    """A key as it stands in a file."""

    kind: str
    blob: str


def key_words(text: str) -> KeyWords | None:
    """Return the words of a file that are a key, be it one that counts or not; None if they are none."""
    found = _WORDS.fullmatch(text)
    return KeyWords(found["kind"], found["blob"]) if found is not None and names_a_key(found["kind"]) else None


def names_a_key(word: str) -> bool:
    """Return whether a word of a file is the kind of a key, be it one that counts or not."""
    return word.startswith(_KEY_PREFIXES) and "=" not in word and "," not in word


def blob_in(words: KeyWords) -> bytes:
    """Return the encoding of a key of any kind.

    Raises:
        MalformedError: It is none, or one of another kind.
    """
    blob = decoded(words.blob)
    if len(blob) > _MAX_BLOB:
        raise MalformedError("the key is longer than any")
    if Reader(blob).string() != words.kind.encode("utf-8"):
        raise MalformedError(f"the key after {words.kind!r} is of another kind")
    return blob


def public_key(blob: bytes) -> PublicKey:
    """Return the key that an encoding stands for.

    Raises:
        MalformedError: It stands for none.
        SignatureRefusedError: Keys of its kind, or as weak as it is, do not count.
    """
    if len(blob) > _MAX_BLOB:
        raise MalformedError("the key is longer than any")
    reader = Reader(blob)
    kind = reader.text()
    numbers = _numbers(kind, reader)
    application = _application(reader) if kind.startswith("sk-") else None
    reader.end()
    return PublicKey(type=kind, blob=blob, numbers=numbers, application=application)


def _numbers(kind: str, reader: Reader) -> Rsa | Ecdsa | Ed25519:
    if kind == "ssh-rsa":
        return _rsa(reader)
    if kind in ("ssh-ed25519", "sk-ssh-ed25519@openssh.com"):
        return _ed25519(reader)
    if kind in ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"):
        return _ecdsa(reader, kind.removeprefix("ecdsa-sha2-"))
    if kind == "sk-ecdsa-sha2-nistp256@openssh.com":
        return _ecdsa(reader, "nistp256")
    if "-cert-v0" in kind:
        raise SignatureRefusedError(
            refusal="certificate", message=f"{kind!r} is a certificate, and only plain keys count. Sign with the key."
        )
    if kind == "ssh-dss":
        raise SignatureRefusedError(refusal="weak key", message="a DSA key (ssh-dss) is too weak to count")
    raise SignatureRefusedError(
        refusal="key type",
        message=f"keys of type {kind!r} do not count: use Ed25519, ECDSA or RSA, of a token (sk-) or not",
    )


def _rsa(reader: Reader) -> Rsa:
    exponent, modulus = reader.positive(), reader.positive()
    bits = modulus.bit_length()
    if bits < RSA_MIN_BITS:
        raise SignatureRefusedError(
            refusal="weak key", message=f"an RSA key of {bits} bits is too weak to count: {RSA_MIN_BITS} are needed"
        )
    if bits > _RSA_MAX_BITS:
        raise MalformedError(f"an RSA key of {bits} bits is longer than any")
    if not modulus & 1 or not exponent & 1 or not _RSA_MIN_EXPONENT <= exponent < modulus:
        raise SignatureRefusedError(refusal="weak key", message="the numbers of the RSA key are those of no real key")
    return Rsa(exponent=exponent, modulus=modulus)


def _ecdsa(reader: Reader, curve: str) -> Ecdsa:
    if reader.string() != curve.encode("ascii"):
        raise MalformedError("the key names one curve and is on another")
    point = reader.string()
    if len(point) != 1 + 2 * _CURVE_BYTES[curve] or point[0] != _UNCOMPRESSED:
        raise MalformedError(f"the key is no uncompressed point of {curve}")
    return Ecdsa(curve=curve, point=point)


def _ed25519(reader: Reader) -> Ed25519:
    point = reader.string()
    if len(point) != _ED25519_BYTES:
        raise MalformedError(f"an Ed25519 key has {_ED25519_BYTES} bytes, not {len(point)}")
    ordinate = int.from_bytes(point, "little") & (2**255 - 1)
    if ordinate >= _ED25519_PRIME:
        raise MalformedError("the Ed25519 key is not in its only spelling")
    if ordinate in _ED25519_SMALL:
        raise SignatureRefusedError(refusal="weak key", message="under this Ed25519 key anybody can sign anything")
    return Ed25519(point=point)


def _application(reader: Reader) -> str:
    application = reader.text()
    # A token also holds keys for web sites, and signs for a site whatever its script asks for.
    if not application.startswith(_TOKEN_PREFIX):
        raise SignatureRefusedError(
            refusal="key type", message=f"the token made this key for {application!r}, not for SSH ({_TOKEN_PREFIX}…)"
        )
    return application
