"""`workflow-exec export --bundle`: a run and the files that its steps left, as one file for another machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import (
    PROJECT,
    STATE_DIRECTORY,
    BundledFile,
    BundleError,
    BundleList,
    described,
    is_bundled,
    may_be_left,
    runs_directory,
    write_bundle,
)
from pytest_workflow_exec.run import History
from pytest_workflow_exec.verify import verify_log

from ._text import escape

_BROKEN = frozenset({"broken", "unreadable"})


def bundle(log: Path, target: Path) -> int:
    """Write a run's bundle, say what could not be carried, and return 0.

    Raises:
        BundleError: The log is broken or being written, or the bundle can't be written.
        LogUnreadableError: The log can't be read.
    """
    folder = log.resolve().parent
    with _held(folder):
        verdict = verify_log(log)
        if verdict.word in _BROKEN or verdict.run is None or verdict.workflow is None or verdict.head is None:
            raise BundleError(f"nothing is carried of a log that is {verdict.word}: {verdict.message}")
        sources = dict(_of_run(folder))
        files = [described(source, path) for path, source in sources.items()]
        left, missing = _of_project(log, folder)
        sources |= {file.path: source for file, source in left}
        files += [file for file, _ in left]
        listed = BundleList(
            run=verdict.run,
            workflow=verdict.workflow,
            head=verdict.head,
            files=tuple(sorted(files, key=lambda file: file.path)),
        )
        write_bundle(target, listed, sources)
    for line in missing:
        sys.stderr.write(f"workflow-exec: not carried: {escape(line)}\n")
    sys.stdout.write(
        f"{target}: run {verdict.run} with {counted(len(files), 'file')}; workflow-exec import takes it in elsewhere\n"
        f"give its head along by another way: {verdict.head.hash}\n"
    )
    return 0


def _of_run(folder: Path) -> Iterator[tuple[str, Path]]:
    for here, folders, names in os.walk(folder, onerror=_unreadable):
        below = PurePosixPath(Path(here).relative_to(folder))
        links = [name for name in folders if (Path(here) / name).is_symlink()]
        for name in (*names, *links):
            path = str(below / name)
            if is_bundled(path):
                yield path, Path(here) / name
            elif path.startswith("outputs/"):
                raise BundleError(f"{path!r} can't be carried: its name is none that every system can have")


def _of_project(log: Path, folder: Path) -> tuple[list[tuple[BundledFile, Path]], list[str]]:
    """Return the files that steps left and that are what they were, and why the others are not carried."""
    state = next((parent for parent in folder.parents if parent.name == STATE_DIRECTORY), None)
    root, left, missing = None if state is None else state.parent, list[tuple[BundledFile, Path]](), list[str]()
    for path, sha256 in sorted(outputs_in(log).items()):
        found = _left(root, path, sha256, run=folder.name)
        if isinstance(found, str):
            missing.append(f"{path}: {found}. Its step runs again where the run goes on")
        elif not found[0].path.startswith("outputs/"):
            left.append(found)
    return left, missing


def _left(root: Path | None, path: str, sha256: str, *, run: str) -> tuple[BundledFile, Path] | str:
    if root is None:
        return "this is a copy of the run, and no project lies around it"
    name = bundled_path(path, run=run)
    if not may_be_left(name) and not is_bundled(name):
        return "its name is none that every system can have"
    try:
        file = described(root / path, name)
    except BundleError as error:
        return str(error)
    return (file, root / path) if file.sha256 == sha256 else "it changed since its step left it"


def bundled_path(path: str, *, run: str) -> str:
    """Return where a bundle holds a file that a step left, from the path in the log."""
    own = f"{runs_directory(Path()).as_posix()}/{run}/"
    return path.removeprefix(own) if path.startswith(own) else f"{PROJECT}{path}"


def outputs_in(log: Path) -> Mapping[str, str]:
    """Return the files that the satisfied steps of a log left, by their paths, with their digests."""
    steps = History.of(log).satisfied.values()
    return {file.path: file.sha256 for step in steps for file in step.outputs.files.values()}


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for log in sorted(folder.glob("evidence*.jsonl")):
            try:
                descriptor = os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BundleError(f"{log} is being written: let its run end or be suspended first") from error
            except OSError as error:
                raise BundleError(f"{log} can't be read: {error.strerror}") from error
        yield


def _unreadable(error: OSError) -> None:
    raise LogUnreadableError(f"{error.filename} can't be read: {error.strerror}")
