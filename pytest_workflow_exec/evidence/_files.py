"""Files and folders of evidence: made private, durable, and never through a symbolic link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def opened_directory(path: Path, *, follow: bool = False, parent: int | None = None) -> Iterator[int]:
    """Give a descriptor of an existing folder.

    Args:
        follow: Whether `path` itself may be a symbolic link.
        parent: A descriptor of the folder that holds it; None to follow the path.

    Raises:
        EvidenceError: There is no such folder, or it can't be opened.
    """
    name = path if parent is None else path.name
    try:
        folder = os.open(name, _DIRECTORY if follow else _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        raise EvidenceError(f"{path} can't be used for evidence: {_why_no_directory(path, error)}") from error
    try:
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def private_directory(path: Path, *, parent: int, must_be_new: bool = False) -> Iterator[int]:
    """Give a descriptor of the folder `path`, made durable with mode 0700 if it is missing.

    Args:
        parent: A descriptor of the folder that holds it.

    Raises:
        EvidenceError: It can't be made, exists already though it must be new, is a link, or is somebody else's.
    """
    try:
        folder = _opened_private(path, parent, must_be_new=must_be_new)
    except OSError as error:
        raise EvidenceError(f"{path} can't be used for evidence: {_why_no_directory(path, error)}") from error
    try:
        yield folder
    finally:
        os.close(folder)


def write_durably(path: Path, content: bytes, *, folder: int, synced: bool = True, mode: int = 0o600) -> None:
    """Write a whole file, so that it is either there with all its content or not there, also after a power cut.

    Args:
        folder: A descriptor of the folder that holds it.
        synced: Whether a power cut counts.
        mode: Who may read it, whatever the umask.

    Raises:
        OSError: It can't be written.
    """
    temporary = f".{path.name}.{os.getpid()}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    file = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder)
    try:
        os.fchmod(file, mode)
        write_all(file, content)
        if synced:
            os.fsync(file)
        os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    finally:
        os.close(file)
    if synced:
        os.fsync(folder)


def write_all(file: int, content: bytes) -> None:
    """Write all of the content, in as many parts as the system takes it.

    Raises:
        OSError: It can't be written.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def open_regular(path: Path) -> BinaryIO:
    """Return a file opened for reading; anything but a regular file is refused instead of blocking.

    Raises:
        LogUnreadableError: It is missing, can't be opened, or is no regular file.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise LogUnreadableError(f"{path} can't be read: {reason_of(error)}") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise LogUnreadableError(f"{path} is no regular file")
    return os.fdopen(file, "rb")


def is_there(path: Path | str) -> bool:
    """Return whether there is anything of that name, a link that leads nowhere included.

    Raises:
        OSError: It can't be found out.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def reason_of(error: Exception) -> str:
    """Return an operating system's error in words, without its number."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _opened_private(path: Path, parent: int, *, must_be_new: bool) -> int:
    made = _make(path.name, parent, must_be_new=must_be_new)
    folder = os.open(path.name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        _close_to_others(folder, path)
        if made:
            os.fsync(folder)
            os.fsync(parent)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _make(name: str, parent: int, *, must_be_new: bool) -> bool:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        if must_be_new:
            raise
        _unlock(name, parent)
        return False
    # mkdir's mode is cut by the umask; a umask of 0777 would lock out even its owner.
    os.chmod(name, 0o700, dir_fd=parent)
    return True


def _unlock(name: str, parent: int) -> None:
    # A process that was killed between mkdir and chmod leaves a folder that its own owner can't open.
    facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
    own = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
    if own and facts.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(name, 0o700, dir_fd=parent)


def _close_to_others(folder: int, path: Path) -> None:
    facts = os.fstat(folder)
    if facts.st_uid != os.geteuid():
        raise EvidenceError(f"{path} belongs to uid {facts.st_uid}, not to you (uid {os.geteuid()}). Remove it.")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        os.fchmod(folder, 0o700)


def _why_no_directory(path: Path, error: OSError) -> str:
    if path.is_symlink():
        return "it is a symbolic link. Remove it."
    if isinstance(error, FileExistsError):
        return "it exists already"
    return "it is no directory. Remove it." if error.errno == errno.ENOTDIR else reason_of(error)
