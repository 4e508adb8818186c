"""Landlock: what a command may do with files and ports, as a descriptor that a process can restrict itself with."""

from __future__ import annotations

import contextlib
import ctypes
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
_OF_FILES = EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_HANDLED = (1 << 15) - 1
_CONNECT = 1 << 1
_ALL_PORTS, _ALL_SCOPES = 3, 3

_LIBC = ctypes.CDLL(None, use_errno=True)


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
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                self.allow_opened(descriptor, access)
            finally:
                os.close(descriptor)

    def allow_opened(self, descriptor: int, access: int) -> None:
        """Allow `access` to what is open.

        Raises:
            OSError: The kernel does not take it.
        """
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _OF_FILES
        rule = struct.pack("=Qi", access, descriptor)
        _call(_ADD_RULE, ctypes.c_int(self.descriptor), ctypes.c_int(_PATH_RULE), ctypes.c_char_p(rule), _NOTHING)

    def allow_ports(self, ports: Iterable[int]) -> None:
        """Allow connections to these TCP ports of any machine.

        Raises:
            OSError: The kernel does not take it.
        """
        for port in ports:
            rule = struct.pack("=QQ", _CONNECT, port)
            _call(_ADD_RULE, ctypes.c_int(self.descriptor), ctypes.c_int(_PORT_RULE), ctypes.c_char_p(rule), _NOTHING)

    def close(self) -> None:
        """Close it; whoever restricted itself with it stays restricted."""
        os.close(self.descriptor)


_NOTHING = ctypes.c_uint32(0)


def _call(number: int, *arguments: object) -> int:
    result: int = _LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
