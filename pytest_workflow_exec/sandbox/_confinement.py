"""What one command may do, made into what the kernel takes."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._held import HeldPaths
from ._landlock import DEVICE, READ, RUN, SHARE, WRITE, Ruleset, landlock_abi
from ._linked_tree import linked_tree
from ._mounts import mounts_of
from ._programs import NotStartableError, Startable, startable
from ._seccomp import Calls, call_filter
from ._shared_memory import SHARED_MEMORY, check_shared_memory
from ._sockets import NotConnectableError, open_socket
from ._spawner import Confinement, Mounts, NamedSocket
from ._writable import NotWritableError, Writable, open_writable, trespasses

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
_CONFIGURATION = [
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ld.so.preload",
    "passwd",
    "group",
    "nsswitch.conf",
    "hosts",
    "host.conf",
    "resolv.conf",
    "gai.conf",
    "services",
    "protocols",
    "networks",
    "ssl",
    "ca-certificates",
    "pki",
    "crypto-policies",
    "localtime",
    "timezone",
    "locale.alias",
    "locale.conf",
    "mime.types",
    "magic",
    "alternatives",
    "os-release",
    "debian_version",
    "lsb-release",
    "terminfo",
    "inputrc",
    "fonts",
]
_FACTS = ("/proc", "/sys/devices/system/cpu", "/sys/kernel/mm/transparent_hugepage")
_ALWAYS_READABLE = (
    *_SYSTEM,
    *_FACTS,
    sys.prefix,
    sys.base_prefix,
    *(f"/etc/{name}" for name in _CONFIGURATION),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# Making one opens the terminal of the number that the kernel gives, which nobody knows before.
_TERMINALS, _OWN_TERMINAL = ("/dev/ptmx", "/dev/pts", "/dev/tty"), ("/dev/tty",)
_NAMES_PORT, _GIT = 53, "git"


def always_readable() -> tuple[str, ...]:
    """Return what every confined command may read, beside the project and what its rule says."""
    return _ALWAYS_READABLE


Stamp = tuple[int, ...]
"""Which file it is, and whether it changed: device, inode, size, times of content and state."""


class NotConfinableError(Exception):
    """A command can't be confined as its rule says; holds why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one command is given."""

    program: Path
    stamp: Stamp | None = None
    """What the program was when it was identified."""
    root: Path
    private: tuple[Path, ...]
    """The engine's own folders for it, in which it may write."""
    path: tuple[Path, ...] = ()
    """Where programs are found, in which it may not write."""
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    exec: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    home: Path | None = None
    """The user's own home folder, if it may read there."""
    terminals: bool = False
    """Whether it may make pseudo-terminals of its own."""
    sockets: tuple[str, ...] = ()
    """Sockets in the file system that it may connect to."""
    shared_memory: bool = False
    """Whether it may use the machine's shared memory, where it has none of its own."""
    namespaces: bool = False
    """Whether it sees a machine of its own."""
    more_namespaces: bool = False
    """Whether it may make further ones itself."""
    hidden: Path | None = None
    """The folder with the evidence, which it then does not see."""
    shown: tuple[Path, ...] = ()
    """What it may read of that folder."""


def stamp_of(found: os.stat_result) -> Stamp:
    """Return which file was found, and in what state."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def engine_folders() -> tuple[Path, ...]:
    """Return where this package lies, if that is not with the interpreter's other packages: as in its own checkout."""
    folder = Path(__file__).resolve().parents[2]
    held = any(folder.is_relative_to(os.path.realpath(prefix)) for prefix in (sys.prefix, sys.base_prefix))
    return () if held else (folder,)


@contextlib.contextmanager
def confined(grant: Grant, *, find: Callable[[str], Path], abi: int | None = None) -> Iterator[Confinement]:
    """Hold open what confines one command until it was started.

    Args:
        find: Returns the program of a bare name or absolute path.
        abi: Use no newer version of Landlock than this.

    Raises:
        NotConfinableError: What is granted can't be granted, or the program changed since it was identified.
    """
    with contextlib.ExitStack() as stack:
        try:
            confinement = _made(grant, find, abi, stack)
        except (NotWritableError, NotStartableError, NotConnectableError) as error:
            raise NotConfinableError(str(error)) from error
        except OSError as error:
            raise NotConfinableError(f"its confinement can't be made: {error}") from error
        yield confinement


