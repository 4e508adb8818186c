"""Virtual environments, one for each program that is compared, made once and kept in a cache."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
US = "pytest-workflow-exec"


class NotInstalledError(Exception):
    """A peer can't be installed here."""


class Environments:
    """The environments in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of_peer(self, name: str, requirements: Sequence[str]) -> Path:
        """Return the folder of programs of an environment with these packages, made if it is not there yet.

        Raises:
            NotInstalledError: pip could not install them.
        """
        programs = self._folder / name / "bin"
        complete = self._folder / name / "complete"
        if not complete.exists():
            self._make(name)
            _pip(programs, "install", *requirements)
            complete.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        return programs

    def of_this_project(self) -> Path:
        """Return the folder of programs of an environment with this checkout, installed anew as users have it."""
        programs = self._folder / US / "bin"
        complete = self._folder / US / "complete"
        if not complete.exists():
            self._make(US)
            _pip(programs, "install", str(ROOT))
            complete.touch()
        else:
            _pip(programs, "install", "--upgrade", str(ROOT))
            _pip(programs, "install", "--force-reinstall", "--no-deps", str(ROOT))
        return programs

    def _make(self, name: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(self._folder / name)], check=True)


def versions_of(programs: Path) -> Iterator[tuple[str, str]]:
    """Give the packages of an environment with their versions."""
    for line in _pip(programs, "list", "--format", "freeze").splitlines():
        name, _, version = line.partition("==")
        if version:
            yield name, version


def default_folder() -> Path:
    """Return where environments are kept when nothing else is asked for."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "pytest-workflow-exec" / "benchmarks"


def _pip(programs: Path, *arguments: str) -> str:
    command = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", *arguments]
    if arguments[0] == "install":
        command[4:] = ["install", "--quiet", "--no-warn-conflicts", *arguments[1:]]
    # Bytecode is kept, as pip does it for everybody: programs that compile themselves at each start measure that.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise NotInstalledError(last[0] if last else f"pip exited {done.returncode}")
    return done.stdout
