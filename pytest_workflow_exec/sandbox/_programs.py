"""What the kernel opens when a program is started: the file, a script's interpreters, an ELF file's loader."""

from __future__ import annotations

import functools
import os
import struct
from collections.abc import Callable
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass

_HEAD_BYTES = 4096
_MOST_INTERPRETERS = 4
_PT_INTERP = 3
_64_BITS_LITTLE_END = (2, 1)


class NotStartableError(Exception):
    """A file can't be started in confinement; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Startable:
    """One program, resolved down to the machine code that runs."""

    machine_code: Path
    prefix: tuple[str, ...]
    """What the kernel would put before the arguments of a script, with the script; empty for machine code."""
    scripts: tuple[Path, ...]
    others: tuple[Path, ...]
    """What else must be executable: the loader of the machine code, and `env` where a script names it."""


def startable(program: Path, find: Callable[[str], Path]) -> Startable:
    """Return what starting `program` opens.

    Args:
        find: Returns the program of a bare name, for scripts that are started through `env`.

    Raises:
        NotStartableError: Its kind is not known, or the chain of interpreters is too long.
        OSError: A file of it can't be read.
    """
    prefix: tuple[str, ...] = ()
    scripts: list[Path] = []
    others: list[Path] = []
    current = program
    for _ in range(_MOST_INTERPRETERS):
        head = _read(current, 0, _HEAD_BYTES)
        if head.startswith(b"\x7fELF"):
            loader = _loader(head, current)
            others += [loader] if loader is not None else []
            return Startable(machine_code=current, prefix=prefix, scripts=tuple(scripts), others=tuple(others))
        if not head.startswith(b"#!"):
            raise NotStartableError(f"{current} is neither a script with an interpreter nor machine code")
        scripts.append(current)
        words = _interpreter_words(head, current)
        if Path(words[0]).name == "env":
            others += [Path(words[0])]
            words = _through_env(words, current, find)
        prefix = (*words, *(prefix or (str(program),)))
        current = Path(words[0])
    raise NotStartableError(f"{program} has more than {_MOST_INTERPRETERS} interpreters, one after another")


def _read(path: Path, offset: int, length: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)


def _interpreter_words(head: bytes, script: Path) -> list[str]:
    line, newline, _ = head[2:].partition(b"\n")
    words = os.fsdecode(line).strip(" \t").split(maxsplit=1)
    if not newline or not words or not words[0].startswith("/"):
        raise NotStartableError(f"{script} names no interpreter by an absolute path in its first line")
    return [word.strip(" \t") for word in words]


def _through_env(words: list[str], script: Path, find: Callable[[str], Path]) -> list[str]:
    named = words[1] if len(words) > 1 else ""
    if not named or named.startswith("-") or any(character in named for character in "= \t/"):
        raise NotStartableError(f"{script} is started through {' '.join(words)!r}; only 'env NAME' is understood")
    return [str(find(named))]


def _loader(head: bytes, path: Path) -> Path | None:
    if tuple(head[4:6]) != _64_BITS_LITTLE_END:
        raise NotStartableError(f"{path} is not machine code of 64 bits, little end first")
    try:
        place = _loader_place(head)
    except (struct.error, IndexError) as error:
        raise NotStartableError(f"{path} can't be understood as machine code") from error
    if place is None:
        return None
    offset, length = place
    name = head[offset : offset + length] if offset + length <= len(head) else _read(path, offset, length)
    return path_of(os.fsdecode(name.rstrip(b"\0")))


@functools.lru_cache(maxsize=256)
def path_of(text: str) -> Path:
    """Return a path, made once: the same few programs are looked at for each command."""
    return Path(text)


@functools.lru_cache(maxsize=32)
def _loader_place(head: bytes) -> tuple[int, int] | None:
    """Return where machine code with that head has the name of its loader, and how long that is."""
    [start] = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    for number in range(count):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", head, start + number * size)
        if kind == _PT_INTERP:
            return offset, min(length, _HEAD_BYTES)
    return None
