"""Waiting for a time: in this process, or with the run suspended until somebody goes on with it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

from pytest_workflow_exec.errors import OutputError, PausedError
from pytest_workflow_exec.model import Pause, Step
from pytest_workflow_exec.run._values import StepOutputs, Values

_NAP_S = 1.0


def paused(step: Step, pause: Pause, *, since: datetime, values: Values) -> StepOutputs:
    """Return once the time has come.

    Args:
        since: When the step was first reached, aware.

    Raises:
        PausedError: It has not, and the run is not to wait for it.
        OutputError: The moment that it waits for can't be read.
    """
    until = _until(step, pause, since=since, values=values)
    if pause.suspends:
        until = _whole(until)
    if pause.suspends and datetime.now(timezone.utc) < until:
        raise PausedError(step=step.id, until=spelled(until))
    # By the wall clock, in short naps: a machine that sleeps, or a clock that is set, must not stretch the pause.
    while (left_s := (until - datetime.now(timezone.utc)).total_seconds()) > 0:
        time.sleep(min(left_s, _NAP_S))
    return StepOutputs(values={"until": spelled(until)}, files={})


def pause_problem(step: Step, pause: Pause, values: Values) -> str | None:
    """Return why a step could never wait until the moment that it names; None if it can, or if that is not known yet."""
    if pause.until is None or not all(values.is_known(reference) for reference in pause.until.references):
        return None
    try:
        _moment(step, values.text(pause.until))
    except OutputError as error:
        return str(error)
    return None


def _until(step: Step, pause: Pause, *, since: datetime, values: Values) -> datetime:
    if pause.until is None:
        return since + timedelta(seconds=pause.for_s or 0.0)
    return _moment(step, values.text(pause.until))


def _moment(step: Step, text: str) -> datetime:
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        # In the first and the last hours of the calendar there may be no such moment in UTC.
        in_utc = None if moment.tzinfo is None else moment.astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        message = f"step {step.id!r} waits until {text!r}, which is no time: write it like 2026-12-24T18:00:00Z"
        raise OutputError(message) from error
    if in_utc is None:
        message = f"step {step.id!r} waits until {text!r}, which has no zone: write it like 2026-12-24T18:00:00Z"
        raise OutputError(message)
    return in_utc


def _whole(moment: datetime) -> datetime:
    # Evidence holds it to the second: whoever goes on with the run then must not find that a part of it is left.
    last = datetime.max.replace(microsecond=0, tzinfo=moment.tzinfo)
    return moment if not moment.microsecond or moment > last else moment.replace(microsecond=0) + timedelta(seconds=1)


def spelled(moment: datetime) -> str:
    """Return a moment as evidence holds it, to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
