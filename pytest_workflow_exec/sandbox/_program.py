"""Which file a command starts: found on the policy's path only, and known by its content."""

from __future__ import annotations

import functools
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pytest_workflow_exec.digests import digest_of_file
from pytest_workflow_exec.errors import CommandNotFoundError, CommandRefusedError

from ._compiled import is_on_path
from ._confinement import Stamp, stamp_of
from ._policy import Policy
from ._rules import BARE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a program file is, whatever it is called."""

    real_path: Path
    sha256: str
    stamp: Stamp
    """With it the same file in the same state is known again."""


def resolve_program(program: str, policy: Policy) -> Path:
    """Return the file that `program` names: the first executable of that name on the policy's path.

    The path is not followed further: a virtual environment's interpreter finds its environment by it.

    Raises:
        CommandNotFoundError: The path holds no such program.
        CommandRefusedError: It is neither a bare name nor a path in a directory of the policy's path.
    """
    if BARE_NAME.fullmatch(program) and program not in {".", ".."}:
        candidates = [folder / program for folder in policy.path]
    elif program == os.path.normpath(program) and is_on_path(Path(program), policy.path):
        candidates = [Path(program)]
    else:
        reason = "the program is neither a name nor a file of the policy's path"
        raise CommandRefusedError(argv=[program], reason=reason)
    found = next((candidate for candidate in candidates if _is_program(candidate)), None)
    if found is None:
        raise CommandNotFoundError(program=program, path=[str(folder) for folder in policy.path])
    return found


def identify(program: Path) -> Identity:
    """Return what the file of a program is.

    Raises:
        CommandRefusedError: It is no regular file, or can't be read: nobody could say later what was run.
    """
    real = Path(os.path.realpath(program))
    try:
        found = real.stat()
        digest = _digest(real, stamp_of(found))
    except OSError as error:
        reason = f"the program can't be read for its digest ({error.strerror})"
        raise CommandRefusedError(argv=[str(program)], reason=reason) from error
    return Identity(real_path=real, sha256=digest, stamp=stamp_of(found))


@functools.lru_cache(maxsize=256)
def _digest(path: Path, _stamp: Stamp) -> str:
    return digest_of_file(path)


def _is_program(candidate: Path) -> bool:
    try:
        mode = candidate.stat().st_mode
    except (OSError, ValueError):
        # ValueError: no file can have such a name.
        return False
    return stat.S_ISREG(mode) and os.access(candidate, os.X_OK)