def _made(grant: Grant, find: Callable[[str], Path], abi: int | None, stack: contextlib.ExitStack) -> Confinement:
    known = landlock_abi()
    ports = _ports(grant.network)
    ruleset = Ruleset(abi=known if abi is None else min(abi, known), all_ports=ports is None)
    stack.callback(ruleset.close)
    if ports and not ruleset.judges_ports:
        raise NotConfinableError("its rule names ports, which this kernel can't keep to; it needs Linux 6.7 or newer")
    what = startable(grant.program, find)
    program = os.open(what.machine_code, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, program)
    unchanged = _unchanged(grant, what, program)
    _allow_reading(ruleset, grant, what)
    _allow_running(ruleset, grant, what, program, find)
    for folder in grant.private:
        ruleset.allow(folder, WRITE)
    writable: list[Writable] = []
    for entry in grant.write:
        level = "namespaces" if grant.namespaces else "landlock"
        granted = open_writable(grant.root, entry, level=level, path=grant.path)
        stack.callback(os.close, granted.descriptor)
        ruleset.allow_opened(granted.descriptor, WRITE)
        writable.append(granted)
    if grant.shared_memory and not grant.namespaces:
        check_shared_memory(grant.root, grant.path)
        ruleset.allow(SHARED_MEMORY, SHARE)
    if ports:
        ruleset.allow_ports(sorted({*ports, _NAMES_PORT}))
    calls = Calls(
        network=bool(grant.network),
        all_ports=ports is None,
        sockets=bool(grant.sockets),
        exec_more=bool(grant.exec),
        exec_any=grant.exec == ("any",),
        signals_scoped=ruleset.scopes_signals,
        namespaces=grant.more_namespaces,
        memory=grant.namespaces or grant.shared_memory,
    )
    return Confinement(
        program=program,
        prefix=what.prefix,
        unchanged=unchanged,
        ruleset=ruleset.descriptor,
        filter=call_filter(calls),
        mounts=_mounts(grant, writable),
        network=bool(grant.network),
        sockets=_opened_sockets(grant, stack),
        trespasses=lambda: tuple(path for each in writable for path in trespasses(grant.root, each)),
    )


def _opened_sockets(grant: Grant, stack: contextlib.ExitStack) -> tuple[NamedSocket, ...]:
    opened = []
    for entry in grant.sockets:
        opened.append(open_socket(grant.root, entry))
        stack.callback(os.close, opened[-1].descriptor)
    return tuple(opened)


def _mounts(grant: Grant, writable: Sequence[Writable]) -> Mounts | None:
    if not grant.namespaces:
        return None
    mounts = mounts_of(grant.root, private=grant.private, writable=writable, hidden=grant.hidden, shown=grant.shown)
    return replace(mounts, maps=grant.more_namespaces, terminals=grant.terminals)


def _unchanged(grant: Grant, what: Startable, program: int) -> tuple[tuple[str, Stamp], ...]:
    found = os.fstat(program) if not what.scripts else grant.program.stat()
    if grant.stamp is not None and stamp_of(found) != grant.stamp:
        raise NotConfinableError(f"{grant.program} changed since it was identified")
    return tuple((str(script), stamp_of(script.stat())) for script in what.scripts)


def _allow_reading(ruleset: Ruleset, grant: Grant, what: Startable) -> None:
    _held_for_all().allow(ruleset, READ)
    for path in _readable(grant):
        ruleset.allow(path, READ)
    for script in what.scripts:
        ruleset.allow(script, READ)
    _held_devices().allow(ruleset, DEVICE)
    terminals = _OWN_TERMINAL if grant.namespaces else _TERMINALS
    for device in terminals if grant.terminals else ():
        ruleset.allow(device, DEVICE)


@functools.cache
def _held_for_all() -> HeldPaths:
    """Return what every command may read, without what lies in it by another name: `/bin` is `/usr/bin` on most systems."""
    kept: dict[str, str] = {}
    for path in _ALWAYS_READABLE:
        real = os.path.realpath(path)
        if not any(real == held or real.startswith(f"{held}/") for held in kept):
            kept[real] = path
    return HeldPaths(kept.values())


@functools.cache
def _held_devices() -> HeldPaths:
    return HeldPaths(_DEVICES)


def _readable(grant: Grant) -> Iterator[str]:
    yield str(grant.root)
    if _GIT in {grant.program.name, *(os.path.basename(name) for name in grant.exec)} or grant.exec == ("any",):  # noqa: PTH119
        yield from linked_tree(str(grant.root))
    yield from (_read_from(grant.root, entry) for entry in grant.read)
    if grant.home is not None:
        yield str(grant.home)


def _read_from(root: Path, entry: str) -> str:
    path, inside = os.path.realpath(root / entry), os.path.realpath(root)
    # A link there may be an earlier command's.
    if not entry.startswith("/") and path != inside and not path.startswith(f"{inside}/"):
        raise NotConfinableError(f"read {entry!r} leads out of the project, to {path!r}; name that, if it is meant")
    return path


def _allow_running(ruleset: Ruleset, grant: Grant, what: Startable, program: int, find: Callable[[str], Path]) -> None:
    ruleset.allow_opened(program, RUN)
    for loader in what.others:
        ruleset.allow(loader, RUN)
    if grant.exec == ("any",):
        # Also what it makes there itself: a virtual environment in the temporary folder has its own interpreter.
        for path in (*_ALWAYS_READABLE, *_readable(grant), *map(str, grant.private)):
            ruleset.allow(path, RUN)
        return
    for name in grant.exec:
        other = startable(find(name), find)
        for file in (other.machine_code, *other.scripts, *other.others):
            ruleset.allow(file, RUN)


def _ports(network: tuple[str, ...]) -> set[int] | None:
    """Return the ports that may be connected to; None for all."""
    named = {where.rpartition(":")[2] for where in network}
    return None if "*" in named else {int(port) for port in named}
