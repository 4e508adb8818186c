"""A checkout for one run: a clone of the host's own repository at its own commit, removed when the run has left it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.evidence import ledger_copy_path
from pytest_workflow_exec.settings import Pin

from ._errors import FleetError
from ._project import ProjectState
from ._trust import pin_checkout, unpin_checkout

_PATIENCE_S = 600


@contextlib.contextmanager
def checkout_of(project: ProjectState, pin: Pin | None, *, base: Path, name: str) -> Iterator[Path]:
    """Give the project's root in a new checkout below `base`.

    A clone, not a linked working tree: its `.git` is its own, so that neither commands that are confined to the project
    nor tags and commits of a run reach the repository of the host.

    Raises:
        FleetError: It can't be made.
    """
    top = base / name
    root = top / project.place
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _git(base, "clone", "-q", "--local", "--no-checkout", "--template=", str(project.top), str(top))
        _git(top, "checkout", "-q", "--detach", project.commit)
        _follow_origin(project.top, top)
        pin_checkout(root, pin)
        yield root
    finally:
        unpin_checkout(root, pin)
        _forget(root)
        shutil.rmtree(top, ignore_errors=True)


def checkouts_of(project: ProjectState, database_url: str, *, folder: Path | None) -> Path:
    """Return where the checkouts of a project are made for one fleet on this host.

    Args:
        folder: Where those of all projects and fleets are made; None for the user's own folder of state.
    """
    copy = ledger_copy_path(project.root)
    if folder is None and copy is None:
        raise FleetError("this user has no home: say with --checkouts where checkouts are made")
    base = folder.absolute() if folder is not None else cast("Path", copy).parent.parent / "fleet"
    return base / digest_of([str(project.root), database_url])[:16]


def sweep(base: Path, *, alive: frozenset[str]) -> None:
    """Remove what killed workers left of their checkouts.

    Args:
        alive: The names of those that are in use.
    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(base):
            if entry.name not in alive and entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)


def _follow_origin(source: Path, top: Path) -> None:
    # What a run pushes goes where the host's own repository pushes, not into that repository.
    found = _ran(source, "config", "--get", "remote.origin.url")
    if found.returncode == 0:
        _git(top, "config", "remote.origin.url", found.stdout.rstrip("\n"))
    else:
        _git(top, "remote", "remove", "origin")


def _forget(root: Path) -> None:
    copy = ledger_copy_path(root)
    if copy is not None:
        with contextlib.suppress(OSError):
            copy.unlink()
        with contextlib.suppress(OSError):
            copy.parent.rmdir()


def _git(folder: Path, *arguments: str) -> None:
    done = _ran(folder, *arguments)
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise FleetError(f"no checkout can be made of the project: git {arguments[0]} failed: {why}")


def _ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603  # fixed commands, no shell
            ["git", *arguments],  # noqa: S607  # git is found as everywhere else
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FleetError(f"git can't be run: {error}") from error
