"""Starts confined commands for the engine: a program of its own, with one thread, that imports nothing of ours.

Per command it makes a monitor, which is the engine's child, and the monitor makes the command's process. Whatever
detaches itself from the command becomes the monitor's child. The monitor waits for the command and tells how it ended.
If nothing else of it is left, the kernel says so by having no child to wait for, and the monitor ends. Else it stays
until the engine asks it to end the rest; if the engine is gone first, it does so by itself.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any, NoReturn

DESCRIPTORS = 8
"""How many come with a request: the three streams, itself, program, directory, ruleset, reply."""
_FREE = 64
_ERRORS, _RULESET, _FIRST_CLOSED = 3, 4, 5
_SET_DEATH_SIGNAL, _SET_FILTER, _SET_SUBREAPER, _SET_NO_NEW_PRIVILEGES = 1, 22, 36, 38
_CLONE_PARENT = 0x8000
# Else children made with another signal than the usual one are not waited for.
_WAIT_ALL = 0x40000000
_CLONE = {"x86_64": 56, "aarch64": 220}
_RESTRICT_SELF = 446
_PAUSE_MS = 500
_IS_IN_BOUNDS, _DROP_FROM_BOUNDS = 23, 24
_CAPABILITY_VERSION = 0x20080522
# Of files only: chown, dac_override, dac_read_search, fowner, fsetid, setgid, setuid.
_KEPT_CAPABILITIES = frozenset({0, 1, 2, 3, 4, 6, 7})

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def main(control: int, engine: int) -> NoReturn:
    """Serve requests on the socket `control` until the process of the descriptor `engine` is gone."""
    _prepare()
    requests, poll = socket.socket(fileno=control), select.poll()
    poll.register(control, select.POLLIN)
    poll.register(engine, select.POLLIN)
    while True:
        ready = dict(poll.poll())
        if engine in ready:
            os._exit(0)
        _, ancillary, _, _ = requests.recvmsg(1, socket.CMSG_SPACE(4 * DESCRIPTORS))
        if not ancillary:
            os._exit(0)
        numbers = array.array("i")
        numbers.frombytes(ancillary[0][2])
        descriptors = [_moved(number) for number in numbers]
        _serve(descriptors, control, engine)
        for descriptor in descriptors:
            os.close(descriptor)


def _prepare() -> None:
    """Do once what every command's process inherits, and what binds only programs that are started from here on."""
    gc.disable()
    gc.freeze()
    for resettable in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}:
        signal.signal(resettable, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.geteuid() == 0:
        for capability in range(64):
            if capability not in _KEPT_CAPABILITIES and _LIBC.prctl(_IS_IN_BOUNDS, capability, 0, 0, 0) == 1:
                _prctl(_DROP_FROM_BOUNDS, capability)


def _serve(descriptors: list[int], control: int, engine: int) -> None:
    # Not `os.fork`: the monitor is to be the engine's own child, whose pid stays its own until the engine collects it.
    pid = _LIBC.syscall(
        ctypes.c_long(_CLONE[os.uname().machine]), ctypes.c_long(_CLONE_PARENT | signal.SIGCHLD), *_NONE
    )
    if pid == 0:
        try:
            os.close(control)
            _monitor(descriptors, engine)
        finally:
            os._exit(70)
    if pid < 0:
        failed = {"error": f"no process can be made: {os.strerror(ctypes.get_errno())}"}
        with socket.socket(fileno=os.dup(descriptors[-1])) as reply, contextlib.suppress(OSError):
            reply.send(json.dumps(failed).encode())


_NONE = tuple(ctypes.c_long(0) for _ in range(4))


def _monitor(descriptors: list[int], engine: int) -> NoReturn:
    os.setsid()
    _prctl(_SET_SUBREAPER, 1)
    reply = socket.socket(fileno=descriptors[-1])
    errors, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(errors)
            _become(descriptors, _moved(report))
        except BaseException as error:  # noqa: BLE001  # whatever it is, it must be told, and nothing may go on
            os.write(_ERRORS if _is_open(_ERRORS) else report, f"{type(error).__name__}: {error}".encode()[:1000])
        finally:
            os._exit(126)
    os.close(report)
    for descriptor in descriptors[:-1]:
        os.close(descriptor)
    told = b""
    while chunk := os.read(errors, 4096):
        told += chunk
    started = {"monitor": os.getpid(), "target": pid, "error": told.decode(errors="replace")}
    if told:
        os.waitpid(pid, 0)
    reply.send(json.dumps(started).encode())
    if told:
        os._exit(0)
    _watch(pid, reply, engine)


def _watch(target: int, reply: socket.socket, engine: int) -> NoReturn:
    handle, poll = os.pidfd_open(target), select.poll()
    for descriptor in (handle, reply.fileno(), engine):
        poll.register(descriptor, select.POLLIN)
    end: dict[str, float] = {}
    while True:
        ready = dict(poll.poll(_PAUSE_MS))
        if handle in ready:
            poll.unregister(handle)
        if engine in ready or reply.fileno() in ready:
            with contextlib.suppress(OSError):
                # Left unread, it would make the engine's end of the socket an error.
                reply.recv(1, socket.MSG_DONTWAIT)
            ended = _end_all(target, end)
            _tell(reply, {**end, "ended": ended})
            os._exit(0)
        was_known, alone = bool(end), _collect(target, end)
        if alone:
            _tell(reply, {**end, "ended": 0})
            os._exit(0)
        if end and not was_known:
            _tell(reply, end)


def _tell(reply: socket.socket, facts: dict[str, Any]) -> None:
    # Nobody may hear it; the next look then ends everything.
    with contextlib.suppress(OSError):
        reply.send(json.dumps(facts).encode())


def _collect(target: int, end: dict[str, float]) -> bool:
    """Collect what ended, with how the command did in `end`; return whether there is no child any more."""
    try:
        while True:
            pid, status, usage = os.wait4(-1, os.WNOHANG | _WAIT_ALL)
            if pid == 0:
                return False
            if pid == target:
                end["exit"] = os.waitstatus_to_exitcode(status)
                end["cpu_s"] = usage.ru_utime + usage.ru_stime
                end["memory_kib"] = usage.ru_maxrss
    except ChildProcessError:
        return True


def _end_all(target: int, end: dict[str, float]) -> int:
    """Kill every descendant: freeze all, kill all, until there is none; return how many besides the command's own."""
    ended: set[int] = set()
    while not _collect(target, end):
        found: list[int] = []
        while new := [pid for pid in _descendants(os.getpid()) if pid not in found]:
            for pid in new:
                _signal(pid, signal.SIGSTOP)
            found += new
        for pid in found:
            _signal(pid, signal.SIGKILL)
        ended.update(found)
        # Without collecting it: which of them the command's own is, is told by the next look.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | _WAIT_ALL)
    return len(ended - {target})


def _descendants(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{current}/task"):  # noqa: PTH208  # path objects take ten times as long
                with open(f"/proc/{current}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                    new = [int(word) for word in file.read().split()]
                found += new
                waiting += new
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def _become(descriptors: list[int], report: int) -> NoReturn:
    """Turn this process into the command's; the order matters: each step forbids what only earlier ones need."""
    given, out, err, payload, program, directory, ruleset, _ = descriptors
    os.dup2(report, _ERRORS, inheritable=False)
    os.setsid()
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    request = _request(payload)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for descriptor, number in ((given, 0), (out, 1), (err, 2)):
        os.dup2(descriptor, number)
    os.fchdir(directory)
    _check_script(request)
    once = int(request["exec_descriptor"])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.dup2(program, once, inheritable=False)
    os.dup2(ruleset, _RULESET, inheritable=False)
    os.closerange(_FIRST_CLOSED, once)
    os.closerange(once + 1, once + _FREE)
    _drop_capabilities()
    resource.setrlimit(resource.RLIMIT_NOFILE, (once, once))
    if _LIBC.syscall(ctypes.c_long(_RESTRICT_SELF), ctypes.c_int(_RULESET), ctypes.c_uint32(0)) != 0:
        raise OSError(ctypes.get_errno(), "Landlock refused")
    os.close(_RULESET)
    steps = bytes.fromhex(request["filter"])
    filter_ = _Filter(len(steps) // 8, steps)
    _prctl(_SET_FILTER, 2, ctypes.byref(filter_))
    os.execve(once, request["argv"], request["environment"])  # noqa: S606  # judged before


def _drop_capabilities() -> None:
    """Give up what root could get around Landlock with: some capabilities read other processes' memory."""
    header, held = struct.pack("=Ii", _CAPABILITY_VERSION, 0), ctypes.create_string_buffer(24)
    if _LIBC.capget(header, held) != 0:
        raise OSError(ctypes.get_errno(), "capabilities can't be read")
    words = list(struct.unpack("=6I", held.raw))
    words[2] = words[5] = 0
    if _LIBC.capset(header, struct.pack("=6I", *words)) != 0:
        raise OSError(ctypes.get_errno(), "capabilities can't be given up")


def _request(payload: int) -> dict[str, Any]:
    with os.fdopen(os.dup(payload), "rb") as file:
        file.seek(0)
        request: dict[str, Any] = json.load(file)
    return request


def _check_script(request: dict[str, Any]) -> None:
    # A script is opened by its interpreter: at least it is the file that was identified until now.
    for path, stamp in request["unchanged"]:
        found = Path(path).stat()
        if [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns] != stamp:
            raise OSError(f"{path} changed since it was identified")


def _prctl(option: int, *arguments: object) -> None:
    words = [ctypes.c_ulong(word) if isinstance(word, int) else word for word in arguments]
    words += [ctypes.c_ulong(0)] * (4 - len(words))
    if _LIBC.prctl(ctypes.c_int(option), *words) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl {option}: {os.strerror(code)}")


def _moved(descriptor: int) -> int:
    """Return a copy with a number out of the way of those that a command receives, and close the descriptor."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FREE)
    os.close(descriptor)
    return moved


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
