"""What all tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_EVERYTHING = """
import importlib, pkgutil, pytest_workflow_exec
for each in pkgutil.walk_packages(pytest_workflow_exec.__path__, "pytest_workflow_exec."):
    if not each.name.endswith("__main__"):
        importlib.import_module(each.name)
"""


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Give the whole suite several workers unless asked otherwise: its tests wait for processes more than they compute."""
    option = config.option
    whole = all(Path(argument).is_dir() for argument in config.args)
    watched = option.capture == "no" or option.usepdb or option.collectonly or hasattr(config, "workerinput")
    if whole and not watched and getattr(option, "numprocesses", 0) is None and option.dist == "no":
        option.numprocesses = (os.cpu_count() or 1) + 1
        option.dist = "loadfile"


@pytest.fixture(scope="session", autouse=True)
def _bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the processes that tests start find bytecode where Python is told to leave none beside the sources.

    Thousands of them would compile the same modules again. They only read it: a cache that they wrote could hide that a
    test changed a file twice in a second.
    """
    if not sys.dont_write_bytecode or sys.pycache_prefix is not None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPYCACHEPREFIX", str(_warmed(tmp_path_factory.mktemp("bytecode"))))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_ci() -> Iterator[None]:
    """Let what a test sees not depend on who runs it: under these pytest and this plugin print and ask otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "BUILD_NUMBER", "GITHUB_STEP_SUMMARY"):
            patch.delenv(name, raising=False)
        yield


def _warmed(folder: Path) -> Path:
    cache = folder / "cache"
    (folder / "test_everything.py").write_text(f"def test_everything():\n    exec({_EVERYTHING!r})\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    del environment["PYTHONDONTWRITEBYTECODE"]
    environment["PYTHONPYCACHEPREFIX"] = str(cache)
    # pytest keeps bytecode of its own of every plugin, ours too.
    whole = ["-m", "pytest", "-n", "1", "--junitxml=report.xml"]
    for arguments in (["-c", _EVERYTHING], whole):
        subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, check=False)
    return cache
