"""What `doctor` finds out about the machine: confinement, the terminal, the clock, git and the user's own state."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from pytest_workflow_exec.approval import terminal_problem
from pytest_workflow_exec.evidence import ledger_copy_path, run_ids
from pytest_workflow_exec.run import repository_facts
from pytest_workflow_exec.sandbox import highest_offer, level_for, mode_of
from pytest_workflow_exec.settings import PolicySettings

from ._finding import Finding, attention, note
from ._machine import Machine, namespaces_words, this_machine, way_to_confine, way_to_namespaces

_SOONEST = datetime(2026, 1, 1, tzinfo=timezone.utc)
_MOMENT_DIGITS = 12
_LEAST_SPACE_BYTES = 100 << 20


def machine_findings(root: Path | None, policy: PolicySettings) -> Iterator[Finding]:
    """Give what there is to say of the machine, for the project at `root`."""
    yield _sandbox(policy)
    yield _terminal()
    yield _git(root)
    yield _state_directory(root)
    yield _clock(root)


def _sandbox(policy: PolicySettings) -> Finding:
    level, problem = level_for(policy)
    offer = highest_offer()
    return sandbox_finding(
        policy, level=level, problem=problem, offered=offer.level, lacking=offer.reason, machine=this_machine()
    )


def sandbox_finding(
    policy: PolicySettings, *, level: str, problem: str, offered: str, lacking: str, machine: Machine
) -> Finding:
    """Return what there is to say of the confinement of commands.

    Args:
        level: The level that the policy's commands run at.
        problem: Why the policy can't be kept to; empty if it can.
        offered: The level that the machine offers.
        lacking: Why that is no more.
    """
    mode = mode_of(policy)
    says = f"{mode}, {'as the policy says' if policy.sandbox is not None else 'the default of this platform'}"
    if problem:
        way = way_to_confine(machine) if offered == "none" else way_to_namespaces(machine)
        return attention("sandbox", f"{says}: {problem}", way)
    if mode == "none":
        here = "could not be confined here" if offered == "none" else f"could run at level {offered} here"
        return note("sandbox", f"{says}: commands are not confined; they {here}")
    if level == "none" and offered == "none":
        say = attention if mode.startswith("required") else note
        return say("sandbox", f"{says}, and commands can't be confined here: {lacking}", way_to_confine(machine))
    if level == "none":
        return Finding(about="sandbox", says=f"{says}: no rule asks for it yet; commands would run at level {offered}")
    higher = "" if offered == "namespaces" else namespaces_words(machine)
    return Finding(about="sandbox", says=f"{says}: level {level}" + (f". {higher}" if higher else ""))


def _terminal() -> Finding:
    problem = terminal_problem()
    if problem is None:
        return Finding(about="terminal", says="a person can be asked here")
    # In a pipe or a service that is as it should be.
    return note("terminal", f"nobody can be asked here: {problem}", "gates with wait: suspend need no terminal")


def _git(root: Path | None) -> Finding:
    tool = shutil.which("git")
    in_repository = root is not None and any((folder / ".git").exists() for folder in [root, *root.parents])
    if tool is None:
        says = "there is no git: gates and evidence name no commit"
        return attention("git", says, "install git") if in_repository else note("git", says, "install git")
    if root is None or not in_repository:
        return note("git", f"{tool}; the project is in no repository, so gates and evidence name no commit", "git init")
    facts = repository_facts(root)
    if facts["commit"] is None:
        return note("git", f"{tool}; the repository has no commit that can be read", "commit the project's files")
    state = (
        {True: "with changes", False: "clean"}.get(bool(facts["dirty"])) if facts["dirty"] is not None else "unknown"
    )
    return Finding(about="git", says=f"{tool}; commit {facts['commit']}, {state}")


def _state_directory(root: Path | None) -> Finding:
    path = ledger_copy_path(Path.cwd() if root is None else root)
    if path is None:
        says = "there is no home directory: a deleted run would not be missed"
        return attention("state", says, "set XDG_STATE_HOME to a folder of yours")
    folder = path.parents[1]
    origin = "environment XDG_STATE_HOME" if os.environ.get("XDG_STATE_HOME") else "default"
    nearest = next(parent for parent in [folder, *folder.parents] if parent.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        says = f"{folder} ({origin}) can't be written: a deleted run would not be missed"
        return attention("state", says, f"let yourself write {nearest}, or set XDG_STATE_HOME to a folder of yours")
    return Finding(about="state", says=f"{folder} ({origin})")


def _clock(root: Path | None) -> Finding:
    now = datetime.now(timezone.utc)
    newest = None if root is None else next((_begun(run) for run in run_ids(root)), None)
    says = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < _SOONEST:
        return attention("clock", f"{says}, which can't be", "set the clock: evidence and signatures have times")
    if newest is not None and newest > now:
        says = f"{says}, before the newest run began ({newest:%Y-%m-%d %H:%M:%S} UTC)"
        return attention("clock", says, "set the clock: evidence and signatures have times")
    return Finding(about="clock", says=says)


def _begun(run: str) -> datetime:
    # A run's id begins with its moment in milliseconds (RFC 9562, version 7).
    moment_ms = int(run.replace("-", "")[:_MOMENT_DIGITS], 16)
    try:
        return datetime.fromtimestamp(moment_ms / 1000, tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        # Later than Python counts.
        return datetime.max.replace(tzinfo=timezone.utc)


def space_finding(folder: Path) -> Finding:
    """Return what there is to say of the space for evidence."""
    free = shutil.disk_usage(folder).free
    says = f"{free >> 20} MiB are free"
    if free < _LEAST_SPACE_BYTES:
        return attention("space", says, "make space: a run whose evidence can't be written ends at once")
    return Finding(about="space", says=says)
