"""What is missing for asking a model is told in words, without importing what would ask it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_workflow_exec.ai import AiRequest, ClaudeBackend, ai_problems
from pytest_workflow_exec.errors import AiError

LOOKS = """
import sys
{before}
from pytest_workflow_exec.ai import ai_problems
for problem in ai_problems({environment!r}):
    print(problem)
assert not {{"claude_agent_sdk", "mcp", "anyio"}} & set(sys.modules)
"""


def looked(before: str = "", *, environment: dict[str, str] | None = None, path: Path | None = None) -> list[str]:
    """Return the problems that a fresh interpreter finds, with a folder before all others in its path."""
    given = {"ANTHROPIC_API_KEY": "x"} if environment is None else environment
    done = subprocess.run(
        [sys.executable, "-c", LOOKS.format(before=before, environment=given)],
        env={"PYTHONPATH": str(path)} if path is not None else {},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def sdk(folder: Path, version: str, *, program: bool) -> Path:
    """Make an SDK that can't be imported, and return the folder that it is in."""
    package = folder / "claude_agent_sdk"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    facts = folder / f"claude_agent_sdk-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: claude-agent-sdk\nVersion: {version}\n")
    if program:
        (package / "_bundled").mkdir()
        (package / "_bundled" / "claude").write_text("#!/bin/sh\n")
        (package / "_bundled" / "claude").chmod(0o755)
    return folder


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"])
def test_all_is_there(tmp_path: Path, name: str) -> None:
    """An SDK with its program and any login are enough, and none of it is imported."""
    assert looked(path=sdk(tmp_path, "0.2.187", program=True), environment={name: "x"}) == []


@pytest.mark.skipif(find_spec("claude_agent_sdk") is None, reason="needs the extra `ai`")
def test_real_sdk_is_there() -> None:
    """The extra brings all that is looked for."""
    assert looked() == []


def test_missing_login_is_told(tmp_path: Path) -> None:
    """By the variables that would be one; an empty one is none."""
    [problem] = looked(path=sdk(tmp_path, "0.2.187", program=True), environment={"ANTHROPIC_API_KEY": ""})

    assert "ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN" in problem


@pytest.mark.parametrize("version", ["0.2.9", "0.1.999", "nightly"])
def test_old_sdk_is_told(tmp_path: Path, version: str) -> None:
    """With the command that brings a newer one."""
    [problem] = looked(path=sdk(tmp_path, version, program=True))

    assert f"0.2.187 or newer, and {version} is installed" in problem
    assert 'pip install "pytest-workflow-exec[ai]"' in problem


def test_missing_program_is_told(tmp_path: Path) -> None:
    """Some systems have an SDK without it, and a program that happens to be in PATH is not started."""
    [problem] = looked(path=sdk(tmp_path, "0.2.187", program=False))

    assert "without the program" in problem


def test_missing_extra_is_told_with_the_login() -> None:
    """All at once, each with what to do."""
    hidden = "import importlib.util as u; real = u.find_spec; u.find_spec = lambda n, p=None: None if n[:6] == 'claude' else real(n, p)"

    extra, login = looked(hidden, environment={})

    assert 'pip install "pytest-workflow-exec[ai]"' in extra
    assert "nothing logs in" in login


def test_request_without_a_login_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same is looked at once more before each request."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    request = AiRequest(step="s", model="m", system="", prompt="p", schema={"type": "object"}, attempts=1, timeout=9.0)
    news: list[object] = []

    with pytest.raises(AiError, match="nothing logs in") as caught:
        ClaudeBackend().ask(request, lambda value: (), news.append)

    assert (caught.value.kind, news) == ("permission", [])
    assert "nothing logs in" in " ".join(ai_problems())
