"""The arithmetic of signatures, by the library `cryptography` (extra `sign`), loaded only when one is checked."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ._keys import Ecdsa, Ed25519, PublicKey, Rsa
from ._refusals import SignatureRefusedError, SignatureToolError
from ._sshsig import EcdsaSignature, Ed25519Signature, RsaSignature, SshSignature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


def available() -> bool:
    """Return whether the library is there."""
    try:
        importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ImportError:
        return False
    return True


def signed(signature: SshSignature, message: bytes) -> bool:
    """Return whether a signature is one of its key over a message.

    Raises:
        SignatureRefusedError: The key's numbers are those of no key.
        SignatureToolError: The library was built without what this kind of key needs.
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        _verify(signature, signature.signed_bytes(message))
    except InvalidSignature:
        return False
    except UnsupportedAlgorithm as error:
        raise SignatureToolError(f"this cryptography can't check a {signature.key.type} key: {error}") from error
    return True


def _verify(signature: SshSignature, data: bytes) -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    of_curve = {"nistp256": hashes.SHA256(), "nistp384": hashes.SHA384(), "nistp521": hashes.SHA512()}
    match signature.key.numbers, signature.value:
        case Rsa() as numbers, RsaSignature() as value:
            by = hashes.SHA256() if value.hash == "sha256" else hashes.SHA512()
            _rsa_key(numbers, signature.key).verify(value.raw, data, padding.PKCS1v15(), by)
        case Ecdsa() as numbers, EcdsaSignature() as value:
            raw = encode_dss_signature(value.r, value.s)
            _ecdsa_key(numbers, signature.key).verify(raw, data, ec.ECDSA(of_curve[numbers.curve]))
        case Ed25519() as numbers, Ed25519Signature() as value:
            ed25519.Ed25519PublicKey.from_public_bytes(numbers.point).verify(value.raw, data)
        case _:
            raise _no_key(signature.key)


def _rsa_key(numbers: Rsa, key: PublicKey) -> RSAPublicKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    try:
        return RSAPublicNumbers(numbers.exponent, numbers.modulus).public_key()
    except ValueError as error:
        raise _no_key(key) from error


def _ecdsa_key(numbers: Ecdsa, key: PublicKey) -> EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}[numbers.curve]
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, numbers.point)
    except ValueError as error:
        raise _no_key(key) from error


def _no_key(key: PublicKey) -> SignatureRefusedError:
    return SignatureRefusedError(
        refusal="weak key", message=f"the numbers of {key.fingerprint} are those of no real key"
    )
