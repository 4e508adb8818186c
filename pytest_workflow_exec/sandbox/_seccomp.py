"""The filter over system calls that a confined command runs under, as a program for the kernel."""

from __future__ import annotations

import functools
import platform
import struct
from collections.abc import Iterator

from pytest_workflow_exec.lean_dataclasses import dataclass

EXEC_DESCRIPTOR = 1024
"""Where the program's descriptor lies when it is started; no process of the command can open that number again."""

_LOAD, _AND, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _REFUSE, _MISSING = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_AT_EMPTY_PATH = 0x1000
_TERMINAL_REQUESTS = (0x5412, 0x541C)
_NAMESPACES = 0x7E020000
_NETLINK = 16

# Each call by its number on x86_64 and on aarch64.
_REFUSED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "syslog": (103, 116),
}
_SIGNALLING = {
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}
_MEMFD_CREATE, _CLONE, _CLONE3 = (319, 279), (56, 220), (435, 435)
_EXECVE, _EXECVEAT = (59, 221), (322, 281)
_SOCKET, _IOCTL, _PRLIMIT, _KILL_CALL = (41, 198), (16, 29), (302, 261), (62, 129)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_Step = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What a command may ask of the kernel beyond files, which Landlock judges."""

    network: bool
    """Whether it may make internet sockets; it never makes any other kind."""
    exec_more: bool
    """Whether it may start further programs at all; Landlock says which."""
    signals_scoped: bool
    """Whether Landlock already keeps its signals within the command; else it may signal its own group only."""


def is_known_machine() -> bool:
    """Return whether the numbers of this machine's system calls are known."""
    return platform.machine() in _MACHINES


@functools.cache
def call_filter(calls: Calls) -> bytes:
    """Return the filter for this machine, as the kernel reads it."""
    column, architecture = _MACHINES[platform.machine()]
    return b"".join(struct.pack("=HBBI", *step) for step in _steps(calls, column, architecture))


def _steps(calls: Calls, column: int, architecture: int) -> Iterator[_Step]:
    yield from ((_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL))
    yield (_LOAD, 0, 0, _NUMBER)
    yield from ((_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE))
    refused = [numbers[column] for numbers in _REFUSED.values()]
    if not calls.exec_more:
        refused += [_EXECVE[column], _MEMFD_CREATE[column]]
    if not calls.signals_scoped:
        refused += [numbers[column] for numbers in _SIGNALLING.values()]
    for number in refused:
        yield from ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE))
    # Its flags lie in memory, where no filter can see them; the C library then takes the older call.
    yield from ((_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _MISSING))
    yield from _when(_CLONE[column], [_argument(0), (_ANY_BIT, 0, 1, _NAMESPACES), (_RETURN, 0, 0, _REFUSE)])
    for request in _TERMINAL_REQUESTS:
        yield from _when(_IOCTL[column], [_argument(1), (_EQUAL, 0, 1, request), (_RETURN, 0, 0, _REFUSE)])
    # Limits of another process: the engine could be kept from writing evidence by them.
    yield from _when(_PRLIMIT[column], _only(0, 0))
    if not calls.signals_scoped:
        yield from _when(_KILL_CALL[column], _only(0, 0))
    if not calls.exec_more:
        yield from _when(_EXECVEAT[column], [*_only(0, EXEC_DESCRIPTOR), *_only(4, _AT_EMPTY_PATH)])
    yield from _when(_SOCKET[column], _internet() if calls.network else [(_RETURN, 0, 0, _REFUSE)])
    yield (_RETURN, 0, 0, _ALLOW)


def _argument(position: int) -> _Step:
    # The low half: the kernel itself looks at no more of these.
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * position)


def _only(position: int, value: int) -> list[_Step]:
    return [_argument(position), (_EQUAL, 1, 0, value), (_RETURN, 0, 0, _REFUSE)]


def _internet() -> list[_Step]:
    families = [(_EQUAL, 3, 0, 2), (_EQUAL, 2, 0, 10), (_EQUAL, 6, 0, _NETLINK), (_RETURN, 0, 0, _REFUSE)]
    kinds = [_argument(1), (_AND, 0, 0, 0xF), (_EQUAL, 2, 0, 1), (_EQUAL, 1, 0, 2), (_RETURN, 0, 0, _REFUSE)]
    return [_argument(0), *families, *kinds]


def _when(number: int, steps: list[_Step]) -> Iterator[_Step]:
    """Do `steps` for one call only, and go on with the call's number whatever they loaded."""
    yield (_EQUAL, 0, len(steps) + 1, number)
    yield from steps
    yield (_LOAD, 0, 0, _NUMBER)
