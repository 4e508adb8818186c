"""Signed answers to runs on other machines: rejections, forms, whose key it is, and what does not count."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.conftest import Session

from ._site import Site, new_site

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
steps:
  - {{id: pack, run: [cp, source, out.txt], outputs: {{file: {{glob: out.txt}}}}}}
  - id: approve
    gate: {{question: Publish it?, assurance: 2, approvers: [managers], wait: suspend{more}}}
  - {{id: publish, run: {run}}}
"""
FORM = ", form: {ticket: {pattern: 'REL-[0-9]+', description: The release ticket}, count: {type: integer, default: 1}}"


@pytest.fixture
def site(tmp_path: Path, sqlite: str) -> Iterator[Site]:
    """A project whose gate wants a signature."""
    made = new_site(
        tmp_path / "one",
        sqlite,
        {"site.workflow.yaml": FLOW.format(more="", run='[cp, "${steps.pack.file}", ran-publish]')},
    )
    yield made
    made.end()


def suspended(site: Site) -> str:
    """Return a run that waits at its gate."""
    [submission] = site.submit()
    assert site.work().status == 0
    assert site.state(submission) == "suspended", site.status()
    return submission


def signature(site: Site, who: str, challenge: Path) -> Path:
    """Return somebody's signature of a challenge."""
    command = [
        "ssh-keygen",
        "-Y",
        "sign",
        "-q",
        "-n",
        "pytest-workflow-exec",
        "-f",
        str(site.home / who),
        str(challenge),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return challenge.with_name(f"{challenge.name}.sig")


def answers(site: Site) -> int:
    """Return how many answers the database has."""
    import sqlite3

    with sqlite3.connect(site.url.removeprefix("sqlite:///")) as database:
        return int(database.execute("SELECT count(*) FROM fleet_answer").fetchone()[0])


def refused(done: Session, said: str) -> bool:
    """Return whether a command was refused with these words."""
    assert "Traceback" not in done.text
    return done.status == 2 and said in done.text


def test_a_rejection_ends_the_run_and_nothing_behind_the_gate_runs(site: Site) -> None:
    """What was signed is the rejection with its reason: another reason, or an approval made of it, does not count."""
    submission = suspended(site)
    challenge = site.home / "challenge"
    reason = ("--reason", "the page is wrong")
    no_reason = site.fleet("challenge", submission, "approve", "--answer", "reject", "--out", challenge)
    assert (no_reason.status, challenge.exists()) == (2, False), no_reason.text
    made = site.fleet("challenge", submission, "approve", "--answer", "reject", *reason, "--out", challenge)
    assert made.status == 0, made.text
    assert "fleet reject --reason 'the page is wrong'" in made.text
    signed = signature(site, "alice", challenge)

    other = site.fleet("reject", submission, "approve", "--signature", signed, "--reason", "another one")
    turned = site.fleet("approve", submission, "approve", "--signature", signed)
    assert refused(other, "does not count")
    assert refused(turned, "does not count")
    assert answers(site) == 0
    done = site.fleet("reject", submission, "approve", "--signature", signed, *reason)
    assert done.status == 0, done.text
    assert "reject by alice@example.org" in done.text
    assert site.work().status == 0

    assert site.state(submission) == "denied"
    records = site.records(submission)
    assert [record["step"] for record in records if record["type"] == "step.started"] == ["pack", "approve", "approve"]
    decided = [record["data"] for record in records if record["type"] == "gate.decided"]
    assert [(each["decision"], each["reason"]) for each in decided] == [("rejected", "the page is wrong")]
    assert "gate.used" not in {record["type"] for record in records}
    assert refused(site.fleet("take-over", submission, "--reason", "after all"), "is over: denied")
    late = site.fleet("approve", submission, "approve", "--signature", signed)
    assert (late.status, answers(site)) == (2, 1), late.text


def test_a_form_is_filled_in_by_who_signs(tmp_path: Path, sqlite: str) -> None:
    """`--fill` of the challenge is what is signed; `approve` takes it from there, or from its own `--fill`, and no other."""
    site = new_site(
        tmp_path / "one",
        sqlite,
        {"site.workflow.yaml": FLOW.format(more=FORM, run='[touch, "ran-${steps.approve.ticket}"]')},
    )
    submission = suspended(site)
    challenge = site.home / "challenge"
    for given, said in (
        ((), "an approval has to fill in ticket: --fill ticket=VALUE"),
        (("--fill", "ticket=3"), "--fill ticket: it "),
        (("--fill", "ticket=REL-1", "--fill", "other=1"), "--fill gives each of these once: ticket, count"),
    ):
        assert refused(site.fleet("challenge", submission, "approve", *given, "--out", challenge), said)
        assert not challenge.exists()
    assert site.fleet("challenge", submission, "approve", "--fill", "ticket=REL-7", "--out", challenge).status == 0
    signed = signature(site, "alice", challenge)
    alone = site.home / "alone.sig"
    alone.write_bytes(signed.read_bytes())
    for arguments, said in (
        (("--signature", alone), "say what was filled in, with --fill ticket=VALUE"),
        (("--signature", alone, "--fill", "ticket=REL-8"), "the signature does not count"),
        (("--signature", signed, "--fill", "ticket=REL-8"), "the signature does not count"),
    ):
        assert refused(site.fleet("approve", submission, "approve", *arguments), said)
    assert answers(site) == 0

    done = site.fleet("approve", submission, "approve", "--signature", alone, "--fill", "ticket=REL-7")
    assert done.status == 0, done.text
    assert site.work().status == 0

    assert site.state(submission) == "passed"
    commands = [record["data"] for record in site.records(submission) if record["type"] == "command.started"]
    assert commands[-1]["argv"][-1] == "ran-REL-7"


def test_a_key_of_several_people_says_whose_it_is(site: Site) -> None:
    """`--principal` names one of those that the list has the key for; a name that it has not for the key counts for nothing."""
    public = (site.home / "alice.pub").read_text()
    site.write("workflow-signers", (site.root / "workflow-signers").read_text() + f"bob@example.org {public}")
    site.commit()
    submission = suspended(site)
    signed = site.sign("alice", submission)

    wrong = site.fleet("approve", submission, "approve", "--signature", signed, "--principal", "carol@example.org")
    assert wrong.status == 2, wrong.text
    assert answers(site) == 0
    done = site.fleet("approve", submission, "approve", "--signature", signed, "--principal", "bob@example.org")

    assert done.status == 0, done.text
    assert "approve by bob@example.org" in done.text


def test_what_waits_is_told_with_all_that_an_answer_needs(site: Site) -> None:
    """`pending --json` has the question, its end, its rules and who signed; `challenge` without `--out` prints the bytes."""
    assert site.fleet("queue", "default").status == 0
    assert site.fleet("pending").text == "nothing waits\n"
    submission = suspended(site)

    [waiting] = json.loads(site.fleet("pending", "--json").text)
    printed = site.fleet("challenge", submission, "approve")

    assert (waiting["submission"], waiting["step"], waiting["question"]) == (submission, "approve", "Publish it?")
    assert waiting["run"] == site.status()[submission]["run"]
    assert waiting["signed"] == []
    assert waiting["digest"] in printed.text
    kept = site.home / "kept"
    kept.write_text("mine")
    assert site.fleet("challenge", submission, "approve", "--out", kept).status == 2
    assert kept.read_text() == "mine"


def test_an_answer_that_was_written_into_the_database_opens_nothing(site: Site) -> None:
    """The host that goes on judges it: what nobody signed, or somebody signed for another run, leaves the run as it was."""
    import sqlite3

    first, second = suspended(site), suspended(site)
    assert site.approve(first).status == 0
    runs = {name: str(run["run"]) for name, run in site.status().items()}
    with sqlite3.connect(site.url.removeprefix("sqlite:///")) as database:
        [content] = database.execute("SELECT content FROM fleet_answer").fetchone()
        unsigned = content.partition("-----BEGIN SSH SIGNATURE-----")[0]
        for forged in (content, unsigned, "approve", "", "{}", content.replace(runs[first], runs[second])):
            database.execute(
                "INSERT INTO fleet_answer (run, step, content) VALUES (?, 'approve', ?)", (runs[second], forged)
            )

    worked = site.work()

    assert worked.status == 0, worked.text
    assert (site.state(first), site.state(second)) == ("passed", "suspended"), site.status()
    kinds = {record["type"] for record in site.records(second)}
    assert not kinds & {"gate.used", "gate.decided"}
    started = [record["step"] for record in site.records(second) if record["type"] == "step.started"]
    assert "publish" not in started
    assert site.approve(second).status == 0
    assert site.work().status == 0
    assert site.state(second) == "passed"
