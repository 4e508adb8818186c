"""`docs/fleet.md` is true: its files are written, its commands run, and what it shows of services parses."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec.cli._arguments import parser
from tests import _pages
from tests._pages import Block, blocks_of, run, shows
from tests._published import ROOT
from tests.test_docs import WHO

from ._postgres import Server

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)
PAGE = ROOT / "docs" / "fleet.md"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker plays several runs in one command of the page."""
    monkeypatch.setattr(_pages, "PATIENCE_S", 600)


def blocks(language: str) -> list[Block]:
    """Return the page's blocks in one language."""
    return [block for block in blocks_of(PAGE) if block.language == language]


def played(block: Block, root: Path, environment: dict[str, str]) -> None:
    """Run the commands of a block, and compare what they print with what is shown."""
    for command, output in block.commands:
        printed = run(command, root, environment)
        assert not shows(output, printed, root), f"{command}\n{printed}"


def test_one_machine(tmp_path: Path) -> None:
    """What is shown of a fleet on one machine, its limits, and many workflows with pytest-xdist."""
    root = tmp_path / "site"
    for block in (*blocks("toml"), *blocks("yaml")):
        assert block.file is not None
        path = root / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    environment = {**WHO, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "WORKFLOW_EXEC_FLEET": ""}
    fleet, _, limits, xdist = blocks("console")

    played(fleet, root, environment)
    assert not (root / "live.tar.gz").exists()
    for block in (limits, xdist):
        played(block, root, environment)


def test_a_server(postgres: Server, tmp_path: Path) -> None:
    """What is shown of making the tables and giving roles."""
    server = blocks("console")[1]
    postgres.sql("DROP SCHEMA IF EXISTS workflow_exec CASCADE; DROP SCHEMA IF EXISTS dbos CASCADE")
    for role in ("carol", "builder", "audit"):
        postgres.sql(f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    (export, _), (init, said), (grant, _) = server.commands
    address = export.removeprefix("export WORKFLOW_EXEC_FLEET=")
    assert address == "postgresql://owner@db.example.org/fleet"

    printed = run(init, tmp_path, {"WORKFLOW_EXEC_FLEET": postgres.url("owner")})
    postgres.sql(shlex.split(grant)[2])

    shown = printed.replace(f"postgresql:///fleet?host={postgres.folder}", "postgresql://db.example.org/fleet")
    assert shown == said.rstrip("\n").removesuffix("\n") + "\n" or shown.strip() == said.strip()
    granted = postgres.sql("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE r.rolname LIKE 'workflow_exec_%'")  # fmt: skip
    assert int(granted) >= 3


def test_services_start_what_there_is() -> None:
    """The command lines of the unit and of the image are ones that the tool takes."""
    [unit], [image] = blocks("ini"), blocks("dockerfile")
    [started] = [line.partition("=")[2] for line in unit.text.splitlines() if line.startswith("ExecStart=")]
    [command] = [line.removeprefix("CMD ") for line in image.text.splitlines() if line.startswith("CMD ")]

    for arguments in (shlex.split(started.replace("%i", "default"))[1:], json.loads(command)[1:]):
        parsed = parser().parse_args(arguments)
        assert (parsed.asked, parsed.queue, parsed.take_over) == ("worker", "default", "known")


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Nothing of it is unknown to systemd, once the tool is where the unit says."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    [unit] = blocks("ini")
    tool = "/srv/project/.venv/bin/workflow-exec"
    assert tool in unit.text
    file = tmp_path / "workflow-exec-worker@default.service"
    file.write_text(unit.text.replace(tool, sys.executable), encoding="utf-8")

    done = subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True, check=False)

    assert "workflow-exec-worker" not in done.stdout + done.stderr
