"""Cancelling: what began cleans up after itself, what did not just ends, and of two words at once one wins."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.fleet import open_database
from tests.plugin.conftest import code_at, finish

from ._postgres import Server
from ._site import PATIENCE_S, Site, another_host, new_site, site_on

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
steps:
  - {id: pack, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - {id: begin, call: "effects:begin"}
  - id: approve
    gate: {question: Publish it?, show: [pack.file], assurance: 2, approvers: [managers], wait: suspend}
  - {id: publish, call: "effects:publish"}
finally:
  - {id: tidy, call: {function: "effects:tidy", with: {file: "${steps.pack.file}"}}}
"""
REPEATABLE = FLOW.replace("{id: tidy, ", "{id: tidy, idempotent: true, ")
EFFECTS = """
import time
from pathlib import Path

HERE = Path({folder!r})


def note(line):
    with (HERE / "notes").open("a") as file:
        file.write(line + "\\n")


def begin():
    note("begin")
    while (HERE / "hold").exists():
        time.sleep(0.05)


def publish():
    note("publish")


def tidy(file):
    note("tidy " + Path(file).read_text().strip())
    while (HERE / "hold-tidy").exists():
        time.sleep(0.05)
    if (HERE / "stuck").exists():
        raise OSError("it is stuck")
"""


def with_effects(site: Site) -> Site:
    """Give a project what its steps do, which they note outside it."""
    site.write("wf/effects.py", EFFECTS.format(folder=str(site.home)))
    site.commit()
    return site


