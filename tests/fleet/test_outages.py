"""A database that is full, silent, cut off or set back while runs go on: nothing is lost, nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from pytest_workflow_exec.fleet import open_database
from pytest_workflow_exec.fleet._database import Database, UnreachableError
from pytest_workflow_exec.fleet._legs import LegEnd, claim_leg, end_leg

from ._postgres import Server
from ._proxy import proxy
from ._site import PATIENCE_S, Site, Worker, new_site, site_on
from ._small_disk import fill, small_disk

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
steps:
  - {id: pack, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - id: approve
    gate: {question: Publish it?, show: [pack.file], assurance: 2, approvers: [managers], wait: suspend}
  - {id: first, call: "effects:first"}
  - {id: slow, call: "effects:slow"}
  - {id: last, call: "effects:last"}
"""
UNGATED = """
workflow: site
steps:
  - {id: first, call: "effects:first"}
  - {id: slow, call: "effects:slow"}
  - {id: last, call: "effects:last"}
"""
PAUSED = UNGATED.replace("steps:\n", "steps:\n  - {id: rest, pause: {for: 5s, wait: suspend}}\n")
EFFECTS = """
import time
from pathlib import Path

HERE = Path({folder!r})


def note(line):
    with (HERE / "notes").open("a") as file:
        file.write(line + "\\n")


def first():
    note("first")


def slow():
    note("slow")
    while (HERE / "hold").exists():
        time.sleep(0.05)


def last():
    note("last")
"""
ONCE = ["first", "slow", "last"]


def with_effects(site: Site) -> Site:
    """Give a project what its steps do, which they note outside it."""
    site.write("wf/effects.py", EFFECTS.format(folder=str(site.home)))
    site.commit()
    (site.home / "hold").touch()
    return site


@pytest.fixture
def gated(tmp_path: Path, own_server: Server) -> Iterator[Site]:
    """A project whose gate wants a signature, on a server of its own."""
    made = with_effects(site_on(own_server, tmp_path / "one", {"site.workflow.yaml": FLOW}))
    yield made
    made.end()


def notes(site: Site) -> list[str]:
    """Return what the steps did."""
    path = site.home / "notes"
    return path.read_text().splitlines() if path.exists() else []


def go_on(site: Site) -> None:
    """Let the slow step end."""
    (site.home / "hold").unlink()


def wait(site: Site, holds: Callable[[], bool]) -> None:
    """Return once something holds."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, "".join(worker.text for worker in site.workers)
        time.sleep(0.1)


def in_the_middle(site: Site, *, approved: bool = True) -> tuple[str, Worker]:
    """Return a run in the middle of its slow step, behind an approval that was used, and its worker."""
    [submission] = site.submit()
    if approved:
        assert site.work().status == 0
        assert site.approve(submission).status == 0
    worker = site.worker()
    wait(site, lambda: "slow" in notes(site))
    return submission, worker


def passed_once(site: Site, submission: str) -> bool:
    """Return whether a run has passed, each of its steps ran once, and its log verifies up to its head."""
    assert site.state(submission) == "passed", site.status()
    assert notes(site) == ONCE
    head = site.records(submission)[-1]["hash"]
    verdict = site.tool("verify", f"fleet:{submission}", "--expect-head", head)
    return verdict.status == 0


def test_a_full_file_holds_the_run_until_there_is_room(tmp_path: Path) -> None:
    """Where the database's disk is full the step that is under way ends, the next waits, and all of it is told once."""
    with small_disk(tmp_path / "disk", size="4m") as disk:
        site = with_effects(
            new_site(tmp_path / "one", f"sqlite:///{disk / 'fleet.sqlite'}", {"site.workflow.yaml": UNGATED})
        )
        try:
            submission, worker = in_the_middle(site, approved=False)
            filler = fill(disk)
            go_on(site)
            wait(
                site, lambda: "a run waits: the fleet's database can't be used: database or disk is full" in worker.text
            )
            refused = site.fleet("submit", "site")
            assert notes(site) == ["first", "slow"]
            filler.unlink()
            site.wait_for(submission, "passed")
            assert worker.end() == 0, worker.text

            assert (refused.status, "Traceback" in refused.text) == (2, False), refused.text
            assert "disk is full" in refused.text
            assert list(site.status()) == [submission]
            assert passed_once(site, submission)
        finally:
            site.end()


