"""Shared memory where a command has none of its own: the machine's, which others use, too."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ._loaded_from import loaded_from
from ._rules import Rule
from ._writable import NotWritableError

SHARED_MEMORY = "/dev/shm"  # noqa: S108  # as the C library has it


def shared_memory_problems(rule: Rule, *, root: Path, level: str, path: Sequence[Path]) -> Iterator[str]:
    """Return why a rule's commands can't be granted the machine's shared memory, if it asks for it.

    Args:
        root: The project.
        level: The confinement that its commands run under.
        path: The policy's.
    """
    if "shared-memory" in rule.needs and level == "landlock":
        try:
            check_shared_memory(root, path)
        except NotWritableError as error:
            yield f"rule {rule.text!r}: {error}"


def check_shared_memory(root: Path, path: Sequence[Path]) -> None:
    """Return if commands can be granted the machine's shared memory: nothing lies in it that they may not write.

    Args:
        root: The project.
        path: The policy's.

    Raises:
        NotWritableError: The project or the user's home lies there, or what programs and the engine's code are loaded from.
    """
    shared = os.path.realpath(SHARED_MEMORY)
    # Below a home lie the pin, a ledger and keys.
    places = (os.path.realpath(root), *loaded_from(path), *map(os.path.realpath, _homes()))
    held = next((place for place in places if place == shared or place.startswith(f"{shared}/")), None)
    if held is not None:
        raise NotWritableError(
            f"it needs shared memory, and {held!r} lies in {shared!r}, where its commands could write then; "
            f"move that, or run at level namespaces"
        )


def _homes() -> Iterator[str]:
    import pwd

    yield from filter(None, [os.environ.get("HOME")])
    with contextlib.suppress(KeyError):
        yield pwd.getpwuid(os.geteuid()).pw_dir
