"""The pages of `docs/` are true: their files are written, their commands run in order, their outputs compared."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.sandbox import Rule, compile_policy, stated_policy
from pytest_workflow_exec.settings import load_settings

from ._pages import blocks_of, run, shows
from ._published import ROOT

DOCS = ROOT / "docs"
PLAYED = ["tutorial.md", "how-to/ci.md", "how-to/release.md", "how-to/runbook.md"]
ELSEWHERE = {
    "ai.md": "tests/plugin/test_ai_page.py",
    "approvals.md": "tests/plugin/test_approvals_page.py",
    "fleet.md": "tests/fleet/test_page.py",
    "how-to/etcd-space.md": "tests/examples/test_pages.py",
    "how-to/release-vote.md": "tests/examples/test_pages.py",
    "how-to/rolling-update.md": "tests/examples/test_pages.py",
    "yaml-and-python.md": "tests/plugin/test_python_includes.py",
}
"""Pages with a test of their own, and where it is."""
TRIAGE = """\
workflow: triage
mode: ai_json
steps:
  - id: ask
    ai:
      prompt: The monitor says disk full. What is the cause?
      output: {cause: {pattern: '.+'}}
"""
WHO = {
    f"GIT_{role}_{what}": said
    for role in ("AUTHOR", "COMMITTER")
    for what, said in (("NAME", "a"), ("EMAIL", "a@example.org"))
}


@pytest.mark.parametrize("name", PLAYED)
def test_page_is_true(tmp_path: Path, name: str) -> None:
    """A page's files and commands, from the first to the last, do what the page shows."""
    root = at = tmp_path / "site"
    root.mkdir()
    environment = {**WHO, "HOME": str(tmp_path)}

    for block in blocks_of(DOCS / name):
        if block.file is not None:
            (at / block.file).parent.mkdir(parents=True, exist_ok=True)
            (at / block.file).write_text(block.text, encoding="utf-8")
        for command, output in block.commands if block.language == "console" else ():
            if command.startswith("cd "):
                at /= command.removeprefix("cd ")
                continue
            printed = run(command, at, environment)
            assert not shows(output, printed, root), f"{command}\n{printed}"


@pytest.mark.parametrize("name", PLAYED)
def test_page_holds_nothing_else(name: str) -> None:
    """Every block of such a page is a file or commands, so that nothing on it is left untested."""
    assert all(block.file is not None or block.language == "console" for block in blocks_of(DOCS / name))


def test_every_page_with_code_has_a_test() -> None:
    """A page with fenced blocks is among those that are played, or has a test of its own."""
    pages = {page.relative_to(DOCS).as_posix(): page for page in DOCS.rglob("*.md")}
    with_code = {name for name, page in pages.items() if any(block.language for block in blocks_of(page))}

    assert with_code == {*PLAYED, *ELSEWHERE, *OWN_TESTS}
    assert all((ROOT / path).is_file() for path in ELSEWHERE.values())


def test_configuration_page_shows_a_configuration(tmp_path: Path) -> None:
    """The configuration that the page shows can be used, and its command shows what a variable says."""
    block, secrets = (block for block in blocks_of(DOCS / "configuration.md") if block.file is not None)
    (tmp_path / "workflow-exec.toml").write_text(secrets.text)
    of_secrets = compile_policy(load_settings(tmp_path).policy, workflow="", environment={})
    assert of_secrets.secrets.keys() == {"TWINE_PASSWORD", "DEPLOY_TOKEN"}
    (tmp_path / "workflow-exec.toml").write_text(block.text)
    [(command, output)] = [each for block in blocks_of(DOCS / "configuration.md") for each in block.commands]
    printed = run(command, tmp_path, {"HOME": str(tmp_path)})
    assert not shows(output, printed, tmp_path), printed

    compiled = compile_policy(load_settings(tmp_path).policy, workflow="", environment={})

    assert [rule.write for rule in compiled.rules] == [(), ("build",)]


def test_page_on_confinement_shows_rules(tmp_path: Path) -> None:
    """The sockets and limits that the page shows can be granted where a machine can keep to them, and a policy holds both."""
    blocks = [block for block in blocks_of(DOCS / "sandbox.md") if block.language == "toml"]
    rules: list[Rule] = []
    for block in blocks:
        (tmp_path / "workflow-exec.toml").write_text(block.text)
        rules += stated_policy(load_settings(tmp_path).policy, workflow="").rules

    assert [(rule.text, rule.sockets) for rule in rules] == [
        ("docker build --tag site .", ("/run/docker.sock",)),
        ("make all", ()),
    ]


def test_context_page_is_true(tmp_path: Path) -> None:
    """Its front matter is read, its step runs, and its command explains what is loaded."""
    root = tmp_path / "site"
    [python, console, front] = blocks_of(DOCS / "context.md")
    for path, text in {
        "workflow-exec.toml": "",
        "CLAUDE.md": f"{front.text}# Rules\n",
        "docs/CLAUDE.md": "# Docs\n",
        "notes/style.md": "# Style\n",
        "shared/CLAUDE.md": "# Shared\n",
        "workflows/release/workflow_triage.py": "from pytest_workflow_exec import Workflow, step\n\n"
        f'WORKFLOW = Workflow(name="triage")\n\n\n{python.text}',
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.replace("../shared", "shared"))
    [(command, _)] = console.commands

    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "workflows"], cwd=root, capture_output=True, text=True, check=False)  # fmt: skip
    explained = run(command, root)

    assert done.returncode == 0, done.stdout
    assert list(root.glob(".workflow-exec/runs/*/work/prompt.md")) or list(root.rglob("prompt.md"))
    assert "loaded   CLAUDE.md" in explained
    assert "warning" not in explained


@pytest.mark.parametrize("ci", ["true", None])
def test_page_on_testing_with_a_model_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str | None) -> None:
    """Its test passes, of a workflow that asks a model for what the test's answers are; in CI, too."""
    if ci is None:
        monkeypatch.delenv("CI", raising=False)
    else:
        monkeypatch.setenv("CI", ci)
    pytest.importorskip("claude_agent_sdk")
    [block] = [block for block in blocks_of(DOCS / "ai-testing.md") if block.language == "python"]
    for path, text in {
        "workflow-exec.toml": "",
        "workflows/triage/triage.workflow.yaml": TRIAGE,
        "tests/test_triage.py": f"import subprocess\nimport sys\n\n\n{block.text}",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "tests"], cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert list(tmp_path.glob(".workflow-exec/runs/*/evidence.jsonl"))


OWN_TESTS: dict[str, Callable[..., None]] = {
    "ai-testing.md": test_page_on_testing_with_a_model_is_true,
    "configuration.md": test_configuration_page_shows_a_configuration,
    "context.md": test_context_page_is_true,
    "sandbox.md": test_page_on_confinement_shows_rules,
}
"""Pages whose tests stand here."""


def test_site_is_built(tmp_path: Path) -> None:
    """`mkdocs build --strict` has nothing to complain of: every page is in the navigation, every link leads somewhere."""
    site = tmp_path / "site"

    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for page in ("index", "tutorial/index", "reference/workflow/index", "reference/python/index"):
        assert (site / f"{page}.html").is_file()
    assert not (site / "reference.py").exists()
