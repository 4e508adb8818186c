"""A project with a tool of its own, and a runner that records into a list."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.events import Event
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandResult, CommandRunner, compile_policy
from pytest_workflow_exec.settings import PolicySettings, RuleSettings


@dataclass
class Project:
    """A folder with a tool that runs the Python it was made with, and what was recorded."""

    folder: Path
    events: list[Event] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The project's root, where commands run."""
        return self.folder / "root"

    def tool(self, body: str, *, name: str = "tool") -> None:
        """Write a program of that name; it runs `body` as Python."""
        path = self.folder / "bin" / name
        path.write_text(f"#!{sys.executable} -IS\nimport os, sys, time, json, signal\n{body}\n")
        path.chmod(0o755)

    def runner(
        self,
        *rules: RuleSettings,
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        record: Callable[[Event], None] | None = None,
    ) -> CommandRunner:
        """Return a runner for these rules; by default the tool may run with any arguments."""
        settings = PolicySettings(
            rules=rules or (RuleSettings(rule="tool **"),),
            path=(str(self.folder / "bin"), "/usr/bin", "/bin"),
            sandbox="none",
        )
        environment = {**os.environ, **(environment or {})}
        return CommandRunner(
            policy=compile_policy(settings, workflow="release", environment=environment),
            root=self.root,
            scratch=self.folder / "scratch",
            inputs={"version": "1.2.3"},
            environment=environment,
            redactor=Redactor(secrets or {}),
            record=record or self.events.append,
        )

    def run(self, body: str, *, timeout_s: float | None = None, **runner: Any) -> CommandResult:
        """Return what a tool with that body does."""
        self.tool(body)
        return self.runner(**runner).run(["tool"], step="build", attempt=1, timeout_s=timeout_s)

    def facts(self, kind: str) -> Mapping[str, Any]:
        """Return the data of the only event of that kind."""
        [event] = [event for event in self.events if event.type == kind]
        assert (event.step, event.attempt) == ("build", 1)
        # Through JSON: what evidence can't hold must not be in an event.
        data: Mapping[str, Any] = json.loads(json.dumps(event.data))
        return data

    def kinds(self) -> list[str]:
        """Return the kinds of the recorded events, in order."""
        return [event.type for event in self.events]

    def everything(self) -> str:
        """Return all that was recorded, as one text."""
        return json.dumps([event.data for event in self.events], ensure_ascii=False)

    def pids(self) -> list[int]:
        """Return the processes that the tool wrote down in `root/pids`."""
        return [int(line) for line in (self.root / "pids").read_text().split()]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return an empty project."""
    for name in ("root", "bin", "scratch"):
        (tmp_path / name).mkdir()
    return Project(tmp_path)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Return the question whether a process runs."""
    return is_alive
