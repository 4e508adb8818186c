"""How a run stands: what is missing, what was accepted, where it waits. It changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.model import Outcome, StepId
from pytest_workflow_exec.run._planning import steps_until
from pytest_workflow_exec.run._run_parts import RunParts


class RunStanding(RunParts):
    """What is to be told of a run, at any time and after its end."""

    @property
    def ledger_problem(self) -> str | None:
        """Why the user's copy of the ledger does not know what became of the run; None if it does."""
        return self._ledger.problem

    @property
    def not_satisfied(self) -> tuple[StepId, ...]:
        """The planned steps that are not satisfied."""
        state = self.state
        return tuple(step for step in state.plan.steps if step not in self._outputs or step in state.undone)

    @property
    def waived(self) -> tuple[StepId, ...]:
        """The steps whose failure a person accepted, now or in an earlier session."""
        return tuple(step for step, outcome in self._outcomes.items() if outcome is Outcome.WAIVED)

    @property
    def glass_to_break(self) -> StepId | None:
        """The gate at which a person is asked whether they go past its signatures; None for none."""
        return self._settings.break_glass

    @property
    def broken_glass(self) -> Mapping[StepId, str]:
        """The gates that somebody went past without the signatures that they want, and who, and why."""
        # Asked for each report: not of every step each time.
        return self._gatekeeper.broken_glass if self._asks else {}

    def carries_waived(self, step: StepId) -> bool:
        """Return whether a step is carried whose failure a person accepted."""
        return step in self._carried and self._carried[step].outcome is Outcome.WAIVED

    @property
    def until(self) -> StepId | None:
        """The step after which the run was to stop; None if it was to go to its end."""
        return self._settings.until

    @property
    def suspended(self) -> StepId | None:
        """The gate at which the run waits for a decision that is made elsewhere."""
        stop = self.state.stop
        return stop.step if stop is not None and stop.outcome is Outcome.SUSPENDED else None

    @property
    def denied_at(self) -> StepId | None:
        """The gate whose refusal keeps every later step from running; None if none does."""
        stop = self.state.stop
        if stop is None or stop.outcome is not Outcome.DENIED:
            return self._denied_before
        # Asked anew, a gate is refused when the first step behind it is about to start.
        return self._gates[stop.step] or stop.step

    @property
    def fulfilled(self) -> bool:
        """Whether every step that was to run is satisfied."""
        asked = steps_until(self.workflow, self.until)
        missing = frozenset(self.not_satisfied)
        return self.state.running is None and not self.results_problem and not any(step.id in missing for step in asked)

    @property
    def results_problem(self) -> str:
        """Why the run does not leave what its workflow declares; empty if it does, or if it has not ended."""
        return self._results.problem
