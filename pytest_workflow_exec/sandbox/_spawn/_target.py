"""The process that becomes the command: made before it is needed, it waits for what it is to become."""

from __future__ import annotations

import array
import marshal
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence

from . import _kernel as kernel
from . import _namespaces as namespaces

# Not that module itself: whoever is forked for one command pays for all that was ever imported here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

TAKEN = b"+"
"""The first byte that is reported: the request was taken. What the server must know follows, behind its length, then any
error."""
LENGTH_BYTES = 4
ALONE = b"!"
"""Stands before how a command ended that nothing else of it outlived: the first process of its namespace ends, too."""
LISTENER = b"\0"
"""Comes with the descriptor at which the kernel asks about a command's connections."""
_REPORT = 3
_FIRST_CLOSED, _FREE = 4, 64
_DIRECTORY, _PROGRAM, _RULESET = 3, 4, 5
_TOLD, _CONFINEMENT, _IS_ASKED = 0, -1, 3
SPACE = socket.CMSG_SPACE(4 * 24)
"""For the descriptors that come with a message: a command's own, and those of sockets."""
_LARGEST_REQUEST = 1 << 14
_CLOSE_ON_EXEC = 0x40000000
_KILL = int(signal.SIGKILL)
_BOUNDED = (
    resource.RLIMIT_CORE,
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_CPU,
    resource.RLIMIT_NPROC,
)


