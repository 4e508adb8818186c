"""Taking in a run from another machine: its folder is there whole, or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pytest_workflow_exec.errors import EvidenceError

from ._bundle import PROJECT, BundledFile, BundleError, BundleList, unpack
from ._directories import opened_state, runs_directory
from ._files import opened_directory, private_directory, reason_of, write_all
from ._names import RUN_SUBDIRECTORIES, RUNS, STATE_DIRECTORY

_INCOMING = "incoming"
# What pytest, Python, git or this tool would act on: an output that was put there would be more than a file.
_ACTED_ON = frozenset({".py", ".pyc", ".pyi", ".pth", ".so", ".pyd", ".toml", ".cfg", ".ini", ".yaml", ".yml"})
_ACTED_ON_NAMES = frozenset({"claude.md", "workflow-signers", "workflow-revoked"})
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack_below(file: BinaryIO, listed: BundleList, folder: Path, *, wanted: Callable[[BundledFile], str]) -> None:
    """Write files of a bundle below a folder of one's own, after no link, over nothing that is there.

    Args:
        wanted: Where each of them goes, from the folder; empty for nowhere.

    Raises:
        BundleError: The bundle is not what its list says.
        EvidenceError: A file can't be written.
    """
    with contextlib.ExitStack() as stack, opened_directory(folder) as base:
        opened: list[int] = []

        def closed() -> None:
            while opened:
                descriptor = opened.pop()
                os.fsync(descriptor)
                os.close(descriptor)

        def write(each: BundledFile) -> Callable[[bytes], object] | None:
            closed()
            place = wanted(each)
            if not place:
                return None
            opened.append(_new_file(base, place, _mode(each)))
            return lambda chunk: write_all(opened[0], chunk)

        stack.callback(closed)
        try:
            unpack(file, listed, write)
        except OSError as error:
            raise EvidenceError(f"{folder} can't be written to: {reason_of(error)}") from error


def take_in(root: Path, file: BinaryIO, listed: BundleList) -> Path:
    """Return the new folder of a run that a bundle holds, durable and with nothing missing.

    Raises:
        BundleError: The run is there already, or the bundle is not what its list says.
        EvidenceError: It can't be written, or another one is being taken in.
    """
    runs = runs_directory(root)
    incoming = root / STATE_DIRECTORY / _INCOMING
    with (
        opened_state(root) as state,
        private_directory(runs, parent=state) as runs_folder,
        private_directory(incoming, parent=state) as folder,
        _alone(folder, incoming),
    ):
        _demand_new(listed, runs)
        # What a killed process left here nobody will ever use.
        shutil.rmtree(incoming / listed.run, ignore_errors=True)
        try:
            with private_directory(incoming / listed.run, parent=folder, must_be_new=True) as made:
                unpack_below(file, listed, incoming / listed.run, wanted=_in_run)
                for name in RUN_SUBDIRECTORIES:
                    with private_directory(incoming / listed.run / name, parent=made):
                        pass
                os.fsync(made)
            os.rename(listed.run, listed.run, src_dir_fd=folder, dst_dir_fd=runs_folder)
            os.fsync(runs_folder)
        except OSError as error:
            raise EvidenceError(f"{runs / listed.run} can't be made: {reason_of(error)}") from error
        finally:
            shutil.rmtree(incoming / listed.run, ignore_errors=True)
    return runs / listed.run


def may_be_put_back(path: str) -> bool:
    """Return whether a file that a step left may be put back under its name: nothing acts on one of that name."""
    pure = PurePosixPath(path)
    hidden = any(part.startswith(".") for part in pure.parts)
    return not (hidden or pure.suffix.lower() in _ACTED_ON or pure.name.lower() in _ACTED_ON_NAMES)


def is_known(root: Path, listed: BundleList) -> bool:
    """Return whether the project has a run of that name."""
    return os.path.lexists(root / STATE_DIRECTORY / RUNS / listed.run)


def _demand_new(listed: BundleList, runs: Path) -> None:
    if os.path.lexists(runs / listed.run):
        raise BundleError(f"run {listed.run} is here already, and a run that is here is never replaced")


def _in_run(file: BundledFile) -> str:
    return "" if file.path.startswith(PROJECT) else file.path


@contextlib.contextmanager
def _alone(folder: int, path: Path) -> Iterator[None]:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise EvidenceError(f"another run is being taken in at {path}: try again") from error
    yield


def _mode(file: BundledFile) -> int:
    # What a gate showed is never written again.
    mode = 0o400 if file.path.startswith("outputs/") else 0o600
    return mode | 0o100 if file.executable else mode


def _new_file(base: int, place: str, mode: int) -> int:
    *folders, name = place.split("/")
    here = os.dup(base)
    try:
        for folder in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700, dir_fd=here)
            # After no link: what stands in a project may lead out of it.
            below = os.open(folder, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        return os.open(name, _NEW, mode, dir_fd=here)
    finally:
        os.close(here)
