"""What each command of a fleet shows and takes, and what it says of what it can't take."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.cli import main
from pytest_workflow_exec.fleet import script

from ._site import PATIENCE_S, Site, new_site

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
steps:
  - {id: begin, call: "effects:begin"}
  - {id: end, run: [echo, done]}
"""
OTHER = """
workflow: secret
inputs:
  token: {type: secret, default: {env: TOKEN}}
  number: {type: integer, default: 1}
steps:
  - {id: one, run: [echo, "${inputs.number}"]}
"""
EFFECTS = """
import time
from pathlib import Path


def begin():
    Path({folder!r}, "begun").write_text(str(Path.cwd()))
    while not Path({folder!r}, "go-on").exists():
        time.sleep(0.05)
"""


@pytest.fixture
def site(tmp_path: Path, sqlite: str) -> Iterator[Site]:
    """A project whose first step takes until the test says so."""
    made = new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": FLOW})
    made.write("wf/effects.py", EFFECTS.format(folder=str(made.home)))
    made.write("wf/secret.workflow.yaml", OTHER)
    made.write("null", '{"number": null}\n')
    made.write("list", '{"number": 1}\n[1]\n')
    made.write("twice", '{"number": 1, "number": 2}\n')
    (made.root / "bytes").write_bytes(b"\xff\xfe")
    made.write("mixed", '{"number": 1}\n{"number": 2, "token": "abcdefghijkl"}\n')
    made.commit()
    yield made
    made.end()


def begun_in(site: Site) -> Path:
    """Return where the first step runs, once it does."""
    path, until = site.home / "begun", time.monotonic() + PATIENCE_S
    while not path.exists() or not path.read_text():
        assert time.monotonic() < until, "".join(worker.text for worker in site.workers)
        time.sleep(0.05)
    return Path(path.read_text())


def test_runs_are_shown_by_state_and_number_and_as_data(site: Site) -> None:
    """A worker of another queue takes nothing; `--state`, `--limit` and RUN say what is shown, `--json` all of it."""
    (site.home / "go-on").touch()
    first, second = site.submit("--count", "2")
    [other] = site.submit("--queue", "other", "--group", "teams", "--priority", "7")
    assert site.fleet("worker", "--queue", "other", "--until-idle").status == 0

    everything = json.loads(site.fleet("status", "--json").text)
    passed = site.fleet("status", "--state", "passed")
    few = site.fleet("status", "--state", "waiting", "--limit", "1")
    both = json.loads(site.fleet("status", "--json", "--state", "waiting", "--state", "passed").text)
    one = json.loads(site.fleet("status", other, "--json").text)
    none = site.fleet("status", "nothing-like-it")

    assert {run["submission"] for run in everything["runs"]} == {first, second, other}
    assert (passed.status, other in passed.text, first in passed.text) == (0, True, False)
    assert "and 1 more (--limit)" in few.text
    assert len(both["runs"]) == 3
    [shown] = one["runs"]
    assert [shown[name] for name in ("queue", "group", "priority", "state", "leg")] == [
        "other",
        "teams",
        7,
        "passed",
        1,
    ]
    assert (none.status, "no run of the fleet begins with 'nothing-like-it'" in none.text) == (2, True)


