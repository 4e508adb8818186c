"""Keys that do not count any more: a list of them, or a key revocation list of OpenSSH."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._files import content_of, lines_of
from ._keys import PublicKey, blob_in, key_words
from ._refusals import SignersError
from ._ssh_keygen import revoked_by
from ._wire import MalformedError

_KRL_MAGIC = b"SSHKRL\n\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedKeys:
    """What a file of revoked keys says."""

    blobs: frozenset[bytes] = frozenset()
    krl: bytes | None = None
    """A binary list, which only ssh-keygen reads."""

    def hold(self, key: PublicKey) -> bool:
        """Return whether a key is revoked.

        Raises:
            SignatureToolError: The list is binary, and ssh-keygen can't read it.
        """
        return key.blob in self.blobs or (self.krl is not None and revoked_by(self.krl, key))


def read_revoked(path: Path) -> RevokedKeys:
    """Return the keys that a file revokes: public keys, one a line, or a binary key revocation list.

    Raises:
        SignersError: It can't be read, or a line of it is no key.
    """
    return revoked_keys(content_of(path), file=str(path))


def revoked_keys(content: bytes, *, file: str) -> RevokedKeys:
    """Return the keys that the content of a file revokes.

    Args:
        file: What the file is called in messages.

    Raises:
        SignersError: A line of it is no key.
    """
    if content.startswith(_KRL_MAGIC):
        return RevokedKeys(krl=content)
    return RevokedKeys(blobs=frozenset(_blob(text, line, file) for line, text in lines_of(content, file=file)))


def _blob(text: str, line: int, file: str) -> bytes:
    words = key_words(text)
    if words is None:
        raise SignersError(file=file, line=line, message="it is no public key: a line is `key-type key [comment]`")
    try:
        # Of any kind: a key that never counted may be listed as well.
        return blob_in(words)
    except MalformedError as error:
        raise SignersError(file=file, line=line, message=str(error)) from error
