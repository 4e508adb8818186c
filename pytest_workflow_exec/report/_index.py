"""An index of runs as one file of HTML: how each workflow went over time, and which of its steps fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._page import rendered

_TREND = 30
"""So many of the newest runs a trend draws."""
_WIDTH, _HEIGHT = 300.0, 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run in an index."""

    run: str
    workflow: str
    verdict: str
    """The word that `verify` has for its log."""
    result: str
    started: str | None
    duration_s: float | None
    """From its start to its end, waiting included; None if it has no end."""
    steps: Mapping[str, str]
    """The last outcome of each of its steps."""
    page: str | None = None
    """Where its own page is, beside the index; None if there is none."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failing:
    step: str
    failed: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    x: float
    y: float
    width: float
    height: float
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workflow:
    name: str
    runs: tuple[RunLine, ...]
    passed: int
    failing: tuple[_Failing, ...]
    bars: tuple[_Bar, ...]
    longest_s: float
    median_s: float | None


def index_page(runs: Sequence[RunLine], *, problems: Sequence[str] = ()) -> str:
    """Return the index of those runs, which come newest first.

    Args:
        runs: All runs that are known of.
        problems: What can't be read, or what ledgers disagree on.

    Raises:
        TemplatesMissingError: Jinja2 is not installed.
    """
    names = dict.fromkeys(run.workflow for run in runs)
    workflows = [_workflow(name, tuple(run for run in runs if run.workflow == name)) for name in names]
    return rendered("index.html.j2", workflows=workflows, total=len(runs), problems=problems)


def _workflow(name: str, runs: tuple[RunLine, ...]) -> _Workflow:
    durations = sorted(run.duration_s for run in runs if run.duration_s is not None)
    return _Workflow(
        name=name,
        runs=runs,
        passed=sum(run.result == "passed" for run in runs),
        failing=tuple(_failing(runs)),
        bars=tuple(_bars(runs[:_TREND][::-1])),
        longest_s=max((run.duration_s or 0.0 for run in runs[:_TREND]), default=0.0),
        median_s=durations[len(durations) // 2] if durations else None,
    )


def _failing(runs: Iterable[RunLine]) -> list[_Failing]:
    failed: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for run in runs:
        ended = {step for step, outcome in run.steps.items() if outcome not in ("not started", "blocked")}
        seen.update(ended)
        failed.update(step for step in ended if run.steps[step] in ("failed", "denied"))
    return [_Failing(step=step, failed=count, of=seen[step]) for step, count in failed.most_common(20)]


def _bars(runs: Sequence[RunLine]) -> Iterable[_Bar]:
    longest = max((run.duration_s or 0.0 for run in runs), default=0.0) or 1.0
    width = _WIDTH / max(len(runs), 1)
    for number, run in enumerate(runs):
        height = max(3.0, _HEIGHT * (run.duration_s or 0.0) / longest)
        yield _Bar(
            x=round(number * width, 1),
            y=round(_HEIGHT - height, 1),
            width=round(min(width * 0.8, 20.0), 1),
            height=round(height, 1),
            outcome=run.result,
        )
