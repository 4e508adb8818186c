"""The filter over system calls that a confined command runs under, as a program for the kernel."""

from __future__ import annotations

import functools
import platform
import struct
from collections.abc import Iterator, Sequence

from pytest_workflow_exec.lean_dataclasses import dataclass

EXEC_DESCRIPTOR = 1024
"""Where the program's descriptor lies when it is started; no process of the command can open that number again."""

_LOAD, _AND, _JUMP, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ASK, _KILL, _REFUSE, _MISSING = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32, _FIRST_UNKNOWN = 0x40000000, 470
_AT_EMPTY_PATH = 0x1000
_FEW = 3
# Of a file in memory: that it can't be started, for good.
_NEVER_RUN = 8
_TERMINAL_REQUESTS = (0x5412, 0x541C)
# That of a file nothing can be changed any more, by whoever reads it.
_SEAL_FILE = 0x40806685
_NAMESPACES = 0x7E020000
_INTERNET, _INTERNET_6, _NETLINK, _UNIX = 2, 10, 16, 1
_STREAM, _DATAGRAM, _PACKETS = 1, 2, 5
_TCP, _UDP = 6, 17
# Data with it opens a connection that nothing has judged.
_FAST_OPEN = 0x20000000
# Who is told by a signal that a file is ready, and by which.
_OWNER_COMMANDS, _OWNER_REQUESTS = (8, 10, 15), (0x8901, 0x8902)

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
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "fanotify_init": (300, 262),
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
_OWN_NAMESPACES = {"unshare": (272, 97), "setns": (308, 268)}
_SIGNALLING = {
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}
# Each leaves something in the machine's memory that others use, and that outlives the command.
_SHARED_MEMORY = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
_MEMFD_CREATE, _CLONE, _CLONE3 = (319, 279), (56, 220), (435, 435)
_EXECVE, _EXECVEAT = (59, 221), (322, 281)
_SOCKET, _SOCKET_PAIR, _IOCTL, _FCNTL = (41, 198), (53, 199), (16, 29), (72, 25)
_PRLIMIT, _KILL_CALL = (302, 261), (62, 129)
_CONNECT, _BIND, _LISTEN = (42, 203), (49, 200), (50, 201)
_NO_NUMBER = 0xFFFFFFFF
# Who starts a file with this mode becomes its owner. The one of its group is what folders of shared projects have, too, and
# whoever copies those sets it.
_OWNERS_MODE = 0o4000
_MAKING = 0o100 | 0o20000000
_SETTING_MODES = {(90, _NO_NUMBER): 1, (91, 52): 1, (268, 53): 2, (452, 452): 2, (133, _NO_NUMBER): 1, (259, 33): 2}
"""The calls that set modes (of a path, a descriptor, a name in a folder, the same with flags; of new files), with the place
of the mode."""
_OPENING, _OPEN_BY_WORDS = {(2, _NO_NUMBER): 1, (257, 56): 2}, (437, 437)
"""The calls that open files, with the place of their flags, behind which the mode is; and one that has both in memory."""
_CREATE = (85, _NO_NUMBER)
_SENDING = {(44, 206): 3, (46, 211): 2, (307, 269): 3}
"""The calls that send (to an address, a message, several), with the place of their flags."""
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_Step = tuple[int, int, int, int]
# Without the flags that are given beside it.
_KIND: _Step = (_AND, 0, 0, 0xF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What a command may ask of the kernel beyond files, which Landlock judges."""

    network: bool
    """Whether it may make internet sockets."""
    all_ports: bool
    """Whether its ports are not judged; else it waits for connections at none, as the kernel would pick one."""
    sockets: bool
    """Whether it may make sockets for connections within this machine. Then whoever holds the filter's listener is asked
    about each connection of any socket; else it makes no other kind."""
    exec_more: bool
    """Whether it may start further programs at all; Landlock says which."""
    exec_any: bool
    """Whether these may be any, also such as it makes in memory, where Landlock sees none."""
    signals_scoped: bool
    """Whether Landlock already keeps its signals within the command; else it may signal its own group only."""
    namespaces: bool
    """Whether it may make namespaces of its own; mounts never."""
    memory: bool
    """Whether it may use the shared memory and the queues that it sees; else it has none."""


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
    # What a newer kernel can is not judged by anything here; programs know kernels without it.
    yield from ((_AT_LEAST, 0, 1, _FIRST_UNKNOWN), (_RETURN, 0, 0, _MISSING))
    judged: dict[int, list[_Step]] = {}
    for numbers, steps in _judged(calls):
        judged.setdefault(numbers[column], []).extend(steps)
    yield from _searched(sorted(judged.items()))


def _searched(judged: Sequence[tuple[int, list[_Step]]]) -> list[_Step]:
    """Return the steps that find a call by halves: the kernel goes through them for every call whenever a filter is set."""
    if len(judged) > _FEW:
        middle = len(judged) // 2
        below, above = _searched(judged[:middle]), _searched(judged[middle:])
        return [(_AT_LEAST, 0, 1, judged[middle][0]), (_JUMP, 0, 0, len(below)), *below, *above]
    found: list[_Step] = []
    for number, steps in judged:
        found += [(_EQUAL, 0, len(steps) + 1, number), *steps, (_RETURN, 0, 0, _ALLOW)]
    return [*found, (_RETURN, 0, 0, _ALLOW)]


_Judged = Iterator[tuple[tuple[int, int], Sequence[_Step]]]
"""Calls by their numbers, each with the steps that judge it; what is left after them is allowed."""


def _judged(calls: Calls) -> _Judged:
    for numbers in _refused(calls):
        yield numbers, [(_RETURN, 0, 0, _REFUSE)]
    # Its flags lie in memory, where no filter can see them; the C library then takes the older call.
    yield _CLONE3, [(_RETURN, 0, 0, _MISSING)]
    yield from _of_modes()
    yield from _of_processes(calls)
    yield from _of_sockets(calls)


def _refused(calls: Calls) -> Iterator[tuple[int, int]]:
    yield from _REFUSED.values()
    if not calls.exec_more:
        yield _EXECVE
    if not calls.signals_scoped:
        yield from _SIGNALLING.values()
    if not calls.all_ports:
        yield _LISTEN
    if not calls.namespaces:
        yield from _OWN_NAMESPACES.values()
    if not calls.memory:
        yield from _SHARED_MEMORY.values()


def _of_modes() -> _Judged:
    yield _OPEN_BY_WORDS, [(_RETURN, 0, 0, _MISSING)]
    for numbers, position in {**_SETTING_MODES, _CREATE: 1}.items():
        yield numbers, _no_owners_mode(position)
    for numbers, position in _OPENING.items():
        mode = _no_owners_mode(position + 1)
        yield numbers, [_argument(position), (_ANY_BIT, 0, len(mode), _MAKING), *mode]


def _no_owners_mode(position: int) -> list[_Step]:
    return [_argument(position), (_ANY_BIT, 0, 1, _OWNERS_MODE), (_RETURN, 0, 0, _REFUSE)]


def _of_processes(calls: Calls) -> _Judged:
    if not calls.namespaces:
        yield _CLONE, [_argument(0), (_ANY_BIT, 0, 1, _NAMESPACES), (_RETURN, 0, 0, _REFUSE)]
    requests = (*_TERMINAL_REQUESTS, _SEAL_FILE, *(() if calls.signals_scoped else _OWNER_REQUESTS))
    yield _IOCTL, [_argument(1), *_none_of(requests)]
    # Limits of another process: the engine could be kept from writing evidence by them.
    yield _PRLIMIT, _only(0, 0)
    if not calls.signals_scoped:
        yield _KILL_CALL, _only(0, 0)
        yield _FCNTL, [_argument(1), *_none_of(_OWNER_COMMANDS)]
    if not calls.exec_any:
        yield _MEMFD_CREATE, [_argument(1), (_ANY_BIT, 1, 0, _NEVER_RUN), (_RETURN, 0, 0, _REFUSE)]
    if not calls.exec_more:
        yield _EXECVEAT, [*_only(0, EXEC_DESCRIPTOR), *_only(4, _AT_EMPTY_PATH)]


def _of_sockets(calls: Calls) -> _Judged:
    others = _internet() if calls.network else [(_RETURN, 0, 0, _REFUSE)]
    yield _SOCKET, [*(_within_machine() if calls.sockets else []), *others]
    if not calls.sockets and not calls.network:
        # One of a pair would still get a name that is the machine's.
        for numbers in (_CONNECT, _BIND, _LISTEN):
            yield numbers, [(_RETURN, 0, 0, _REFUSE)]
    if calls.sockets:
        # What an address says lies in memory, where no filter can see it.
        for numbers in (_CONNECT, _BIND):
            yield numbers, [(_RETURN, 0, 0, _ASK)]
    # A pair of any other kind reaches every socket in the file system that takes datagrams.
    yield _SOCKET_PAIR, [*_only(0, _UNIX), _argument(1), _KIND, *_one_of(_STREAM, _PACKETS)]
    for numbers, position in _SENDING.items():
        yield numbers, [_argument(position), (_ANY_BIT, 0, 1, _FAST_OPEN), (_RETURN, 0, 0, _REFUSE)]


def _argument(position: int) -> _Step:
    # The low half: the kernel itself looks at no more of these.
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * position)


def _only(position: int, value: int) -> list[_Step]:
    return [_argument(position), (_EQUAL, 1, 0, value), (_RETURN, 0, 0, _REFUSE)]


def _none_of(values: Sequence[int]) -> Iterator[_Step]:
    for value in values:
        yield from ((_EQUAL, 0, 1, value), (_RETURN, 0, 0, _REFUSE))


def _one_of(*values: int) -> Iterator[_Step]:
    for passed, value in enumerate(values):
        yield (_EQUAL, len(values) - passed, 0, value)
    yield (_RETURN, 0, 0, _REFUSE)


def _within_machine() -> list[_Step]:
    made = [_argument(1), _KIND, (_EQUAL, 0, 1, _STREAM), (_RETURN, 0, 0, _ALLOW)]
    return [_argument(0), (_EQUAL, 0, len(made), _UNIX), *made]


def _internet() -> list[_Step]:
    kinds = [*_one_of(_INTERNET, _INTERNET_6), _argument(1), _KIND, *_one_of(_STREAM, _DATAGRAM)]
    # Of other protocols, such as MPTCP, Landlock does not judge the port.
    protocols = [_argument(2), *_one_of(0, _TCP, _UDP)]
    return [*protocols, _argument(0), (_EQUAL, len(kinds), 0, _NETLINK), *kinds]