@pytest.fixture
def site(tmp_path: Path, sqlite: str) -> Iterator[Site]:
    """A project whose workflow cleans up after itself."""
    made = with_effects(new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": FLOW}))
    yield made
    made.end()


@pytest.fixture
def server_site(tmp_path: Path, postgres: Server) -> Iterator[Site]:
    """The same on a server."""
    made = with_effects(site_on(postgres, tmp_path / "one", {"site.workflow.yaml": FLOW}))
    yield made
    made.end()


def notes(site: Site) -> list[str]:
    """Return what the steps did."""
    path = site.home / "notes"
    return path.read_text().splitlines() if path.exists() else []


def wait_for_note(site: Site, line: str) -> None:
    """Return once a step has done something."""
    until = time.monotonic() + PATIENCE_S
    while line not in notes(site):
        assert time.monotonic() < until, "".join(worker.text for worker in site.workers)
        time.sleep(0.05)


def suspended(site: Site) -> str:
    """Return a run that waits at its gate."""
    [submission] = site.submit()
    assert site.work().status == 0
    assert site.state(submission) == "suspended", site.status()
    return submission


def cancel(site: Site, submission: str, why: str = "not any more") -> str:
    """Cancel a run, and return what is said of it."""
    done = site.person("cancel", submission, "--reason", why)
    assert done.status == 0, done.text
    return done.text


def is_intact(site: Site, submission: str) -> bool:
    """Return whether a run that ended is told by a log that verifies, as interrupted."""
    records = site.records(submission)
    verdict = site.tool("verify", f"fleet:{submission}", "--expect-head", records[-1]["hash"])
    assert (records[-1]["type"], records[-1]["data"]["result"]) == ("run.finished", "interrupted")
    return verdict.status == 4 and "the log is intact" in verdict.text


def test_a_run_that_waits_cleans_up_when_it_is_cancelled(server_site: Site, tmp_path: Path) -> None:
    """Another host plays `finally` and nothing else, with what was left; the evidence of that is in the database."""
    site = server_site
    submission = suspended(site)
    answer = ("approve", submission, "approve", "--signature", site.sign("alice", submission))
    said = cancel(site, submission)
    shown = site.fleet("status", submission)
    again = site.person("cancel", submission, "--reason", "me too")
    answered = site.person(*answer)

    worked = another_host(site, tmp_path / "two").work()

    assert "plays its finally steps, and nothing else" in said
    assert (shown.status, "cancelling" in shown.text) == (0, True), shown.text
    assert (again.status, "was cancelled before" in again.text) == (2, True)
    assert (answered.status, f"{submission} was cancelled" in answered.text) == (2, True), answered.text
    assert site.state(submission) == "cancelled", worked.text
    assert notes(site) == ["begin", "tidy the page"]
    assert is_intact(site, submission)
    records = site.records(submission)
    [resumed] = [record["data"] for record in records if record["type"] == "run.resumed"]
    assert "cancelled: not any more" in resumed["only_finally"]
    assert not {"gate.used", "gate.decided"} & {record["type"] for record in records}
    for late in (site.person("cancel", submission, "--reason", "again"), site.person(*answer)):
        assert late.status == 2, late.text
    word = site.fleet("take-over", submission, "--reason", "after all")
    assert (word.status, "is over: cancelled" in word.text) == (2, True), word.text
    assert site.work().status == 0
    assert notes(site) == ["begin", "tidy the page"]


@pytest.mark.parametrize("when", ["waiting", "queued"])
def test_what_never_began_has_nothing_to_clean_up(site: Site, when: str) -> None:
    """It ends at the next look of a worker, with no evidence, as nothing happened."""
    [first, second] = site.submit("--count", "2")
    if when == "queued":
        (site.home / "hold").touch()
        worker = site.worker()
        wait_for_note(site, "begin")
        site.wait_for(second, "queued")
    said = cancel(site, second)

    if when == "queued":
        site.wait_until(lambda runs: "was cancelled before it began" in worker.text)
        (site.home / "hold").unlink()
        site.wait_for(first, "suspended")
    else:
        assert site.work().status == 0

    assert "no worker begins it" in said
    assert site.state(second) == "cancelled"
    assert site.fleet("logs", second).status == 2
    assert notes(site) == ["begin"]


def test_a_run_that_goes_on_is_ended_with_its_finally(site: Site) -> None:
    """The step under way is interrupted, `finally` is played by the same session, and no later step begins."""
    (site.home / "hold").touch()
    [submission] = site.submit()
    site.worker()
    wait_for_note(site, "begin")

    said = cancel(site, submission)
    site.wait_for(submission, "cancelled")

    assert "ends it, with its finally steps" in said
    assert notes(site) == ["begin", "tidy the page"]
    assert is_intact(site, submission)
    assert not [record for record in site.records(submission) if record["type"] == "run.resumed"]


@pytest.mark.parametrize("rule", ["known", "never"])
def test_a_run_of_a_dead_host_is_cleaned_up_where_it_may_be_taken_over(site: Site, rule: str) -> None:
    """By rule, or by a person's word; until then it is shown as vanished. What was under way is not done again."""
    (site.home / "hold").touch()
    [submission] = site.submit()
    worker = site.worker("--dead-after", "3s")
    wait_for_note(site, "begin")
    worker.kill()
    site.wait_for(submission, "vanished")
    (site.home / "hold").unlink()
    cancel(site, submission)

    if rule == "never":
        assert site.work("--dead-after", "3s").status == 0
        assert site.state(submission) == "vanished"
        assert notes(site) == ["begin"]
        word = site.fleet("take-over", submission, "--reason", "it is gone", "--dead-after", "3s")
        assert word.status == 0, word.text
    site.worker("--dead-after", "3s", "--take-over", rule)
    site.wait_for(submission, "cancelled")

    assert notes(site) == ["begin", "tidy the page"]
    assert is_intact(site, submission)


def test_a_decision_that_came_before_is_not_used_behind_the_cancellation(site: Site) -> None:
    """The approval was handed in, and nobody had gone on: the run cleans up, and what the gate held back never begins."""
    submission = suspended(site)
    assert site.approve(submission).status == 0
    cancel(site, submission)

    assert site.work().status == 0

    assert site.state(submission) == "cancelled"
    assert notes(site) == ["begin", "tidy the page"]
    assert is_intact(site, submission)
    assert "gate.used" not in {record["type"] for record in site.records(submission)}


def test_of_an_answer_and_a_cancellation_at_once_one_is_first(server_site: Site) -> None:
    """Whoever comes second waits for the first: an answer behind the cancellation is not taken, and its giver is told."""
    site = server_site
    submission = suspended(site)
    signed = site.sign("alice", submission)
    with contextlib.closing(open_database(site.people_url)) as database, database.transaction() as transaction:
        transaction.run(
            "INSERT INTO fleet_cancel (submission, reason) VALUES (:id, :reason)", id=submission, reason="not any more"
        )
        approving = subprocess.Popen(
            site.command(
                "fleet", "approve", "--database", site.people_url, submission, "approve", "--signature", signed
            ),
            cwd=site.root,
            env=site.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            approving.wait(8)
    said, _ = approving.communicate(timeout=PATIENCE_S)

    assert (approving.returncode, "Traceback" in said) == (2, False), said
    assert f"the answer was not handed in: {submission} was cancelled" in said
    assert site.work().status == 0
    assert site.state(submission) == "cancelled"
    assert notes(site) == ["begin", "tidy the page"]


def test_no_decision_is_used_once_its_run_is_cancelled(server_site: Site, postgres: Server) -> None:
    """The database refuses the use, also to a leg that is about to go on: the step behind the gate does not begin."""
    site = server_site
    submission = suspended(site)
    assert site.approve(submission).status == 0
    # The cancellation comes between the beginning of the leg and the use.
    postgres.sql(
        "CREATE FUNCTION workflow_exec.cancel_now() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
        "IF position('gate.decided' in convert_from(NEW.content, 'UTF8')) > 0 THEN "
        "INSERT INTO workflow_exec.fleet_cancel (submission, reason) SELECT submission, 'now' "
        "FROM workflow_exec.fleet_run WHERE run = NEW.run ON CONFLICT DO NOTHING; END IF; RETURN NULL; END $$; "
        "CREATE TRIGGER late AFTER INSERT ON workflow_exec.fleet_segment FOR EACH ROW "
        "EXECUTE FUNCTION workflow_exec.cancel_now()"
    )

    site.worker()
    site.wait_for(submission, "cancelled")

    assert notes(site) == ["begin", "tidy the page"]
    assert postgres.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use") == "0"
    assert is_intact(site, submission)


def test_a_clean_up_that_does_not_get_through_is_shown_and_tried_again_by_word(site: Site) -> None:
    """A session that can't begin leaves the run for a person; a `finally` step that fails is told beside the end."""
    submission = suspended(site)
    (site.home / "stuck").touch()
    cancel(site, submission)
    pinned = (site.root / "workflow-exec.toml").read_text()
    host = another_host(site, site.home / "other")
    host.environment["WORKFLOW_EXEC_DURABILITY"] = "nonsense"
    host.work()
    shown = site.fleet("status", submission)
    assert pinned == (site.root / "workflow-exec.toml").read_text()
    assert (shown.status, "refused" in shown.text) == (1, True), shown.text
    assert notes(site) == ["begin"]
    assert host.work().status == 0
    assert notes(site) == ["begin"]

    assert site.fleet("take-over", submission, "--reason", "the host was set up wrong").status == 0
    assert site.work().status == 0

    assert notes(site) == ["begin", "tidy the page"]
    assert site.state(submission) == "cancelled"
    assert "not cleaned up by tidy (failed)" in str(site.status()[submission]["said"])
    assert is_intact(site, submission)


def killed_while_it_cleans_up(site: Site) -> str:
    """Return a cancelled run whose worker was killed in the middle of its clean-up."""
    submission = suspended(site)
    (site.home / "hold-tidy").touch()
    cancel(site, submission)
    worker = site.worker("--dead-after", "3s")
    wait_for_note(site, "tidy the page")
    assert site.state(submission) == "cancelling"
    worker.kill()
    site.wait_for(submission, "vanished")
    (site.home / "hold-tidy").unlink()
    return submission


def test_a_clean_up_whose_worker_dies_is_gone_on_with(site: Site) -> None:
    """The leg that cleans up is a leg like any other: it vanishes with its worker, and the rule lets the next one do it."""
    site.write("wf/site.workflow.yaml", REPEATABLE)
    site.commit()
    submission = killed_while_it_cleans_up(site)

    site.worker("--dead-after", "3s", "--take-over", "known")
    site.wait_for(submission, "cancelled")

    assert notes(site) == ["begin", "tidy the page", "tidy the page"]
    assert is_intact(site, submission)


def test_a_clean_up_that_may_not_be_repeated_is_asked_about_first(site: Site) -> None:
    """Its worker died in the middle of it, so that it may have had its effect: no rule does it again, a person may."""
    submission = killed_while_it_cleans_up(site)

    site.worker("--dead-after", "3s", "--take-over", "known")
    site.wait_for(submission, "refused")

    assert "step 'tidy' was started and has no end" in str(site.status()[submission]["said"])
    assert notes(site) == ["begin", "tidy the page"]

    child = site.at_terminal("take-over", submission, "--here", "--reason", "looked at it")
    child.sendline(code_at(child))
    ended = finish(child)

    assert f"{submission}: cancelled" in ended.text
    assert notes(site) == ["begin", "tidy the page", "tidy the page"]
    assert site.state(submission) == "cancelled"
    assert is_intact(site, submission)


def test_a_cancellation_while_a_leg_begins_cleans_up_in_the_next(site: Site) -> None:
    """The session is struck before its first step, so that `finally` had no turn in that leg: it has one in another."""
    held, seen = site.home / "hold-import", site.home / "seen-import"
    conftest = (site.root / "conftest.py").read_text()
    site.write(
        "conftest.py",
        f"import time\nfrom pathlib import Path\nPath({str(seen)!r}).touch()\n"
        f"while Path({str(held)!r}).exists():\n    time.sleep(0.05)\n{conftest}",
    )
    site.commit()
    submission = suspended(site)
    assert site.approve(submission).status == 0
    seen.unlink()
    held.touch()
    worker = site.worker()
    until = time.monotonic() + PATIENCE_S
    while not seen.exists():
        assert time.monotonic() < until, worker.text
        time.sleep(0.05)

    cancel(site, submission)
    site.wait_until(lambda _: "ended leg 2: interrupted" in worker.text)
    held.unlink()
    site.wait_for(submission, "cancelled")

    assert site.status()[submission]["leg"] == 3
    assert notes(site) == ["begin", "tidy the page"]
    assert is_intact(site, submission)
    assert "gate.used" not in {record["type"] for record in site.records(submission)}
