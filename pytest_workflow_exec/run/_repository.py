"""What version control says of the project: the commit, and whether the tree differs from it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The state of the project's repository; both None if there is none."""

    commit: str | None
    dirty: bool | None


def repository_of(root: Path) -> Repository:
    """Return the commit at `root` and whether the working tree differs from it.

    A repository that can't be read counts as none: a gate shows that, instead of a guess.
    """
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return Repository(commit=None, dirty=None)
    changes = _git(root, "status", "--porcelain", "--untracked-files=normal")
    return Repository(commit=commit.strip(), dirty=None if changes is None else bool(changes))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # fixed words, no shell; the engine's own question, not a step's command
            ["git", *arguments],  # noqa: S607  # whichever git the person running this uses
            cwd=root,
            env=_environment(root),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _environment(root: Path) -> dict[str, str]:
    # A repository's own configuration may name programs for git to start; asking for its
    # status must start none of them.
    neutral = {"safe.directory": str(root), "core.fsmonitor": "false", "core.hooksPath": os.devnull}
    settings = {
        key: value
        for number, (name, text) in enumerate(neutral.items())
        for key, value in ((f"GIT_CONFIG_KEY_{number}", name), (f"GIT_CONFIG_VALUE_{number}", text))
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_COUNT": str(len(neutral)),
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
        **settings,
    }
