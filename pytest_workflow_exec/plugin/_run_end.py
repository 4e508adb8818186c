"""How a run ended, as far as the session that started it has to know: plain values that can leave a worker."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.evidence import filesystem_of, is_remote
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Run, Stop

from ._ways_on import WaysOn

_NAMED = 20
"""How many steps a verdict names; the log, the short summary and `workflow-exec show` have them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended."""

    workflow: str
    fulfilled: bool
    """Whether every step that was to run is satisfied."""
    lines: tuple[str, ...]
    """What a person is told about it; the last one is the head of its evidence."""

    @classmethod
    def of(cls, run: Run, ways_on: WaysOn, *, minutes: Sequence[str] = (), warnings: Sequence[str] = ()) -> RunEnd:
        """Return how a run ended that is closed.

        Args:
            ways_on: Knows what to type next.
            minutes: What is told of its session besides the verdict, line by line.
            warnings: What else a person should know of it, line by line.
        """
        return cls(
            workflow=run.workflow.name,
            fulfilled=run.fulfilled,
            lines=(
                f"workflow {run.workflow.name}: {_verdict(run)}",
                *minutes,
                *run.said,
                *_to_review(run, ways_on.named(run)),
                *ways_on.next_lines(run),
                *_warnings(run),
                *warnings,
                f"evidence {run.log_name}",
                f"evidence head {run.head.seq} {run.head.hash}",
            ),
        )

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> RunEnd:
        """Return the end that a worker sent; whatever is not certain counts against it."""
        lines = data.get("lines")
        return cls(
            workflow=str(data.get("workflow")),
            fulfilled=data.get("fulfilled") is True,
            lines=tuple(map(str, lines)) if isinstance(lines, (list, tuple)) else (),
        )

    def to_data(self) -> dict[str, object]:
        """Return it in values that travel between processes."""
        return {"workflow": self.workflow, "fulfilled": self.fulfilled, "lines": list(self.lines)}


def _to_review(run: Run, named: str) -> list[str]:
    lines = []
    for gate in run.broken_glass:
        lines += [
            f"review    gate {gate}, by somebody else than who broke its glass:",
            f"          workflow-exec review {named} {shlex.quote(gate)} TEXT",
        ]
    return lines


def _warnings(run: Run) -> list[str]:
    problem, kind = run.ledger_problem, filesystem_of(run.log_path)
    warnings = []
    if problem is not None:
        warnings.append(f"warning: the user's copy of the ledger of runs can't be kept: {problem}")
    if is_remote(kind):
        warnings.append(
            f"warning: the evidence lies on {kind}, which may belong to another machine and can lose records"
        )
    return warnings


def _verdict(run: Run) -> str:
    total = len(run.state.plan.steps)
    if run.results_problem:
        return f"NOT passed, {run.redactor.report(run.results_problem)}"
    if run.state.complete:
        return f"passed, {total} of {counted(total, 'step')}{_waived(run)}"
    if run.until is not None and run.fulfilled:
        return f"stopped after {run.until} as asked, {total - len(run.not_satisfied)} of {counted(total, 'step')}{_waived(run)}"
    missing = run.not_satisfied
    stop = run.state.stop
    why = f" ({_stopped(stop)})" if stop is not None else ""
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    named = f"{', '.join(missing[:_NAMED])}{more}"
    return f"NOT passed{why}, {len(missing)} of {counted(total, 'step')} not satisfied: {named}{_waived(run)}"


def _stopped(stop: Stop) -> str:
    # Nothing went wrong with a step that is blocked: it is the first that was not come to.
    return f"stopped before {stop.step}" if stop.outcome is Outcome.BLOCKED else f"{stop.step} {stop.outcome.words}"


def _waived(run: Run) -> str:
    waived = f", {len(run.waived)} waived: {', '.join(run.waived)}" if run.waived else ""
    return waived + (f", GLASS BROKEN at {', '.join(run.broken_glass)}" if run.broken_glass else "")
