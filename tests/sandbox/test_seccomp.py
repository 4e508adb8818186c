"""The filter over system calls as the kernel reads it, for machines that these tests do not run on, too."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from pytest_workflow_exec.sandbox import _seccomp
from pytest_workflow_exec.sandbox._seccomp import Calls

ALLOWED, ASKED, KILLED, REFUSED, MISSING = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050001, 0x00050026
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
NOTHING = Calls(
    network=False, all_ports=False, sockets=False, exec_more=False, exec_any=False, signals_scoped=True,
    namespaces=False, memory=False,
)  # fmt: skip
NETWORK = dataclasses.replace(NOTHING, network=True)
SOCKETS = dataclasses.replace(NOTHING, sockets=True)
OLD = dataclasses.replace(NOTHING, signals_scoped=False)
UNIX, INTERNET, NETLINK, DEVICES = 1, 2, 16, 40
STREAM, DATAGRAM, RAW, CLOSED_ON_EXEC = 1, 2, 3, 0x80000


def outcome(calls: Calls, machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Return what the filter says of a system call, step by step as the kernel reads it."""
    column, own = MACHINES[machine]
    words = {0: number, 4: own if architecture is None else architecture}
    words |= {16 + 8 * at: word & 0xFFFFFFFF for at, word in enumerate((*arguments, *(0,) * 6)[:6])}
    steps = list(_seccomp._steps(calls, column, own))
    at, loaded = 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == _seccomp._LOAD:
            loaded = words[value]
        elif code == _seccomp._AND:
            loaded &= value
        elif code == _seccomp._JUMP:
            at += value
        elif code == _seccomp._RETURN:
            return value
        else:
            holds = {
                _seccomp._EQUAL: loaded == value,
                _seccomp._AT_LEAST: loaded >= value,
                _seccomp._ANY_BIT: bool(loaded & value),
            }[code]
            at += yes if holds else no


