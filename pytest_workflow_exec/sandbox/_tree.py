"""Ending everything that a command started, also what detached itself from it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_QUIET_ROUNDS = 2
_GIVE_UP_S = 10.0


class Sweep(NamedTuple):
    """What was left of a command, and whether it is gone."""

    ended: int
    """How many processes besides the command's own were still alive."""
    clean: bool
    """False if some could not be ended."""


class _Process(NamedTuple):
    pid: int
    start: int
    """Ticks from boot to its start: with it a pid names one process, not its successor."""
    parent: int
    group: int
    session: int


def end_tree(main: int | None, marker: str, *, command: int | None = None) -> Sweep:
    """Kill a command's process and all that came from it.

    That is: its process group and session, the descendants of its process, and whatever carries its marker in
    the environment. A process that detached itself and wiped its environment is not found.

    Args:
        main: The command's process, not yet waited for, so that its pid still names it; None if it never got one.
        marker: `NAME=value` as it stands in the environment of the command's processes.
        command: The process that is the command's own, if `main` only watches it; it is not counted.
    """
    if sys.platform == "linux" and (_PROC / "self/stat").exists():
        return _sweep(main, marker.encode(), command)
    if main is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(main, signal.SIGKILL)
    return Sweep(ended=0, clean=True)


def _sweep(main: int | None, marker: bytes, command: int | None) -> Sweep:
    ended: set[tuple[int, int]] = set()
    refused: set[tuple[int, int]] = set()
    quiet, give_up = 0, time.monotonic() + _GIVE_UP_S
    while quiet < _QUIET_ROUNDS and time.monotonic() < give_up:
        # Freeze first: a process that is killed while it forks leaves a child behind.
        found = {_key(process): process for process in _frozen(main, marker, refused)}
        refused.update(key for key, process in found.items() if not _send(process, signal.SIGKILL))
        ended.update(found.keys() - refused)
        quiet = 0 if found.keys() - refused else quiet + 1
    others = {pid for pid, _ in ended} - {main, command}
    return Sweep(ended=len(others), clean=quiet >= _QUIET_ROUNDS and not refused)


def _frozen(main: int | None, marker: bytes, refused: set[tuple[int, int]]) -> list[_Process]:
    stopped: dict[tuple[int, int], _Process] = {}
    while True:
        new = [p for p in _members(main, marker) if _key(p) not in stopped and _key(p) not in refused]
        if not new:
            return list(stopped.values())
        for process in new:
            _send(process, signal.SIGSTOP)
            stopped[_key(process)] = process


def _key(process: _Process) -> tuple[int, int]:
    return (process.pid, process.start)


def _members(main: int | None, marker: bytes) -> list[_Process]:
    marked = {process: _carries(process.pid, marker) for process in _processes() if process.pid != os.getpid()}
    related = _descendants(main, marked) if main is not None else set()
    return [
        process
        for process, carries in marked.items()
        if carries or process.pid in related or main in (process.pid, process.group, process.session)
    ]


def _descendants(main: int, processes: Iterable[_Process]) -> set[int]:
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = [main]
    while waiting:
        new = [child for child in children.get(waiting.pop(), []) if child not in found]
        found.update(new)
        waiting.extend(new)
    return found


def _processes() -> Iterator[_Process]:
    """Return the living processes; one that has ended and waits to be collected is not alive."""
    # Listed again until nothing is new: a process that forks and ends between being listed and
    # being read would otherwise hand on its work unseen, time after time.
    seen: set[int] = set()
    while new := _pids() - seen:
        seen |= new
        yield from (process for process in map(_read, new) if process is not None)


def _pids() -> set[int]:
    # No path objects: they take ten times as long.
    return {int(name) for name in os.listdir(_PROC) if name.isdigit()}  # noqa: PTH208


def _content(path: str) -> bytes:
    descriptor, chunks = os.open(path, os.O_RDONLY | os.O_CLOEXEC), []
    try:
        while chunk := os.read(descriptor, 1 << 16):
            chunks.append(chunk)
    finally:
        os.close(descriptor)
    return b"".join(chunks)


def _read(pid: int) -> _Process | None:
    try:
        stat = _content(f"/proc/{pid}/stat")
    except OSError:
        return None
    # The name in parentheses may itself hold spaces and parentheses.
    state, parent, group, session, *rest = stat.rpartition(b")")[2].split()
    if state in {b"Z", b"X", b"x"}:
        return None
    return _Process(pid=pid, start=int(rest[15]), parent=int(parent), group=int(group), session=int(session))


def _carries(pid: int, marker: bytes) -> bool:
    try:
        environment = _content(f"/proc/{pid}/environ")
    except OSError:
        return False
    return marker in environment.split(b"\0")


def _send(process: _Process, number: signal.Signals) -> bool:
    """Return False if the process may not be signalled; one that is gone is as good as signalled."""
    try:
        _send_exactly(process, number)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _send_exactly(process: _Process, number: signal.Signals) -> None:
    if sys.platform != "linux":
        os.kill(process.pid, number)
        return
    # A descriptor, then a second look at the start: a pid that was reused meanwhile is left alone.
    handle = os.pidfd_open(process.pid)
    try:
        now = _read(process.pid)
        if now is not None and now.start == process.start:
            signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
