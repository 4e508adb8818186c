"""Landlock: what a command may do with files and ports, as a descriptor that a process can restrict itself with."""

from __future__ import annotations

import ctypes
import functools
import os
import stat
import struct
from collections.abc import Iterable

LEAST_ABI = 3
"""Before it, a file that may only be read can still be emptied."""
_PORTS_ABI = 4
_SCOPE_ABI = 6

_CREATE_RULESET, _ADD_RULE = 444, 445
_VERSION_FLAG = 1
_PATH_RULE, _PORT_RULE = 1, 2

EXECUTE = 1 << 0
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = (1 << bit for bit in range(6, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14

READ = _READ_FILE | _READ_DIR
RUN = EXECUTE | _READ_FILE
DEVICE = _READ_FILE | _WRITE_FILE
WRITE = (
    READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK | _MAKE_FIFO
    | _MAKE_SYM | _REFER | _TRUNCATE
)  # fmt: skip
SHARE = READ | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
_OF_FILES = EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_HANDLED = (1 << 15) - 1
_CONNECT = 1 << 1
_ALL_PORTS, _ALL_SCOPES = 3, 3

_OF_PATH, _OF_PORT = struct.Struct("=Qi"), struct.Struct("=QQ")

_LIBC = ctypes.CDLL(None, use_errno=True)
# Called dozens of times for a command, so that the kinds of its arguments are said once.
_add_rule = _LIBC["syscall"]
_add_rule.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


@functools.cache
def landlock_abi() -> int:
    """Return which version of Landlock the kernel has.

    Raises:
        OSError: It has none, or it is switched off.
    """
    return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))


class Ruleset:
    """What is allowed to whoever restricts itself with it; everything else is refused."""

    def __init__(self, *, abi: int, all_ports: bool = False) -> None:
        """Make a ruleset that allows nothing.

        Args:
            abi: The version of Landlock to use.
            all_ports: Whether TCP ports are left open.

        Raises:
            OSError: The kernel makes none.
        """
        self.judges_ports = abi >= _PORTS_ABI
        self.scopes_signals = abi >= _SCOPE_ABI
        ports = _ALL_PORTS if self.judges_ports and not all_ports else 0
        scopes = _ALL_SCOPES if self.scopes_signals else 0
        attributes = struct.pack("=QQQ", _HANDLED, ports, scopes)
        size = 24 if self.scopes_signals else 16 if self.judges_ports else 8
        self.descriptor = _call(_CREATE_RULESET, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))

    def allow(self, path: str | os.PathLike[str], access: int) -> None:
        """Allow `access` to a file, or beneath a folder; what does not exist is left out.

        Raises:
            OSError: The kernel does not take it.
        """
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        try:
            self.allow_opened(descriptor, access)
        finally:
            os.close(descriptor)

    def allow_opened(self, descriptor: int, access: int) -> None:
        """Allow `access` to what is open.

        Raises:
            OSError: The kernel does not take it.
        """
        self.allow_known(descriptor, access, is_folder=stat.S_ISDIR(os.fstat(descriptor).st_mode))

    def allow_known(self, descriptor: int, access: int, *, is_folder: bool) -> None:
        """Allow `access` to what is open and has been looked at.

        Raises:
            OSError: The kernel does not take it.
        """
        self._add(_PATH_RULE, _OF_PATH.pack(access if is_folder else access & _OF_FILES, descriptor))

    def allow_ports(self, ports: Iterable[int]) -> None:
        """Allow connections to these TCP ports of any machine.

        Raises:
            OSError: The kernel does not take it.
        """
        for port in ports:
            self._add(_PORT_RULE, _OF_PORT.pack(_CONNECT, port))

    def _add(self, kind: int, rule: bytes) -> None:
        if _add_rule(_ADD_RULE, self.descriptor, kind, rule, 0) != 0:
            raise _error()

    def close(self) -> None:
        """Close it; whoever restricted itself with it stays restricted."""
        os.close(self.descriptor)


def _call(number: int, *arguments: object) -> int:
    result: int = _LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise _error()
    return result


def _error() -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code))
