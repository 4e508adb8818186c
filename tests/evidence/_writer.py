"""A writer of evidence in a process of its own: `python -m tests.evidence._writer WHAT FOLDER [SEGMENT_BYTES]`."""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import SEGMENT_BYTES, EvidenceLog

from ._logs import begun, new_log, note, started


def endless(log: EvidenceLog) -> None:
    """Append without end, and say after each barrier which record is safe."""
    log.append(started())
    log.append(begun("build"))
    while True:
        log.append(note(text="x" * 3_000))
        record = log.append(note(long="y" * 9_000))
        log.barrier()
        print(record.seq, flush=True)


def limited(log: EvidenceLog) -> None:
    """Append until a limit on the file's size cuts a record short."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log.append(note(text="first"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
    fill(log)


def fill(log: EvidenceLog) -> None:
    """Append until it fails, then once more with all the room in the world, and say what was refused and why."""
    try:
        while True:
            log.append(note(text="z" * 900))
    except EvidenceError as error:
        print(error, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for action in (lambda: log.append(note(text="more")), log.barrier):
        try:
            action()
        except EvidenceError as error:
            print(error, flush=True)


_STRUCK_APPENDS = 3_000


class _StruckError(Exception):
    """What a signal handler raises."""


def struck(log: EvidenceLog, segment_bytes: int) -> None:
    """Append while a signal raises at any moment of it, and say which records were returned."""
    returned: list[int] = []
    armed = False

    def strike(_signal: int, _frame: FrameType | None) -> None:
        # Only into the log's own work: what struck elsewhere would test this loop.
        nonlocal armed
        if armed:
            armed = False
            raise _StruckError

    # The first takes longest: on a busy machine it would be struck each time before it wrote anything.
    log.append(note(count=-1))
    signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0003)
    for count in range(_STRUCK_APPENDS if segment_bytes == SEGMENT_BYTES else _STRUCK_APPENDS // 5):
        if segment_bytes < SEGMENT_BYTES:
            # The end of a file takes longer than the signals leave: one strike each time, ever later.
            signal.setitimer(signal.ITIMER_REAL, 0.0001 * (1 + count % 60))
        with contextlib.suppress(_StruckError, EvidenceError):
            armed = True
            record = log.append(note(count=count))
            armed = False
            returned.append(record.seq)
        armed = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    for seq in returned:
        print(seq, flush=True)


if __name__ == "__main__":
    what, folder, *size = sys.argv[1:]
    segment_bytes = int(size[0]) if size else SEGMENT_BYTES
    actions: Mapping[str, Callable[[EvidenceLog], None]] = {
        "endless": endless,
        "limited": limited,
        "fill": fill,
        "struck": partial(struck, segment_bytes=segment_bytes),
    }
    actions[what](new_log(Path(folder), segment_bytes=segment_bytes))
