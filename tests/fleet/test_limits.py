"""Limits of queues, their order, and taking runs out of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ._site import PATIENCE_S, Site, new_site

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
inputs:
  name: {type: string}
  wait: {type: boolean, default: false}
steps:
  - {id: begin, call: "effects:begin"}
  - {id: end, call: "effects:end"}
finally:
  - {id: after, call: "effects:after"}
"""
EFFECTS = """
import time
from pathlib import Path

NOTES = Path({folder!r})


def note(workflow, what):
    with (NOTES / "notes").open("a") as file:
        file.write(f"{{what}} {{workflow.inputs['name']}}\\n")


def begin(workflow):
    note(workflow, "begin")
    while workflow.inputs["wait"] and not (NOTES / "go-on").exists():
        time.sleep(0.05)


def end(workflow):
    note(workflow, "end")


def after(workflow):
    note(workflow, "after")
"""


@pytest.fixture
def site(tmp_path: Path, sqlite: str) -> Iterator[Site]:
    """A project whose steps note outside it what they do."""
    made = new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": FLOW})
    made.write("wf/effects.py", EFFECTS.format(folder=str(made.home)))
    made.commit()
    yield made
    made.end()


def notes(site: Site) -> list[str]:
    """Return what the steps noted."""
    path = site.home / "notes"
    return path.read_text().splitlines() if path.exists() else []


def test_a_full_queue_takes_no_more(site: Site) -> None:
    """What would make too many wait is refused as a whole."""
    site.submit("--input", "name=a")
    limits = site.fleet("queue", "default", "--max-waiting", "2", "--per-group", "none")

    refused = site.fleet("submit", "site", "--input", "name=b", "--count", "2")
    taken = site.fleet("submit", "site", "--input", "name=c")
    other = site.fleet("submit", "site", "--input", "name=d", "--queue", "other")

    assert "may wait              2" in limits.text
    assert (refused.status, taken.status, other.status) == (2, 0, 0)
    assert "takes no 2 more: 1 wait, and 2 may. Nothing was submitted" in refused.text
    assert len(site.status()) == 3


def test_priorities_rates_and_groups_are_kept(site: Site) -> None:
    """The most urgent goes first, no more in a while than the rate says, and of a group no more at once than may."""
    assert site.fleet("queue", "default", "--per-worker", "4", "--rate", "3/60m").status == 0
    for name, priority in (("a", 100), ("b", 100), ("c", 300), ("d", 1)):
        site.submit("--input", f"name={name}", "--priority", str(priority))

    worker = site.worker()
    site.wait_until(lambda runs: sum(run["state"] == "passed" for run in runs.values()) == 3)
    states = sorted(str(run["state"]) for run in site.status().values())
    before = {line.split()[1] for line in notes(site)}
    assert site.fleet("queue", "default", "--rate", "none", "--per-group", "1").status == 0
    for name in ("e", "f"):
        site.submit("--input", f"name={name}", "--group", "g")
    site.wait_until(lambda runs: len(runs) == 6 and all(run["state"] == "passed" for run in runs.values()))
    assert worker.end() == 0, worker.text

    assert states == ["passed", "passed", "passed", "queued"]
    assert before == {"a", "b", "d"}
    of_g = [line for line in notes(site) if line.split()[1] in "ef"]
    first, second = of_g[0].split()[1], of_g[3].split()[1]
    assert of_g == [f"{what} {name}" for name in (first, second) for what in ("begin", "end", "after")]


def test_what_is_cancelled_does_not_go_on(site: Site) -> None:
    """A run that waits is never begun, one that is under way ends with its `finally`, and neither is taken up again."""
    assert site.fleet("queue", "default", "--per-worker", "1").status == 0
    [running] = site.submit("--input", "name=a", "--input", "wait=true")
    [waiting] = site.submit("--input", "name=b")
    [other] = site.submit("--input", "name=c")
    worker = site.worker("--take-over", "known")
    until = time.monotonic() + PATIENCE_S
    while notes(site) != ["begin a"]:
        assert time.monotonic() < until, worker.text
        time.sleep(0.1)

    for each in (waiting, running):
        done = site.fleet("cancel", each, "--reason", "not any more")
        assert done.status == 0, done.text
    again = site.fleet("cancel", running, "--reason", "twice")
    site.wait_for(other, "passed")
    assert worker.end() == 0, worker.text

    assert (again.status, "was cancelled before" in again.text) == (2, True)
    assert (site.state(running), site.state(waiting)) == ("cancelled", "cancelled")
    assert notes(site) == ["begin a", "after a", "begin c", "end c", "after c"]
    verdict = site.tool("verify", f"fleet:{running}", "--expect-head", site.records(running)[-1]["hash"])
    assert verdict.status == 4, verdict.text
    assert site.fleet("take-over", running, "--reason", "after all").status == 2


def test_what_is_over_for_long_is_removed(site: Site) -> None:
    """Runs that wait stay; of those that are over, everything goes but that their decisions were used."""
    site.submit("--input", "name=a")
    assert site.work().status == 0
    site.submit("--input", "name=b")
    time.sleep(1.5)

    young = site.fleet("prune", "--older-than", "1d")
    shown = site.fleet("prune", "--older-than", "1s", "--dry-run")
    removed = site.fleet("prune", "--older-than", "1s")

    assert "0 runs were removed" in young.text
    assert "1 run would be removed" in shown.text
    assert "1 run was removed" in removed.text
    assert [run["state"] for run in site.status().values()] == ["waiting"]
