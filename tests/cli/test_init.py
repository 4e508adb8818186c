"""`workflow-exec init`: what it writes works, and nothing of anybody's is ever touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests._published import CONFIGURATION, WORKFLOWS, complaints

from ._tool import ROOT, workflow_exec

PATIENCE_S = 60
FILES = ["workflow-exec.toml", "workflows/hello/hello.workflow.yaml", "workflows/workflow.schema.json"]
SHARED = '[project]\nname = "site"\nversion = "1"\n\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n'


def _fresh(_root: Path) -> None:
    """Nothing is there."""


def _in_git(root: Path) -> None:
    """A repository with a project that knows nothing of workflows."""
    (root / "pyproject.toml").write_text(SHARED)
    (root / "tests").mkdir()
    (root / "tests" / "test_it.py").write_text("def test_it(): pass\n")
    for arguments in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *arguments], cwd=root, check=True)


def _with_workflows(root: Path) -> None:
    """A folder for workflows is there, with one in it."""
    (root / "workflows").mkdir()
    (root / "workflows" / "mine.workflow.yaml").write_text("steps: [{id: a, run: [git]}]\n")


def contents(root: Path) -> dict[str, bytes]:
    """Return every file and link below a folder."""
    found = (path for path in root.rglob("*") if ".git" not in path.parts)
    return {str(path.relative_to(root)): b"" if path.is_dir() else path.read_bytes() for path in sorted(found)}


@pytest.mark.parametrize("make", [_fresh, _in_git, _with_workflows])
def test_first_workflow_runs(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """What is written passes at once, with its gate typed at a terminal, and nothing that was there has changed."""
    root = tmp_path / "site"
    root.mkdir()
    make(root)
    before = contents(root)

    done = workflow_exec("init", cwd=root)

    assert (done.returncode, done.stderr) == (0, "")
    written = [name for name in contents(root).keys() - before.keys() if not (root / name).is_dir()]
    assert sorted(written) == FILES
    assert {name: content for name, content in contents(root).items() if name in before} == before
    assert "pytest workflows/hello -s" in done.stdout
    printed, status = _approved(root)
    assert status == 0, printed
    assert "5 passed" in printed
    assert (root / "hello-out" / "hello.txt").read_text().startswith("hello world, from ")
    assert workflow_exec("show", "latest", cwd=root).returncode == 0


def test_project_is_made_where_it_is_named(tmp_path: Path) -> None:
    """A folder that is missing is made, and what to run next begins with going there."""
    done = workflow_exec("init", "new/my site", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert sorted(name for name in contents(tmp_path / "new/my site") if "." in name) == FILES
    assert f"cd '{tmp_path}/new/my site'" in done.stdout


def test_editors_find_the_schema(tmp_path: Path) -> None:
    """The line for editors leads to the schema beside, which is that of this version and allows the workflow."""
    workflow_exec("init", cwd=tmp_path)
    flow = tmp_path / "workflows/hello/hello.workflow.yaml"

    first, _, _ = flow.read_text().partition("\n")
    schema = (flow.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve()

    assert schema.read_bytes() == WORKFLOWS.read_bytes()
    assert complaints(flow.read_bytes(), schema) == []
    assert CONFIGURATION.exists()


def test_second_time_is_refused(tmp_path: Path) -> None:
    """Each thing that is there is named, and nothing at all is written."""
    workflow_exec("init", cwd=tmp_path)
    (tmp_path / "workflows/hello/hello.workflow.yaml").write_text("mine\n")
    (tmp_path / "workflows/workflow.schema.json").unlink()
    before = contents(tmp_path)

    done = workflow_exec("init", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "there is workflow-exec.toml, workflows/hello/hello.workflow.yaml already" in done.stderr
    assert contents(tmp_path) == before


def _configured(root: Path) -> None:
    (root / "pyproject.toml").write_text(SHARED + "\n[tool.workflow-exec.policy]\ncommands = []\n")


def _own_file(root: Path) -> None:
    (root / "workflow-exec.toml").write_text("")


def _flow(root: Path) -> None:
    (root / "workflows" / "hello").mkdir(parents=True)
    (root / "workflows" / "hello" / "hello.workflow.yaml").write_text("mine\n")


def _dangling(root: Path) -> None:
    (root / "workflow-exec.toml").symlink_to("nowhere")


def _linked(root: Path) -> None:
    (root / "elsewhere").mkdir()
    (root / "workflows").symlink_to("elsewhere")


def _a_file(root: Path) -> None:
    (root / "workflows").write_text("")


def _unreadable(root: Path) -> None:
    (root / "pyproject.toml").write_text("[broken\n")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_configured, "there is [tool.workflow-exec] in pyproject.toml already"),
        (_own_file, "there is workflow-exec.toml already"),
        (_flow, "there is workflows/hello/hello.workflow.yaml already"),
        (_dangling, "there is workflow-exec.toml already"),
        (_linked, "workflows is no folder of the project"),
        (_a_file, "workflows is no folder of the project"),
        (_unreadable, "is not valid TOML"),
    ],
)
def test_what_is_there_is_kept(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    """Whatever of it exists is said, and nothing at all is written."""
    make(tmp_path)
    before = _states(tmp_path)

    done = workflow_exec("init", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert _states(tmp_path) == before


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("/", "everything below would belong to the project"),
        ("home", "everything below would belong to the project"),
        (".git/x", "where no workflow is looked for"),
        (".workflow-exec", "where no workflow is looked for"),
        ("file", "it is no folder"),
        ("file/below", "file"),
        ("project/below", "it lies in the project that"),
        ("circle", "circle"),
        ("/proc/workflows-of-nobody", "/proc/workflows-of-nobody can't be written"),
    ],
)
def test_bad_places_are_refused(tmp_path: Path, place: str, said: str) -> None:
    """A place that is none for a project is refused in words, and nothing is written."""
    for name in ("home", ".git", "project"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "project" / "workflow-exec.toml").write_text("")
    (tmp_path / "circle").symlink_to("circle")
    before = sorted(tmp_path.rglob("*"))

    done = workflow_exec("init", place, cwd=tmp_path, HOME=str(tmp_path / "home"))

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def _states(root: Path) -> dict[Path, tuple[int, int, int]]:
    return {path: _state(path.lstat()) for path in root.rglob("*")}


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return (found.st_ino, found.st_size, found.st_ctime_ns)


def _approved(root: Path) -> tuple[str, int | None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "pytest", "workflows/hello", "-s"],
        cwd=str(root),
        env={**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(60, 100),
        timeout=PATIENCE_S,
    )
    child.expect(r"Type ([A-Z0-9-]+) to approve, or reject to stop: ")
    before = f"{child.before}{child.after}"
    child.sendline(child.match.group(1))  # type: ignore[union-attr]  # a pattern matched, no EOF
    child.expect(pexpect.EOF)
    child.close()
    return f"{before}{child.before}", child.exitstatus
