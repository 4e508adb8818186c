"""`docs/approvals.md` is true: its files are used, and its commands run in its order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from .conftest import PATIENCE_S, Project
from .test_pins import PLACES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "approvals.md"


def _blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind == language]


def _commands() -> list[str]:
    return [line.removeprefix("$ ") for block in _blocks("console") for line in block.splitlines()]


@pytest.fixture
def home(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page takes for granted: its files, people's keys, and tools whose pins lie in the test's own folder."""
    home = tmp_path_factory.mktemp("home")
    for name in ("keys", "bin"):
        (home / name).mkdir()
    [policy, notify, _], [flow], [listed] = _blocks("toml"), _blocks("yaml"), _blocks("")
    # Its command is not there, which must change nothing.
    project.write("workflow-exec.toml", policy + notify)
    project.write("release.workflow.yaml", flow)
    lines = []
    for line in listed.splitlines():
        who = line.partition("@")[0]
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "keys" / who)], check=True)
        lines.append(line.replace("ssh-ed25519 AAAA…", (home / "keys" / f"{who}.pub").read_text().strip()))
    project.write("workflow-signers", "\n".join(lines) + "\n")
    (home / "keys" / "signers").write_text("\n".join(lines) + "\n")
    project.write("conftest.py", PLACES.format(folder=str(home)))
    tools = {"workflow-exec": f"tests.plugin._pinned_tool {home}", "pytest": "pytest"}
    for tool, module in tools.items():
        script = home / "bin" / tool
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        script.chmod(0o755)
    project.environment |= {"HOME": str(home), "SSH_AUTH_SOCK": "", "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    project.environment["PATH"] = f"{home / 'bin'}:/usr/bin:/bin"
    return home


def _run(project: Project, command: str) -> tuple[int, str]:
    """Run a command of the page as it stands there, on a terminal, and type the code if one is asked for."""
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", command],
        cwd=str(project.root),
        env=project._env(),
        encoding="utf-8",
        timeout=PATIENCE_S,
        dimensions=(60, 250),
    )
    code = re.compile(r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to trust, or stop to leave it: ")
    text = ""
    if child.expect([code, pexpect.EOF]) == 0:
        assert isinstance(child.match, re.Match)
        text = child.before or ""
        child.sendline(child.match.group(1))
        child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus or 0, text + (child.before or "")


def test_the_page_works_as_it_stands(project: Project, home: Path) -> None:
    """Trusted, started, signed by alice, then by bob, resumed, verified: each command does what the page says."""
    commands, head, said = _commands(), "", list[tuple[str, int]]()
    at = next(number for number, command in enumerate(commands) if command.startswith("workflow-exec approve"))
    # The page shows one of two who sign the same.
    as_bob = [command.replace("alice", "bob") for command in commands[at - 1 : at + 1]]
    for command in [*commands[: at + 1], "rm challenge.sig", *as_bob, *commands[at + 1 :]]:
        status, text = _run(project, command.replace("HEAD", head))
        said.append((command, status))
        head = (re.findall(r"evidence head \d+ ([0-9a-f]{64})", text) or [head])[-1]
        assert status == (1 if "--workflow-sign-start" in command else 0), text

    assert (project.root / "released").exists()
    assert len(said) == len(commands) + 3


def test_the_glass_is_broken_as_the_page_says(project: Project, home: Path) -> None:
    """Its grant is pinned, its command asks for reason and code, and the run goes on without anybody's signature."""
    project.write("workflow-exec.toml", "".join(_blocks("toml")))
    [command] = re.findall(r"`(pytest [^`]*--workflow-break-glass[^`]*)`", PAGE.read_text(encoding="utf-8"))
    assert _run(project, "workflow-exec trust")[0] == 0
    assert _run(project, "pytest release.workflow.yaml")[0] == 1
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", command],
        cwd=str(project.root),
        env=project._env(),
        encoding="utf-8",
        timeout=PATIENCE_S,
        dimensions=(60, 250),
    )
    child.expect("Reason to break the glass, or reject to stop: ")
    child.sendline("the site is down")
    child.expect(r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to break the glass, or reject to stop: ")
    assert isinstance(child.match, re.Match)
    child.sendline(child.match.group(1))
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 0, child.before
    assert "GLASS BROKEN at approve" in (child.before or "")
    assert (project.root / "released").exists()
