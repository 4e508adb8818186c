"""`workflow-exec context`: what is printed, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ._tool import workflow_exec


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with three files."""
    (tmp_path / "workflow-exec.toml").touch()
    (tmp_path / "wf").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "CLAUDE.md").write_text("---\ndependencies: [gone.md]\n---\nRoot\x1b[31m words\n")
    (tmp_path / "wf" / "CLAUDE.md").write_text("Workflow words\n")
    (tmp_path / "docs" / "CLAUDE.md").write_text("---\nkeywords: [gate]\n---\nGate words\n")
    return tmp_path


def test_the_texts_are_printed(root: Path) -> None:
    """The files for a folder are printed root first, each under its name, and warnings go elsewhere."""
    done = workflow_exec("context", "wf", cwd=root)

    assert done.returncode == 0
    assert done.stdout == ("===== CLAUDE.md =====\nRoot\x1b[31m words\n\n===== wf/CLAUDE.md =====\nWorkflow words\n")
    assert done.stderr == "workflow-exec: warning: CLAUDE.md: its dependency 'gone.md' is missing\n"


def test_each_file_is_explained(root: Path) -> None:
    """With --explain each file is named with its size and the reason."""
    loaded = workflow_exec("context", "wf", "--explain", "--keyword", "gate", cwd=root)
    omitted = workflow_exec("context", "wf", "--explain", "--keyword", "other", cwd=root)

    assert loaded.stdout == (
        "loaded   CLAUDE.md           10 tokens  on the way from the root\n"
        "loaded   docs/CLAUDE.md      10 tokens  is about keyword 'gate'\n"
        "loaded   wf/CLAUDE.md        10 tokens  on the way from the root\n"
        "30 of 20000 tokens, estimated\n"
    )
    assert "omitted  docs/CLAUDE.md                 nothing that it is about was asked for\n" in omitted.stdout


def test_json_holds_digests_and_text(root: Path) -> None:
    """With --json a machine reads paths, digests, sizes, reasons and the text."""
    data = json.loads(workflow_exec("context", "--json", "--task-type", "x", cwd=root).stdout)

    assert [file["path"] for file in data["files"]] == ["CLAUDE.md"]
    assert len(data["files"][0]["sha256"]) == 64
    assert [each["path"] for each in data["omitted"]] == ["docs/CLAUDE.md", "wf/CLAUDE.md"]
    assert "Root" in data["text"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "there is nothing at nowhere"),
        (("--max-tokens", "0"), "max_tokens must be at least 1, not 0"),
        (("--max-tokens", "many"), "it must be a whole number"),
        (("--require", "gone.md"), "required, but not loaded whole: gone.md"),
        (("--explain", "--json"), "not allowed with"),
        (("/",), "there is no project here"),
    ],
)
def test_a_mistake_is_said(root: Path, arguments: tuple[str, ...], said: str) -> None:
    """What can't be answered exits 2 with a sentence, and prints no context."""
    done = workflow_exec("context", *arguments, cwd=root)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
