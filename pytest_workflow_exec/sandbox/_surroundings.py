"""What a step gives its command besides arguments: a folder, variables, and what it reads; each judged before a start."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import is_redirection, variable_problem

from ._shared_memory import SHARED_MEMORY

if TYPE_CHECKING:
    from ._rules import Rule


MAX_STDIN_BYTES = 1 << 20
_NEVER_RUN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a command is given besides its arguments."""

    cwd: str | None = None
    """The folder that it runs in, from the project root; None for the root."""
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Variables besides those that every command and its rule's commands receive."""
    stdin: str | None = field(default=None, repr=False)
    """What it reads from standard input; None for nothing."""


PLAIN = Surroundings()


class SurroundingsError(ValueError):
    """Something that a command is to be given can't be given to it; the message says why."""


def folder_of(cwd: str | None, *, root: Path, closed: Path | None, work: Path | None) -> Path:
    """Return the folder that a command runs in, links resolved.

    Args:
        cwd: As the step says it, from the project root.
        root: The project.
        closed: The engine's own folder, in which no command runs; None if there is none.
        work: The folder below `closed` that is the commands' own; None if there is none.

    Raises:
        SurroundingsError: There is no such folder, or it is none of the project's.
    """
    if cwd is None:
        return root
    try:
        real = (root / cwd).resolve(strict=True)
        is_folder, top = real.is_dir(), root.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise SurroundingsError(f"its cwd {cwd!r} can't be looked at: {_reason(error)}") from error
    if not is_folder:
        raise SurroundingsError(f"its cwd {cwd!r} is no folder")
    if not real.is_relative_to(top):
        raise SurroundingsError(f"its cwd {cwd!r} leads out of the project")
    own = work is not None and real.is_relative_to(work.resolve())
    if closed is not None and real.is_relative_to(closed.resolve()) and not own:
        raise SurroundingsError(f"its cwd {cwd!r} is the engine's own folder; ${{run.dir}} is the run's")
    return real


def check_folder(folder: str, rule: Rule) -> None:
    """Return if a command of that rule may run there.

    A policy's paths start at the project root. A program that runs the files which its arguments name would run others
    in another folder.

    Args:
        folder: From the project root, links resolved as far as they are known.

    Raises:
        SurroundingsError: The program is of that kind, and the rule does not name the folder.
    """
    from ._runners import runner_of

    if folder == "." or folder in rule.cwd or runner_of(rule.program) is None:
        return
    raise SurroundingsError(
        f"its cwd {folder!r}: {rule.program} runs what its arguments name, and the rule {rule.text!r} names that from "
        f'the project root. If you trust it there, write the rule as a table with cwd = ["{folder}"]'
    )


def check_variables(env: Mapping[str, str], rule: Rule) -> None:
    """Return if a command of that rule can be given these variables.

    Raises:
        SurroundingsError: One can't be set by a workflow, is a secret of the rule's, or holds what none can.
    """
    for name, value in env.items():
        # A Python step can hand over anything.
        if not (_is_text(name) and _is_text(value)):
            raise SurroundingsError(f"its env: {name!r} and its value must both be texts")
        problem = variable_problem(name)
        if problem is not None:
            raise SurroundingsError(f"its env: {problem}")
        if name in rule.secrets:
            raise SurroundingsError(
                f"its env sets {name}, which is a secret of the rule {rule.text!r}; keep one of them"
            )
        if is_redirection(name) and name not in rule.env:
            # A rule's secret, or what it is given to work on, would go to whoever a workflow says.
            raise SurroundingsError(
                f"its env sets {name}, whose value chooses where a command fetches from or sends to. If you trust it, "
                f'write the rule {rule.text!r} as a table with env = ["{name}"]'
            )
        if "\0" in value or _bytes_of(value) is None:
            raise SurroundingsError(f"its env: the value of {name} holds a character that no variable can hold")


def stdin_bytes(stdin: str) -> bytes:
    """Return what a command reads.

    Raises:
        SurroundingsError: It is no text, or longer than a command is given.
    """
    if not _is_text(stdin):
        raise SurroundingsError(f"its stdin is a {type(stdin).__name__}, not a text")
    content = _bytes_of(stdin)
    if content is None:
        raise SurroundingsError("its stdin holds half a surrogate pair, which is no character")
    if len(content) > MAX_STDIN_BYTES:
        raise SurroundingsError(f"its stdin is {len(content)} bytes long; {MAX_STDIN_BYTES} are allowed")
    return content


def readable(content: bytes, folder: Path) -> int:
    """Return a descriptor from which `content` can be read, of a file without a name; the caller closes it.

    Args:
        folder: Where the file is, if the system has none in memory alone.

    Raises:
        OSError: It can't be made.
    """
    # A file, not a pipe: a command that does not read its input could otherwise keep the engine waiting.
    descriptor = _nameless(folder)
    try:
        position = 0
        while position < len(content):
            position += os.write(descriptor, content[position:])
        os.lseek(descriptor, 0, os.SEEK_SET)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _nameless(folder: Path) -> int:
    if sys.platform == "linux":
        # A command writes in it as it likes, and where it may start some programs, no path says that this is none of them.
        with contextlib.suppress(OSError):
            return os.memfd_create("stdin", os.MFD_CLOEXEC | _NEVER_RUN)
        # Before Linux 6.3: a file that has a place, in which commands start nothing.
        with contextlib.suppress(OSError):
            return os.open(SHARED_MEMORY, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    descriptor, name = tempfile.mkstemp(dir=folder)
    Path(name).unlink()
    return descriptor


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _bytes_of(text: str) -> bytes | None:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
