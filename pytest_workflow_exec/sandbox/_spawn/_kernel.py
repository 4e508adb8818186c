"""What the spawn server asks of the kernel that Python has no call for."""

from __future__ import annotations

import array
import ctypes
import os
import struct
from collections.abc import Sequence

SET_DEATH_SIGNAL, SET_FILTER, SET_SUBREAPER, SET_NO_NEW_PRIVILEGES = 1, 22, 36, 38
_IS_IN_BOUNDS, _DROP_FROM_BOUNDS = 23, 24
_RESTRICT_SELF = 446
_SECCOMP, _GET_DESCRIPTOR = {"x86_64": 317, "aarch64": 277}, 438
_FILTER, _FILTER_MODE, _WITH_LISTENER, _UNTIL_ANSWERED = 2, 1, 8, 32
_CAPABILITY_VERSION = 0x20080522
# Of files only: chown, dac_override, dac_read_search, fowner, fsetid, setgid, setuid.
_KEPT_CAPABILITIES = frozenset({0, 1, 2, 3, 4, 6, 7})

LIBC = ctypes.CDLL(None, use_errno=True)
# Each with the kinds of its arguments said once: a process that is forked for one command pays for every object it makes.
_prctl = LIBC["prctl"]
_prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
_restrict_self = LIBC["syscall"]
_restrict_self.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_uint32)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def error(what: str) -> OSError:
    """Return the error of the call that just failed."""
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")


def prctl(option: int, value: int, address: int = 0) -> None:
    """Set something of this process.

    Raises:
        OSError: The kernel refuses it.
    """
    if _prctl(option, value, address, 0, 0) != 0:
        raise error(f"prctl {option}")


def capabilities_to_drop() -> tuple[int, ...]:
    """Return what root's programs are kept from: all that this kernel knows but those over files; nothing for others."""
    if os.geteuid() != 0:
        return ()
    known = (number for number in range(64) if _prctl(_IS_IN_BOUNDS, number, 0, 0, 0) >= 0)
    return tuple(number for number in known if number not in _KEPT_CAPABILITIES)


def bound_capabilities(dropped: Sequence[int]) -> None:
    """Keep programs from some capabilities, in this process and all that it starts.

    Raises:
        OSError: The kernel refuses it.
    """
    for capability in dropped:
        # It is no error to be unable to drop what is not there.
        if _prctl(_DROP_FROM_BOUNDS, capability, 0, 0, 0) != 0 and _prctl(_IS_IN_BOUNDS, capability, 0, 0, 0) == 1:
            raise OSError(f"capability {capability} can't be given up")


def drop_inherited_capabilities() -> None:
    """Give up what a program would inherit.

    Raises:
        OSError: The kernel refuses it.
    """
    header, held = struct.pack("=Ii", _CAPABILITY_VERSION, 0), ctypes.create_string_buffer(24)
    if LIBC.capget(header, held) != 0:
        raise OSError(ctypes.get_errno(), "capabilities can't be read")
    words = list(struct.unpack("=6I", held.raw))
    words[2] = words[5] = 0
    if LIBC.capset(header, struct.pack("=6I", *words)) != 0:
        raise OSError(ctypes.get_errno(), "capabilities can't be given up")


def restrict_files(ruleset: int) -> None:
    """Restrict this process to what a Landlock ruleset allows.

    Raises:
        OSError: The kernel refuses it.
    """
    if _restrict_self(_RESTRICT_SELF, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "Landlock refused")


def restrict_calls(steps: bytes) -> None:
    """Restrict the system calls of this process by a filter.

    Raises:
        OSError: The kernel refuses it.
    """
    # As the kernel has it: how many steps of eight bytes, and where. A structure of ctypes would touch twenty pages more.
    held = array.array("Q", steps)
    program = array.array("Q", (len(held), held.buffer_info()[0]))
    prctl(SET_FILTER, _FILTER, program.buffer_info()[0])


def restrict_and_ask(steps: bytes) -> int:
    """Restrict the system calls of this process by a filter, and return the descriptor at which it asks about some.

    Raises:
        OSError: The kernel refuses it; one that asks may already be in force.
    """
    filter_ = _Filter(len(steps) // 8, steps)
    words = (ctypes.c_long(_FILTER_MODE), ctypes.c_long(_WITH_LISTENER | _UNTIL_ANSWERED), ctypes.byref(filter_))
    listener: int = LIBC.syscall(ctypes.c_long(_SECCOMP[os.uname().machine]), *words)
    if listener < 0:
        raise error("its sockets can't be judged")
    return listener


def descriptor_of(process: int, number: int) -> int:
    """Return a descriptor of this process for what another one has open.

    Args:
        process: A descriptor of the other process.
        number: Its own number for it.

    Raises:
        OSError: It has no such descriptor, or this process may not look into it.
    """
    words = (ctypes.c_int(process), ctypes.c_int(number), ctypes.c_uint(0))
    found: int = LIBC.syscall(ctypes.c_long(_GET_DESCRIPTOR), *words)
    if found < 0:
        raise error("descriptor")
    return found
