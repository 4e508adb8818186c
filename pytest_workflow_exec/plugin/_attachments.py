"""What is told of a step beyond its report: all that its log says, with `-vv` and on the pages of pytest-html and allure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast

import pytest

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run import Run

from ._properties import properties_of

if TYPE_CHECKING:
    from pytest_workflow_exec.report import Attempt

DETAILED = 2
"""The verbosity at which everything is shown."""


class Told:
    """What the log of a run says of its steps, as far as it has been written."""

    def __init__(self, run: Run) -> None:
        """Begin before its first record."""
        from pytest_workflow_exec.report import RunStory, Tail

        self._story, self._tail = RunStory(), Tail(run.log_path)

    def attempts(self, step: StepId) -> list[Attempt]:
        """Return the attempts at a step so far; none if the log can't be read, which its run finds out by itself."""
        # Only what came since the last time is read: a listener would be told too late.
        with suppress(LogUnreadableError):
            for record in self._tail.new():
                self._story.tell(record)
        told = self._story.steps.get(step)
        return [] if told is None else told.attempts


def is_wanted(config: pytest.Config) -> bool:
    """Return whether there are pages for which `attach` would do something."""
    return _html(config) or _allure(config)


def told_of(attempt: Attempt) -> Iterator[str]:
    """Give what happened in an attempt, line by line."""
    from pytest_workflow_exec.report import happening_lines

    for each in attempt.happenings:
        yield from happening_lines(each)


def attach(config: pytest.Config, report: pytest.TestReport, run: Run, step: StepId, told: Told) -> None:
    """Put a step's evidence beside its report, once it is known how its body ended."""
    if report.when != "call":
        return
    name, text = f"evidence of step {step}", _text(report, run, step, told)
    if _html(config):
        # As pytest-html's own `extras.text` makes it; a worker need not have that plugin.
        extra = {"name": name, "format_type": "text", "content": text, "mime_type": "text/plain", "extension": "txt"}
        report.extras = [*getattr(report, "extras", ()), extra]  # type: ignore[attr-defined]  # pytest-html's own
    if _allure(config):
        import allure

        cast("_Allure", allure).attach(text, name=name, attachment_type=allure.attachment_type.TEXT)


def _text(report: pytest.TestReport, run: Run, step: StepId, told: Told) -> str:
    from pytest_workflow_exec.report import attempt_lines

    lines = [f"{name:<10}{value}" for name, value in properties_of(report).items()]
    lines.append(f"{'evidence':<10}workflow-exec show {run.id} --step {shlex.quote(step)}")
    attempts = told.attempts(step)
    for attempt in attempts[:-1]:
        lines += ["", *attempt_lines(attempt)]
    for last in attempts[-1:]:
        # Its end is written when all reports of it are known.
        lines += ["", f"attempt {last.number}", *told_of(last)]
    return "\n".join(lines) + "\n"


class _Allure(Protocol):
    """What this module uses of allure, which has no types."""

    def attach(self, body: str, *, name: str, attachment_type: object) -> None: ...


def _html(config: pytest.Config) -> bool:
    return bool(config.getoption("htmlpath", None))


def _allure(config: pytest.Config) -> bool:
    return bool(config.getoption("allure_report_dir", None))
