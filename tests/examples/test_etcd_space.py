"""`examples/etcd-space`: planned, run, waived, suspended, resumed; and nothing is destroyed without a decision."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.conftest import Project, code_at, finish

from .conftest import StandIn, copied, played, stand_in

FOLDER = "workflows/no-space"
SHORTER = {f"{FOLDER}/no-space.workflow.yaml": {"pause: {for: 5m}": "pause: {for: 1s}"}}
"""Tests wait for what the pause says, only not as long."""

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the example talks to servers with curl"),
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The example."""
    return copied("etcd-space", tmp_path / "site", changes=SHORTER)


@pytest.fixture
def servers(project: Project) -> Iterator[StandIn]:
    """Its cluster and its deployment service."""
    with stand_in(project.root) as started:
        yield started


def options(servers: StandIn) -> list[str]:
    """Return the inputs of a run on these servers."""
    return [f"--workflow-input={name}={servers.address}" for name in ("etcd", "deployments")]


def size(servers: StandIn, member: str) -> int:
    """Return how large the database of a member is."""
    return int(servers.ask(f"/{member}/v3/maintenance/status", "POST", b"{}")["dbSize"])


def destroyed(project: Project) -> list[str]:
    """Return what was run that the policy wants a decision for."""
    words = ("compaction", "defragment", "DEACTIVATE")
    return [
        record["step"]
        for record in project.of_type("command.started")
        if any(word in str(record["data"]["argv"]) for word in words)
    ]


def test_plan_is_told_and_nothing_is_run(project: Project, servers: StandIn) -> None:
    """The plan says which commands are behind the gate, and no server hears of it."""
    session = project.pytest(FOLDER, "--workflow-plan", *options(servers))

    assert session.status == 0, session.text
    lines = [line.split("] ")[1].split(" ")[0] for line in session.text.splitlines() if line.lstrip().startswith("[")]
    assert lines[lines.index("approve") + 1 :][:4] == [
        "compact",
        "members[etcd2]/defragment",
        "members[etcd2]/healthy",
        "members[etcd3]/defragment",
    ]
    assert lines[-1] == "thaw-early"
    assert project.untouched
    assert not servers.ask("/deployments")["frozen"]


def test_runbook_is_followed_waits_and_is_closed_elsewhere(project: Project, servers: StandIn) -> None:
    """Behind the gate space is made; the run then waits without a process, and goes on by a word given elsewhere."""
    first = played(project.terminal(FOLDER, "-s", *options(servers)), incident="INC-7")

    assert first.status == 1, first.text
    assert "close ... SUSPENDED" in first.text
    assert 'declare.incident = "INC-7"' in first.text
    assert "snapshot.file = " in first.text
    assert servers.ask("/deployments")["frozen"]
    assert {size(servers, member) for member in ("etcd1", "etcd2", "etcd3")} == {25600}

    child = project.terminal_of("workflow-exec", "approve", "latest", "close")
    child.sendline(code_at(child))
    assert finish(child).status == 0
    assert servers.ask("/deployments")["frozen"]
    done = project.run("workflow-exec", "due", "--resume")

    assert done.status == 0, done.text
    assert not servers.ask("/deployments")["frozen"]
    assert project.outcomes()["thaw-early"] == "not_applicable"
    [snapshot] = (project.root / "snapshots").iterdir()
    [finished] = [record for record in project.of_type("run.finished") if record["data"].get("outputs")]
    assert finished["data"]["outputs"] == {"incident": "INC-7", "snapshot": f"snapshots/{snapshot.name}"}
    assert project.run("workflow-exec", "verify", "latest").status == 3


def test_deployment_under_way_is_waited_for_or_waived(project: Project, servers: StandIn) -> None:
    """A person decides whether the run goes on all the same, and the gate behind it says that somebody did."""
    servers.ask("/deployments/running", "PUT")

    session = played(project.terminal(FOLDER, "-s", *options(servers)), incident="INC-7")

    assert "quiet ... WAIVED" in session.text
    assert "Waived steps" in session.text
    assert project.outcomes()["quiet"] == "waived"
    assert project.outcomes()["members[etcd1]/defragment"] == "passed"


def test_rejected_nothing_is_destroyed_and_deployments_go_on(project: Project, servers: StandIn) -> None:
    """What is behind the gate is blocked; asked again in the same run, deployments are stopped once more before it."""
    child = project.terminal(FOLDER, "-s", *options(servers))
    child.expect("Type done, failed or note: ")
    child.sendline("done")
    child.expect("incident = ")
    child.sendline("INC-7")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("find out first who fills it")
    rejected = finish(child)

    assert rejected.status == 1, rejected.text
    assert destroyed(project) == []
    assert {size(servers, member) for member in ("etcd1", "etcd2", "etcd3")} == {2147495936}
    assert not servers.ask("/deployments")["frozen"]

    child = project.terminal(FOLDER, "-s", "--workflow-resume", "--workflow-redo", "approve", *options(servers))
    child.expect("Reason: ")
    child.sendline("a client without leases, stopped")
    again = played(child, incident="INC-7")

    assert "declare ... CARRIED" in again.text
    assert "freeze ... PASSED" in again.text
    assert "close ... SUSPENDED" in again.text
    assert servers.ask("/deployments")["frozen"]
    assert {size(servers, member) for member in ("etcd1", "etcd2", "etcd3")} == {25600}


def test_without_the_alarm_the_runbook_is_not_begun(project: Project, servers: StandIn) -> None:
    """Where etcd has no such alarm, its first look fails, and nobody is asked for anything."""
    servers.ask("/etcd1/v3/kv/compaction", "POST", b'{"revision": "1"}')
    for member in ("etcd1", "etcd2", "etcd3"):
        servers.ask(f"/{member}/v3/maintenance/defragment", "POST", b"{}")
    servers.ask("/etcd1/v3/maintenance/alarm", "POST", b'{"action": "DEACTIVATE"}')

    session = finish(project.terminal(FOLDER, "-s", *options(servers)))

    assert session.status == 1, session.text
    assert project.outcomes()["alarm"] == "failed"
    assert project.outcomes()["declare"] == "blocked"
    assert destroyed(project) == []
