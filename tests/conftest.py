"""What all tests share."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_workflow_exec

ROOT = Path(__file__).parent
LONGEST = (
    "fleet/test_outages.py",
    "fleet/test_cancel.py",
    "sandbox/test_corpus.py",
    "cli/test_attack.py",
    "fleet/test_wake_ups.py",
    "fleet/test_dead_workers.py",
)
"""Files that take minutes, however fast the machine is: the longest first."""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Give the whole suite several workers unless asked otherwise: its tests wait for processes more than they compute."""
    option = config.option
    whole = all(Path(argument).is_dir() for argument in config.args)
    watched = option.capture == "no" or option.usepdb or option.collectonly or hasattr(config, "workerinput")
    if whole and not watched and getattr(option, "numprocesses", 0) is None and option.dist == "no":
        option.numprocesses = (os.cpu_count() or 1) + 4
        option.dist = "loadfile"
        # Else files of few tests come last, and those of few tests are the ones that take long.
        option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers begin with the files that wait longest: begun late, one of them would go on alone."""
    if hasattr(config, "workerinput"):
        place = {str(ROOT / name): at for at, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(str(item.path), len(place)))


def pytest_sessionstart(session: pytest.Session) -> None:
    """Leave bytecode where Python is told to write none: thousands of processes would compile the same files again.

    They only read it: a cache that they wrote could hide that a test changed a file twice in a second.
    """
    if sys.dont_write_bytecode and not hasattr(session.config, "workerinput"):
        compileall.compile_dir(Path(pytest_workflow_exec.__file__).parent, quiet=2)
        _write_bytecode_of_plugins()


def _write_bytecode_of_plugins() -> None:
    """Let one session of pytest, and a worker of its own, write what pytest makes of the assertions of every plugin."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "pytest", "-q", "-n1", "--rootdir", empty, empty]
        # Nothing to run is what it is to find; whatever else it says, the tests only take longer.
        subprocess.run(command, cwd=empty, env=environment, capture_output=True, check=False)


@pytest.fixture(scope="session", autouse=True)
def _no_ci() -> Iterator[None]:
    """Let what a test sees not depend on who runs it: under these pytest and this plugin print and ask otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "BUILD_NUMBER", "GITHUB_STEP_SUMMARY"):
            patch.delenv(name, raising=False)
        yield
