"""How a leg ended, as the log of its run tells it: what pytest says of it proves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import read_log
from pytest_workflow_exec.model import blocks_around
from pytest_workflow_exec.run import History
from pytest_workflow_exec.verify import verify_log

from ._legs import LegEnd, Outcome

_BROKEN = frozenset({"broken", "unreadable"})
_OUTCOMES: Mapping[str, Outcome] = {
    "passed": "passed",
    "failed": "failed",
    "denied": "denied",
    "suspended": "suspended",
    "interrupted": "interrupted",
    "partial": "failed",
}


def end_of(log: Path, *, status: int, shown: str) -> LegEnd:
    """Return how a leg ended.

    Args:
        status: What pytest ended with.
        shown: What it said.
    """
    verdict = verify_log(log)
    if verdict.word in _BROKEN:
        return LegEnd(outcome="refused", said=f"its log is {verdict.word}: {verdict.message}")
    if verdict.result is None:
        return LegEnd(outcome="interrupted", said=f"pytest ended with status {status} in the middle of it\n{shown}")
    return _end_of(log, verdict.result, shown)


def end_of_cancelled(log: Path, why: str, *, status: int, shown: str) -> LegEnd:
    """Return how a leg ended that played `finally`, or was to: it is cancelled only once that had its turn.

    Args:
        why: Why it was cancelled.
        status: What pytest ended with.
        shown: What it said.
    """
    end = end_of(log, status=status, shown=shown)
    if end.outcome in ("passed", "refused"):
        return end
    cleaning = _cleaning(log)
    if cleaning is None:
        return LegEnd(outcome="interrupted", said=f"{why}; its finally steps had no turn, or not all of them\n{shown}")
    return LegEnd(outcome="cancelled", said=f"{why}{f'; not cleaned up by {cleaning}' if cleaning else ''}")


def end_told_by(log: Path) -> LegEnd | None:
    """Return how a run ended, if its log tells that it did: then there is nothing left to play, whoever played it is gone."""
    verdict = verify_log(log)
    if verdict.word in _BROKEN or verdict.result in (None, "interrupted", "partial"):
        return None
    return _end_of(log, verdict.result, "its worker went away when it had ended")


def due_told_by(log: Path) -> float | None:
    """Return when a run can go on by itself, in seconds since 1970, as the host that wrote its log had the time; None if never."""
    return _waits(log)[1]


def cleaned_up(log: Path, why: str) -> LegEnd | None:
    """Return how a run that was cancelled ended, if its log tells that `finally` had its turn; None if it had none."""
    verdict = verify_log(log)
    if verdict.word in _BROKEN or verdict.result in (None, "suspended") or _cleaning(log) is None:
        return None
    end = _end_of(log, verdict.result, "")
    return end if end.outcome == "passed" else LegEnd(outcome="cancelled", said=why)


def _cleaning(log: Path) -> str | None:
    """Return what of `finally` failed in the last session of a log; None if it had no turn in it, or not all of it had.

    A session that was struck before its first step, or in which nobody agreed that it goes on, ends with every step blocked; one
    that was struck again while it cleaned up, with what was left of `finally`.
    """
    had_turn, ended = False, False
    started, always = set[str](), dict[str, str | None]()
    failed, blocked = list[str](), list[str]()
    for record in read_log(log, unended=True):
        if record.type in ("run.started", "run.resumed"):
            had_turn, ended, failed, blocked, always = False, False, [], [], _always(record.data)
        elif record.type == "run.finished":
            ended = record.data.get("result") != "suspended"
        elif record.type == "step.started" and record.step is not None:
            started.add(record.step)
        elif record.type == "step.finished" and record.step is not None:
            outcome = record.data.get("outcome")
            had_turn |= outcome != "blocked"
            if record.step in always and outcome == "blocked":
                blocked.append(record.step)
            elif record.step in always and outcome in ("failed", "denied", "interrupted", "suspended"):
                failed.append(f"{record.step} ({outcome})")
    entered = {block for step in started - always.keys() for block in blocks_around(step)}
    # A block in which nothing was started leaves nothing to clean up.
    if any((block := always[step]) is None or block in entered for step in blocked) and started:
        return None
    return ", ".join(failed) if ended and (had_turn or not started) else None


def _end_of(log: Path, result: str, said: str) -> LegEnd:
    step, due = _waits(log) if result == "suspended" else ("", None)
    return LegEnd(outcome=_OUTCOMES[result], step=step, due=due, said="" if result == "passed" else said)


def _waits(log: Path) -> tuple[str, float | None]:
    """Return where a suspended run waits, and when it can go on by itself."""
    try:
        history = History.of(log)
    except LogUnreadableError:
        return "", None
    gates = {step: str(gate.request.get("expires")) for step, gate in history.open_gates.items() if gate.suspended}
    moments = [_seconds(text) for text in (*gates.values(), *history.waits_until.values())]
    steps = [*gates, *history.waits_until]
    # A log has them without what is less than a second, so that they have come a second later for sure.
    return ", ".join(steps), min((moment + 1 for moment in moments if moment is not None), default=None)


def _seconds(moment: str) -> float | None:
    try:
        return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _always(data: Mapping[str, Json]) -> dict[str, str | None]:
    """Return the steps of `finally`, each with the block that it cleans up after; None for the workflow itself."""
    plan = data.get("plan")
    steps = cast("Sequence[Mapping[str, Json]]", plan.get("steps") or ()) if isinstance(plan, Mapping) else ()
    blocks = {str(step["id"]): step.get("block") for step in steps if step.get("always") is True}
    return {step: None if block is None else str(block) for step, block in blocks.items()}