# Each call by its number on x86_64 and on aarch64, as the kernel's tables have them.
CALLS = {
    "read": (0, 63), "openat": (257, 56), "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203),
    "bind": (49, 200), "listen": (50, 201), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    "ioctl": (16, 29), "fcntl": (72, 25), "kill": (62, 129), "clone": (56, 220), "clone3": (435, 435), "unshare": (272, 97),
    "execve": (59, 221), "execveat": (322, 281), "memfd_create": (319, 279), "prlimit64": (302, 261), "shmget": (29, 194),
    "msgsnd": (69, 189), "semop": (65, 193), "mq_open": (240, 180), "fchmod": (91, 52), "fchmodat": (268, 53),
    "mknodat": (259, 33), "openat2": (437, 437), "ptrace": (101, 117), "mount": (165, 40), "tgkill": (234, 131),
}  # fmt: skip
CASES: Sequence[tuple[str, Calls, str, tuple[int, ...], int]] = (
    ("reading", NOTHING, "read", (), ALLOWED),
    ("opening", NOTHING, "openat", (-100, 0, 0o100, 0o644), ALLOWED),
    ("opening as its owner", NOTHING, "openat", (-100, 0, 0o100, 0o4755), REFUSED),
    ("mode without making", NOTHING, "openat", (-100, 0, 0, 0o4755), ALLOWED),
    ("mode of an owner", NOTHING, "fchmod", (3, 0o4755), REFUSED),
    ("mode of an owner by name", NOTHING, "fchmodat", (-100, 0, 0o4755), REFUSED),
    ("mode of a group", NOTHING, "fchmod", (3, 0o2775), ALLOWED),
    ("node of an owner", NOTHING, "mknodat", (-100, 0, 0o104755), REFUSED),
    ("words in memory", NOTHING, "openat2", (), MISSING),
    ("socket", NOTHING, "socket", (INTERNET, STREAM, 0), REFUSED),
    ("socket with a network", NETWORK, "socket", (INTERNET, STREAM | CLOSED_ON_EXEC, 6), ALLOWED),
    ("datagrams with a network", NETWORK, "socket", (10, DATAGRAM, 17), ALLOWED),
    ("another protocol", NETWORK, "socket", (INTERNET, STREAM, 262), REFUSED),
    ("raw packets", NETWORK, "socket", (INTERNET, RAW, 0), REFUSED),
    ("asking for routes", NETWORK, "socket", (NETLINK, RAW, 0), ALLOWED),
    ("hearing of devices", NETWORK, "socket", (NETLINK, RAW, 15), REFUSED),
    ("within the machine", NETWORK, "socket", (UNIX, STREAM, 0), REFUSED),
    ("named sockets", SOCKETS, "socket", (UNIX, STREAM | CLOSED_ON_EXEC, 0), ALLOWED),
    ("named sockets, datagrams", SOCKETS, "socket", (UNIX, DATAGRAM, 0), REFUSED),
    ("named sockets, a network", SOCKETS, "socket", (INTERNET, STREAM, 0), REFUSED),
    ("named sockets, devices", SOCKETS, "socket", (DEVICES, STREAM, 0), REFUSED),
    ("connecting", SOCKETS, "connect", (3, 0, 110), ASKED),
    ("binding", SOCKETS, "bind", (3, 0, 110), ASKED),
    ("connecting without either", NOTHING, "connect", (3, 0, 110), REFUSED),
    ("binding without either", NOTHING, "bind", (3, 0, 110), REFUSED),
    ("listening without either", dataclasses.replace(NOTHING, all_ports=True), "listen", (3, 1), REFUSED),
    ("binding with a network", NETWORK, "bind", (3, 0, 16), ALLOWED),
    ("connecting with a network", NETWORK, "connect", (3, 0, 16), ALLOWED),
    ("listening", NETWORK, "listen", (3, 1), REFUSED),
    ("listening at all", dataclasses.replace(NETWORK, all_ports=True), "listen", (3, 1), ALLOWED),
    ("pair", NOTHING, "socketpair", (UNIX, STREAM | CLOSED_ON_EXEC, 0), ALLOWED),
    ("pair for datagrams", NOTHING, "socketpair", (UNIX, DATAGRAM, 0), REFUSED),
    ("raw pair", NETWORK, "socketpair", (UNIX, RAW, 0), REFUSED),
    ("pair of another family", NETWORK, "socketpair", (30, STREAM, 0), REFUSED),
    ("sending", NETWORK, "sendto", (3, 0, 1, 0x4000, 0, 0), ALLOWED),
    ("sending first", NETWORK, "sendto", (3, 0, 1, 0x20004000, 0, 16), REFUSED),
    ("message first", NETWORK, "sendmsg", (3, 0, 0x20000000), REFUSED),
    ("messages first", NETWORK, "sendmmsg", (3, 0, 1, 0x20000000), REFUSED),
    ("keys for a terminal", NOTHING, "ioctl", (0, 0x5412), REFUSED),
    ("keys with more bits", NOTHING, "ioctl", (0, 0xFFFFFFFF00005412), REFUSED),
    ("sealing a file", NOTHING, "ioctl", (3, 0x40806685), REFUSED),
    ("sealing a file with more bits", OLD, "ioctl", (3, 0xFFFFFFFF40806685), REFUSED),
    ("owner of a file", OLD, "fcntl", (3, 8, 1), REFUSED),
    ("owner with a scope", NOTHING, "fcntl", (3, 8, 1), ALLOWED),
    ("flags of a file", OLD, "fcntl", (3, 4, 0x2000), ALLOWED),
    ("signal to its group", OLD, "kill", (0, 9), ALLOWED),
    ("signal to another", OLD, "kill", (1, 9), REFUSED),
    ("signal to a thread", OLD, "tgkill", (1, 1, 9), REFUSED),
    ("process", NOTHING, "clone", (0x1200011,), ALLOWED),
    ("process in a namespace", NOTHING, "clone", (0x10000011,), REFUSED),
    ("process of a newer kind", NOTHING, "clone3", (), MISSING),
    ("namespace", NOTHING, "unshare", (0x10000000,), REFUSED),
    ("namespace that is needed", dataclasses.replace(NOTHING, namespaces=True), "unshare", (0x10000000,), ALLOWED),
    ("program", NOTHING, "execve", (), REFUSED),
    ("program that is listed", dataclasses.replace(NOTHING, exec_more=True), "execve", (), ALLOWED),
    ("its own program", NOTHING, "execveat", (1024, 0, 0, 0, 0x1000), ALLOWED),
    ("program by another number", NOTHING, "execveat", (5, 0, 0, 0, 0x1000), REFUSED),
    ("memory to start", dataclasses.replace(NOTHING, exec_more=True), "memfd_create", (0, 1), REFUSED),
    ("memory for data", NOTHING, "memfd_create", (0, 9), ALLOWED),
    ("its limits", NOTHING, "prlimit64", (0, 1), ALLOWED),
    ("limits of another", NOTHING, "prlimit64", (7, 1), REFUSED),
    ("shared memory", NOTHING, "shmget", (), REFUSED),
    ("queue", NOTHING, "msgsnd", (), REFUSED),
    ("semaphore", NOTHING, "semop", (), REFUSED),
    ("named queue", NOTHING, "mq_open", (), REFUSED),
    ("its own memory", dataclasses.replace(NOTHING, memory=True), "shmget", (), ALLOWED),
    ("tracing", NOTHING, "ptrace", (), REFUSED),
    ("mounting", dataclasses.replace(NOTHING, namespaces=True), "mount", (), REFUSED),
)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_filter_says_the_same_on_each_machine(case: tuple[str, Calls, str, tuple[int, ...], int], machine: str) -> None:
    """What a call is, its number and its arguments tell; what becomes of it does not depend on the machine."""
    _, calls, name, arguments, expected = case

    assert outcome(calls, machine, CALLS[name][MACHINES[machine][0]], *arguments) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_other_machines_end_the_command(machine: str) -> None:
    """A call in the way of another machine, whose numbers mean others, is the last one."""
    assert outcome(NOTHING, machine, 0, architecture=0x40000003) == KILLED


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("number", [470, 600, 0x3FFFFFFF])
def test_unknown_calls_are_missing(machine: str, number: int) -> None:
    """What is newer than this package is not there; the other numbers of x86_64 are refused."""
    assert outcome(NOTHING, machine, number) == MISSING
    assert outcome(NOTHING, machine, 0x40000000 | number) == REFUSED


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("calls", [NOTHING, NETWORK, SOCKETS, OLD])
def test_every_number_has_an_end(machine: str, calls: Calls) -> None:
    """No step leads out of the filter, and the kernel takes one of that length."""
    column, architecture = MACHINES[machine]

    assert len(list(_seccomp._steps(calls, column, architecture))) < 4096
    ends = {outcome(calls, machine, number, *(word,) * 6) for number in range(500) for word in (0, 1, 0xFFFFFFFF)}
    assert ends <= {ALLOWED, ASKED, REFUSED, MISSING}
