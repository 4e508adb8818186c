"""What a fleet takes, and what it survives, on a PostgreSQL server of its own: `python -m benchmarks.fleet WHAT [N]`.

`storm N`: N runs on three workers, with workers and the server killed at random. `speed N`: runs and steps a second for 1, 2
and 4 workers. `cost N`: a run in the fleet beside the same run without it, in turns. `size N`: rows and bytes of a run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fleet._postgres import Server, server
from tests.fleet._site import Site
from tests.fleet._storm import FLOW, Storm, check, storm_on

_STEPS = 5
_UNGATED = FLOW.replace("  - id: approve\n    gate: {question: Go on?, assurance: 2, approvers: [managers], wait: suspend}\n", '  - {id: third, call: "effects:note"}\n')  # fmt: skip
_PATIENCE_S = 900
"""How long nothing may change before it is given up."""


def main(what: str, count: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name, server() as found:
        storm = storm_on(
            found, Path(name), hosts=4, seed=11, say=lambda line: print(f"\r{line:<100}", end="", file=sys.stderr)
        )
        try:
            {"storm": _storm, "speed": _speed, "cost": _cost, "size": _size}[what](storm, count)
        finally:
            for host in storm.hosts:
                host.end()


def _storm(storm: Storm, count: int) -> None:
    storm.hosts = storm.hosts[:3]
    began = time.monotonic()
    states = storm.play(count, kill_every_s=20, patience_s=_PATIENCE_S, concurrency=2)
    print(f"\n{count} runs in {time.monotonic() - began:.0f} s; killed: {dict(storm.killed)}")
    ended = check(storm, states)
    legs = storm.server.sql("SELECT outcome, count(*) FROM workflow_exec.fleet_end GROUP BY outcome ORDER BY outcome")
    print(f"ended: {dict(ended)}; every log verified; legs by outcome: {' '.join(legs.split())}")
    used = storm.server.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use")
    print(f"decisions used: {used}; questions that were asked anew: {storm.asked_again}")


def _speed(storm: Storm, count: int) -> None:
    _ungate(storm.site)
    for host in storm.hosts[1:]:
        subprocess.run(["git", "pull", "-q"], cwd=host.root, check=True)  # noqa: S607  # git is on the path
        host.pin()
    for number in (1, 2, 4):
        storm.site.submit("--count", str(count))
        began = time.monotonic()
        workers = [host.worker("--concurrency", "1") for host in storm.hosts[:number]]
        storm.site.wait_until(lambda runs: all(run["state"] == "passed" for run in runs.values()))
        took = time.monotonic() - began
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.wait()
        print(f"{number} workers: {count / took:.2f} runs/s, {count * _STEPS / took:.2f} steps/s")


def _cost(storm: Storm, count: int) -> None:
    _ungate(storm.site)
    site = storm.site
    site.fleet("queue", "default", "--per-worker", "1")
    ratios: list[float] = []
    for _ in range(count):
        bare = _cpu([sys.executable, "-m", "pytest", "wf", "--workflow-new", "-q"], site)
        _cleaned(site)
        site.submit()
        whole = _cpu(site.command("fleet", "worker", "--until-idle"), site)
        idle = _cpu(site.command("fleet", "worker", "--until-idle"), site)
        ratios.append((whole - idle) / bare)
        print(f"bare {bare:.2f} s, in the fleet {whole - idle:.2f} s, worker alone {idle:.2f} s of processor time")
    print(f"a run in the fleet takes {sorted(ratios)[len(ratios) // 2]:.2f} times the bare one")


def _size(storm: Storm, count: int) -> None:
    before = _sizes(storm.server)
    storm.site.submit("--count", str(count))
    storm.site.work("--concurrency", "2")
    for submission in storm.site.status():
        storm.site.approve(submission)
    storm.site.work()
    for name, (rows, size) in _sizes(storm.server).items():
        more, longer = rows - before.get(name, (0, 0))[0], size - before.get(name, (0, 0))[1]
        if more:
            print(f"{name:<45} {more / count:7.1f} rows {longer / count:9.0f} bytes a run")
    connections = storm.server.sql("SELECT count(*) FROM pg_stat_activity")
    print(f"connections: {connections}")


def _sizes(found: Server) -> dict[str, tuple[int, int]]:
    names = found.sql(
        "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('dbos', 'workflow_exec')"
    )
    found.sql("ANALYZE", role="super")
    return {
        name: (
            int(found.sql(f"SELECT count(*) FROM {name}", role="super")),  # noqa: S608  # a name that the server gave
            int(found.sql(f"SELECT pg_total_relation_size('{name}')", role="super")),  # the same
        )
        for name in names.split()
    }


def _ungate(site: Site) -> None:
    site.write("wf/site.workflow.yaml", _UNGATED)
    site.commit()


def _cleaned(site: Site) -> None:
    subprocess.run(["git", "clean", "-qfdx"], cwd=site.root, check=True)  # noqa: S607  # git is on the path


def _cpu(command: Sequence[str], site: Site) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=site.root, env=site.env(), stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "")
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10)  # noqa: PLR2004  # the name, and what follows it