def test_a_full_server_holds_the_run_until_there_is_room(gated: Site, own_server: Server, tmp_path: Path) -> None:
    """Evidence that does not fit lets no step begin; once it does, the run goes on where it was, its approval used once."""
    with small_disk(Path(f"{own_server.folder}-disk"), size="1m") as disk:
        os.chown(disk, *own_server.user)
        submission, worker = in_the_middle(gated)
        own_server.sql(f"CREATE TABLESPACE small LOCATION '{disk}'", role="super")
        own_server.sql("ALTER TABLE workflow_exec.fleet_segment SET TABLESPACE small", role="super")
        own_server.sql("ALTER INDEX workflow_exec.fleet_segment_pkey SET TABLESPACE small", role="super")
        # A page that has room would take the next line.
        own_server.sql("ALTER TABLE workflow_exec.fleet_segment ALTER content SET STORAGE PLAIN", role="super")
        filler = fill(disk)
        own_server.sql("ALTER TABLE workflow_exec.fleet_segment SET (fillfactor = 10)", role="super")
        blocked = "No space left on device"
        go_on(gated)
        wait(gated, lambda: blocked in worker.text or gated.state(submission) == "passed")
        assert notes(gated) == ["first", "slow"], worker.text
        filler.unlink()
        gated.wait_for(submission, "passed")
        assert worker.end() == 0, worker.text

        assert passed_once(gated, submission)
        assert own_server.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use") == "1"
        own_server.sql("DROP SCHEMA workflow_exec CASCADE", role="super")
        own_server.sql("DROP TABLESPACE small", role="super")


def test_a_server_that_stands_still_is_waited_for(gated: Site, own_server: Server) -> None:
    """Nothing answers, and no connection ends: the worker gives them up, and goes on once the server does."""
    gated.environment["TEST_FLEET_SILENCE_S"] = "3"
    submission, worker = in_the_middle(gated)
    for pid in own_server.processes():
        os.kill(pid, signal.SIGSTOP)
    try:
        go_on(gated)
        wait(gated, lambda: "a run waits: the fleet's database can't be used" in worker.text)
        assert notes(gated) == ["first", "slow"]
    finally:
        for pid in own_server.processes():
            os.kill(pid, signal.SIGCONT)
    gated.wait_for(submission, "passed")
    assert worker.end() == 0, worker.text

    assert passed_once(gated, submission)
    assert own_server.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use") == "1"


def test_a_network_that_swallows_everything_is_waited_for(gated: Site, own_server: Server) -> None:
    """Bytes go nowhere while both ends look alive; a connection that lost some is never gone on with."""
    gated.environment["TEST_FLEET_SILENCE_S"] = "3"
    with proxy(own_server.folder) as between:
        straight, gated.url = gated.url, f"postgresql://builder@/fleet?host={between.folder}"
        submission, worker = in_the_middle(gated)
        gated.url = straight
        between.swallows.set()
        go_on(gated)
        wait(gated, lambda: "a run waits: the fleet's database can't be used" in worker.text)
        assert notes(gated) == ["first", "slow"]
        between.swallows.clear()
        gated.wait_for(submission, "passed")
        assert worker.end() == 0, worker.text

    assert passed_once(gated, submission)
    assert own_server.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use") == "1"


@pytest.mark.parametrize("says", [partial(claim_leg, worker="w"), partial(end_leg, end=LegEnd(outcome="passed"))])
def test_a_connection_that_is_lost_says_nothing_of_a_leg(
    gated: Site, own_server: Server, says: Callable[..., None]
) -> None:
    """That it can't be said of a leg that it begins or ends is no word of the database that another was faster."""

    def cut_off(database: Database) -> None:
        with database.transaction() as transaction:
            row = transaction.row("SELECT pg_backend_pid() AS pid")
            assert row is not None
            own_server.sql(f"SELECT pg_terminate_backend({row['pid']})", role="super")
            says(transaction, "one", 1)

    with contextlib.closing(open_database(gated.url)) as database, pytest.raises(UnreachableError):
        cut_off(database)


