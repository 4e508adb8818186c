"""The one place that runs OpenSSH: to sign, to check where no library does, and to read its binary lists."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ._keys import PublicKey
from ._refusals import SignatureToolError

_PATIENCE_S = 30
_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_SIGNER = "signer"


def sign(text: bytes, key: Path, *, namespace: str) -> str:
    """Return the signature of a text, armored, made with a key or, for a public key, by the agent that holds it.

    Raises:
        SignatureToolError: There is no ssh-keygen, or it does not sign.
    """
    # Nobody is hurried who types a passphrase or looks for a token.
    done = _run(["-Y", "sign", "-f", str(key), "-n", namespace, "-q"], text, patience_s=None)
    armor = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0 or not armor.startswith(_BEGIN):
        raise SignatureToolError(f"ssh-keygen did not sign with {key}: {_said(done)}")
    return armor


def check(armor: str, message: bytes, key: PublicKey, *, namespace: str) -> str | None:
    """Return why a signature is not one of a key over a message, in the words of ssh-keygen; None if it is.

    Raises:
        SignatureToolError: There is no ssh-keygen, or it does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        signature, signers = Path(folder) / "message.sig", Path(folder) / "signers"
        signature.write_text(armor, encoding="ascii")
        # Who may use the key was judged before: here it has one user, under a name that is no pattern.
        signers.write_text(f"{_SIGNER} {key.text}\n", encoding="ascii")
        done = _run(["-Y", "verify", "-f", str(signers), "-I", _SIGNER, "-n", namespace, "-s", str(signature)], message)
    return None if done.returncode == 0 else _said(done)


def revoked_by(krl: bytes, key: PublicKey) -> bool:
    """Return whether a binary key revocation list names a key.

    Raises:
        SignatureToolError: There is no ssh-keygen, or it can't read the list.
    """
    with tempfile.TemporaryDirectory() as folder:
        listed, asked = Path(folder) / "krl", Path(folder) / "key.pub"
        listed.write_bytes(krl)
        asked.write_text(f"{key.text}\n", encoding="ascii")
        done = _run(["-Q", "-f", str(listed), str(asked)], b"")
    answer = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode == 0 and answer.endswith(": ok"):
        return False
    if done.returncode == 1 and answer.endswith(": REVOKED"):
        return True
    raise SignatureToolError(f"ssh-keygen can't read the list of revoked keys: {_said(done)}")


def _run(
    arguments: Sequence[str], text: bytes, *, patience_s: int | None = _PATIENCE_S
) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise SignatureToolError("there is no ssh-keygen here. Install OpenSSH.")
    try:
        return subprocess.run(  # noqa: S603  # OpenSSH, without a shell
            [program, *arguments],
            input=text,
            capture_output=True,
            check=False,
            timeout=patience_s,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise SignatureToolError(f"{program} can't be used: {error}") from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
    return text.splitlines()[-1] if text else f"exit status {done.returncode}"
