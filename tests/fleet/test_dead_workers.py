"""Workers that die in the middle of a run: it is shown, taken over by rule or word only, and nothing is done twice unsaid."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.conftest import code_at, finish

from ._site import PATIENCE_S, Site, Worker, another_host, new_site

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
steps:
  - {{id: first, call: "effects:note"}}
  - {{id: slow, call: "effects:slow"{more}}}
  - {{id: last, call: "effects:note"}}
"""
EFFECTS = """
import os
import time
from pathlib import Path

NOTES = Path({folder!r})


def note(request):
    with (NOTES / "notes").open("a") as file:
        file.write(f"{{request.node.name}}\\n")


def slow(request):
    note(request)
    (NOTES / "pids").open("a").write(f"{{os.getpid()}}\\n")
    while not (NOTES / "go-on").exists():
        time.sleep(0.05)
"""


@pytest.fixture(params=["", ", idempotent: true"], ids=["plain", "idempotent"])
def site(tmp_path: Path, sqlite: str, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A project whose second step takes until the test says so, and whose steps note outside it what they do."""
    made = new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": FLOW.format(more=request.param)})
    made.write("wf/effects.py", EFFECTS.format(folder=str(made.home)))
    made.commit()
    yield made
    made.end()


def notes(site: Site) -> list[str]:
    """Return what the steps did."""
    path = site.home / "notes"
    return path.read_text().split() if path.exists() else []


def wait_for_slow(site: Site, count: int = 1) -> int:
    """Return the process of pytest that is in the middle of the second step."""
    until = time.monotonic() + PATIENCE_S
    path = site.home / "pids"
    while not path.exists() or len(path.read_text().split()) < count:
        assert time.monotonic() < until, "".join(worker.text for worker in site.workers)
        time.sleep(0.05)
    return int(path.read_text().split()[-1])


def is_gone(pid: int) -> bool:
    """Return whether a process ends within a while."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.05)
                continue
        return True
    return False


def killed_in_the_middle(site: Site) -> str:
    """Submit a run, and kill its worker while the second step is under way."""
    [submission] = site.submit()
    worker = site.worker("--dead-after", "3s")
    child = wait_for_slow(site)
    worker.kill()
    if sys.platform == "linux":
        assert is_gone(child)
    site.wait_for(submission, "vanished")
    return submission


def test_a_vanished_run_waits_for_a_person(site: Site, request: pytest.FixtureRequest) -> None:
    """No worker takes it by itself. With a person's word it goes on; what may have had its effect is asked about first."""
    submission = killed_in_the_middle(site)
    (site.home / "go-on").touch()
    other = site.worker("--dead-after", "3s", "--until-idle")
    assert other.process.wait(PATIENCE_S) == 0, other.text
    assert site.state(submission) == "vanished"
    assert notes(site) == ["first", "slow"]
    status = site.fleet("status", submission, "--dead-after", "3s")
    assert (status.status, "GONE" in status.text, "vanished" in status.text) == (1, True, True), status.text

    word = site.fleet("take-over", submission, "--reason", "the host is broken", "--dead-after", "3s")
    assert word.status == 0, word.text
    assert site.work().status == 0

    if "idempotent" in request.node.name:
        assert site.state(submission) == "passed"
        assert notes(site) == ["first", "slow", "slow", "last"]
        return
    assert site.state(submission) == "refused"
    assert "was started and has no end" in str(site.status()[submission]["said"])
    assert notes(site) == ["first", "slow"]
    # At a terminal a person says that it may run again.
    child = site.at_terminal("take-over", submission, "--here", "--reason", "looked at it")
    child.sendline(code_at(child))
    ended = finish(child)
    assert ended.status == 0, ended.text
    assert site.state(submission) == "passed"
    assert notes(site) == ["first", "slow", "slow", "last"]
    head = site.records(submission)[-1]["hash"]
    assert site.tool("verify", f"fleet:{submission}", "--expect-head", head).status == 0


def test_by_rule_goes_on_what_nobody_has_to_decide(site: Site, request: pytest.FixtureRequest) -> None:
    """`--take-over known` takes the runs of dead workers; pytest itself refuses the one whose step may have had its effect."""
    submission = killed_in_the_middle(site)
    (site.home / "go-on").touch()
    site.worker("--dead-after", "3s", "--take-over", "known")

    idempotent = "idempotent" in request.node.name
    site.wait_for(submission, "passed" if idempotent else "refused")

    assert notes(site) == (["first", "slow", "slow", "last"] if idempotent else ["first", "slow"])
    assert "taken over by rule" in ends(site, submission)[0]


def test_who_was_taken_over_does_nothing_more(tmp_path: Path, sqlite: str) -> None:
    """A host that only seemed dead, and wakes up later, is refused before its next step: no effect is there twice."""
    site = new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": FLOW.format(more=", idempotent: true")})
    site.write("wf/effects.py", EFFECTS.format(folder=str(site.home)))
    site.commit()
    other = another_host(site, tmp_path / "two")
    [submission] = site.submit()
    asleep = site.worker("--dead-after", "3s")
    child = wait_for_slow(site)
    stop(asleep, child)
    try:
        site.wait_for(submission, "vanished")
        other.worker("--dead-after", "3s", "--take-over", "known")
        wait_for_slow(site, 2)
        (site.home / "go-on").touch()
        site.wait_for(submission, "passed")
        before = notes(site)

        wake(asleep, child)
        assert is_gone(child)

        assert before == notes(site) == ["first", "slow", "slow", "last"]
        until = time.monotonic() + PATIENCE_S
        while "leg 1: the leg was taken over by another" not in asleep.text:
            assert time.monotonic() < until, asleep.text
            time.sleep(0.1)
        head = site.records(submission)[-1]["hash"]
        assert site.tool("verify", f"fleet:{submission}", "--expect-head", head).status == 0
    finally:
        site.end()


def test_a_worker_that_is_told_to_end_lets_its_runs_end(tmp_path: Path, sqlite: str) -> None:
    """SIGTERM ends it after its runs; a second one ends them, with their `finally`, and says that they were interrupted."""
    site = new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": FLOW.format(more="")})
    site.write("wf/effects.py", EFFECTS.format(folder=str(site.home)))
    site.commit()
    first, second = site.submit("--count", "2")
    worker = site.worker()
    wait_for_slow(site)
    worker.process.terminate()
    time.sleep(1)
    assert worker.process.poll() is None
    (site.home / "go-on").touch()
    assert worker.process.wait(PATIENCE_S) == 0, worker.text
    assert (site.state(first), site.state(second)) == ("passed", "queued")

    (site.home / "go-on").unlink()
    worker = site.worker()
    wait_for_slow(site, 2)
    worker.process.terminate()
    time.sleep(1)
    worker.process.terminate()
    assert worker.process.wait(PATIENCE_S) == 1, worker.text

    assert site.state(second) == "interrupted"
    assert notes(site) == ["first", "slow", "last", "first", "slow"]
    assert not list((site.home / "state").rglob("evidence.jsonl"))


def ends(site: Site, submission: str) -> list[str]:
    """Return what was said at the end of each leg of a run."""
    import sqlite3

    with sqlite3.connect(site.url.removeprefix("sqlite:///")) as database:
        rows = database.execute("SELECT said FROM fleet_end WHERE submission = ? ORDER BY leg", (submission,))
        return [str(row[0]) for row in rows]


def stop(worker: Worker, child: int) -> None:
    """Let a worker and its pytest stand still, as a machine that hangs."""
    os.kill(worker.process.pid, signal.SIGSTOP)
    os.kill(child, signal.SIGSTOP)


def wake(worker: Worker, child: int) -> None:
    """Let them go on."""
    os.kill(child, signal.SIGCONT)
    os.kill(worker.process.pid, signal.SIGCONT)
