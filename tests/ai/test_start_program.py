"""What is started in place of the program, with plain programs in its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.ai import _start_program

PATIENCE_S = 60
SCRIPT = str(_start_program.__file__)


def specification(folder: Path, **given: Any) -> str:
    """Write what is wanted, and return the file's name."""
    wanted = {
        "program": "/usr/bin/env",
        "pid_file": str(folder / "pid"),
        "engine": os.getpid(),
        "watched": False,
        "kept": [],
        "set": {},
        **given,
    }
    path = folder / "program.json"
    path.write_text(json.dumps(wanted))
    return str(path)


def started(file: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start it, and wait."""
    command = [sys.executable, "-I", "-S", SCRIPT, file, *arguments]
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux is asked")
def test_program_sees_what_is_named_and_what_is_said(tmp_path: Path) -> None:
    """Nothing else of the environment reaches it, and its number is written down."""
    file = specification(tmp_path, kept=["KEPT", "ABSENT"], set={"SAID": "x y", "KEPT_NOT": ""})

    done = started(file, KEPT="1", DROPPED="2")

    assert sorted(done.stdout.splitlines()) == ["KEPT=1", "KEPT_NOT=", "SAID=x y"], done.stderr
    assert int((tmp_path / "pid").read_text()) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux is asked")
def test_program_gets_its_arguments_as_they_are(tmp_path: Path) -> None:
    """Spaces, empty ones and options stay arguments."""
    done = started(specification(tmp_path, program="/usr/bin/printf"), "<%s>", "a b", "", "--x", "$(id)")

    assert done.stdout == "<a b><><--x><$(id)>", done.stderr


@pytest.mark.parametrize("watched", [False, True])
def test_program_does_not_start_where_the_engine_is_gone(tmp_path: Path, watched: bool) -> None:
    """The engine may end before anything looks after it."""
    file = specification(tmp_path, engine=1, program="/usr/bin/touch", watched=watched)

    done = started(file, str(tmp_path / "ran"))

    assert done.returncode != 0
    assert "the engine has ended" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("watched", [False, True])
def test_program_ends_with_the_engine(tmp_path: Path, watched: bool) -> None:
    """By the kernel, and by a process that looks after it where the kernel does not."""
    if not watched and sys.platform != "linux":
        pytest.skip("the kernel of Linux is asked")
    file = specification(tmp_path, program="/bin/sleep", watched=watched)
    engine = f"""
import json, os, pathlib, subprocess, sys
path = pathlib.Path({file!r})
path.write_text(json.dumps({{**json.loads(path.read_text()), "engine": os.getpid()}}))
subprocess.Popen([sys.executable, "-I", "-S", {SCRIPT!r}, {file!r}, "1000"]).wait()
"""
    process = subprocess.Popen([sys.executable, "-c", engine])
    pid = _wait_for_program(tmp_path / "pid")

    process.kill()
    process.wait()

    end = time.monotonic() + PATIENCE_S
    while _lives(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _lives(pid)


def test_watcher_holds_no_output_open(tmp_path: Path) -> None:
    """Who reads the program's output sees its end with the program's."""
    done = started(specification(tmp_path, program="/bin/echo", watched=True), "hello")

    assert (done.returncode, done.stdout) == (0, "hello\n")


def _wait_for_program(file: Path) -> int:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if file.exists() and (text := file.read_text()) and "sleep" in _command(int(text)):
            return int(text)
        time.sleep(0.05)
    raise AssertionError("the program did not start")


def _command(pid: int) -> str:
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def _lives(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
