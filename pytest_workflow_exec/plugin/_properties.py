"""What every report of others says of a step: properties, which JUnit files and most report plugins keep."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Run

from ._attempt import Attempt
from ._lines import REPORT_OUTCOME

_PREFIX = "workflow_exec."


def describe(report: pytest.TestReport, attempt: Attempt, run: Run, step: str) -> None:
    """Say of which step of which run a report is, how it stands, and where its evidence stood then."""
    outcome = _worst(report, attempt)
    said = {
        "workflow": run.workflow.name,
        "run": run.id,
        "step": step,
        "attempt": str(run.attempt_of(step)),
        "outcome": outcome.value,
        "head": f"{run.head.seq} {run.head.hash}",
    }
    if attempt.failure is not None and outcome is Outcome.FAILED:
        said["class"] = attempt.failure.error_class
    if outcome is Outcome.CARRIED and run.carries_waived(step):
        said["waived"] = "in an earlier session of this run"
    if step in run.broken_glass:
        said["break_glass"] = run.redactor.text(run.broken_glass[step])
    mine = {f"{_PREFIX}{name}": value for name, value in said.items()}
    # What another plugin or the step's code noted stays.
    others = [(name, value) for name, value in report.user_properties if name not in mine]
    report.user_properties = [*others, *mine.items()]


def _worst(report: pytest.TestReport, attempt: Attempt) -> Outcome:
    outcome = Outcome(getattr(report, REPORT_OUTCOME))
    if attempt.told is None and not outcome.satisfies:
        attempt.told = outcome
    return attempt.told or outcome


def property_of(report: pytest.TestReport, name: str) -> str | None:
    """Return what a report says of its step; None if it does not say it."""
    return next((str(value) for key, value in report.user_properties if key == f"{_PREFIX}{name}"), None)


def properties_of(report: pytest.TestReport) -> dict[str, str]:
    """Return all that a report says of its step, by name."""
    return {key.removeprefix(_PREFIX): str(value) for key, value in report.user_properties if key.startswith(_PREFIX)}
