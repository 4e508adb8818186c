"""What keeps git away from evidence: it neither shows it, nor adds it, nor cleans it away."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError

from ._files import private_directory, reason_of, write_all, write_durably
from ._names import STATE_DIRECTORY

_IGNORE, _NESTED = ".gitignore", ".git"
_LINE = f"{STATE_DIRECTORY}/"
_SAME_LINES = {_LINE, f"/{_LINE}", STATE_DIRECTORY, f"/{STATE_DIRECTORY}"}
_HEAD = b"ref: refs/heads/evidence\n"
_WHY = b"An empty repository. It is here because `git clean -dfx` leaves a folder alone that is one.\n"
_MOST_BYTES = 1 << 20


def ignore_everything(folder: Path, descriptor: int) -> None:
    """Have git ignore all that is in a folder; a file that says so already stays as it is.

    Raises:
        EvidenceError: It can't be written.
    """
    _write_if_missing(folder / _IGNORE, b"*\n", descriptor)


def keep_from_cleaning(folder: Path, descriptor: int) -> None:
    """Have `git clean -dfx` leave a folder alone, by an empty repository in it.

    Only for a folder that the repository around it excludes: git shows an inner repository that is not, and refuses to
    add anything beside it.

    Raises:
        EvidenceError: It can't be arranged.
    """
    nested = folder / _NESTED
    with private_directory(nested, parent=descriptor) as repository:
        for name in ("objects", "refs"):
            with private_directory(nested / name, parent=repository):
                pass
        _write_if_missing(nested / "README", _WHY, repository)
        # Last: git takes the folder for a repository only when its head is there.
        _write_if_missing(nested / "HEAD", _HEAD, repository)


def excluded(root: Path) -> bool:
    """Return whether the repository around a project excludes our folder, after a try to make it so.

    It is said in the repository's own list, in no file that is committed.
    """
    # Nothing depends on it but cleaning: where it can't be written, the folder's own .gitignore hides it.
    try:
        exclude = _exclude_file(root)
        if exclude is not None:
            _add_line(exclude)
    except (OSError, UnicodeDecodeError):
        return False
    return exclude is not None


def _write_if_missing(path: Path, content: bytes, folder: int) -> None:
    try:
        if not _is_there(path.name, folder):
            write_durably(path, content, folder=folder)
    except OSError as error:
        raise EvidenceError(f"{path} can't be written: {reason_of(error)}") from error


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _exclude_file(root: Path) -> Path | None:
    place = next((git for folder in (root, *root.parents) if (git := folder / _NESTED).exists()), None)
    if place is None:
        return None
    directory = place if place.is_dir() else _named_in(place, "gitdir: ")
    shared = directory / "commondir"
    return (_named_in(shared) if shared.is_file() else directory) / "info" / "exclude"


def _named_in(file: Path, prefix: str = "") -> Path:
    # A worktree names its repository in a file, and that names what it shares with the others.
    return file.parent / file.read_text(encoding="utf-8").removeprefix(prefix).strip()


def _add_line(exclude: Path) -> None:
    exclude.parent.mkdir(exist_ok=True)
    file = os.open(exclude, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        content = os.pread(file, _MOST_BYTES, 0)
        if _SAME_LINES.isdisjoint(line.strip() for line in content.decode("utf-8").splitlines()):
            before = b"" if content.endswith(b"\n") or not content else b"\n"
            write_all(file, before + _LINE.encode() + b"\n")
    finally:
        os.close(file)