def test_connections_that_end_as_soon_as_they_are_made_are_an_outage(gated: Site, own_server: Server) -> None:
    """Also of one that is lost before anybody has it, only that the database can't be used is said."""
    ends_all = (
        "DO $$ BEGIN FOR turn IN 1..4000 LOOP PERFORM pg_stat_clear_snapshot(); PERFORM pg_terminate_backend(pid) "
        "FROM pg_stat_activity WHERE application_name LIKE 'workflow-exec%'; PERFORM pg_sleep(0.0005); END LOOP; END $$"
    )
    outages = 0
    with contextlib.closing(open_database(gated.url)) as database, ThreadPoolExecutor(1) as beside:
        storm = beside.submit(own_server.sql, ends_all, role="super")
        while not storm.done():
            try:
                with database.transaction() as transaction:
                    transaction.now()
            except UnreachableError:
                outages += 1
        storm.result()
        with database.transaction() as transaction:
            assert transaction.now() > 0

    assert outages > 0


def test_connections_that_are_cut_again_and_again_lose_nothing(gated: Site, own_server: Server) -> None:
    """Each is ended by the server in the middle of whatever it does, while three runs go on and are approved."""
    go_on(gated)
    submissions = gated.submit("--count", "3")
    worker = gated.worker("--concurrency", "3")
    wait(gated, lambda: "begins leg" in worker.text)
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'workflow-exec%'"
    ended = 0

    def storm(*states: str) -> bool:
        nonlocal ended
        ended += int(own_server.sql(cut, role="super"))
        return all(gated.state(each) in states for each in submissions)

    wait(gated, lambda: storm("suspended"))
    for each in submissions:
        assert gated.approve(each).status == 0
    wait(gated, lambda: storm("passed"))
    assert worker.end() == 0, worker.text

    assert ended > len(submissions)
    assert sorted(notes(gated)) == sorted(ONCE * 3)
    assert own_server.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use") == "3"
    for each in submissions:
        head = gated.records(each)[-1]["hash"]
        assert gated.tool("verify", f"fleet:{each}", "--expect-head", head).status == 0


def test_a_server_that_restarts_between_a_claim_and_its_session_is_waited_for(
    tmp_path: Path, own_server: Server
) -> None:
    """The leg was begun by this worker, and nothing of the run is there yet: it is played once, by the same leg."""
    site = with_effects(site_on(own_server, tmp_path / "one", {"site.workflow.yaml": UNGATED}))
    go_on(site)
    held = site.home / "hold-import"
    held.touch()
    conftest = (site.root / "conftest.py").read_text()
    site.write(
        "conftest.py",
        f"import time\nfrom pathlib import Path\nPath({str(held)!r} + '-seen').touch()\n"
        f"while Path({str(held)!r}).exists():\n    time.sleep(0.05)\n{conftest}",
    )
    held.unlink()
    site.commit()
    [submission] = site.submit()
    held.with_name("hold-import-seen").unlink()
    held.touch()
    try:
        worker = site.worker()
        wait(site, held.with_name("hold-import-seen").exists)
        own_server.kill()
        held.unlink()
        wait(site, lambda: "a run waits: the fleet's database can't be used" in worker.text)
        assert notes(site) == []
        own_server.start()
        site.wait_for(submission, "passed")
        assert worker.end() == 0, worker.text

        assert passed_once(site, submission)
        assert site.status()[submission]["leg"] == 1
    finally:
        site.end()


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

int clock_gettime(clockid_t which, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int done = real(which, now);
  const char *by = getenv("TEST_CLOCK_SHIFT_S");
  if (!done && by && which == CLOCK_REALTIME) now->tv_sec += atol(by);
  return done;
}

