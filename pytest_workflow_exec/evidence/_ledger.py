"""The ledger of runs, kept twice: in the project, and where the user's programs keep their state."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.settings import Durability

from ._directories import opened_state
from ._files import open_regular, opened_directory, private_directory, reason_of
from ._ledger_file import LEDGER_NAME, append_entry, check_writable
from ._ledger_lines import LedgerEntry, LedgerEvent, new_entry, read_entries
from ._names import STATE_DIRECTORY
from ._record import Head

_OWN_FOLDER = "workflow-exec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One copy of the ledger, as far as it can be read."""

    path: Path
    found: bool
    """Whether there is one."""
    entries: tuple[LedgerEntry, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with it."""

    @property
    def runs(self) -> frozenset[RunId]:
        """The runs that it knows."""
        return frozenset(entry.run for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledgers:
    """Both copies."""

    project: Ledger
    user: Ledger

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the copies as a whole; what one of them lacks is said run by run."""
        missing = [
            f"the ledger {one.path} is missing, although there is {other.path}"
            for one, other in ((self.project, self.user), (self.user, self.project))
            if other.entries and not one.found
        ]
        damaged = [f"the ledger {each.path}: {what}" for each in (self.project, self.user) for what in each.problems]
        return (*missing, *damaged)


def note_in_ledgers(
    root: Path, event: LedgerEvent, *, run: RunId, workflow: str, head: Head, durability: Durability = "power"
) -> str | None:
    """Note in both copies what became of a run; return why the user's copy could not be written, or None.

    Args:
        root: The project.
        head: The run's log as it is now.

    Raises:
        EvidenceError: The project's own copy can't be written.
    """
    entry = new_entry(event, run=run, workflow=workflow, head=head, root=place_of(root))
    synced = durability == "power"
    with opened_state(root) as folder:
        append_entry(folder, root / STATE_DIRECTORY / LEDGER_NAME, entry, synced=synced)
    try:
        with _opened_copy(root) as (folder, path):
            append_entry(folder, path, entry, synced=synced)
    except EvidenceError as error:
        return str(error)
    return None


def ledger_copy_problem(root: Path) -> str | None:
    """Return why the user's copy of a project's ledger can't be written, or None."""
    try:
        with _opened_copy(root) as (folder, path):
            check_writable(folder, path)
    except EvidenceError as error:
        return str(error)
    return None


def ledger_copy_path(root: Path) -> Path | None:
    """Return where the user's copy of a project's ledger is, whether or not it is there; None without a home."""
    state = _state_home()
    if state is None:
        return None
    # By the path, as a whole: no two projects share a ledger, and none has to be asked for its name.
    digest = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()
    return state / _OWN_FOLDER / digest / LEDGER_NAME


def place_of(root: Path) -> str:
    """Return the real path of a project as text, whatever bytes it has."""
    return os.fsencode(os.path.realpath(root)).decode("utf-8", "backslashreplace")


def read_ledgers(root: Path) -> Ledgers:
    """Return both copies of a project's ledger; whatever is wrong with them is in them."""
    project = _read(root / STATE_DIRECTORY / LEDGER_NAME)
    path = ledger_copy_path(root)
    return Ledgers(project=project, user=Ledger(path=Path("none"), found=False) if path is None else _read(path))


def _read(path: Path) -> Ledger:
    if not os.path.lexists(path):
        return Ledger(path=path, found=False)
    try:
        with open_regular(path) as file:
            entries, problems = read_entries(file)
    except (LogUnreadableError, OSError) as error:
        return Ledger(path=path, found=True, problems=(reason_of(error),))
    return Ledger(path=path, found=True, entries=entries, problems=problems)


@contextlib.contextmanager
def _opened_copy(root: Path) -> Iterator[tuple[int, Path]]:
    path = ledger_copy_path(root)
    if path is None:
        raise EvidenceError("there is no home directory to keep a copy of the ledger in")
    own, state = path.parents[1], path.parents[2]
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EvidenceError(f"{state} can't be made: {reason_of(error)}") from error
    with (
        opened_directory(state, follow=True) as state_folder,
        private_directory(own, parent=state_folder) as own_folder,
        private_directory(path.parent, parent=own_folder) as folder,
    ):
        yield folder, path


def _state_home() -> Path | None:
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    if named.is_absolute():
        return named
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if not home.is_absolute():
        return None
    return home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".local" / "state"
