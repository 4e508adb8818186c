"""`examples/rolling-update`: planned, run, suspended, resumed; and what becomes of a server on which the release fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.conftest import Project, code_at, finish

from .conftest import StandIn, copied, played, stand_in

FOLDER = "workflows/rollout"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the example talks to servers with curl")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The example."""
    return copied("rolling-update", tmp_path / "site")


@pytest.fixture
def servers(project: Project) -> Iterator[StandIn]:
    """Its load balancer and servers."""
    with stand_in(project.root) as started:
        yield started


def options(servers: StandIn) -> list[str]:
    """Return the inputs of a rollout on these servers."""
    given = {"version": "1.5.0", "balancer": servers.address, "hosts_api": servers.address}
    return [f"--workflow-input={name}={value}" for name, value in given.items()]


def versions(servers: StandIn) -> list[str]:
    """Return which release each server has."""
    return [servers.ask(f"/hosts/web{number}/health")["version"] for number in (1, 2, 3)]


def states(servers: StandIn) -> set[str]:
    """Return how the servers stand in the load balancer."""
    return {line["state"] for line in servers.ask("/servers")}


def approve(project: Project, gate: str) -> None:
    """Approve a suspended gate at a terminal."""
    child = project.terminal_of("workflow-exec", "approve", "latest", gate)
    child.sendline(code_at(child))
    assert finish(child).status == 0


def test_plan_is_told_and_nothing_is_run(project: Project, servers: StandIn) -> None:
    """The plan has each server's steps in turn, with what cleans up after it; no server hears of it."""
    session = project.pytest(FOLDER, "--workflow-plan", *options(servers))

    assert session.status == 0, session.text
    lines = [line.split("] ")[1].split(" ")[0] for line in session.text.splitlines() if line.lstrip().startswith("[")]
    host = ["drain", "idle", "install", "healthy", "rollback", "give-up", "undrain"]
    assert lines == [
        "all-ready",
        "begin",
        *(f"canary/{step}" for step in host),
        "go-on",
        *(f"rest[{name}]/update/{step}" for name in ("web2", "web3") for step in host),
        "announce",
        "took-part",
    ]
    assert "finally of rest[web2]/update" in session.text
    assert project.untouched
    assert versions(servers) == ["1.4.0"] * 3


def test_canary_goes_first_and_the_others_follow_a_decision(project: Project, servers: StandIn) -> None:
    """The run waits behind the canary without a process; approved elsewhere, it goes on with one server after the other."""
    first = played(project.terminal(FOLDER, "-s", *options(servers)))

    assert first.status == 1, first.text
    assert "go-on ... SUSPENDED" in first.text
    assert versions(servers) == ["1.5.0", "1.4.0", "1.4.0"]
    assert states(servers) == {"ready"}

    approve(project, "go-on")
    last = played(project.terminal(FOLDER, "-s", "--workflow-resume", *options(servers)))

    assert last.status == 0, last.text
    assert "canary/install ... CARRIED" in last.text
    assert versions(servers) == ["1.5.0"] * 3
    assert states(servers) == {"ready"}
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", last.heads[-1])
    assert verified.status == 0, verified.text


def test_server_that_is_not_well_goes_back_and_is_drained_anew(project: Project, servers: StandIn) -> None:
    """It gets the release before and takes part again; the next is not touched; resumed, it is drained before all else."""
    played(project.terminal(FOLDER, "-s", *options(servers)))
    servers.ask("/hosts/web2/break", "POST")
    approve(project, "go-on")

    failed = played(project.terminal(FOLDER, "-s", "--workflow-resume", *options(servers)))

    assert failed.status == 1, failed.text
    assert "rest[web2]/update/healthy ... FAILED" in failed.text
    assert "which its fail_on names" in failed.text
    assert "rest[web2]/update/rollback ... PASSED" in failed.text
    assert "rest[web3]/update/drain ... BLOCKED" in failed.text
    assert versions(servers) == ["1.5.0", "1.4.0", "1.4.0"]
    assert states(servers) == {"ready"}

    servers.ask("/hosts/web2/mend", "POST")
    asked = project.pytest(FOLDER, "--workflow-resume", *options(servers))
    assert asked.status == 4, asked.text
    again = played(project.terminal(FOLDER, "-s", "--workflow-resume", *options(servers)))
    assert "its decision does not cover what is left to run" in again.text
    approve(project, "go-on")
    last = played(project.terminal(FOLDER, "-s", "--workflow-resume", *options(servers)))

    assert last.status == 0, last.text
    assert "rest[web2]/update/drain ... PASSED" in last.text
    assert versions(servers) == ["1.5.0"] * 3
    assert states(servers) == {"ready"}


def test_rejected_at_the_canary_nothing_is_installed(project: Project, servers: StandIn) -> None:
    """A rejection leaves every server as it was, and only what looks at them runs."""
    child = project.terminal(FOLDER, "-s", *options(servers))
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("not on a Friday")
    session = finish(child)

    assert session.status == 1, session.text
    assert versions(servers) == ["1.4.0"] * 3
    assert {record["step"] for record in project.of_type("command.started")} == {"all-ready", "took-part"}


def test_release_is_no_command_that_another_step_may_run(project: Project, servers: StandIn) -> None:
    """Without the gate before it, the workflow that installs is refused before its first step."""
    file = project.root / FOLDER / "rollout.workflow.yaml"
    text = file.read_text()
    begin, after = text.index("  - id: begin"), text.index("  - include: _host")
    file.write_text(text[:begin] + text[after:])

    session = played(project.terminal(FOLDER, "-s", *options(servers)))

    assert session.status == 4, session.text
    assert "canary/install" in session.text
    assert project.untouched
    assert versions(servers) == ["1.4.0"] * 3
