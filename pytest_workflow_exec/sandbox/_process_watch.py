"""Processes that Python code starts past the sandbox while a step is under way: seen through an audit hook.

It is against mistakes, not malice: code that wants to can start a process without Python knowing.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType, SimpleNamespace

from pytest_workflow_exec.errors import SandboxSetupError
from pytest_workflow_exec.lean_dataclasses import dataclass

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
# Core code that starts processes of its own, or is between the step and a library that does so for it. The rest of the
# package calls the author's code, as do the other parts of `ai/`.
_ENGINE = tuple(
    _PACKAGE + each.replace("/", os.sep)
    for each in (
        "sandbox/",
        "approval/",
        "evidence/",
        "ai/_conversation.py",
        "ai/_talk.py",
        "ai/_sdk.py",
        "run/_repository.py",
    )
)
_LISTENERS = _PACKAGE + os.path.join("plugin", "_announcements.py")  # noqa: PTH118  # compared as text
_STANDARD = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
_INSTALLED = ("site-packages", "dist-packages")
_STARTS_BY_FILE = ("popen_spawn_posix.py", "popen_forkserver.py")

_PROBE = "pytest_workflow_exec.process_watch"
_SHOWN_WORDS, _SHOWN_CHARACTERS = 20, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStart:
    """A process that Python code started, or wanted to start, past the sandbox."""

    call: str
    """What was called, as Python's audit events name it: `subprocess.Popen`."""
    argv: tuple[str, ...]
    """The command line, as far as it is known; empty for a fork."""
    place: str
    """The line that did it: `FILE:LINE`."""


class watched_processes:  # noqa: N801  # a context, entered for each step more often than a generator is cheap
    """Tells of every start of a process that is not the engine's, in all threads, as long as the context lasts."""

    __slots__ = ("_earlier", "_watch")

    def __init__(self, root: Path, *, seen: Callable[[ProcessStart], None]) -> None:
        """Watch nothing yet.

        Args:
            root: The project: its files are named from there, and are blamed before any other.
            seen: Is called before the process is there, in the thread that starts it; if it raises, there will be none.
        """
        self._watch = _Watch(root=root, seen=seen, pid=os.getpid())

    def __enter__(self) -> None:
        """Watch from now on.

        Raises:
            SandboxSetupError: Starts can't be watched here.
        """
        _install()
        self._earlier, _state.watch = _state.watch, self._watch

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Let whoever watched before watch again."""
        _state.watch = self._earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    root: Path
    seen: Callable[[ProcessStart], None]
    pid: int


_state = SimpleNamespace(watch=None, heard=False)
_lock = threading.Lock()


def _install() -> None:
    """Let Python call us at every audit event, from now on and for good: a hook can't be taken back."""
    with _lock:
        if _state.heard:
            return
        sys.addaudithook(_hook_of(_state, frozenset(_EVENTS)))
        # Another hook may have kept ours out, without a word.
        sys.audit(_PROBE)
        if not _state.heard:
            raise SandboxSetupError(
                "Python code that starts processes can't be watched here: another audit hook keeps ours out. Remove "
                "what installs it."
            )


def _hook_of(state: SimpleNamespace, events: frozenset[str]) -> Callable[[str, tuple[object, ...]], None]:
    # All that it needs at every event is bound here: it is also called while the interpreter is taken down.
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        __tracebackhide__ = True
        if event not in events:
            return
        if event == _PROBE:
            state.heard = True
        elif state.watch is not None:
            _judge(event, arguments, state.watch)

    return hook


def _judge(event: str, arguments: tuple[object, ...], watch: _Watch) -> None:
    __tracebackhide__ = True
    nearest = sys._getframe(2)  # noqa: SLF001  # documented, and there is no other way to the caller
    # First of all, as each file that is opened comes here: the whole stack is gone through for few of them.
    if not _starts_process(event, arguments, _file_of(nearest)) or os.getpid() != watch.pid:
        return
    frames = list(_frames(nearest))
    own = next((at for at, frame in enumerate(frames) if _file_of(frame).startswith(_PACKAGE)), None)
    if own is not None and _file_of(frames[own]).startswith((*_ENGINE, _LISTENERS)):
        return
    between = frames if own is None else frames[:own]
    watch.seen(ProcessStart(call=_CALLS.get(event, event), argv=_argv(event, arguments), place=_place(between, watch)))


def _starts_process(event: str, arguments: tuple[object, ...], caller: str) -> bool:
    if event == "open":
        # multiprocessing tells a new interpreter what to do through a pipe; its start itself is no event.
        by_number = bool(arguments) and isinstance(arguments[0], int)
        return by_number and caller.endswith(_STARTS_BY_FILE)
    # subprocess has said so already, or is about to.
    return not (event == "os.posix_spawn" and caller.endswith("subprocess.py"))


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _file_of(frame: FrameType) -> str:
    return frame.f_code.co_filename


def _place(frames: Sequence[FrameType], watch: _Watch) -> str:
    """Return the line to blame: the nearest of the project, else the nearest of no library, else any."""
    others = [frame for frame in frames if not _is_standard(_file_of(frame))]
    inside = str(watch.root) + os.sep
    project = (frame for frame in others if _file_of(frame).startswith(inside) and not _is_installed(_file_of(frame)))
    foreign = (frame for frame in others if not _is_installed(_file_of(frame)))
    found = next((frame for each in (project, foreign, iter(others)) for frame in each), None)
    if found is None:
        # A thread that was given nothing but the standard library's own function.
        return f"thread {threading.current_thread().name!r}"
    return f"{_file_of(found).removeprefix(inside)}:{found.f_lineno}"


def _is_standard(file: str) -> bool:
    return file.startswith("<frozen ") or (file.startswith(_STANDARD) and not _is_installed(file))


def _is_installed(file: str) -> bool:
    return any(f"{os.sep}{folder}{os.sep}" in file for folder in _INSTALLED)


def _argv(event: str, arguments: Sequence[object]) -> tuple[str, ...]:
    said = _EVENTS[event](arguments) if arguments else ()
    return tuple(word[:_SHOWN_CHARACTERS] for word in said[:_SHOWN_WORDS])


def _words(command: object) -> tuple[str, ...]:
    if isinstance(command, (str, bytes, os.PathLike)):
        return (os.fsdecode(command),)
    if isinstance(command, Sequence):
        return tuple(_word(word) for word in command[:_SHOWN_WORDS])
    return (_word(command),)


def _word(word: object) -> str:
    return os.fsdecode(word) if isinstance(word, (str, bytes, os.PathLike)) else repr(word)


def _nothing(_arguments: Sequence[object]) -> tuple[str, ...]:
    return ()


_EVENTS: dict[str, Callable[[Sequence[object]], tuple[str, ...]]] = {
    "subprocess.Popen": lambda arguments: _words(arguments[1]),
    "os.system": lambda arguments: _words(arguments[0]),
    "os.exec": lambda arguments: _words(arguments[1]),
    "os.posix_spawn": lambda arguments: _words(arguments[1]),
    "os.spawn": lambda arguments: _words(arguments[2]),
    "pty.spawn": lambda arguments: _words(arguments[0]),
    "os.fork": _nothing,
    "os.forkpty": _nothing,
    "open": _nothing,
    _PROBE: _nothing,
}
_CALLS = {"open": "multiprocessing"}
