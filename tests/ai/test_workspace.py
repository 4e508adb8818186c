"""What a model may look at: files of the project and nothing else, whatever it asks for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.ai._workspace import MAX_BYTES, LookError, Workspace

CANARY = "canary-7f3a"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with files of all sorts, beside a secret that is outside of it."""
    root = tmp_path / "project"
    hidden = (
        ".env",
        ".env.local",
        ".git/config",
        ".workflow-exec/runs/log",
        "keys/server.PEM",
        "Secrets.yml",
        ".ssh/id_rsa",
    )
    for name in (*hidden, "../outside.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CANARY)
    (root / "src").mkdir()
    (root / "src/code.py").write_text("one = 1\ntwo = 2\n")
    (root / "README.md").write_text("Read me: two\n")
    (root / "out").symlink_to("../outside.txt")
    (root / "innocent.txt").symlink_to(".env")
    (root / "up").symlink_to("..")
    (root / "binary").write_bytes(b"two\0")
    os.mkfifo(root / "pipe")
    return Workspace(root=root.resolve(), tools=("read", "grep", "glob"))


def test_it_shows_files_of_the_project(workspace: Workspace) -> None:
    """Numbered lines, lines that hold a text, names that match."""
    assert workspace.look("read", {"path": "src/code.py", "start": 2}) == "2\ttwo = 2"
    assert workspace.look("grep", {"text": "two"}) == "README.md:1: Read me: two\nsrc/code.py:2: two = 2"
    assert workspace.look("grep", {"text": "two", "path": "src", "name": "*.md"}) == "(nothing)"
    assert workspace.look("glob", {"pattern": "*.py"}) == "src/code.py"


@pytest.mark.parametrize(
    "path",
    [
        ".env", ".env.local", ".ENV", "./.env", "src/../.env", ".git/config", ".workflow-exec/runs/log", "keys/server.PEM",
        "Secrets.yml", ".ssh/id_rsa", "innocent.txt", "out", "up/outside.txt", "../outside.txt", "/etc/passwd", "../project/.env",
        "~/.ssh/id_rsa", "pipe", "binary", "src", "nowhere", "a\0b", "x" * 2000, "",
    ],
)  # fmt: skip
def test_what_is_no_plain_file_of_the_project_is_not_read(workspace: Workspace, path: str) -> None:
    """Secrets, evidence, links that lead away, what is outside, and what is no text."""
    with pytest.raises(LookError) as caught:
        workspace.look("read", {"path": path})

    assert CANARY not in str(caught.value)


def test_searches_do_not_find_what_is_not_read(workspace: Workspace) -> None:
    """Neither by content nor by name."""
    assert workspace.look("grep", {"text": CANARY}) == "(nothing)"
    for path in (".git", ".env", "..", "up", "innocent.txt"):
        with pytest.raises(LookError):
            workspace.look("grep", {"text": CANARY, "path": path})
    assert workspace.look("glob", {"pattern": "*"}).split() == ["README.md", "binary", "pipe", "src/code.py"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("bash", {"command": "ls"}),
        ("read", {}),
        ("read", {"path": 3}),
        ("read", {"path": "README.md", "start": 0}),
        ("read", {"path": "README.md", "start": True}),
        ("read", {"path": "README.md", "mode": "w"}),
        ("grep", {"text": ["two"]}),
    ],
)
def test_a_call_that_is_none_is_refused(workspace: Workspace, tool: str, arguments: dict[str, Any]) -> None:
    """Before anything is looked at."""
    assert workspace.problem(tool, arguments) is not None


def test_only_named_tools_are_there(workspace: Workspace) -> None:
    """A conversation that names one has no other."""
    assert Workspace(root=workspace.root, tools=("glob",)).problem("read", {"path": "README.md"}) is not None


def test_long_files_are_shown_in_parts(workspace: Workspace) -> None:
    """Each part says where the next one begins."""
    (workspace.root / "long.txt").write_text(("x" * 100 + "\n") * 2000)

    shown = workspace.look("read", {"path": "long.txt"})

    assert len(shown) < MAX_BYTES + 200
    assert "more lines; go on with start=" in shown.splitlines()[-1]
