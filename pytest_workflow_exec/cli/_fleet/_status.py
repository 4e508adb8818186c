"""`workflow-exec fleet status`: the runs, where each stands, and the workers."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from pytest_workflow_exec.cli._text import escape
from pytest_workflow_exec.fleet import SeenRun, SeenWorker, runs_counted, runs_seen, submission_named, workers_seen

from ._opened import opened

_BAD = frozenset({"interrupted", "refused", "vanished"})


def status(arguments: argparse.Namespace) -> int:
    """Print what there is; return 0, or 1 if something needs a person: a run that vanished, was refused or interrupted.

    Raises:
        FleetError: There is no fleet, or no such run.
    """
    states = frozenset(arguments.state)
    with opened(arguments) as database:
        workers = workers_seen(database, dead_after_s=arguments.dead_after)
        wanted = None if arguments.run is None else submission_named(database, arguments.run)
        counts = runs_counted(database, dead_after_s=arguments.dead_after, states=states, submission=wanted)
        shown = runs_seen(
            database, dead_after_s=arguments.dead_after, limit=arguments.limit, states=states, submission=wanted
        )
    if arguments.json:
        data = {"runs": [_data(each) for each in shown], "workers": [dataclasses.asdict(each) for each in workers]}
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
    else:
        for line in (*_worker_lines(workers), *_run_lines(shown, counts, workers, one=wanted is not None)):
            sys.stdout.write(f"{line}\n")
    return int(not _BAD.isdisjoint(counts))


def _worker_lines(workers: Sequence[SeenWorker]) -> list[str]:
    if not workers:
        return ["no worker is there"]
    return [
        f"worker {each.id} of queue {each.queue}: "
        f"{'alive' if each.is_alive else f'GONE, unseen for {each.unseen_s:.0f} s'}, "
        f"{each.runs} running, project {each.digest[:12]}, commit {each.commit[:12]}"
        for each in workers
    ]


def _run_lines(
    shown: Sequence[SeenRun], counts: Mapping[str, int], workers: Sequence[SeenWorker], *, one: bool
) -> list[str]:
    lines = [", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no runs"]
    for each in shown:
        standing = each.standing
        lines.append(f"{standing.id}  {each.state:<11}  {escape(standing.workflow)}{_where(each)}")
        if one or each.state in _BAD:
            lines += _details(each, workers)
    more = sum(counts.values()) - len(shown)
    if more > 0:
        lines.append(f"and {more} more (--limit)")
    return lines


def _where(each: SeenRun) -> str:
    if each.state in ("suspended", "running", "vanished"):
        return f"  at {escape(each.where)}"
    return ""


def _details(each: SeenRun, workers: Sequence[SeenWorker]) -> list[str]:
    standing = each.standing
    at = datetime.fromtimestamp(each.submitted, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [f"  submitted {at}, queue {standing.queue}, group {standing.team}, leg {standing.leg}"]
    if each.run is not None:
        lines.append(f"  run       {each.run}")
    if standing.end is not None and standing.end.said:
        lines += [f"  said      {escape(line)}" for line in standing.end.said.splitlines()[-20:]]
    able = [worker for worker in workers if worker.is_alive and worker.digest == standing.digest]
    if each.state in ("waiting", "queued", "suspended", "cancelling") and not any(
        worker.queue == standing.queue for worker in able
    ):
        lines.append(f"  waits     no worker of queue {standing.queue} has project {standing.digest[:12]}")
    if each.state in _BAD and standing.leg:
        lines.append(f"  next      workflow-exec fleet take-over {standing.id} --reason TEXT (--here to be asked)")
    return lines


def _data(each: SeenRun) -> dict[str, object]:
    standing = each.standing
    end = standing.end
    return {
        "submission": standing.id,
        "run": each.run,
        "workflow": standing.workflow,
        "queue": standing.queue,
        "group": standing.team,
        "priority": standing.priority,
        "project": standing.digest,
        "state": each.state,
        "leg": standing.leg,
        "worker": standing.worker,
        "step": None if end is None else end.step or None,
        "said": None if end is None else end.said or None,
        "submitted": each.submitted,
    }
