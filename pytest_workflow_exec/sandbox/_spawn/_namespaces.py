"""A command's own view of the machine: processes, mounts, users, network and shared memory of its own."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import stat
import struct
import sys
from collections.abc import Iterable

from . import _kernel as kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NEW_MOUNTS, _NEW_IPC, _NEW_USERS, _NEW_PIDS, _NEW_NETWORK = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_CLONE = {"x86_64": 56, "aarch64": 220}
_MOUNT_SETATTR, _ADD_RULE = 442, 445
_NO_SUID, _NO_DEVICES, _NO_EXEC, _BIND, _ALL_BELOW, _PRIVATE = 2, 4, 8, 0x1000, 0x4000, 1 << 18
_HERE, _RECURSIVE, _READ_ONLY = -100, 0x8000, 1
_WRITE, _READ_FILE, _READ_FOLDER = 1 << 1, 1 << 2, 1 << 3
_READ = _READ_FILE | _READ_FOLDER
_PATH_RULE = 1
# Besides reading and writing: to remove and to make files, and to change their length.
_SHARED, _USE_SHARED = "/dev/shm", _READ | _WRITE | 1 << 5 | 1 << 8 | 1 << 14  # noqa: S108  # as the C library has it
_SMALL = "size=64k,mode=755"
_CHANGES, _OF_PATH = struct.Struct("=QQQQ"), struct.Struct("=Qi")


# The kinds of their arguments are said once: whoever is forked for one command pays for every object it makes.
_clone, _mount_call, _unshare = kernel.LIBC["syscall"], kernel.LIBC["mount"], kernel.LIBC["unshare"]
_unshare.argtypes = (ctypes.c_int,)
_set_attributes, _add_rule = kernel.LIBC["syscall"], kernel.LIBC["syscall"]
_clone.argtypes = (ctypes.c_long,) * 6
_mount_call.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_set_attributes.argtypes = (
    ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint, ctypes.c_char_p, ctypes.c_size_t
)  # fmt: skip
_add_rule.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


def leave_network() -> bool:
    """Leave the machine's network for an empty one, with all that this process starts; return whether that was possible.

    Made once: the kernel takes longer over it than over all other namespaces of a command. What was in it is gone when
    the command before has been ended.
    """
    if os.geteuid() == 0:
        return bool(_unshare(_NEW_NETWORK) == 0)
    user, group = os.geteuid(), os.getegid()
    if _unshare(_NEW_USERS | _NEW_NETWORK) != 0:
        return False
    try:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    except OSError:
        # Who is nobody makes no namespaces: each command is told so.
        return False
    return True


def make_first_process(*, keeps_network: bool) -> int:
    """Return as `os.fork` does; the new process is the first in namespaces of its own, and nobody in them yet.

    Args:
        keeps_network: Whether it keeps this process's network.

    Raises:
        OSError: The kernel refuses it.
    """
    flags = _NEW_USERS | _NEW_PIDS | _NEW_MOUNTS | _NEW_IPC | (0 if keeps_network else _NEW_NETWORK) | signal.SIGCHLD
    pid: int = _clone(_CLONE[os.uname().machine], flags, 0, 0, 0, 0)
    if pid < 0:
        raise kernel.error("namespaces")
    return pid


def map_users(pid: int) -> None:
    """Make every user that this process can be the same one in the namespace of the process `pid`.

    Raises:
        OSError: The kernel refuses it.
    """
    if os.geteuid() == 0:
        users, groups = _identity("/proc/self/uid_map"), _identity("/proc/self/gid_map")
    else:
        users, groups = f"{os.geteuid()} {os.geteuid()} 1", f"{os.getegid()} {os.getegid()} 1"
        _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/uid_map", users)
    _write(f"/proc/{pid}/gid_map", groups)


def prepare_mounts() -> None:
    """Let this process see only the processes of its namespace, and write nowhere.

    Raises:
        OSError: The kernel refuses it.
    """
    _mount(None, "/", None, _ALL_BELOW | _PRIVATE)
    _mount("proc", "/proc", "proc", _NO_SUID | _NO_DEVICES | _NO_EXEC)
    _set_read_only("/", is_so=True, flags=_RECURSIVE)


def arrange_mounts(mounts: dict[str, Any], ruleset: int) -> None:
    """Open what a command may write in, and close what lies in there and is not for it.

    Args:
        mounts: `writable` folders, `protected` paths and `masked` ones that are missing in them, the `hidden` folder
            and what is `shown` of it; a folder with its device and inode, and, if shown, whether it is writable.
        ruleset: What the command may do with files; the processes that it sees become a part.

    Raises:
        OSError: Something is not what it was when it was looked at, or the kernel refuses it.
    """
    shown = [(path, _opened(path, identity), is_writable) for path, *identity, is_writable in mounts["shown"]]
    for path, *identity in mounts["writable"]:
        _bind(_opened(path, identity), path, is_writable=True)
    for path in mounts["masked"]:
        os.mkdir(path, 0o755)  # noqa: PTH102  # path objects take ten times as long
    for path in (*mounts["protected"], *mounts["masked"]):
        _bind(os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC), path, is_writable=False)
    if mounts["hidden"] is not None:
        _mount("none", mounts["hidden"], "tmpfs", _NO_SUID | _NO_DEVICES | _NO_EXEC, _SMALL)
        for path, descriptor, is_writable in shown:
            os.makedirs(path)  # noqa: PTH103
            _bind(descriptor, path, is_writable=is_writable)
        _set_read_only(mounts["hidden"], is_so=True)
    kept = (mounts["folder"][0], sys.prefix, *(each[0] for each in mounts["writable"]))
    if os.path.isdir(_SHARED) and not any(path.startswith(f"{_SHARED}/") for path in kept):  # noqa: PTH112
        # Semaphores and shared memory of POSIX are files there, which every pool of processes in Python uses.
        _mount("none", _SHARED, "tmpfs", _NO_SUID | _NO_DEVICES | _NO_EXEC, "size=1g,mode=1777")
        _allow(ruleset, _SHARED, _USE_SHARED)
    if mounts["maps"]:
        _open_processes()
    _allow(ruleset, "/proc", _READ | _WRITE if mounts["maps"] else _READ)
    if mounts["terminals"]:
        # By one of the machine's own a command could write into a person's terminal, and take what they type.
        _mount("devpts", "/dev/pts", "devpts", _NO_SUID | _NO_EXEC, "newinstance,ptmxmode=0666,mode=0600")
        _bind(os.open("/dev/pts/ptmx", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC), "/dev/ptmx", is_writable=True)
        _allow(ruleset, "/dev/pts", _READ | _WRITE)
        _allow(ruleset, "/dev/pts/ptmx", _READ_FILE | _WRITE)


def _allow(ruleset: int, path: str, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if _add_rule(_ADD_RULE, ruleset, _PATH_RULE, _OF_PATH.pack(access, descriptor), 0) != 0:
        raise kernel.error("Landlock")
    os.close(descriptor)


def _open_processes() -> None:
    """Let what `/proc` says of processes be written, and nothing else there, which would be the machine's."""
    _set_read_only("/proc", is_so=False)
    for name in os.listdir("/proc"):  # noqa: PTH208  # path objects take ten times as long
        path = f"/proc/{name}"
        if not name.isdigit() and not os.path.islink(path):  # noqa: PTH114
            _bind(os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC), path, is_writable=False)


