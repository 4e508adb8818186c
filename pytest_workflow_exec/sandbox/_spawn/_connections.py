"""Connections of a command that may use sockets by name: the kernel asks about each, and the spawn server makes it.

An address lies in the command's memory, where it could change after it was judged. So it is copied, the copy is judged,
and the connection is made here with the copy: nothing that the command does meanwhile changes where it leads.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Mapping

from . import _kernel as kernel

_TAKE, _ANSWER, _IS_WAITING = 0xC0502100, 0xC0182101, 0x40082102
_QUESTION = "=QIIiIQ6Q"
_BIND = {"x86_64": 49, "aarch64": 200}
_LONGEST_ADDRESS = 128
_FAMILY = struct.Struct("=H")


class _Question:
    __slots__ = ("address", "descriptor", "is_bind", "length", "number", "thread")

    def __init__(self, number: int, thread: int, descriptor: int, address: int, length: int, *, is_bind: bool) -> None:
        self.number, self.thread, self.is_bind = number, thread, is_bind
        self.descriptor, self.address, self.length = descriptor, address, length


class Connections:
    """What a command may connect to, and where the kernel asks."""

    def __init__(self, listener: int, ruleset: int, sockets: Mapping[int, frozenset[str]]) -> None:
        """Hold them.

        Args:
            ruleset: What the command may do with ports.
            sockets: The sockets that it may connect to, with the paths by which it may ask for each.
        """
        self.listener, self._ruleset, self._sockets = listener, ruleset, sockets

    def answer(self) -> int | None:
        """Take one question, and return the process that answers it; None if nobody waits for an answer any more."""
        question = self._taken()
        if question is None:
            return None
        # A process of its own: a connection may take its time, and what bounds the command's ports can't be taken off.
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(question, error.errno or errno.EAGAIN)
            return None
        if pid == 0:
            problem = errno.EPERM
            try:
                kernel.prctl(kernel.SET_DEATH_SIGNAL, signal.SIGKILL)
                problem = self._outcome(question)
            finally:
                # Whatever happened: who asked waits for an answer.
                self._tell(question, problem)
                os._exit(0)
        return pid

    def close(self) -> None:
        """Let go of everything; whoever still asks is refused by the kernel."""
        for descriptor in (self.listener, self._ruleset, *self._sockets):
            os.close(descriptor)

    def _taken(self) -> _Question | None:
        content = bytearray(struct.calcsize(_QUESTION))
        try:
            fcntl.ioctl(self.listener, _TAKE, content, True)
        except OSError:
            return None
        number, thread, _, call, _, _, *given = struct.unpack(_QUESTION, content)
        is_bind = call == _BIND[os.uname().machine]
        descriptor, length = (ctypes.c_int(word).value for word in (given[0], given[2]))
        return _Question(number, thread, descriptor, given[1], length, is_bind=is_bind)

    def _tell(self, question: _Question, problem: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.listener, _ANSWER, struct.pack("=QqiI", question.number, 0, -problem, 0))

    def _outcome(self, question: _Question) -> int:
        """Return 0 if the connection was made or is under way as the command wanted it, else the error's number."""
        try:
            address, made = self._copied(question), self._socket_of(question)
            # Only now it is certain whose these are: a number that is free again may be another thread's.
            fcntl.ioctl(self.listener, _IS_WAITING, struct.pack("=Q", question.number))
            address = self._judged(address, made, question)
            call = kernel.LIBC.bind if question.is_bind else kernel.LIBC.connect
            failed = call(ctypes.c_int(made), address, ctypes.c_uint(len(address))) != 0
        except OSError as error:
            return error.errno or errno.EPERM
        return ctypes.get_errno() if failed else 0

    def _copied(self, question: _Question) -> bytes:
        if not 0 <= question.length <= _LONGEST_ADDRESS:
            raise OSError(errno.EINVAL, "length")
        memory = os.open(f"/proc/{question.thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            content = os.pread(memory, question.length, question.address)
        except OverflowError:
            content = b""
        finally:
            os.close(memory)
        if len(content) != question.length:
            raise OSError(errno.EFAULT, "address")
        return content

    def _socket_of(self, question: _Question) -> int:
        with open(f"/proc/{question.thread}/status", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            process = next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))
        handle = os.pidfd_open(process)
        try:
            return kernel.descriptor_of(handle, question.descriptor)
        finally:
            os.close(handle)

    def _judged(self, address: bytes, made: int, question: _Question) -> bytes:
        """Return the address to use, with this process restricted to what the command may do with it."""
        with socket.socket(fileno=os.dup(made)) as known:
            family, kind = known.family, known.type
        if family != socket.AF_UNIX:
            kernel.restrict_files(self._ruleset)
            return address
        if question.is_bind or kind != socket.SOCK_STREAM:
            raise OSError(errno.EPERM, "kind")
        return self._named(address, question.thread)

    def _named(self, address: bytes, thread: int) -> bytes:
        if len(address) <= _FAMILY.size or _FAMILY.unpack_from(address)[0] != socket.AF_UNIX:
            raise OSError(errno.EINVAL, "address")
        name = os.fsdecode(address[_FAMILY.size :].partition(b"\0")[0])
        if name and not name.startswith("/"):
            name = f"{os.readlink(f'/proc/{thread}/cwd')}/{name}"  # noqa: PTH115  # path objects take ten times as long
        # However the path is spelled, only a socket that is held is ever connected to.
        for descriptor, names in self._sockets.items():
            if name in names or (name and os.path.realpath(name) in names):
                return _FAMILY.pack(socket.AF_UNIX) + b"/proc/self/fd/%d\0" % descriptor
        raise OSError(errno.EACCES, "name")
