"""A Markdown summary of a session, as CI systems show it beside a job."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.progress._plain import outcome_style, spent

_SIGNS = {
    Outcome.PASSED: "✅",
    Outcome.CARRIED: "✅",
    Outcome.NOT_APPLICABLE: "⚪",
    Outcome.WAIVED: "⚠️",
    Outcome.SUSPENDED: "⏸️",
    Outcome.BLOCKED: "⛔",
}
_FAILED = "❌"
_MAX_CHARACTERS = 300
_MARKUP = lazy_pattern(r"([\\`*_\[\]|~#$:@-])")


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryStep:
    """A step as the summary shows it."""

    id: str
    outcome: Outcome
    seconds: float
    attempt: str
    why: str
    """Why it is not satisfied; empty if it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRun:
    """A workflow as the summary shows it."""

    workflow: str
    good: bool
    steps: Sequence[SummaryStep]
    lines: Sequence[str]
    """The closing lines, the verdict first."""


def summary(runs: Sequence[SummaryRun]) -> str:
    """Return the summary of a session."""
    return "\n".join(line for run in runs for line in _run(run))


def _run(run: SummaryRun) -> Iterator[str]:
    from pytest_workflow_exec.approval import escape_line

    verdict = run.lines[0] if run.lines else f"workflow {run.workflow}: nothing was run"
    yield f"### {'✅' if run.good else _FAILED} {_text(verdict)}"
    yield ""
    if run.steps:
        yield "| step | outcome | time | attempt | |"
        yield "|---|---|--:|--:|---|"
        yield from (_row(step) for step in run.steps)
        yield ""
    if len(run.lines) > 1:
        yield "<pre>"
        # As text of HTML: a fence could be ended by what stands in it.
        yield "\n".join(html.escape(escape_line(line)) for line in run.lines[1:])
        yield "</pre>"
        yield ""


def _row(step: SummaryStep) -> str:
    word = f"{_SIGNS.get(step.outcome, _FAILED)} {outcome_style(step.outcome).word}"
    return f"| {_text(step.id)} | {word} | {spent(step.seconds)} | {_text(step.attempt)} | {_text(step.why)} |"


def _text(text: str) -> str:
    from pytest_workflow_exec.approval import escape_line

    return _MARKUP.sub(r"\\\1", html.escape(escape_line(text, max_chars=_MAX_CHARACTERS), quote=False))
