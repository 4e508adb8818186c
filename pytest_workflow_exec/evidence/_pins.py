"""Pins: where they lie outside every project, and reading, writing and removing them there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pwd
import stat
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError, PinError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.settings import Pin, Trusted, parse_pin, pin_content

from ._files import reason_of, write_durably
from ._ledger import place_of

PIN_NAME = "pin.json"

_MAX_BYTES = 8 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_OTHERS_CAN_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ROOT = 0
_LINKED = (errno.ELOOP, errno.ENOTDIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinPlace:
    """A folder that holds pins."""

    base: Path
    """The system's own folder, which is there and may lie behind a link."""
    below: tuple[str, ...]
    """Our folders in it, one in the other."""
    owner: int
    """Whose they have to be; root's count everywhere."""
    for_machine: bool
    """Whether everybody reads them, and not their owner alone."""

    def path_of(self, root: Path) -> Path:
        """Return where a project's pin is, whether or not it is there."""
        return self.base.joinpath(*self.folders_of(root), PIN_NAME)

    def folders_of(self, root: Path) -> Sequence[str]:
        """Return the folders that hold a project's pin, one in the other, below the base."""
        # By the path, as a whole: no two projects share a pin, and none has to be asked for its name.
        return (*self.below, hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class PinPlaces:
    """Where pins are looked for: the machine's own go first."""

    machine: PinPlace
    user: PinPlace | None
    """None if the user has no home."""

    @property
    def all(self) -> Sequence[PinPlace]:
        """The places in their order."""
        return (self.machine,) if self.user is None else (self.machine, self.user)


def pin_places() -> PinPlaces:
    """Return where the pins of this machine and this user are, by the system's own word.

    No variable of the environment has a say: it would unpin.
    """
    machine = PinPlace(base=Path("/etc"), below=("workflow-exec", "pins"), owner=_ROOT, for_machine=True)
    uid = os.geteuid()
    try:
        home = Path(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        return PinPlaces(machine=machine, user=None)
    if not home.is_absolute():
        return PinPlaces(machine=machine, user=None)
    state = home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".local" / "state"
    return PinPlaces(machine=machine, user=PinPlace(base=state, below=("workflow-exec",), owner=uid, for_machine=False))


def find_pin(root: Path, places: PinPlaces) -> Pin | None:
    """Return the pin that holds for a project; None if there is none.

    Raises:
        PinError: There is, or may be, one that can't be believed.
    """
    for place in places.all:
        if (pin := read_pin(root, place)) is not None:
            return pin
    return None


def read_pin(root: Path, place: PinPlace) -> Pin | None:
    """Return a project's pin in one place; None if there is none.

    Raises:
        PinError: There is, or may be, one that can't be believed: unreadable, behind a link, somebody else's, writable
            for others, damaged.
    """
    path = place.path_of(root)
    try:
        with _opened_folder(root, place) as folder:
            if folder is None:
                return None
            content = _content(folder, place)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise PinError(f"the pin {path} can't be believed: {_reason(error)}") from error
    return parse_pin(content, root=place_of(root), place=path, for_machine=place.for_machine)


def write_pin(root: Path, place: PinPlace, trusted: Trusted) -> Pin:
    """Pin a project, durably and whole or not at all, and return the pin.

    Raises:
        PinError: It can't be written.
    """
    path = place.path_of(root)
    at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    content = pin_content(trusted, root=place_of(root), by=_login_name(), at=at)
    if len(content) > _MAX_BYTES:
        raise PinError(f"the policy and its lists are larger than a pin may be: {len(content)} bytes")
    try:
        if not place.for_machine:
            place.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened_folder(root, place, make=True) as folder:
            if folder is None:
                raise PinError(f"the pin {path} can't be written: there is no {place.base}")
            write_durably(path, content, folder=folder, mode=0o644 if place.for_machine else 0o600)
    except (OSError, ValueError, EvidenceError) as error:
        raise PinError(f"the pin {path} can't be written: {_reason(error)}") from error
    return parse_pin(content, root=place_of(root), place=path, for_machine=place.for_machine)


def remove_pin(root: Path, place: PinPlace) -> None:
    """Remove a project's pin, durably.

    Raises:
        PinError: It can't be removed.
    """
    try:
        with _opened_folder(root, place) as folder:
            if folder is not None:
                os.unlink(PIN_NAME, dir_fd=folder)
                os.fsync(folder)
    except (OSError, ValueError) as error:
        raise PinError(f"the pin {place.path_of(root)} can't be removed: {_reason(error)}") from error


@contextlib.contextmanager
def _opened_folder(root: Path, place: PinPlace, *, make: bool = False) -> Iterator[int | None]:
    """Give a descriptor of the folder that holds a project's pin; None if it is not there."""
    with contextlib.ExitStack() as opened:
        folder = _base(place)
        if folder is not None:
            opened.callback(os.close, folder)
            for name in place.folders_of(root):
                if make:
                    _make(name, folder, place)
                try:
                    folder = os.open(name, _FOLDER, dir_fd=folder)
                except FileNotFoundError:
                    folder = None
                    break
                opened.callback(os.close, folder)
                _demand_closed(os.fstat(folder), place, f"the folder {name}")
        yield folder


def _base(place: PinPlace) -> int | None:
    try:
        return os.open(place.base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        # As the homes of users are that nobody logs in as.
        return None


def _make(name: str, parent: int, place: PinPlace) -> None:
    mode = 0o755 if place.for_machine else 0o700
    try:
        os.mkdir(name, mode, dir_fd=parent)
    except FileExistsError:
        return
    # mkdir's mode is cut by the umask.
    os.chmod(name, mode, dir_fd=parent)
    os.fsync(parent)


def _content(folder: int, place: PinPlace) -> bytes:
    file = os.open(PIN_NAME, _FILE, dir_fd=folder)
    try:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is no regular file")
        if facts.st_nlink != 1:
            raise ValueError("it has another name elsewhere, through which it can be written")
        _demand_closed(facts, place, "it")
        with os.fdopen(file, "rb", closefd=False) as opened:
            content = opened.read(_MAX_BYTES + 1)
    finally:
        os.close(file)
    if len(content) > _MAX_BYTES:
        raise ValueError("it is larger than a pin may be")
    return content


def _demand_closed(facts: os.stat_result, place: PinPlace, what: str) -> None:
    if facts.st_uid not in (place.owner, _ROOT):
        raise ValueError(f"{what} belongs to uid {facts.st_uid}, not to uid {place.owner}")
    if facts.st_mode & _OTHERS_CAN_WRITE:
        raise ValueError(f"{what} can be written by others than uid {place.owner}")


def _login_name() -> str:
    # By the system's own word: LOGNAME and USER say whatever their setter likes.
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _LINKED:
        return "it, or a folder of it, is a symbolic link or something else than it should be"
    return reason_of(error)
