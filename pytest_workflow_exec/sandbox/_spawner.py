"""The engine's side of the spawn servers: started when a command is, kept for the next one, each for one at a time."""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import io
import marshal
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._limits import Limits
from ._seccomp import EXEC_DESCRIPTOR

_FAREWELL_S = 2.0
_INLINE_BYTES = 1 << 14
_FOLDER = Path(__file__).parent
_CODE = (
    "import sys; sys.path.append(sys.argv[1]); from _spawn._server import main; "
    "main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))"
)

_Kind = Literal["plain", "landlock", "namespaces", "namespaces+network"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder, and which one it was when it was looked at."""

    path: str
    device: int
    inode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """What a command sees of the file system where it has namespaces of its own; all else is read-only."""

    writable: tuple[Folder, ...]
    protected: tuple[str, ...] = ()
    """What stays read-only within `writable`."""
    masked: tuple[str, ...] = ()
    """What is missing there, and stays so: an empty folder that can't be written in stands for it meanwhile."""
    hidden: str | None = None
    """A folder that is empty but for what is shown of it."""
    shown: tuple[tuple[Folder, bool], ...] = ()
    """Folders in the hidden one, and whether each is writable."""
    terminals: bool = False
    """Whether it may make pseudo-terminals, which nobody else sees."""
    maps: bool = False
    """Whether it may say of its processes who they are in namespaces that it makes."""

    def facts(self, folder: Folder) -> Mapping[str, Json]:
        """Return them as the spawn server reads them, with the folder that the command runs in."""
        return {
            "writable": [_row(each) for each in self.writable],
            "protected": list(self.protected),
            "masked": list(self.masked),
            "hidden": self.hidden,
            "maps": self.maps,
            "terminals": self.terminals,
            "shown": [[*_row(each), is_writable] for each, is_writable in self.shown],
            "folder": [folder.path, [folder.device, folder.inode]],
        }


def folder_at(path: str | Path) -> Folder:
    """Return the folder at a path.

    Raises:
        OSError: It can't be looked at.
    """
    found = os.stat(path)  # noqa: PTH116  # either kind
    return Folder(path=str(path), device=found.st_dev, inode=found.st_ino)


def _row(folder: Folder) -> list[Json]:
    return [folder.path, folder.device, folder.inode]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSocket:
    """A socket that a command may connect to. Its descriptor is the caller's."""

    descriptor: int
    names: tuple[str, ...]
    """The paths by which the command may ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What a command is started with: the program's open file, and what it may do. Its descriptors are the caller's."""

    program: int
    prefix: tuple[str, ...]
    """What stands before the command's arguments: a script's interpreter as the kernel would put it there."""
    unchanged: tuple[tuple[str, tuple[int, ...]], ...]
    """Files that must still be what they were when they were identified."""
    ruleset: int
    filter: bytes
    mounts: Mounts | None = None
    """What it sees of the file system and the machine; None: all of it."""
    sockets: tuple[NamedSocket, ...] = ()
    """The only ones that it may connect to by a path. With any, the spawn server makes each of its connections."""
    network: bool = False
    """Whether it has the machine's network; only asked of one that has mounts of its own."""
    trespasses: Callable[[], tuple[str, ...]] = tuple
    """Tells, when it has ended, what was made where something is protected that no mount could keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a command used, with all of its processes that the system tells of."""

    user_s: float = 0.0
    system_s: float = 0.0
    max_rss_bytes: int = 0
    """The most memory that one of them held at once."""


class SpawnedChild:
    """A command that a spawn server started, and what the server tells of it."""

    def __init__(self, server: _Server, stdout: IO[bytes], stderr: IO[bytes], started: Mapping[str, Any]) -> None:
        """Hold a command that was started."""
        self._server = server
        self.stdout, self.stderr = stdout, stderr
        self.pid: int = server.pid
        self.target: int = started["target"]
        self.status: int | None = None
        """How the command ended, when it is known: its exit status, or the signal as a negative number."""
        self.limit = ""
        """Which bound ended it, as far as the server tells."""
        self.use = Use()
        self.others: int | None = None
        """How many other processes of it had to be ended; None while there may be some."""
        self._gone = False

    def has_ended(self) -> bool:
        """Return whether the command ended, or nobody can tell any more."""
        while self.status is None and not self._gone:
            try:
                self._hear(0.0)
            except BlockingIOError:
                return False
        return True

    def end(self, patience_s: float) -> bool:
        """Have whatever is left of it ended; return whether the server says that it is all gone."""
        deadline = time.monotonic() + patience_s
        if self.others is None:
            self._server.ask_to_end()
        while self.others is None and not self._gone:
            try:
                self._hear(max(deadline - time.monotonic(), 0.001))
            except (TimeoutError, BlockingIOError):
                return False
        return self.others is not None

    def _hear(self, patience_s: float) -> None:
        told = self._server.hear(patience_s)
        if told is None:
            self._gone = True
            return
        self.status = told.get("exit", self.status)
        self.limit = told.get("limit", self.limit)
        self.use = Use(user_s=told["user_s"], system_s=told["system_s"], max_rss_bytes=told["max_rss_kib"] << 10)
        self.others = told.get("ended", self.others)

    def fileno(self) -> int:
        """Return a descriptor that is readable when the server says something."""
        return self._server.fileno()

    def close(self) -> None:
        """Let go of it: the server serves the next one, or ends whatever is left of this one and itself."""
        if self.others is None:
            self._server.close()
        else:
            _put_back(self._server)


class _Server:
    def __init__(self, kind: _Kind) -> None:
        self.kind, self.owner = kind, os.getpid()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        engine = os.pidfd_open(self.owner)
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-I", "-S", "-c", _CODE, str(_FOLDER), kind, str(theirs.fileno()), str(engine)],
                # Looked up once, what the C library offers is not looked up anew in each command's process.
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LD_BIND_NOW": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), engine),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(engine)
        self._socket = ours
        self.pid = self._process.pid

    def is_usable(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def start(self, content: bytes, descriptors: Sequence[int]) -> Mapping[str, Any]:
        self._socket.sendmsg([content], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])
        started = self.hear(None)
        if started is None:
            raise OSError("the process that starts commands ended")
        return started

    def ask_to_end(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.settimeout(None)
            self._socket.send(b"E")

    def hear(self, patience_s: float | None) -> dict[str, Any] | None:
        """Return what it says; None if it is gone."""
        waits = patience_s or None
        if waits != self._socket.gettimeout():
            self._socket.settimeout(waits)
        try:
            told = self._socket.recv(4096, socket.MSG_DONTWAIT if patience_s == 0 else 0)
        except (TimeoutError, BlockingIOError):
            raise
        except OSError:
            told = b""
        facts: dict[str, Any] | None = marshal.loads(told) if told else None  # noqa: S302  # from our own program
        return facts

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Let it end, and collect it: it does so as soon as nobody can ask it any more."""
        self._socket.close()
        if self.owner != os.getpid():
            return
        try:
            self._process.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            # What it can't end, it can't be waited for with.
            self._process.kill()
            self._process.wait()


_lock = threading.Lock()
_free: list[_Server] = []


@functools.cache
def can_spawn() -> bool:
    """Return whether this system tells a spawn server what it needs to know."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    limits: Limits,
    confinement: Confinement | None = None,
    stdin: int | None = None,
    is_real: bool = False,
) -> SpawnedChild:
    """Start a command.

    Args:
        is_real: Whether `cwd` was judged with its links resolved, so that the folder has to be there still.
        confinement: What it may do; None for whatever this process may.
        stdin: A descriptor that it reads from; None: it has nothing to read.

    Raises:
        OSError: It can't be started, or not be confined; nothing of it runs then.
    """
    if not can_spawn():
        raise OSError("this system does not tell which processes a command started, so that none can be confined")
    with contextlib.ExitStack() as lent, contextlib.ExitStack() as kept:
        if stdin is None:
            stdin = _lent(lent, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        directory = _lent(lent, os.open(cwd, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        # Whoever can move folders would else put a link in its place meanwhile.
        if is_real and os.readlink(f"/proc/self/fd/{directory}") != os.fspath(cwd):  # noqa: PTH115  # one call
            raise OSError(f"its folder {os.fspath(cwd)!r} is another one than was judged")
        found = os.fstat(directory)
        where = Folder(path=os.fspath(cwd), device=found.st_dev, inode=found.st_ino)
        content = _request(argv, where, environment, limits, confinement)
        stdout, out = _pipe(kept, lent)
        stderr, err = _pipe(kept, lent)
        given = [stdin, out, err, directory]
        if confinement is not None:
            given += [confinement.program, confinement.ruleset, *(each.descriptor for each in confinement.sockets)]
        if len(content) > _INLINE_BYTES:
            given.append(_in_memory(content, lent))
            content = b"M"
        server = _take(_kind(confinement))
        try:
            started = server.start(content, given)
        except BaseException:
            # It may have started something, which then is nobody's.
            server.close()
            raise
        if started["error"]:
            _put_back(server)
            raise OSError(started["error"])
        kept.pop_all()
    return SpawnedChild(server, stdout, stderr, started)


def _kind(confinement: Confinement | None) -> _Kind:
    if confinement is None:
        return "plain"
    if confinement.mounts is None:
        return "landlock"
    return "namespaces+network" if confinement.network else "namespaces"


def _request(
    argv: Sequence[str],
    where: Folder,
    environment: Mapping[str, str],
    limits: Limits,
    confinement: Confinement | None,
) -> bytes:
    words: Sequence[str] = argv
    masked: tuple[str, ...] = ()
    sockets: tuple[tuple[str, ...], ...] = ()
    how: tuple[Any, ...] | None = None
    if confinement is not None:
        words = [*confinement.prefix, *argv[1:]] if confinement.prefix else argv
        sockets = tuple(each.names for each in confinement.sockets)
        mounts = None if confinement.mounts is None else confinement.mounts.facts(where)
        masked = () if confinement.mounts is None else confinement.mounts.masked
        how = (EXEC_DESCRIPTOR, confinement.unchanged, confinement.filter, bool(sockets), mounts)
    bounds = (limits.memory_bytes, limits.file_size_bytes, limits.files, limits.cpu_s, limits.processes)
    told = marshal.dumps((limits.processes or 0, masked, sockets))
    variables = dict(zip(_encoded(environment), _encoded(environment.values()), strict=True))
    # By place, not by name: whoever becomes the command would make a text of each name.
    return marshal.dumps((told, _encoded(words), variables, bounds, how))


def _encoded(texts: Iterable[str]) -> list[bytes]:
    # All at once; none of them can hold what parts them here.
    return os.fsencode("\0".join(texts)).split(b"\0")


def _take(kind: _Kind) -> _Server:
    with _lock:
        for server in [server for server in _free if not server.is_usable()]:
            _free.remove(server)
            server.close()
        for server in _free:
            if server.kind == kind:
                _free.remove(server)
                return server
    return _Server(kind)


def _put_back(server: _Server) -> None:
    with _lock:
        _free.append(server)
        atexit.unregister(_close_all)
        atexit.register(_close_all)


def _close_all() -> None:
    with _lock:
        servers = list(_free)
        _free.clear()
    for server in servers:
        server.close()


def _in_memory(content: bytes, lent: contextlib.ExitStack) -> int:
    descriptor = _lent(lent, os.memfd_create("command"))
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    return descriptor


def _pipe(kept: contextlib.ExitStack, lent: contextlib.ExitStack) -> tuple[IO[bytes], int]:
    ours, theirs = os.pipe()
    _lent(lent, theirs)
    file = io.FileIO(ours)
    kept.callback(file.close)
    return file, theirs


def _lent(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor
