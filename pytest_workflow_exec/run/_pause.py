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
    if pause.suspends and datetime.now(timezone.utc) < until:
        raise PausedError(step=step.id, until=spelled(until))
    # By the wall clock, in short naps: a machine that sleeps, or a clock that is set, must not stretch the pause.
    while (left_s := (until - datetime.now(timezone.utc)).total_seconds()) > 0:
        time.sleep(min(left_s, _NAP_S))
    return StepOutputs(values={"until": spelled(until)}, files={})


def _until(step: Step, pause: Pause, *, since: datetime, values: Values) -> datetime:
    if pause.until is None:
        return since + timedelta(seconds=pause.for_s or 0.0)
    text = values.text(pause.until)
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        message = f"step {step.id!r} waits until {text!r}, which is no time: write it like 2026-12-24T18:00:00Z"
        raise OutputError(message) from error
    if moment.tzinfo is None:
        message = f"step {step.id!r} waits until {text!r}, which has no zone: write it like 2026-12-24T18:00:00Z"
        raise OutputError(message)
    return moment.astimezone(timezone.utc)


def spelled(moment: datetime) -> str:
    """Return a moment as evidence holds it, to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
