"""Which file a command starts: found on the policy's path only, and known by its content."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import threading
from pathlib import Path

from pytest_workflow_exec.errors import CommandNotFoundError, CommandRefusedError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._compiled import is_on_path
from ._confinement import Stamp, stamp_of
from ._policy import Policy
from ._programs import path_of
from ._rules import BARE_NAME, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a program file is, whatever it is called."""

    real_path: Path
    sha256: str
    stamp: Stamp
    """With it the same file in the same state is known again."""


def resolve_program(program: str, policy: Policy, rule: Rule | None = None) -> Path:
    """Return the file that `program` names: the first executable of that name on the policy's path.

    The path is not followed further: a virtual environment's interpreter finds its environment by it.

    Args:
        rule: The rule that allows it, which may name a program off the path by its digest.

    Raises:
        CommandNotFoundError: The path holds no such program.
        CommandRefusedError: It is neither a bare name nor a path in a directory of the policy's path.
    """
    if BARE_NAME.fullmatch(program) and program not in {".", ".."}:
        # As texts: path objects take ten times as long.
        candidates = [os.path.join(folder, program) for folder in policy.path]  # noqa: PTH118
    elif (rule is not None and rule.sha256 is not None and program == rule.program) or (
        program == os.path.normpath(program) and is_on_path(Path(program), policy.path)
    ):
        candidates = [program]
    else:
        reason = "the program is neither a name nor a file of the policy's path"
        raise CommandRefusedError(argv=[program], reason=reason)
    found = next((candidate for candidate in candidates if _is_program(candidate)), None)
    if found is None:
        raise CommandNotFoundError(program=program, path=[str(folder) for folder in policy.path])
    return path_of(found)


def identify(program: Path) -> Identity:
    """Return what the file of a program is.

    Raises:
        CommandRefusedError: It is no regular file, changes while it is read, or can't be read: nobody could say later
            what was run.
    """
    try:
        descriptor = os.open(program, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            real = _real_path(descriptor, program)
            stamp, digest = _read(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = f"the program can't be read for its digest ({error.strerror})"
        raise CommandRefusedError(argv=[str(program)], reason=reason) from error
    return Identity(real_path=real, sha256=digest, stamp=stamp)


def check_digest(rule: Rule, identity: Identity) -> None:
    """Return if a program is the one that its rule names by digest; a rule that names none takes any.

    Raises:
        CommandRefusedError: It is another one.
    """
    if rule.sha256 is not None and identity.sha256 != rule.sha256:
        reason = f"rule {rule.text!r} names its program by the digest {rule.sha256}, and it is {identity.sha256}"
        raise CommandRefusedError(argv=[rule.program], reason=reason)


def _real_path(descriptor: int, program: Path) -> Path:
    # Of the very file that is open, and in one call instead of one for each folder.
    if sys.platform == "linux":
        return path_of(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115  # its path objects would resolve it
    return Path(os.path.realpath(program))


_digests: dict[Stamp, str] = {}
_lock = threading.Lock()
_MOST_DIGESTS = 256


def _read(descriptor: int) -> tuple[Stamp, str]:
    """Return which file is open, in what state, and the digest of that state."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "is no regular file")
    stamp = stamp_of(found)
    with _lock:
        known = _digests.get(stamp)
    if known is not None:
        return stamp, known
    digest = hashlib.sha256()
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        digest.update(chunk)
    if stamp_of(os.fstat(descriptor)) != stamp:
        raise OSError(errno.EBUSY, "it changes while it is read")
    with _lock:
        if len(_digests) >= _MOST_DIGESTS:
            _digests.clear()
        _digests[stamp] = digest.hexdigest()
    return stamp, digest.hexdigest()


_CHUNK_BYTES = 1 << 20


def _is_program(candidate: str) -> bool:
    try:
        mode = os.stat(candidate).st_mode  # noqa: PTH116
    except (OSError, ValueError):
        # ValueError: no file can have such a name.
        return False
    return stat.S_ISREG(mode) and os.access(candidate, os.X_OK)
