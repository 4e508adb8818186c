"""`--workflow-summary=FILE.md`, and the summary of a GitHub job: what became of the session's workflows, in Markdown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.progress import SummaryRun, SummaryStep, summary
from pytest_workflow_exec.settings import SUMMARY, said_by_variable

from ._lines import REPORT_OUTCOME
from ._properties import property_of
from ._session import WorkflowSession

NAME = "workflow_exec_summary"
_GITHUB = "GITHUB_STEP_SUMMARY"


@dataclass
class _Step:
    outcome: Outcome = Outcome.PASSED
    seconds: float = 0.0
    attempt: str = ""
    why: str = ""


class SummaryHooks:
    """Follows the steps' reports, and writes the summary at the end."""

    def __init__(self, session: WorkflowSession) -> None:
        self._session = session
        self._seen: dict[str, dict[str, _Step]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in what a report says of a step."""
        said, workflow, step = (
            getattr(report, REPORT_OUTCOME, None),
            property_of(report, "workflow"),
            property_of(report, "step"),
        )
        if said is None or workflow is None or step is None:
            return
        seen = self._seen.setdefault(workflow, {}).setdefault(step, _Step())
        seen.seconds += report.duration
        seen.attempt = property_of(report, "attempt") or seen.attempt
        outcome = Outcome(said)
        if seen.outcome.satisfies:
            seen.outcome = outcome if report.when == "call" or not outcome.satisfies else seen.outcome
        if report.failed and not seen.why:
            seen.why = _why(report)

    def write(self) -> None:
        """Write it wherever it is wanted."""
        if self._session.discovery:
            return
        text = summary([self._run(name) for name in self._session.workflows])
        config = self._session.config
        if (named := _named(config)) is not None:
            self._write(Path(config.invocation_params.dir, named), text, mode="w")
        if (path := os.environ.get(_GITHUB)) is not None and path:
            self._write(Path(path), text, mode="a")

    def _write(self, path: Path, text: str, *, mode: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self._session.lines.say(f"warning: the summary can't be written to {path}: {error}")

    def _run(self, name: str) -> SummaryRun:
        end, workflow = self._session.ends.get(name), self._session.workflows[name]
        seen = self._seen.get(name, {})
        return SummaryRun(
            workflow=name,
            good=end is not None and end.fulfilled and self._session.evidence_error is None,
            steps=tuple(
                SummaryStep(
                    id=step.id,
                    outcome=seen[step.id].outcome,
                    seconds=seen[step.id].seconds,
                    attempt=seen[step.id].attempt,
                    why=seen[step.id].why,
                )
                for step in workflow.steps
                if step.id in seen
            ),
            lines=() if end is None else end.lines,
        )


def follow(session: WorkflowSession) -> None:
    """Let a summary be written at the end, if one is wanted of this process."""
    wanted = _named(session.config) is not None or bool(os.environ.get(_GITHUB))
    if wanted and session.share is None:
        session.summary = hooks = SummaryHooks(session)
        session.config.pluginmanager.register(hooks, NAME)


def _named(config: pytest.Config) -> str | None:
    option: str | None = config.getoption("workflow_summary")
    return said_by_variable(os.environ, SUMMARY) if option is None else option


def _why(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(getattr(crash, "message", "")) or report.longreprtext
    return text.strip().split("\n", 1)[0]
