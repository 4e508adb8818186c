"""Which project a run is of: its commit, its lock files and its policy, in one digest that hosts compare."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pytest_workflow_exec.digests import digest_of, digest_of_file
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.run import repository_facts
from pytest_workflow_exec.settings import Settings, load_settings

from ._errors import FleetError

_LOCK_FILES = (
    "Pipfile.lock",
    "pdm.lock",
    "pixi.lock",
    "poetry.lock",
    "pylock.toml",
    "requirements.lock",
    "requirements.txt",
    "uv.lock",
)
_PATIENCE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectState:
    """A project as it is committed."""

    top: Path
    """The repository's working tree."""
    root: Path
    commit: str
    lock: str
    """SHA-256 over its lock files, in hex."""
    policy: str
    """SHA-256 of its policy, in hex."""
    settings: Settings

    @property
    def digest(self) -> str:
        """What two hosts must have in common for one to go on with a run of the other."""
        return project_digest(commit=self.commit, lock=self.lock, policy=self.policy, place=self.place)

    @property
    def place(self) -> str:
        """Where in its repository the project is."""
        return self.root.relative_to(self.top).as_posix()


def project_digest(*, commit: str, lock: str, policy: str, place: str) -> str:
    """Return the SHA-256 over what makes a project, in hex."""
    return digest_of({"commit": commit, "lock": lock, "policy": policy, "place": place})


def state_of(root: Path) -> ProjectState:
    """Return what is committed of the project at `root`.

    Raises:
        FleetError: It is in no repository, or files differ from the commit: runs are made of what is committed.
        SettingsError: Its configuration can't be used.
    """
    root = root.resolve()
    facts = repository_facts(root)
    top = _top(root)
    if facts["commit"] is None or top is None:
        raise FleetError(f"{root} is in no git repository with a commit: a fleet runs what is committed")
    if facts["dirty"] is not False:
        raise FleetError(f"files in {top} differ from the commit: a fleet runs what is committed. Commit them first")
    settings = load_settings(root)
    return ProjectState(
        top=top,
        root=root,
        commit=str(facts["commit"]),
        lock=_lock_digest(root),
        policy=settings.policy.digest,
        settings=settings,
    )


def _lock_digest(root: Path) -> str:
    return digest_of({name: digest_of_file(root / name) for name in _LOCK_FILES if (root / name).is_file()})


def _top(root: Path) -> Path | None:
    done = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"],  # noqa: S607  # git is found as everywhere else
        cwd=root,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    return Path(done.stdout.rstrip("\n")).resolve() if done.returncode == 0 else None
