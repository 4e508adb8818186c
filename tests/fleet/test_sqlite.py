"""A fleet on one machine, on a file of SQLite: submit, work, look, verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ._site import Site, new_site

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

SITE = """
workflow: site
inputs:
  name: {type: string, default: page}
steps:
  - {id: greet, run: [echo, "${inputs.name}"]}
  - {id: pack, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - {id: publish, run: [cp, "${steps.pack.file}", ran-publish]}
"""


@pytest.fixture
def site(tmp_path: Path, sqlite: str) -> Site:
    """A project with a workflow of three steps."""
    return new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": SITE})


def test_what_is_submitted_is_played_and_can_be_verified(site: Site) -> None:
    """Each run has a checkout of its own, which is gone afterwards; the project itself is not touched."""
    rows = site.home / "rows.jsonl"
    rows.write_text('{"name": "a"}\n{"name": "b"}\n')
    first = site.fleet("submit", "site", "--input", "name=hello", "--count", "2")
    more = site.fleet("submit", "wf/site.workflow.yaml", "--inputs-file", rows)

    worked = site.work("--concurrency", "2")

    assert (first.status, more.status, worked.status) == (0, 0, 0), first.text + more.text + worked.text
    runs = site.status()
    assert [each["state"] for each in runs.values()] == ["passed"] * 4
    names = [
        record["data"]["inputs"]["name"]
        for submission in runs
        for record in site.records(submission)
        if record["type"] == "run.started"
    ]
    assert sorted(names) == ["a", "b", "hello", "hello"]
    head = site.records("latest")[-1]["hash"]
    verdict = site.tool("verify", "fleet:latest", "--expect-head", head)
    assert verdict.status == 0, verdict.text
    assert "VERDICT verified" in verdict.text
    assert not (site.root / "ran-publish").exists()
    assert not (site.root / ".workflow-exec").exists()
    assert not list((site.home / "state").rglob("*.jsonl"))


def test_the_log_can_be_kept_elsewhere(site: Site) -> None:
    """`fleet logs --to` writes a folder that is verified without the database; one that is there is kept."""
    site.submit()
    site.work()

    written = site.fleet("logs", "latest", "--to", site.home / "kept")
    again = site.fleet("logs", "latest", "--to", site.home / "kept")

    assert written.status == 0, written.text
    [log] = (site.home / "kept").rglob("evidence.jsonl")
    assert site.tool("verify", log, "--expect-head", json.loads(log.read_text().splitlines()[-1])["hash"]).status == 0
    assert (again.status, "is there already, and is kept" in again.text) == (2, True)


def test_only_what_is_committed_is_submitted_or_played(site: Site) -> None:
    """A file that differs from the commit is said, and neither a submission nor a worker is made of it."""
    site.write("source", "something else\n")

    submitted = site.fleet("submit", "site")
    worked = site.work()

    assert (submitted.status, worked.status) == (2, 2)
    assert "a fleet runs what is committed. Commit them first" in submitted.text
    assert not Path(site.url.removeprefix("sqlite:///")).exists()


def test_what_would_not_get_through_is_refused(site: Site) -> None:
    """What pytest refuses before the first step is shown with its reason, and there is no evidence of a run."""
    site.write("wf/bad.workflow.yaml", "workflow: bad\nsteps:\n  - {id: one, run: [cat, source]}\n")
    site.commit()
    site.submit(workflow="bad")

    worked = site.work()
    status = site.fleet("status", "latest")

    assert worked.status == 0, worked.text
    assert status.status == 1
    assert site.fleet("logs", "latest").status == 2
    assert "refused" in status.text
    assert "the policy refuses ['cat', 'source']" in status.text
    assert "warning" not in status.text
    assert "Traceback" not in status.text


def test_a_run_that_was_submitted_with_another_plan_is_refused(site: Site) -> None:
    """What pytest begins must be what was signed: the plan's digest is compared before any step has an effect."""
    import sqlite3

    [submission] = site.submit()
    path = site.url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        [content] = database.execute("SELECT content FROM fleet_submission").fetchone()
        database.execute("DROP TRIGGER fleet_submission_kept")
        plan = json.loads(content.splitlines()[1])["plan"]
        database.execute("UPDATE fleet_submission SET signature = '', content = ?", (content.replace(plan, "0" * 64),))

    site.work()

    assert site.state(submission) == "refused"
    assert "its plan is not what was submitted" in str(site.status()[submission]["said"])
    assert site.fleet("logs", submission).status == 2


def test_rows_are_added_and_never_changed(site: Site) -> None:
    """The database itself refuses to change evidence, to fork a log, and to begin a leg twice."""
    import sqlite3

    [submission] = site.submit()
    site.work()
    run = str(site.status()[submission]["run"])
    with sqlite3.connect(site.url.removeprefix("sqlite:///")) as database:
        for statement in (
            "UPDATE fleet_segment SET content = 'x'",
            "UPDATE fleet_end SET outcome = 'failed'",
            f"INSERT INTO fleet_claim (submission, leg, worker) VALUES ('{submission}', 1, 'me')",
            f"INSERT INTO fleet_leg (submission, number, reason) VALUES ('{submission}', 2, 'new')",
            f"INSERT INTO fleet_segment VALUES ('{run}', 0, 0, '{'0' * 64}', '{'1' * 64}', 0, 1, 'x', 0)",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="fleet:"):
                database.execute(statement)


def test_pickles_in_the_database_are_never_read(site: Site) -> None:
    """Which serializer reads a row is said by the row: one that says pickle runs nothing."""
    import base64
    import pickle
    import sqlite3

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (__import__("os").system, (f"touch {site.home / 'pwned'}",))

    site.submit()
    worker = site.worker("--until-idle")
    assert worker.process.wait(120) == 0, worker.text
    payload = base64.b64encode(pickle.dumps({"args": (Evil(),), "kwargs": {}})).decode()
    with sqlite3.connect(site.url.removeprefix("sqlite:///")) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(workflow_status)")]
        listed = ", ".join(columns)
        values = {
            "workflow_uuid": "'evil'",
            "status": "'ENQUEUED'",
            "inputs": f"'{payload}'",
            "serialization": "'py_pickle'",
        }
        chosen = ", ".join(values.get(name, name) for name in columns)
        database.execute(f"INSERT INTO workflow_status ({listed}) SELECT {chosen} FROM workflow_status LIMIT 1")
    site.submit()

    site.work()

    with sqlite3.connect(site.url.removeprefix("sqlite:///")) as database:
        [status] = database.execute("SELECT status FROM workflow_status WHERE workflow_uuid = 'evil'").fetchone()
    assert status == "ERROR"
    assert not (site.home / "pwned").exists()
