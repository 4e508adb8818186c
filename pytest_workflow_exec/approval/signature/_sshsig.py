"""The signature itself (PROTOCOL.sshsig, version 1): whose it is, for what, over which hash."""

from __future__ import annotations

import hashlib
from types import MappingProxyType

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._armor import unarmored
from ._keys import Ecdsa, Ed25519, PublicKey, Rsa, public_key
from ._refusals import SignatureRefusedError
from ._wire import MalformedError, Reader, encoded

_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = frozenset({"sha256", "sha512"})
_ED25519_BYTES = 64
_RSA_HASHES = MappingProxyType({"rsa-sha2-256": "sha256", "rsa-sha2-512": "sha512"})
_PRESENT = 0x01
_VERIFIED = 0x04
_LONGER = 0x40 | 0x80
"""Flags that announce more data than what tokens sign for SSH."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaSignature:
    """An RSA signature, as long as its key."""

    raw: bytes
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EcdsaSignature:
    """The two numbers of an ECDSA signature."""

    r: int
    s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519Signature:
    """The bytes of an Ed25519 signature."""

    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSays:
    """What a token adds to what it signs, and signs with it (PROTOCOL.u2f)."""

    flags: int
    counter: int

    @property
    def present(self) -> bool:
        """Whether somebody touched it."""
        return bool(self.flags & _PRESENT)

    @property
    def user_verified(self) -> bool:
        """Whether it checked who: by a PIN or a finger."""
        return bool(self.flags & _VERIFIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSignature:
    """A signature that was read, and not checked yet."""

    key: PublicKey
    namespace: str
    hash: str
    value: RsaSignature | EcdsaSignature | Ed25519Signature
    token: TokenSays | None
    """None if the key is no token's."""

    def signed_bytes(self, message: bytes) -> bytes:
        """Return the bytes that the key must have signed for the signature to be over a message."""
        digest = hashlib.new(self.hash, message, usedforsecurity=True).digest()
        parts = (self.namespace.encode("utf-8"), b"", self.hash.encode("ascii"), digest)
        wrapped = _MAGIC + b"".join(encoded(part) for part in parts)
        if self.token is None or self.key.application is None:
            return wrapped
        return (
            hashlib.sha256(self.key.application.encode("utf-8")).digest()
            + bytes([self.token.flags])
            + self.token.counter.to_bytes(4, "big")
            + hashlib.sha256(wrapped).digest()
        )


def read_signature(armor: str) -> SshSignature:
    """Return the signature in an armored text.

    Raises:
        SignatureRefusedError: There is none, or one that does not count whatever it signs.
    """
    try:
        return _signature(unarmored(armor))
    except MalformedError as error:
        raise SignatureRefusedError(refusal="not a signature", message=f"this is no SSH signature: {error}") from error


def _signature(blob: bytes) -> SshSignature:
    reader = Reader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise MalformedError("it does not begin as one")
    version = reader.uint32()
    if version != _VERSION:
        raise MalformedError(f"it is of version {version}, and only {_VERSION} is known")
    key = public_key(reader.string())
    namespace, reserved, hash_name, signed = reader.text(), reader.string(), reader.text(), reader.string()
    reader.end()
    if not namespace:
        raise MalformedError("it does not say what it is for: its namespace is empty")
    if reserved:
        raise MalformedError("it has something where version 1 has nothing")
    if hash_name not in _HASHES:
        raise SignatureRefusedError(
            refusal="hash", message=f"it signs a hash by {hash_name!r}: only sha256 and sha512 count"
        )
    inner = Reader(signed)
    value = _value(inner, key)
    token = None if key.application is None else _token(inner)
    inner.end()
    return SshSignature(key=key, namespace=namespace, hash=hash_name, value=value, token=token)


def _value(reader: Reader, key: PublicKey) -> RsaSignature | EcdsaSignature | Ed25519Signature:
    algorithm, numbers = reader.text(), key.numbers
    fits = algorithm in _RSA_HASHES if isinstance(numbers, Rsa) else algorithm == key.type
    if not fits:
        raise SignatureRefusedError(
            refusal="algorithm",
            message=f"a {key.type} key signed by {algorithm!r}: "
            f"only {' and '.join(_RSA_HASHES) if isinstance(numbers, Rsa) else key.type} counts",
        )
    raw = reader.string()
    match numbers:
        case Rsa():
            if len(raw) != (numbers.modulus.bit_length() + 7) // 8:
                raise MalformedError("it is not as long as its RSA key")
            return RsaSignature(raw=raw, hash=_RSA_HASHES[algorithm])
        case Ecdsa():
            pair = Reader(raw)
            r, s = pair.positive(), pair.positive()
            pair.end()
            return EcdsaSignature(r=r, s=s)
        case Ed25519():
            if len(raw) != _ED25519_BYTES:
                raise MalformedError(f"an Ed25519 signature has {_ED25519_BYTES} bytes, not {len(raw)}")
            return Ed25519Signature(raw=raw)


def _token(reader: Reader) -> TokenSays:
    token = TokenSays(flags=reader.byte(), counter=reader.uint32())
    if token.flags & _LONGER:
        raise MalformedError(
            f"its token says by flags {token.flags:#04x} that it signed something else than SSH asks for"
        )
    return token
