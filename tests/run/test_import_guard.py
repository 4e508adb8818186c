"""What appears in a project while it runs hides no module that is installed, and is loaded by none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path

root = Path(sys.argv[1])
sys.path.insert(0, str(root / "src"))
from pytest_workflow_exec.run._import_guard import guard_imports

guard_imports(root)
for name in ("colorsys", "chunk_of_mine", "optional_of_installed"):
    (root / "src" / f"{name}.py").write_text("print('planted', __name__)")
by = {"project": str(root / "src" / "step.py"), "installed": os.__file__}[sys.argv[2]]
try:
    exec(compile(f"import {sys.argv[3]} as found", by, "exec"))
    print("inside" if Path(found.__file__).is_relative_to(root) else "outside")
except ImportError as error:
    print(f"none: {error}")
"""


def imported(root: Path, by: str, name: str) -> str:
    """Return what came of an import in a process of its own, with all that was printed."""
    (root / "src").mkdir(exist_ok=True)
    command = [sys.executable, "-c", SCRIPT, str(root), by, name]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.parametrize("by", ["project", "installed"])
def test_new_file_hides_nothing_that_is_installed(tmp_path: Path, by: str) -> None:
    """Whoever imports a module of Python's own gets that, and nothing of the file that has its name runs."""
    assert imported(tmp_path, by, "colorsys") == "outside\n"


def test_installed_code_loads_nothing_new_of_the_project(tmp_path: Path) -> None:
    """A package that is optional to installed code, and not installed, does not come from the project either."""
    said = imported(tmp_path, "installed", "optional_of_installed")

    assert said == "none: 'optional_of_installed' appeared in the project meanwhile\n"


def test_project_imports_its_own(tmp_path: Path) -> None:
    """Code of the project loads what a command made for it, and a module of its own that was there with any name."""
    assert imported(tmp_path, "project", "chunk_of_mine") == "planted chunk_of_mine\ninside\n"
    (tmp_path / "src" / "colorsys.py").write_text("")
    assert imported(tmp_path, "project", "colorsys") == "planted colorsys\ninside\n"
    assert imported(tmp_path, "installed", "colorsys") == "outside\n"


def test_environment_in_the_project_is_installed(tmp_path: Path) -> None:
    """A virtual environment within the project is none of the folders in which commands write."""
    script = (
        "import sys; from pathlib import Path; from pytest_workflow_exec.run._import_guard import guard_imports; "
        "guard_imports(Path(sys.prefix).parent); import colorsys, rich; print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=120)

    assert done.stdout == "fine\n"
