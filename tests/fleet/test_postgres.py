"""A fleet on PostgreSQL: hosts with nothing in common but the database and the project, and what each role may do."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ._postgres import Server
from ._site import Site, another_host, site_on

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)
NEW = "INSERT INTO workflow_exec.fleet_submission (id, queue, workflow, team, priority, digest, content, signature) "
NEW += "VALUES ('x', 'q', 'w', 't', 1, repeat('0', 64), '', '')"

RELEASE = """
workflow: site
steps:
  - {id: pack, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - id: approve
    gate: {question: Publish it?, show: [pack.file], assurance: 2, approvers: [managers], wait: suspend}
  - {id: publish, run: [cp, "${steps.pack.file}", ran-publish]}
"""

REFUSED = [
    ("alice", "INSERT INTO workflow_exec.fleet_leg (submission, number, reason) VALUES ('x', 1, 'new')"),
    ("alice", "UPDATE workflow_exec.fleet_submission SET priority = 1"),
    ("alice", "SELECT count(*) FROM dbos.workflow_status"),
    ("builder", "UPDATE workflow_exec.fleet_segment SET content = ''"),
    ("builder", "DELETE FROM workflow_exec.fleet_segment"),
    ("builder", "DELETE FROM workflow_exec.fleet_decision_use"),
    ("builder", NEW),
    ("builder", "INSERT INTO workflow_exec.fleet_answer (run, step, content) VALUES ('x', 'y', 'z')"),
    ("builder", "ALTER TABLE workflow_exec.fleet_segment DISABLE TRIGGER ALL"),
    ("looker", "INSERT INTO workflow_exec.fleet_cancel (submission, reason) VALUES ('x', 'y')"),
]


@pytest.fixture
def site(tmp_path: Path, postgres: Server) -> Iterator[Site]:
    """A project whose gate wants a signature, on a fleet whose tables its owner made."""
    made = site_on(postgres, tmp_path / "one", {"site.workflow.yaml": RELEASE})
    yield made
    made.end()


@pytest.mark.parametrize("command", [("status",), ("worker", "--until-idle"), ("init",)])
def test_a_password_is_wanted_and_never_shown(tmp_path: Path, own_server: Server, command: tuple[str, ...]) -> None:
    """A wrong one is an error of one line; neither it nor the right one is printed, also where the address is none."""
    site = site_on(own_server, tmp_path / "one", {"site.workflow.yaml": RELEASE})
    own_server.sql("CREATE ROLE locked LOGIN PASSWORD 'right-one'; GRANT workflow_exec_worker TO locked", role="super")
    rules = own_server.folder / "data/pg_hba.conf"
    rules.write_text(f"local all locked scram-sha-256\n{rules.read_text()}")
    own_server.sql("SELECT pg_reload_conf()", role="super")

    wrong, right, none = (
        site.fleet(*command, "--database", f"{scheme}://locked:{password}@/fleet?host={own_server.folder}")
        for scheme, password in (
            ("postgresql", "wrong-one"),
            ("postgresql", "right-one"),
            ("postgresql+psycopg", "right-one"),
        )
    )

    assert (wrong.status, right.status, none.status) == (2, 0, 2), (wrong.text, right.text, none.text)
    assert "password authentication failed" in wrong.text
    assert "is no address of a fleet's database" in none.text
    said = wrong.text + right.text + none.text
    assert ("wrong-one" in said, "right-one" in said, "Traceback" in said) == (False, False, False), said


def test_a_suspended_run_holds_no_worker_and_goes_on_at_another_host(
    site: Site, postgres: Server, tmp_path: Path
) -> None:
    """A signature wakes it; the other host has only the database, judges the signature, and uses the approval once."""
    other = another_host(site, tmp_path / "two")
    [submission] = site.submit()
    assert site.work().status == 0
    assert site.state(submission) == "suspended"
    assert "workflow-exec fleet challenge" in site.fleet("pending").text
    assert site.fleet("pending", "--database", postgres.url("looker")).status == 0

    by_mallory = site.approve(submission, "mallory")
    by_alice = site.approve(submission)
    worked = other.work()

    assert worked.status == 0, worked.text
    assert (by_alice.status, by_mallory.status) == (0, 2), by_alice.text
    assert "does not count, and nothing was written" in by_mallory.text
    assert site.state(submission) == "passed", site.fleet("status", submission).text
    kinds = [record["type"] for record in site.records(submission)]
    assert kinds.count("gate.requested") == kinds.count("gate.used") == 1
    started = [r["step"] for r in site.records(submission) if r["type"] == "step.started" and r["step"] != "approve"]
    assert started == ["pack", "publish"]
    verdict = site.tool(
        "verify", f"fleet:{submission}", "--signers", site.root / "workflow-signers", "--min-assurance", "2",
        "--expect-head", site.records(submission)[-1]["hash"],
    )  # fmt: skip
    assert verdict.status == 0, verdict.text
    assert postgres.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use") == "1"


def test_a_host_with_another_commit_refuses_and_says_so(site: Site, tmp_path: Path) -> None:
    """Its worker begins nothing of the other project, and the run stays as it is for a host that has it."""
    other = another_host(site, tmp_path / "two")
    other.write("source", "another page\n")
    other.commit()
    [submission] = site.submit()
    assert site.work().status == 0
    assert site.approve(submission).status == 0

    worked = other.work()
    status = site.fleet("status", submission)

    assert "1 run of this queue was refused here, of other projects or commits than" in worked.text
    assert site.state(submission) == "suspended"
    assert "no worker of queue default has project" in status.text
    assert site.work().status == 0
    assert site.state(submission) == "passed"


def test_only_signed_submissions_of_submitters_are_played(site: Site, postgres: Server) -> None:
    """What is unsigned, signed by somebody else, or changed after it was signed is refused, and nothing of it runs."""
    unsigned = site.person("submit", "site")
    by_alice = site.person("submit", "site", "--key", site.home / "alice")
    by_worker = site.fleet("submit", "site", "--key", site.home / "carol")
    [changed] = site.submit()
    postgres.sql(f"UPDATE workflow_exec.fleet_submission SET team = 'other' WHERE id = '{changed}'")
    [stripped] = site.submit()
    postgres.sql(f"UPDATE workflow_exec.fleet_submission SET signature = '' WHERE id = '{stripped}'")

    site.work()

    assert (unsigned.status, "has to be signed" in unsigned.text) == (2, True)
    assert by_alice.status == 0
    assert (by_worker.status, "does not let you: permission denied" in by_worker.text) == (2, True), by_worker.text
    runs = site.status()
    assert [each["state"] for each in runs.values()] == ["refused"] * 3
    said = " ".join(str(each["said"]) for each in runs.values())
    assert "alice@example.org, who may not submit here" in said
    assert "its row says something else than what was signed" in said
    assert "it is not signed" in said
    assert postgres.sql("SELECT count(*) FROM workflow_exec.fleet_run") == "0"


def test_a_submitter_does_not_approve_what_they_submitted(site: Site) -> None:
    """The signature of whoever submitted a run opens none of its gates, though the list of managers has them."""
    [submission] = site.submit()
    assert site.work().status == 0
    site.approve(submission, "carol")

    assert site.work().status == 0

    assert site.state(submission) == "suspended"
    assert "who submitted a run may not approve it" in site.fleet("status", submission).text


def test_roles_may_no_more_than_they_need(site: Site, postgres: Server) -> None:
    """The server itself refuses each role what is another's, and everybody but the owner to change what was written."""
    for role, statement in REFUSED:
        with pytest.raises(subprocess.CalledProcessError) as refused:
            postgres.sql(statement, role=role)
        assert "permission denied" in refused.value.stderr or "must be owner" in refused.value.stderr, statement
