"""The fixture that puts a scripted model in place of the real one."""

from __future__ import annotations

from .conftest import Project

USES_IT = """
import os, subprocess, sys, urllib.request

def test_environment(fake_claude):
    assert os.environ["ANTHROPIC_BASE_URL"] == fake_claude.url
    assert "CLAUDE_CODE_OAUTH_TOKEN" not in os.environ
    child = "import os; print(os.environ['ANTHROPIC_BASE_URL'], os.environ['ANTHROPIC_API_KEY'])"
    said = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout
    assert said.split() == [fake_claude.url, "fake-claude-no-real-key"]

def test_after():
    assert "ANTHROPIC_BASE_URL" not in os.environ
    assert os.environ["CLAUDE_CODE_OAUTH_TOKEN"] == "real"
"""


def test_environment_names_the_fake_and_no_real_login(project: Project) -> None:
    """As long as a test has the fixture, it and its processes reach the fake, and no login of the user's is there."""
    project.write("tests/test_it.py", USES_IT)
    project.environment |= {"CLAUDE_CODE_OAUTH_TOKEN": "real"}
    project.environment.pop("ANTHROPIC_BASE_URL", None)

    session = project.pytest("tests", "-p", "no:cacheprovider")

    assert session.status == 0, session.text
    assert project.untouched
