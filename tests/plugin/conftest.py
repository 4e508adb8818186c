"""Projects with workflows, run by a real pytest in a process of its own, and on a real terminal where one is needed."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pytest

CONFIGURATION = '[policy]\nsandbox = "none"\ncommands = ["echo *", "false", "touch *", "sleep *"]\n'
PATIENCE_S = 60
"""How long to wait for something that happens at once; only a hang takes as long."""

# Where these are set pytest prints other lines, and nothing is drawn; a test that is about that sets them.
_APART = ("COLUMNS", "LINES", "CI", "BUILD_NUMBER", "NO_COLOR", "FORCE_COLOR", "GITHUB_STEP_SUMMARY")

# Of what [dev] installs, these take a quarter of a short session's time, or have a say in every step, so that none is
# run and reported as it is where they are not. Only tests of neighbours ask for them.
_BUSY_NEIGHBOURS = (
    "allure_pytest", "html", "html_fixtures", "hypothesispytest", "metadata", "pytest_order", "random_order", "rerunfailures",
)  # fmt: skip


@dataclass(frozen=True)
class Session:
    """What a pytest session printed, and how it exited."""

    status: int
    text: str

    @property
    def heads(self) -> list[str]:
        """The evidence heads that it printed."""
        return re.findall(r"^evidence head \d+ ([0-9a-f]{64})$", self.text, flags=re.MULTILINE)


class Reading:
    """A session that goes on, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.text = process, ""
        self.status: int | None = None

    def until(self, pattern: str) -> None:
        """Return once its output has something that the pattern fits."""
        end = time.monotonic() + PATIENCE_S
        while re.search(pattern, self.text) is None:
            assert time.monotonic() < end, self.text
            assert self._read(0.1), self.text

    def finish(self) -> None:
        """Read all that it prints until it has ended."""
        end = time.monotonic() + PATIENCE_S
        while self._read(0.1):
            assert time.monotonic() < end, self.text
        self.status = self._process.wait(PATIENCE_S)

    def _read(self, seconds: float) -> bool:
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        if not select.select([fd], [], [], seconds)[0]:
            return True
        chunk = os.read(fd, 65536)
        self.text += chunk.decode()
        return bool(chunk)


@dataclass
class Project:
    """A folder that is a project, with workflows below `wf/`."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    neighbours: bool = False
    """Whether its sessions load every plugin that is installed."""

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project, folders included."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def pytest(self, *arguments: str, stdin: str | None = None) -> Session:
        """Run pytest in the project, without a terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=self.root,
            env=self._env(),
            input=stdin if stdin is not None else "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Session(status=done.returncode, text=done.stdout)

    @contextmanager
    def reading(self, *arguments: str) -> Iterator[Reading]:
        """Run pytest in the project without a terminal, and read what it prints as it comes; it has ended afterwards."""
        with subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=self.root,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            reading = Reading(process)
            try:
                yield reading
                reading.finish()
            finally:
                process.kill()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start pytest in the project, without a terminal, and go on."""
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=self.root,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def terminal(self, *arguments: str, columns: int = 200, rows: int = 60, term: str = "xterm") -> pexpect.spawn[str]:
        """Run pytest in the project on a terminal of its own."""
        return self.terminal_of(sys.executable, "-m", "pytest", *arguments, columns=columns, rows=rows, term=term)

    def terminal_of(
        self, program: str, *arguments: str, columns: int = 200, rows: int = 60, term: str = "xterm"
    ) -> pexpect.spawn[str]:
        """Run a program of the interpreter's environment in the project, on a terminal of its own."""
        return pexpect.spawn(
            str(Path(sys.executable).parent / program),
            list(arguments),
            cwd=str(self.root),
            env={**self._env(), "TERM": term},
            encoding="utf-8",
            timeout=PATIENCE_S,
            dimensions=(rows, columns),
        )

    def run(self, program: str, *arguments: str) -> Session:
        """Run a program of the interpreter's environment in the project."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / program), *arguments],
            cwd=self.root,
            env=self._env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Session(status=done.returncode, text=done.stdout)

    def wait_for(self, kind: str, count: int = 1) -> None:
        """Return once the logs hold so many records of a type."""
        end = time.monotonic() + PATIENCE_S
        while sum(log.read_bytes().count(f'"type":"{kind}"'.encode()) for log in self.logs()) < count:
            assert time.monotonic() < end, f"no {kind} in the logs"
            time.sleep(0.02)

    def logs(self) -> list[Path]:
        """Return the logs of all runs, oldest first."""
        return sorted((self.root / ".workflow-exec" / "runs").glob("*/evidence.jsonl"))

    def records(self) -> list[Mapping[str, Any]]:
        """Return the records of the only run."""
        [log] = self.logs()
        return [json.loads(line) for line in log.read_bytes().splitlines() if line.endswith(b"}")]

    def outcomes(self) -> dict[str, str]:
        """Return how each step of the only run ended."""
        return {
            record["step"]: record["data"]["outcome"] for record in self.records() if record["type"] == "step.finished"
        }

    def of_type(self, name: str) -> list[Mapping[str, Any]]:
        """Return the records of one type of the only run."""
        return [record for record in self.records() if record["type"] == name]

    @property
    def untouched(self) -> bool:
        """Whether no run was begun and no step did anything: nothing but what the test wrote is there."""
        return not (self.root / ".workflow-exec").exists() and not list(self.root.glob("ran-*"))

    def _env(self) -> dict[str, str]:
        without = "" if self.neighbours else " ".join(f"-p no:{name}" for name in _BUSY_NEIGHBOURS)
        return {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith("PYTEST_") and name not in _APART
            },
            **({"PYTEST_ADDOPTS": without} if without else {}),
            **self.environment,
        }


def finish(child: pexpect.spawn[str]) -> Session:
    """Return what a session on a terminal printed until its end."""
    child.expect(pexpect.EOF)
    text = re.sub(r"\x1b\[[0-9;]*m", "", child.before or "").replace("\r\n", "\n")
    child.close()
    return Session(status=child.exitstatus if child.exitstatus is not None else -(child.signalstatus or 0), text=text)


def code_at(child: pexpect.spawn[str]) -> str:
    """Return the code that the gate asks for, once it asks."""
    child.expect(r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to approve, or reject to stop: ")
    assert child.match is not None
    code: str = child.match.group(1)  # type: ignore[union-attr]  # a pattern matched, no EOF
    return code


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project with a policy."""
    made = Project(tmp_path)
    made.write("workflow-exec.toml", CONFIGURATION)
    return made
