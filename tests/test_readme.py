"""The README is true: every file in it is used, every command run, every output compared."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import load_settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

README = Path(__file__).parent.parent / "README.md"
PATIENCE_S = 60
# With one of these pytest cuts no line of its summary to the window.
CI = ("CI", "BUILD_NUMBER")
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
BROKEN = """
workflow: broken
steps:
  - {id: one, run: [git, status, --porcelain]}
  - {id: two, run: ["false"]}
  - {id: three, run: [git, status, --porcelain]}
"""


@dataclass(frozen=True)
class Block:
    """One fenced block of the README."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is, by its first line; None for anything else."""
        first = self.text.splitlines()[0]
        return first.removeprefix("# ") if self.language in ("toml", "yaml", "python") else None

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The commands in it, each with its output."""
        parts = re.split(r"^\$ (.*)\n", self.text, flags=re.MULTILINE)[1:]
        return list(zip(parts[::2], parts[1::2], strict=True))


def blocks() -> list[Block]:
    """Return the README's fenced blocks."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [Block(language, text) for language, text in found]


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
    """A block of the README is a file, a set-up command that CI runs, or commands with their output."""
    setups = [block for block in blocks() if block.language == ""]

    assert [block.text.strip().split(" && ")[-1] for block in setups] == ["pytest workflows/release -s", "pytest"]
    assert all(block.file is not None or block.language in ("", "console") for block in blocks())


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


def run(command: str, root: Path) -> str:
    """Return what a command prints; one that asks for a code is given it, on a terminal."""
    scripts = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_") and name not in CI},
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "TERM": "xterm",
    }
    if command.endswith(" -s") and "|" not in command:
        return on_terminal(command, root, environment)
    done = subprocess.run(
        command, shell=True, cwd=root, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    return done.stdout + done.stderr


def on_terminal(command: str, root: Path, environment: dict[str, str]) -> str:
    """Return what a command prints on a terminal whose user approves."""
    program, *arguments = shlex.split(command)
    child = pexpect.spawn(
        program,
        arguments,
        cwd=str(root),
        env=environment,
        encoding="utf-8",
        dimensions=(60, 80),
        timeout=PATIENCE_S,
    )
    child.expect(r"Type ([A-Z0-9-]+) to approve, or reject to stop: ")
    before = f"{child.before}{child.after}"
    child.sendline(child.match.group(1))  # type: ignore[union-attr]  # a pattern matched, no EOF
    child.expect(pexpect.EOF)
    return f"{before}{child.before}"


MASKS = [
    (r"\x1b\[[0-9;?!]*[A-Za-z]|\x1b[78\\]|\x1b\(B|[\x18\x0f\r]", ""),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b", "RUN"),
    (r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{6,}\b", "HEX"),
    (r"\b[0-9]+\.[0-9]+s\b", "0.0s"),
    (r"\d{4}-\d\d-\d\d[T ]", "DATE "),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"[A-Z0-9]{4}-[A-Z0-9]{4}", "XXXX-XXXX"),
    (r"\d+ bytes", "N bytes"),
    (r"uid = \d+", "uid = 0"),
    (r"(?m)[ =]+$", ""),
    (r"(?m)^=+ ", "== "),
]


def masked(text: str, root: Path) -> list[str]:
    """Return the lines of a text without what differs from run to run, and without empty lines."""
    text = text.replace(str(root), "/srv/site")
    for known, name in ((socket.gethostname(), "vm"), (getpass.getuser(), "root")):
        text = re.sub(rf"\b{re.escape(known)}\b", name, text)
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    return [line for line in text.splitlines() if line]
