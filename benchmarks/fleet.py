"""What a fleet takes, and what it survives, on a PostgreSQL server of its own: `python -m benchmarks.fleet WHAT [N]`.

`storm N`: N runs on three workers, with workers and the server killed at random. `speed N`: runs and steps a second for 1, 2
and 4 workers, on the server and on a file. `cost N`: a run in the fleet beside the same run without it, in turns, on both.
`size N`: rows and bytes of a run.
"""

from __future__ import annotations

import functools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fleet._postgres import Server, server
from tests.fleet._site import Site, another_host, new_site
from tests.fleet._storm import EFFECTS, FLOW, Storm, check, storm_on

_STEPS = 5
_UNGATED = FLOW.replace("  - id: approve\n    gate: {question: Go on?, assurance: 2, approvers: [managers], wait: suspend}\n", '  - {id: third, call: "effects:note"}\n')  # fmt: skip
_KILL_EVERY_S = 20
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
    states = storm.play(count, kill_every_s=_KILL_EVERY_S, patience_s=_PATIENCE_S, concurrency=2)
    print(f"\n{count} runs in {time.monotonic() - began:.0f} s; killed: {dict(storm.killed)}")
    ended = check(storm, states)
    legs = storm.server.sql("SELECT outcome, count(*) FROM workflow_exec.fleet_end GROUP BY outcome ORDER BY outcome")
    print(f"ended: {dict(ended)}; every log verified; legs by outcome: {' '.join(legs.split())}")
    used = storm.server.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use")
    print(f"decisions used: {used}; questions that were asked anew: {storm.asked_again}")


def _speed(storm: Storm, count: int) -> None:
    for name, hosts in _sites(storm):
        first = 0.0
        for number in (1, 2, 4):
            submitted = set(hosts[0].submit("--count", str(count)))
            before, began = _used(), time.monotonic()
            workers = [host.worker("--concurrency", "1") for host in hosts[:number]]
            hosts[0].wait_until(functools.partial(_passed, submitted))
            took = time.monotonic() - began
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.process.wait()
            first = first or count / took
            print(
                f"{name}, {number} workers: {count / took:.2f} runs/s, {count * _STEPS / took:.2f} steps/s, "
                f"{count / took / first:.2f} times one worker, {(_used() - before) / count:.2f} s of processor time a run"
            )


def _passed(wanted: Collection[str], runs: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(runs[each]["state"] == "passed" for each in wanted)


def _cost(storm: Storm, count: int) -> None:
    for name, [site, *_] in _sites(storm):
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
        print(f"{name}: a run in the fleet takes {sorted(ratios)[len(ratios) // 2]:.2f} times the bare one")


def _sites(storm: Storm) -> Sequence[tuple[str, Sequence[Site]]]:
    """Return the hosts of a fleet on the server and of one on a file, whose workflow has no gate."""
    _ungate(storm.site)
    for host in storm.hosts[1:]:
        subprocess.run(["git", "pull", "-q"], cwd=host.root, check=True)  # noqa: S607  # git is on the path
        host.pin()
    folder = storm.site.root.parent.parent / "file"
    site = new_site(folder / "one", f"sqlite:///{folder / 'fleet.sqlite'}", {"site.workflow.yaml": _UNGATED})
    site.write("wf/effects.py", EFFECTS.format(folder=str(site.home)))
    site.commit()
    site.workers = storm.site.workers
    others = [another_host(site, folder / f"host-{number}") for number in range(1, len(storm.hosts))]
    return [("PostgreSQL", storm.hosts), ("SQLite", [site, *others])]


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
    before = _used()
    subprocess.run(
        command, cwd=site.root, env=site.env(), stdout=subprocess.DEVNULL, start_new_session=True, check=True
    )
    return _used() - before


def _used() -> float:
    """Return the processor time of all that was started here and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "")
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10)  # noqa: PLR2004  # the name, and what follows it
