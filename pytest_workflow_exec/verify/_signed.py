"""Whose signatures count for whoever verifies: a list of signers, read when the first signature is judged."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._seals import NAMESPACE, SignerError

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Trust, signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """Lists of keys as a pin holds them."""

    name: str
    """What messages call the list of signers."""
    content: bytes
    """An allowed signers file of OpenSSH."""
    revoked: bytes | None = None
    """The keys that count no more."""


class Signatures:
    """Judges signatures by one list."""

    def __init__(self, signers: Path | Signers, revoked: Path | None = None) -> None:
        """Take the list, or the file that it stands in; nothing is read yet.

        Args:
            revoked: A file of keys that count no more, beside those that the list itself may come with.
        """
        self._signers, self._revoked = signers, revoked
        self._lists: tuple[signature.AllowedSigners, signature.RevokedKeys | None] | None = None

    def trust(self) -> Trust:
        """Return the list as approvals are judged by it.

        Raises:
            SignerError: It can't be used.
        """
        from pytest_workflow_exec.approval import Trust, signature

        try:
            if self._lists is None:
                self._lists = self._read()
        except (signature.SignersError, signature.SignatureToolError) as error:
            raise SignerError(str(error)) from error
        listed, revoked = self._lists
        return Trust(signers=listed, revoked=revoked)

    def problem(self, text: bytes, armor: str, *, principal: str) -> str | None:
        """Return why a signature over a text is not the principal's, or None if it is, now.

        Raises:
            SignerError: The list can't be used, or nothing here can check a signature.
        """
        # Most verdicts need no signature: what checks them is loaded for those that do.
        from pytest_workflow_exec.approval import signature

        try:
            if self._lists is None:
                self._lists = self._read()
            listed, revoked = self._lists
            signature.verify_signature(
                text,
                armor,
                principal=principal,
                namespace=NAMESPACE,
                signers=listed,
                at=datetime.now(timezone.utc),
                revoked=revoked,
            )
        except signature.SignatureRefusedError as error:
            return str(error)
        except (signature.SignersError, signature.SignatureToolError) as error:
            raise SignerError(str(error)) from error
        return None

    def _read(self) -> tuple[signature.AllowedSigners, signature.RevokedKeys | None]:
        from pytest_workflow_exec.approval import signature

        if isinstance(self._signers, Path):
            listed = signature.read_allowed_signers(self._signers)
            return listed, None if self._revoked is None else signature.read_revoked(self._revoked)
        listed = signature.allowed_signers(self._signers.content, file=self._signers.name)
        revoked = self._signers.revoked
        return listed, None if revoked is None else signature.revoked_keys(revoked, file="the revoked keys")
