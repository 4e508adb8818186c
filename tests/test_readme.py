"""The README is true: every file in it is used, every command run, every output compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import load_settings

from ._pages import Block, blocks_of, masked, run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

README = Path(__file__).parent.parent / "README.md"
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
BROKEN = """
workflow: broken
steps:
  - {id: one, run: [git, status, --porcelain]}
  - {id: two, run: ["false"]}
  - {id: three, run: [git, status, --porcelain]}
"""


def blocks() -> list[Block]:
    """Return the README's fenced blocks."""
    return blocks_of(README)


CONSOLE = [command for block in blocks() if block.language == "console" for command in block.commands]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's project, with what it takes for granted."""
    root = tmp_path_factory.mktemp("readme") / "site"
    files = {block.file: block.text for block in reversed(blocks()) if block.file is not None}
    # The project's own policy is not the site's.
    del files["pyproject.toml"]
    files["workflow-exec.toml"] = files["workflow-exec.toml"].replace("commands = [", 'commands = [\n  "false",')
    files |= {
        ".gitignore": "*.tar.gz\n.pytest_cache\n__pycache__\n",
        "public/index.html": "1.0\n",
        "workflows/broken/broken.workflow.yaml": BROKEN,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*GIT, *arguments], cwd=root, check=True)
    return root


@pytest.fixture(scope="module")
def printed(site: Path) -> dict[str, str]:
    """What each command prints, run in the README's order: `latest` is whatever ran last before it."""
    return {command: run(command, site) for command, _ in CONSOLE}


@pytest.mark.parametrize(("command", "output"), CONSOLE, ids=[command for command, _ in CONSOLE])
def test_every_shown_output_is_what_the_command_prints(
    site: Path, printed: dict[str, str], command: str, output: str
) -> None:
    """What the README shows below a command is what the command prints, but for times, digests and names."""
    wanted = masked(output, site)

    assert masked(printed[command], site)[-len(wanted) :] == wanted


def test_every_block_is_exercised() -> None:
    """A block of the README is a file, a set-up command that CI runs, commands with their output, or keys of a step.

    Those are held against the schema, with every other YAML of the documentation.
    """
    setups = [block for block in blocks() if block.language == ""]

    assert [block.text.strip().split(" && ")[-1] for block in setups] == ["pytest workflows/release -s", "pytest"]
    assert all(block.file is not None or block.language in ("", "console", "yaml") for block in blocks())


def test_the_project_s_own_policy_is_what_is_shown() -> None:
    """The policy below the first command is the one that this very project has, and it asks for what there is."""
    [shown] = [block.text for block in blocks() if block.file == "pyproject.toml"]
    own = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["workflow-exec"]

    assert tomllib.loads(shown)["tool"]["workflow-exec"] == own
    assert own["policy"]["sandbox"] == "available"


def test_policy_with_rights_can_be_used(tmp_path: Path) -> None:
    """The README's second policy is a policy."""
    [_, policy] = [block.text for block in blocks() if block.file == "workflow-exec.toml"]
    (tmp_path / "workflow-exec.toml").write_text(policy)

    compiled = compile_policy(load_settings(tmp_path).policy, workflow="site", environment={})

    assert [rule.secrets for rule in compiled.rules] == [(), ("TWINE_PASSWORD",), ()]
