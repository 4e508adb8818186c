"""Signatures, keys and lists for tests: by OpenSSH where it can make them, composed here where it can't."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from pytest_workflow_exec.approval.signature import (
    RevokedKeys,
    SignatureRefusedError,
    Verified,
    allowed_signers,
    verify_signature,
)

NAMESPACE = "pytest-workflow-exec"
MESSAGE = b"pytest-workflow-exec seal 1\nrun 42\n"
ALICE = "alice@example.org"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)
KINDS = ("rsa", "ecdsa-256", "ecdsa-384", "ecdsa-521", "ed25519")


def string(raw: bytes) -> bytes:
    """Return a string as SSH encodes it."""
    return len(raw).to_bytes(4, "big") + raw


def mpint(number: int) -> bytes:
    """Return a number above zero as SSH encodes it."""
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def armored(blob: bytes) -> str:
    """Return a blob as an armored signature."""
    text = base64.b64encode(blob).decode("ascii")
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def unarmored(armor: str) -> bytes:
    """Return the blob of an armored signature."""
    return base64.b64decode("".join(armor.splitlines()[1:-1]))


def sshsig(  # a signature has as many parts
    key: bytes,
    signed: bytes,
    *,
    namespace: bytes = NAMESPACE.encode(),
    hash_name: bytes = b"sha512",
    version: int = 1,
    reserved: bytes = b"",
) -> bytes:
    """Return the blob of a signature with these parts."""
    parts = (key, namespace, reserved, hash_name, signed)
    return b"SSHSIG" + version.to_bytes(4, "big") + b"".join(map(string, parts))


def to_sign(message: bytes, *, namespace: str = NAMESPACE, hash_name: str = "sha512") -> bytes:
    """Return what a key signs for a message."""
    parts = (namespace.encode(), b"", hash_name.encode(), hashlib.new(hash_name, message).digest())
    return b"SSHSIG" + b"".join(map(string, parts))


def openssh(*arguments: str | Path, message: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run ssh-keygen."""
    return subprocess.run(
        ["ssh-keygen", *map(str, arguments)], input=message, capture_output=True, check=False, env={**os.environ, **env}
    )


@dataclass(frozen=True)
class Keys:
    """A folder with one real key of each kind."""

    folder: Path

    def line(self, kind: str) -> str:
        """Return a public key as it stands in a list."""
        return " ".join((self.folder / f"{kind}.pub").read_text().split()[:2])

    def blob(self, kind: str) -> bytes:
        """Return the encoding of a public key."""
        return base64.b64decode(self.line(kind).split()[1])

    def sign(
        self, kind: str, *, message: bytes = MESSAGE, namespace: str = NAMESPACE, options: Sequence[str] = ()
    ) -> str:
        """Return OpenSSH's signature."""
        done = openssh("-Y", "sign", "-q", "-f", self.folder / kind, "-n", namespace, *options, message=message)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()


def made_keys(folder: Path) -> Keys:
    """Return a key of each kind that counts, a weak one and a certificate, made in a folder."""
    sizes = {"rsa": "3072", "weak": "2048", "ecdsa-256": "256", "ecdsa-384": "384", "ecdsa-521": "521"}
    for name in (*sizes, "ed25519", "mallory"):
        kind = {"weak": "rsa", "mallory": "ed25519"}.get(name, name.partition("-")[0])
        size = ["-b", sizes[name]] if name in sizes else []
        done = openssh("-q", "-t", kind, *size, "-N", "", "-C", name, "-f", folder / name)
        assert done.returncode == 0, done.stderr
    shutil.copy(folder / "ed25519", folder / "certified")
    shutil.copy(folder / "ed25519.pub", folder / "certified.pub")
    done = openssh("-q", "-s", folder / "mallory", "-I", "id", "-n", "alice@example.org", folder / "certified.pub")
    assert done.returncode == 0, done.stderr
    return Keys(folder)


class Token:
    """A key as a security token holds one, with a finger that does what the test says."""

    def __init__(self, kind: str, *, application: str = "ssh:") -> None:
        self.application = application.encode()
        if kind == "ed25519":
            self.type = "sk-ssh-ed25519@openssh.com"
            self._ed25519 = ed25519.Ed25519PrivateKey.generate()
            raw = self._ed25519.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            numbers = string(raw)
        else:
            self.type = "sk-ecdsa-sha2-nistp256@openssh.com"
            self._ecdsa = ec.generate_private_key(ec.SECP256R1())
            point = self._ecdsa.public_key().public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
            )
            numbers = string(b"nistp256") + string(point)
        self.blob = string(self.type.encode()) + numbers + string(self.application)
        self.line = f"{self.type} {base64.b64encode(self.blob).decode()}"

    def sign(self, message: bytes = MESSAGE, *, flags: int = 0x01, counter: int = 7, said: int | None = None) -> str:
        """Return its signature.

        Args:
            flags: What it signs of touch (1) and PIN (4).
            said: The flags in the signature, if they are others.
        """
        signed = (
            hashlib.sha256(self.application).digest()
            + bytes([flags])
            + counter.to_bytes(4, "big")
            + hashlib.sha256(to_sign(message)).digest()
        )
        if self.type.startswith("sk-ssh"):
            value = self._ed25519.sign(signed)
        else:
            r, s = decode_dss_signature(self._ecdsa.sign(signed, ec.ECDSA(hashes.SHA256())))
            value = mpint(r) + mpint(s)
        tail = bytes([flags if said is None else said]) + counter.to_bytes(4, "big")
        return armored(sshsig(self.blob, string(self.type.encode()) + string(value) + tail))


def judged(  # what a test may change, and the rest as it is right
    armor: str,
    signers: str,
    *,
    message: bytes = MESSAGE,
    principal: str = ALICE,
    namespace: str = NAMESPACE,
    at: datetime = NOW,
    revoked: RevokedKeys | None = None,
    need_presence: bool = False,
) -> Verified:
    """Return what is said of a signature under a list."""
    return verify_signature(
        message,
        armor,
        principal=principal,
        namespace=namespace,
        signers=allowed_signers(signers.encode(), file="signers"),
        at=at,
        revoked=revoked,
        need_presence=need_presence,
    )


def accepted_by_openssh(  # the same question, asked OpenSSH
    armor: str,
    signers: str,
    folder: Path,
    *,
    principal: str = ALICE,
    message: bytes = MESSAGE,
    at: str = "20260501120000",
) -> bool:
    """Return whether `ssh-keygen -Y verify` accepts a signature under a list, in UTC."""
    (folder / "signers").write_bytes(signers.encode())
    (folder / "signature").write_bytes(armor.encode())
    done = openssh(
        "-Y", "verify", "-f", folder / "signers", "-I", principal, "-n", NAMESPACE, "-s", folder / "signature",
        f"-Overify-time={at}", message=message, TZ="UTC",
    )  # fmt: skip
    return done.returncode == 0


def refusal(armor: str, signers: str, **asked: object) -> str:
    """Return the kind of reason for which a signature is refused; empty if it counts."""
    try:
        judged(armor, signers, **asked)  # type: ignore[arg-type]  # passed on as they are
    except SignatureRefusedError as error:
        return error.refusal
    return ""