def enter(path: str, identity: list[int]) -> None:
    """Make a folder the current one.

    Never by a descriptor from outside: that would lead to mounts where everything is writable.

    Raises:
        OSError: It is not what it was when it was looked at.
    """
    descriptor = _opened(path, identity)
    os.fchdir(descriptor)
    os.close(descriptor)


def remove_masks(paths: Iterable[str]) -> None:
    """Remove the empty folders that stood for protected paths that are missing."""
    for path in paths:
        try:
            os.rmdir(path)  # noqa: PTH106
        except OSError:
            continue


def _opened(path: str, identity: list[int]) -> int:
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(descriptor)
    if [found.st_dev, found.st_ino] != identity or not stat.S_ISDIR(found.st_mode):
        raise OSError(f"{path} changed since it was looked at")
    return descriptor


def _bind(descriptor: int, path: str, *, is_writable: bool) -> None:
    _mount(f"/proc/self/fd/{descriptor}", path, None, _BIND | _ALL_BELOW)
    os.close(descriptor)
    _set_read_only(path, is_so=not is_writable)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    if _mount_call(_encoded(source), os.fsencode(target), _encoded(kind), flags, _encoded(options)) != 0:
        raise kernel.error(f"mount {target}")


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def _set_read_only(path: str, *, is_so: bool, flags: int = 0) -> None:
    changes = _CHANGES.pack(_READ_ONLY if is_so else 0, 0 if is_so else _READ_ONLY, 0, 0)
    if _set_attributes(_MOUNT_SETATTR, _HERE, os.fsencode(path), flags, changes, len(changes)) != 0:
        raise kernel.error(f"mount_setattr {path}")


@functools.cache
def _identity(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123  # path objects take ten times as long
        rows = [line.split() for line in file]
    return "\n".join(f"{first} {first} {count}" for first, _, count in rows) + "\n"


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
