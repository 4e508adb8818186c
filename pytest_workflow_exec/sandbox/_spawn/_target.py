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
MOST_DESCRIPTORS = 24
_LARGEST_REQUEST = 1 << 16
_CLOSE_ON_EXEC = 0x40000000
_KILL = int(signal.SIGKILL)
_LIMITS = {
    "memory_bytes": resource.RLIMIT_DATA,
    "file_size_bytes": resource.RLIMIT_FSIZE,
    "files": resource.RLIMIT_NOFILE,
}


def become_next(
    requests: socket.socket, report: int, kind: str, dropped: Sequence[int] = (), status: int | None = None
) -> NoReturn:
    """Wait for a request and become its command; whatever fails is written to `report`, and nothing runs then.

    Args:
        kind: `plain`, or the level of the commands.
        dropped: The capabilities to give up in a new namespace of users, which begins with all of them.
        status: Where the first process of a namespace tells how its command ended; None for any other process.
    """
    try:
        os.dup2(report, _REPORT, inheritable=False)
        os.close(report)
        # Whoever started this may be gone already.
        kernel.prctl(kernel.SET_DEATH_SIGNAL, _KILL)
        os.setsid()
        if kind.startswith("namespaces"):
            kernel.bound_capabilities(dropped)
            namespaces.prepare_mounts()
        request, descriptors = take(requests)
        requests.close()
        confinement = request["confinement"]
        asked = confinement is not None and confinement["sockets"]
        # What the command is asked about when it connects is the server's to answer.
        _report(
            TAKEN + len(request["told"]).to_bytes(LENGTH_BYTES, "big") + request["told"],
            descriptors[_RULESET:] if asked else (),
        )
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


def _lead(request: dict[str, Any], descriptors: list[int], status: int) -> None:
    """Be the first process of a namespace: return only in the command's own process, and collect all others."""
    mounts = request["confinement"]["mounts"]
    namespaces.arrange_mounts(mounts, descriptors[_RULESET])
    # What both may have is done before the fork: what is touched behind it is copied once more.
    namespaces.enter(*mounts["folder"])
    _place_program(request["confinement"], descriptors)
    target = os.fork()
    if target == 0:
        os.setsid()
        return
    os.dup2(status, _REPORT, inheritable=False)
    os.closerange(_FIRST_CLOSED, request["confinement"]["exec_descriptor"] + _FREE)
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


def take(requests: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return the next request and the descriptors that come with it; without any more, end this process."""
    space = socket.CMSG_SPACE(4 * MOST_DESCRIPTORS)
    while True:
        content, ancillary, _, _ = requests.recvmsg(_LARGEST_REQUEST, space, _CLOSE_ON_EXEC)
        if not content:
            os._exit(0)
        # Else it is the word to end a command that had ended by itself.
        if ancillary:
            numbers = array.array("i")
            numbers.frombytes(ancillary[0][2])
            descriptors = list(numbers)
            return _request(content, descriptors), descriptors


def _request(content: bytes, descriptors: list[int]) -> dict[str, Any]:
    if content == b"M":
        with os.fdopen(descriptors.pop(), "rb") as file:
            file.seek(0)
            content = file.read()
    # Of the same interpreter, and from the engine alone; it reads bytes as they are, and makes far fewer objects than JSON.
    request: dict[str, Any] = marshal.loads(content)  # noqa: S302
    return request


def _become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Turn this process into the command's; the order matters: each step forbids what only earlier ones need."""
    for number in (0, 1, 2):
        os.dup2(descriptors[number], number)
    confinement = request["confinement"]
    if confinement is None:
        os.fchdir(descriptors[_DIRECTORY])
        os.closerange(_FIRST_CLOSED, _FREE)
        _set_limits(request["limits"])
        os.execve(request["argv"][0], request["argv"], request["environment"])  # noqa: S606  # judged before
    if confinement["mounts"] is None:
        os.fchdir(descriptors[_DIRECTORY])
        _place_program(confinement, descriptors)
    _check_script(confinement)
    once: int = confinement["exec_descriptor"]
    _set_limits(request["limits"])
    kernel.restrict_files(descriptors[_RULESET])
    os.closerange(_FIRST_CLOSED, once)
    os.closerange(once + 1, once + _FREE)
    if confinement["sockets"]:
        _report(LISTENER, [kernel.restrict_and_ask(confinement["filter"])])
    else:
        kernel.restrict_calls(confinement["filter"])
    os.execve(once, request["argv"], request["environment"])  # noqa: S606  # judged before


def _place_program(confinement: dict[str, Any], descriptors: list[int]) -> None:
    """Put the program where only its start finds it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.dup2(descriptors[_PROGRAM], confinement["exec_descriptor"], inheritable=False)


def _check_script(confinement: dict[str, Any]) -> None:
    # A script is opened by its interpreter: at least it is the file that was identified until now.
    for path, stamp in confinement["unchanged"]:
        found = os.stat(path)  # noqa: PTH116  # path objects take ten times as long
        if (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) != stamp:
            raise OSError(f"{path} changed since it was identified")


def _set_limits(limits: dict[str, int | None]) -> None:
    # Not 0: a program that the kernel hands cores to is started then all the same, and keeps what the command knew.
    _set_limit(resource.RLIMIT_CORE, 1, 1)
    for name, kind in _LIMITS.items():
        value = limits[name]
        if value is not None:
            _set_limit(kind, value, value)
    seconds, processes = limits["cpu_s"], limits["processes"]
    if seconds is not None:
        # The first ends it by a signal that says why; the second is for one that goes on nevertheless.
        _set_limit(resource.RLIMIT_CPU, seconds, seconds + 1)
    if processes is not None:
        # Counted are all threads of the user: those that run already are not the command's.
        others = _threads()
        _set_limit(resource.RLIMIT_NPROC, others + processes, others + processes)


def _set_limit(kind: int, soft: int, hard: int) -> None:
    highest = resource.getrlimit(kind)[1]
    if highest != resource.RLIM_INFINITY:
        soft, hard = min(soft, highest), min(hard, highest)
    resource.setrlimit(kind, (min(soft, sys.maxsize), min(hard, sys.maxsize)))


def _threads() -> int:
    """Return how many threads there are on this machine."""
    descriptor = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 200).split()[3].partition(b"/")[2])
    finally:
        os.close(descriptor)