def _highest(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


# What the engine itself may have, looked at when this process starts: no command gets more.
_HIGHEST = {kind: _highest(kind) for kind in _BOUNDED}


def become_next(
    requests: socket.socket, report: int, dropped: Sequence[int] = (), status: int | None = None
) -> NoReturn:
    """Wait for a request and become its command; whatever fails is written to `report`, and nothing runs then.

    Args:
        dropped: The capabilities to give up in a new namespace of users, which begins with all of them.
        status: Where the first process of a namespace tells how its command ended; None for any other process.
    """
    try:
        # Not by name: what reads names of arguments is made at its first use, which would be here, each time.
        os.dup2(report, _REPORT, False)
        os.close(report)
        # Whoever started this may be gone already.
        kernel.prctl(kernel.SET_DEATH_SIGNAL, _KILL)
        os.setsid()
        if status is not None:
            kernel.bound_capabilities(dropped)
            namespaces.prepare_mounts()
        request, descriptors = take(requests)
        os.close(requests.fileno())
        told, confinement = request[_TOLD], request[_CONFINEMENT]
        # What the command is asked about when it connects is the server's to answer.
        asked = descriptors[_RULESET:] if confinement is not None and confinement[_IS_ASKED] else ()
        _report(TAKEN + len(told).to_bytes(LENGTH_BYTES, "big") + told, asked)
        if status is not None:
            _lead(request, descriptors, status)
        _become(request, descriptors)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it must be told, and nothing may go on
        os.write(_REPORT, f"{type(error).__name__}: {error}".encode()[:1000])
    finally:
        os._exit(126)


def _report(content: bytes, descriptors: Sequence[int] = ()) -> None:
    if descriptors:
        report = socket.socket(fileno=_REPORT)
        try:
            content = content[socket.send_fds(report, [content], descriptors) :]
        finally:
            report.detach()
    while content:
        content = content[os.write(_REPORT, content) :]


def _lead(request: tuple[Any, ...], descriptors: list[int], status: int) -> None:
    """Be the first process of a namespace: return only in the command's own process, and collect all others."""
    once, *_, mounts = request[_CONFINEMENT]
    namespaces.arrange_mounts(mounts, descriptors[_RULESET])
    # What both may have is done before the fork: what is touched behind it is copied once more.
    namespaces.enter(*mounts["folder"])
    _place_program(descriptors, once)
    target = os.fork()
    if target == 0:
        os.setsid()
        return
    os.dup2(status, _REPORT, False)
    os.closerange(_FIRST_CLOSED, once + _FREE)
    while True:
        try:
            pid, code = os.waitpid(-1, 0)
        except ChildProcessError:
            os._exit(0)
        if pid == target:
            word = b"%d" if _has_children() else ALONE + b"%d"
            os.write(_REPORT, word % os.waitstatus_to_exitcode(code))


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def take(requests: socket.socket) -> tuple[tuple[Any, ...], list[int]]:
    """Return the next request and the descriptors that come with it; without any more, end this process."""
    while True:
        content, ancillary, _, _ = requests.recvmsg(_LARGEST_REQUEST, SPACE, _CLOSE_ON_EXEC)
        if not content:
            os._exit(0)
        # Else it is the word to end a command that had ended by itself.
        if ancillary:
            descriptors = passed(ancillary)
            return _request(content, descriptors), descriptors


def passed(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    """Return the descriptors that came with a message."""
    numbers = array.array("i")
    for _, _, content in ancillary:
        numbers.frombytes(content)
    return list(numbers)


def _request(content: bytes, descriptors: list[int]) -> tuple[Any, ...]:
    if content == b"M":
        with os.fdopen(descriptors.pop(), "rb") as file:
            file.seek(0)
            content = file.read()
    # Of the same interpreter, and from the engine alone; it reads bytes as they are, and makes far fewer objects than JSON.
    request: tuple[Any, ...] = marshal.loads(content)  # noqa: S302
    return request


def _become(request: tuple[Any, ...], descriptors: list[int]) -> NoReturn:
    """Turn this process into the command's; the order matters: each step forbids what only earlier ones need."""
    _, argv, environment, bounds, confinement = request
    for number in (0, 1, 2):
        os.dup2(descriptors[number], number)
    if confinement is None:
        os.fchdir(descriptors[_DIRECTORY])
        os.closerange(_FIRST_CLOSED, _FREE)
        _set_limits(*bounds)
        os.execve(argv[0], argv, environment)  # noqa: S606  # judged before
    once, unchanged, calls, is_asked, mounts = confinement
    if mounts is None:
        os.fchdir(descriptors[_DIRECTORY])
        _place_program(descriptors, once)
    _check_script(unchanged)
    _set_limits(*bounds)
    kernel.restrict_files(descriptors[_RULESET])
    os.closerange(_FIRST_CLOSED, once)
    os.closerange(once + 1, once + _FREE)
    if is_asked:
        _report(LISTENER, [kernel.restrict_and_ask(calls)])
    else:
        kernel.restrict_calls(calls)
    os.execve(once, argv, environment)  # noqa: S606  # judged before


def _place_program(descriptors: list[int], once: int) -> None:
    """Put the program where only its start finds it."""
    os.dup2(descriptors[_PROGRAM], once, False)


def _check_script(unchanged: Sequence[tuple[str, tuple[int, ...]]]) -> None:
    # A script is opened by its interpreter: at least it is the file that was identified until now.
    for path, stamp in unchanged:
        found = os.stat(path)  # noqa: PTH116  # path objects take ten times as long
        if (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) != stamp:
            raise OSError(f"{path} changed since it was identified")


def _set_limits(
    memory: int | None, file_size: int | None, files: int, cpu_s: int | None, processes: int | None
) -> None:
    # Not 0: a program that the kernel hands cores to is started then all the same, and keeps what the command knew.
    _set_limit(resource.RLIMIT_CORE, 1)
    if memory is not None:
        _set_limit(resource.RLIMIT_DATA, memory)
    if file_size is not None:
        _set_limit(resource.RLIMIT_FSIZE, file_size)
    _set_limit(resource.RLIMIT_NOFILE, files)
    if cpu_s is not None:
        # The first ends it by a signal that says why; the second is for one that goes on nevertheless.
        _set_limit(resource.RLIMIT_CPU, cpu_s, 1)
    if processes is not None:
        # Counted are all threads of the user: those that run already are not the command's.
        _set_limit(resource.RLIMIT_NPROC, _threads() + processes)


def _set_limit(kind: int, soft: int, more: int = 0) -> None:
    highest = _HIGHEST[kind]
    resource.setrlimit(kind, (min(soft, highest), min(soft + more, highest)))


def _threads() -> int:
    """Return how many threads there are on this machine."""
    descriptor = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 200).split()[3].partition(b"/")[2])
    finally:
        os.close(descriptor)
