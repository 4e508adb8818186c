"""What every report of others says of a step: properties, which JUnit files and most report plugins keep."""

from __future__ import annotations

import functools

import pytest

from pytest_workflow_exec.evidence import Head
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Run

from ._attempt import Attempt, Described
from ._lines import REPORT_OUTCOME

_PREFIX = "workflow_exec."
_WORKFLOW, _RUN, _STEP = f"{_PREFIX}workflow", f"{_PREFIX}run", f"{_PREFIX}step"
_ATTEMPT, _OUTCOME, _HEAD = f"{_PREFIX}attempt", f"{_PREFIX}outcome", f"{_PREFIX}head"
_CLASS, _WAIVED, _BREAK_GLASS = f"{_PREFIX}class", f"{_PREFIX}waived", f"{_PREFIX}break_glass"


def describe(report: pytest.TestReport, attempt: Attempt, run: Run, step: str) -> None:
    """Say of which step of which run a report is, how it stands, and where its evidence stood then."""
    outcome, head = _worst(report, attempt), run.head
    error_class = attempt.failure.error_class if attempt.failure is not None and outcome is Outcome.FAILED else None
    said = attempt.described
    # What else it says changes only with a record, but for a secret that turns up in somebody's words.
    if said is None or said.of != (head, outcome, error_class) or step in run.broken_glass:
        properties = _properties(run, step, outcome, head, error_class)
        said = attempt.described = Described((head, outcome, error_class), properties)
    if not report.user_properties:
        report.user_properties = [*said.properties]
        return
    # What another plugin or the step's code noted stays.
    names = {name for name, _ in said.properties}
    kept = ((name, value) for name, value in report.user_properties if name not in names)
    report.user_properties = [*kept, *said.properties]


def _properties(
    run: Run, step: str, outcome: Outcome, head: Head, error_class: str | None
) -> tuple[tuple[str, str], ...]:
    # pytest keeps every report to the end: the three of a step share what they say.
    said = {
        _WORKFLOW: run.workflow.name,
        _RUN: run.id,
        _STEP: step,
        _ATTEMPT: str(run.attempt_of(step)),
        _OUTCOME: outcome.value,
        _HEAD: f"{head.seq} {head.hash}",
    }
    if error_class is not None:
        said[_CLASS] = error_class
    if outcome is Outcome.CARRIED and run.carries_waived(step):
        said[_WAIVED] = "in an earlier session of this run"
    if step in run.broken_glass:
        said[_BREAK_GLASS] = run.redactor.text(run.broken_glass[step])
    return tuple(map(_property, said.items()))


@functools.lru_cache(maxsize=64)
def _property(property_: tuple[str, str]) -> tuple[str, str]:
    # pytest keeps every report to the end: what they have in common is kept once.
    return property_


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