time_t time(time_t *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into) *into = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  into->tv_sec = now.tv_sec;
  into->tv_usec = now.tv_nsec / 1000;
  return 0;
}
"""


def shifted(folder: Path, by_s: int) -> dict[str, str]:
    """Return what lets a process and its children have another time of day."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("a clock is shifted by a library, which needs a C compiler and Linux")
    if sys.version_info < (3, 11):
        pytest.skip("this Python waits by the time of day, which is shifted")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "TEST_CLOCK_SHIFT_S": str(by_s)}


@pytest.mark.parametrize("shift", [-7200, 7200])
def test_what_is_due_goes_by_the_database_s_clock(gated: Site, shift: int) -> None:
    """A host far behind or ahead lets a pause take as long as it says, and does not look dead to others."""
    gated.write("wf/site.workflow.yaml", PAUSED)
    gated.commit()
    go_on(gated)
    other = shifted(gated.home, shift)
    gated.environment |= other
    [submission] = gated.submit()
    worker = gated.worker("--dead-after", "3s")
    for name in other:
        del gated.environment[name]
    wait(gated, lambda: "begins leg 1" in worker.text)
    straight = gated.worker("--dead-after", "3s", "--take-over", "known")
    gated.wait_for(submission, "passed")
    assert worker.end() == 0, worker.text
    assert straight.end() == 0, straight.text

    assert "the database's: what its runs write has that time" in worker.text
    assert "is gone" not in straight.text
    assert passed_once(gated, submission)


@pytest.mark.parametrize(("first", "second"), [(0, -7200), (7200, 0)])
def test_a_host_by_whose_clock_it_is_not_due_does_not_take_it_again_and_again(
    gated: Site, own_server: Server, first: int, second: int
) -> None:
    """By its clock the pause is not over: it says so once, and the next host that has the time goes on, before long."""
    gated.write("wf/site.workflow.yaml", PAUSED)
    gated.commit()
    go_on(gated)
    clock = shifted(gated.home, first)

    def worker(by_s: int, *arguments: str) -> Worker:
        gated.environment |= clock | {"TEST_CLOCK_SHIFT_S": str(by_s)}
        begun = gated.worker(*arguments)
        for name in clock:
            del gated.environment[name]
        return begun

    [submission] = gated.submit()
    begins = worker(first, "--until-idle")
    assert begins.process.wait(PATIENCE_S) == 0, begins.text
    too_soon = worker(second)
    wait(gated, lambda: "ended leg 2: suspended" in too_soon.text)
    assert too_soon.end() == 0, too_soon.text
    assert gated.state(submission) == "suspended"
    waits = "SELECT due - extract(epoch FROM clock_timestamp()) FROM workflow_exec.fleet_end WHERE leg = 2"
    assert 0 < float(own_server.sql(waits)) < 60

    has_the_time = worker(first)
    gated.wait_for(submission, "passed")
    assert has_the_time.end() == 0, has_the_time.text

    assert gated.status()[submission]["leg"] == 3
    assert passed_once(gated, submission)


def test_a_worker_that_is_told_twice_to_end_waits_for_no_database(tmp_path: Path, own_server: Server) -> None:
    """What it could not tell is shown as vanished once the server is back, and nothing of it is done again unasked."""
    site = with_effects(site_on(own_server, tmp_path / "one", {"site.workflow.yaml": UNGATED}))
    try:
        submission, worker = in_the_middle(site, approved=False)
        own_server.kill()
        go_on(site)
        wait(site, lambda: "a run waits: the fleet's database can't be used" in worker.text)
        worker.process.terminate()
        wait(site, lambda: "ends once its runs have ended" in worker.text)
        worker.process.terminate()
        assert worker.process.wait(PATIENCE_S) != 0, worker.text
        assert "Traceback" not in worker.text
        own_server.start()
        site.wait_for(submission, "vanished")
        other = site.worker("--dead-after", "3s", "--take-over", "known")
        site.wait_for(submission, "refused")
        assert other.end() == 0, other.text

        assert notes(site) == ["first", "slow"]
        assert "was started and has no end" in str(site.status()[submission]["said"])
    finally:
        site.end()
