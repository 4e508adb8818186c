"""The project's own release with its gate at assurance 2, as docs/approvals.md describes it, on real terminals."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from .conftest import Project, Session, finish
from .test_pins import PLACES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "approvals.md"
RELEASE = "workflows/release/release.workflow.yaml"
WHO = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
_PATIENCE_S = 600


def _patched(text: str, patch: str) -> str:
    """Return a text with a patch of the page applied, whose context must be there once."""
    lines = patch.splitlines()
    before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
    after = "\n".join(line[1:] for line in lines)
    assert text.count(before) == 1, before
    return text.replace(before, after)


@pytest.fixture
def release(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    """A committed copy of this project with the page's changes and alice's key, and a home for keys and pins."""
    project, home = Project(tmp_path / "site"), tmp_path_factory.mktemp("home")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (project.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project.root / name)
    for_gate, for_policy = re.findall(r"^```diff\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    flow = _patched((project.root / RELEASE).read_text(), for_gate)
    # Without those that need what a test has not: a package index, and this package where the copy's commands may read.
    for step in ("fresh-install", "smoke"):
        flow, left_out = re.subn(rf"  - id: {step}\n(?:    .*\n)+", "", flow)
        assert left_out == 1
    project.write(RELEASE, flow.replace(", smoke.passed, fresh-install.plugin]", "]"))
    project.write("pyproject.toml", _patched((ROOT / "pyproject.toml").read_text(), for_policy))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "alice")], check=True)
    key = (home / "alice.pub").read_text()
    project.write("workflow-signers", f'alice@example.org namespaces="pytest-workflow-exec" {key}')
    shutil.copy(project.root / "workflow-signers", home / "signers")
    project.write("workflows/release/conftest.py", PLACES.format(folder=str(home)))
    for command in (["init", "-q"], ["add", "-A"], [*WHO, "commit", "-qm", "Sign the release"]):
        subprocess.run(["git", *command], cwd=project.root, check=True)
    project.environment |= {"HOME": str(home), "SSH_AUTH_SOCK": "", "PYTHONPATH": str(ROOT)}
    return project, home


def _tool(project: Project, home: Path, *arguments: str) -> pexpect.spawn[str]:
    return project.terminal_of("python", "-m", "tests.plugin._pinned_tool", str(home), *arguments)


def _ended(child: pexpect.spawn[str]) -> Session:
    child.timeout = _PATIENCE_S
    return finish(child)


@pytest.mark.timeout(1200)
@pytest.mark.skipif(sys.platform != "linux", reason="its policy is tried where commands can be confined")
def test_release_is_published_once_it_is_signed(release: tuple[Project, Path]) -> None:
    """Pinned at a terminal, the release suspends, and publishes what was shown only after alice's signature."""
    project, home = release
    pin = _tool(project, home, "trust")
    pin.expect(r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to trust, or stop to leave it: ")
    assert isinstance(pin.match, re.Match)
    pin.sendline(pin.match.group(1))
    assert finish(pin).status == 0

    started = _ended(project.terminal("workflows/release", "-s"))

    assert started.status == 1, started.text
    assert "approve ... SUSPENDED" in started.text, started.text
    assert not (project.root / "releases").exists()
    unsigned = _ended(project.terminal("workflows/release", "-s", "--workflow-resume"))
    assert unsigned.status == 1, unsigned.text
    assert not (project.root / "releases").exists()

    assert finish(_tool(project, home, "challenge", "latest", "approve", "--out", str(home / "challenge"))).status == 0
    sign = [
        "ssh-keygen",
        "-Y",
        "sign",
        "-q",
        "-n",
        "pytest-workflow-exec",
        "-f",
        str(home / "alice"),
        str(home / "challenge"),
    ]
    subprocess.run(sign, check=True, capture_output=True)
    signature = str(home / "challenge.sig")
    assert finish(_tool(project, home, "approve", "latest", "approve", "--signature", signature)).status == 0
    published = _ended(project.terminal("workflows/release", "-s", "--workflow-resume"))

    assert published.status == 0, published.text
    assert "approved by alice@example.org" in published.text
    assert list((project.root / "releases").glob("*/SHA256SUMS"))
    asks = ["--expect-head", published.heads[-1], "--signers", str(home / "signers"), "--min-assurance", "2"]
    verdict = finish(_tool(project, home, "verify", "latest", *asks))
    assert verdict.status == 0, verdict.text
    assert "proven 2" in verdict.text
