"""A run that goes on elsewhere: exported here, taken in by a checkout on another machine, answered and resumed there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import write_pin
from pytest_workflow_exec.settings import load_settings

from . import test_signatures
from ._pinned_tool import places_in
from .conftest import Project, code_at, finish
from .test_signatures import POLICY, Team

FLOW = """
workflow: release
steps:
  - {{id: build, run: [cp, source, dist/app.whl], outputs: {{wheel: {{glob: "dist/*.whl"}}}}}}
  - {{id: approve, gate: {{question: Publish it?, show: [build], wait: suspend{more}}}}}
  - {{id: publish, run: [cp, "${{steps.build.wheel}}", ran-publish]}}
"""
CONFIGURATION = '[policy]\nsandbox = "none"\ncommands = ["cp source dist/app.whl", "cp dist/app.whl ran-publish"]\n'
team = test_signatures.team
"""The pinned project of those tests, and its people."""

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]


def committed(project: Project, more: str = "") -> None:
    """Make the project a repository in which everything is committed."""
    project.write("wf/release.workflow.yaml", FLOW.format(more=more))
    project.write("source", "the wheel\n")
    project.write(".gitignore", "dist\nran-*\n__pycache__\n.pytest_cache\n")
    (project.root / "dist").mkdir()
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*GIT, *arguments], cwd=project.root, check=True)


def checkout(project: Project, place: Path, **environment: str) -> Project:
    """Return another checkout of a project, as on another machine: with another home."""
    subprocess.run(["git", "clone", "-q", project.root, place], check=True)
    return Project(place, {**project.environment, **environment})


def exported(project: Project, target: Path) -> Path:
    """Export the newest run of a project."""
    done = project.run("workflow-exec", "export", "latest", "--bundle", str(target))
    assert done.status == 0, done.text
    return target


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of another machine."""
    return tmp_path_factory.mktemp("elsewhere")


def test_a_suspended_run_is_answered_and_goes_on_elsewhere(project: Project, elsewhere: Path) -> None:
    """What passed is carried there, the question stands, and what was shown is what is used; here it stays suspended."""
    project.write("workflow-exec.toml", CONFIGURATION)
    project.environment["XDG_STATE_HOME"] = str(elsewhere / "state")
    committed(project)
    assert project.pytest("wf").status == 1
    bundle = exported(project, elsewhere / "bundle.tar")
    names = subprocess.run(["tar", "-tf", bundle], capture_output=True, text=True, check=True).stdout.splitlines()
    assert names[0] == "workflow-exec-bundle.json"
    assert "project/dist/app.whl" in names
    assert sum(name.startswith("outputs/") for name in names) == 1
    there = checkout(project, elsewhere / "checkout", XDG_STATE_HOME=str(elsewhere / "other-state"))
    [head] = re.findall(r'"hash":"([0-9a-f]{64})"\}\n$', project.logs()[0].read_text())

    first = there.run("workflow-exec", "import", str(bundle), "--expect-head", head)
    put = there.run("workflow-exec", "import", str(bundle), "--outputs")
    again = there.run("workflow-exec", "import", str(bundle))

    assert first.status == 0, first.text
    assert "output dist/app.whl is not here: its step runs again, unless --outputs puts it back" in first.text
    assert (put.status, again.status) == (0, 2)
    assert "output dist/app.whl was put back where its step left it" in put.text
    assert "is here already, and a run that is here is never replaced" in again.text
    assert [
        json.loads(line)["event"] for line in (there.root / ".workflow-exec/ledger.jsonl").read_text().splitlines()
    ] == ["imported"]
    runs = there.run("workflow-exec", "runs")
    assert (runs.status, "suspended" in runs.text) == (0, True), runs.text
    run = there.logs()[0].parent.name
    assert f"decide   workflow-exec approve {run} approve" in there.run("workflow-exec", "pending").text
    child = there.terminal_of("workflow-exec", "approve", run, "approve")
    child.sendline(code_at(child))
    assert finish(child).status == 0

    session = there.pytest("wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert "[1/3] build ... CARRIED" in session.text
    assert len(there.of_type("gate.requested")) == 1
    assert (there.root / "ran-publish").read_text() == "the wheel\n"
    assert project.of_type("gate.decided") == []
    assert not (project.root / "ran-publish").exists()
    verdict = there.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verdict.status == 0, verdict.text


def test_what_is_not_put_back_runs_again(project: Project, elsewhere: Path) -> None:
    """Without its file a step is not carried, and the gate that showed it asks anew: nothing is taken for granted."""
    project.write("workflow-exec.toml", CONFIGURATION)
    committed(project)
    assert project.pytest("wf").status == 1
    there = checkout(project, elsewhere / "checkout")
    assert there.run("workflow-exec", "import", str(exported(project, elsewhere / "bundle.tar"))).status == 0

    session = there.pytest("wf", "--workflow-resume")

    assert session.status != 0
    assert "[1/3] build ... CARRIED" not in session.text
    assert not (there.root / "ran-publish").exists()


def test_a_signer_elsewhere_signs_the_same_bytes(team: Team, elsewhere: Path) -> None:
    """`challenge` of an imported copy is that of the run; the signature goes back, and `require` takes the bundle."""
    project = team.project
    commands = '["cp source dist/app.whl", "cp dist/app.whl ran-publish"]'
    project.write("workflow-exec.toml", POLICY.replace('["echo *", "touch *"]', commands))
    committed(project, ", assurance: 2, approvers: [managers]")
    repin(team)
    assert project.pytest("wf").status == 1
    there = Team(checkout(project, elsewhere / "checkout"), team.folder)
    bundle = exported(project, elsewhere / "bundle.tar")
    assert there.tool("import", bundle).status == 0
    challenge = elsewhere / "challenge"
    assert there.tool("challenge", "latest", "approve", "--out", challenge).status == 0
    assert team.tool("challenge", "latest", "approve").text == challenge.read_text()
    signature = team.sign("alice", challenge)
    assert team.tool("approve", "latest", "approve", "--signature", signature).status == 0

    session = project.pytest("wf", "--workflow-resume")

    assert session.status == 0, session.text
    signers, wheel = elsewhere / "signers", elsewhere / "app.whl"
    shutil.copy(project.root / "workflow-signers", signers)
    shutil.copy(project.root / "dist" / "app.whl", wheel)
    incoming = elsewhere / "incoming"
    incoming.mkdir()
    later = exported(project, incoming / "bundle.tar")
    asks = ("require", later, "publish", "--artifact", wheel)
    covered = team.tool(*asks, "--signers", signers)
    beside = team.tool(*asks, "--signers", shutil.copy(signers, incoming / "signers"))
    early = team.tool("require", incoming.parent / "bundle.tar", "approve", "--artifact", wheel, "--signers", signers)
    assert covered.status == 0, covered.text
    assert (beside.status, early.status) == (2, 2)
    wheel.write_text("another\n")
    assert team.tool(*asks, "--signers", signers).status == 1
    later.write_bytes(later.read_bytes().replace(b'"approved"', b'"approvee"', 1))
    assert team.tool(*asks, "--signers", signers).status == 2


def repin(team: Team) -> None:
    """Pin the project as it is now."""
    place = places_in(team.folder).user
    assert place is not None
    write_pin(team.project.root, place, load_settings(team.project.root).policy.trusted)