def test_a_log_is_followed_while_its_run_goes_on(site: Site) -> None:
    """`--follow` prints each record once, as it comes, and ends with the run, whose checkout is where `--checkouts` says."""
    [submission] = site.submit()
    checkouts = site.home / "checkouts"
    worker = site.worker("--checkouts", str(checkouts))
    place = begun_in(site)
    site.wait_until(lambda runs: runs[submission]["run"] is not None)
    following = subprocess.Popen(
        site.command("fleet", "logs", submission, "--follow"),
        cwd=site.root,
        env=site.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    first = json.loads(following.stdout.readline())
    assert following.poll() is None
    (site.home / "go-on").touch()
    # Not `communicate`: what was read ahead with the first line would be lost to it.
    with following.stdout:
        rest = following.stdout.read()
    assert following.wait(PATIENCE_S) == 0

    assert worker.end() == 0, worker.text
    assert first["type"] == "run.started"
    assert [first, *map(json.loads, rest.splitlines())] == list(site.records(submission))
    assert place.is_relative_to(checkouts)
    assert not list(checkouts.rglob("*.yaml"))


@pytest.mark.parametrize(
    ("name", "file"), [("tables", "postgresql.sql"), ("roles", "roles.sql"), ("sqlite", "sqlite.sql")]
)
def test_the_sql_is_printed_as_it_is_run(name: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An owner can read what `init` does, without any database."""
    assert main(["fleet", "sql", name]) == 0

    assert capsys.readouterr().out == script(file)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("worker", "--dead-after", "1s"), "it must be 3s at least"),
        (("worker", "--dead-after", "soon"), "it must be a time"),
        (("worker", "--concurrency", "0"), "it must be a whole number from 1"),
        (("worker", "--take-over", "always"), "invalid choice: 'always'"),
        (("worker", "--queue", "a b"), "'a b' is no name of a queue"),
        (("queue", "../a"), "'../a' is no name of a queue"),
        (("status", "--state", "nonsense"), "invalid choice: 'nonsense'"),
        (("submit", "site", "--count", "-1"), "it must be a whole number from 1"),
        (("submit", "site", "--count", "99999999999"), "it must be a whole number from 1"),
        (("queue", "default", "--rate", "10"), "it must be N/TIME"),
        (("queue", "default", "--rate", "0/1m"), "it must be a whole number from 1"),
        (("queue", "default", "--max-waiting", "none"), "it must be a whole number from 1"),
        (("submit", "site", "--input", "name"), "it must be NAME=VALUE"),
        (("submit", "site", "--count", "2", "--inputs-file", "rows"), "not allowed with argument"),
        (("prune",), "the following arguments are required: --older-than"),
        (("cancel", "latest"), "the following arguments are required: --reason"),
        (("reject", "latest", "approve", "--signature", "x"), "the following arguments are required: --reason"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_done(
    arguments: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command line names the option and what it takes, and no fleet is made."""
    monkeypatch.chdir(tmp_path)

    assert main(["fleet", *arguments]) == 2

    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("submit", "site", "--queue", "a b"), "'a b' is no name of a queue"),
        (("submit", "site", "--group", "a/b"), "'a/b' is no name of a group"),
        (
            ("submit", "site", "--priority", "999999999"),
            "the priority is a number from 1, which goes first, to 1000000",
        ),
        (("submit", "other"), "no workflow file and no workflow of this project is called 'other'"),
        (("submit", "site", "--input", "name=x"), "has no input 'name'"),
        (("submit", "secret", "--input", "token=abcdefghijkl"), "takes no such input from a submission"),
        (("submit", "secret", "--input", "number=x"), "must be a whole number, not 'x'"),
        (("submit", "secret", "--inputs-file", "mixed"), "takes no such input from a submission"),
        (("submit", "site", "--inputs-file", "rows"), "rows can't be read"),
        (("submit", "secret", "--inputs-file", "null"), "null:1: input 'number' is null"),
        (("submit", "secret", "--inputs-file", "list"), "list:2: it is no JSON object"),
        (("submit", "secret", "--inputs-file", "twice"), "twice:1: it has a key twice"),
        (("submit", "secret", "--inputs-file", "wf"), "wf can't be read"),
        (("submit", "secret", "--inputs-file", "bytes"), "bytes can't be read"),
        (("submit", "site", "--key", "nothing"), "it was not signed, and nothing was submitted"),
        (("status", "--database", "mysql://here"), "'mysql://here' is no address of a fleet's database"),
        (("cancel", "latest", "--reason", " "), "the reason is empty"),
        (("status", os.fsdecode(b"\xff")), "is no text: it holds bytes that are no UTF-8"),
    ],
)
def test_what_can_not_be_done_is_said_and_nothing_is_submitted(
    site: Site, arguments: tuple[str, ...], said: str
) -> None:
    """One clear line, no traceback, and the fleet has no run."""
    assert site.fleet("queue", "default").status == 0

    done = site.fleet(*arguments)

    assert (done.status, "Traceback" in done.text) == (2, False), done.text
    assert said in done.text
    assert not site.status()


def test_a_cancelled_run_that_waits_is_removed_with_time(site: Site) -> None:
    """It goes on nowhere: what stands of it is no longer kept than the rest."""
    site.write(
        "wf/site.workflow.yaml",
        "workflow: site\nsteps:\n  - {id: one, run: [echo, a]}\n  - {id: ask, gate: {question: Go on?, wait: suspend}}\n",
    )
    site.commit()
    waiting, cancelled = site.submit("--count", "2")
    assert site.work().status == 0
    assert site.fleet("cancel", cancelled, "--reason", "not any more").status == 0
    time.sleep(1.1)

    removed = site.fleet("prune", "--older-than", "1s")

    assert "1 run was removed" in removed.text
    assert list(site.status()) == [waiting]


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (
            "UPDATE fleet_schema SET version = 7",
            "the fleet's tables are newer than this program (version 7, and it uses 2)",
        ),
        ("DROP TABLE fleet_schema", "the fleet's tables are older than this program (version 0, and it uses 2)"),
        ("", "file is not a database"),
    ],
    ids=["newer", "older", "none"],
)
def test_tables_of_another_version_are_left_alone(site: Site, tables: str, said: str) -> None:
    """Every command says so in a line, does nothing, and leaves the file as it is."""
    [_] = site.submit()
    path = Path(site.url.removeprefix("sqlite:///"))
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if tables:
            database.execute(tables)
    if not tables:
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()
        path.write_text("something else, which is long enough to be looked at as if it were a database\n" * 20)
    before = _dumped(path) if tables else path.read_text()

    for command in (
        ["status"],
        ["submit", "site"],
        ["worker", "--until-idle"],
        ["init"],
        ["queue", "default"],
        ["pending"],
    ):
        done = site.fleet(*command)
        assert (done.status, "Traceback" in done.text, said in done.text) == (2, False, True), (command, done.text)

    assert (_dumped(path) if tables else path.read_text()) == before


def _dumped(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())
