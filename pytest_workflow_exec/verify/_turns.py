"""Whose turn it was: steps start one by one, in the order of the plan, and end once."""

from __future__ import annotations

from pytest_workflow_exec.model import BlockId, Outcome, StepId, blocks_around

from ._contradiction import ContradictionError
from ._plan import Plan, PlannedStep

_WITHOUT_START = frozenset({Outcome.NOT_APPLICABLE, Outcome.CARRIED, Outcome.BLOCKED})
"""Ends of steps that did not run."""


class Turns:
    """The starts and ends of a run's steps, checked one after the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.outcomes: dict[StepId, Outcome] = {}
        """How each step ended last."""
        self.running: StepId | None = None
        """The step under way."""
        self.attempt: int | None = None
        """The number of its attempt."""
        self._attempts: dict[StepId, int] = {}
        """The number of each step's last attempt, over all sessions."""
        self._begun = False
        self._entered: set[BlockId] = set()
        """The blocks with a `finally` in which any step was ever started."""
        self._reached = self._closed = 0
        """How many steps, from the first on, are known to be satisfied, and to have ended; hints that only spare work."""
        self._carriable: dict[StepId, PlannedStep] = {}
        """The steps as an earlier session satisfied them, and that did not start and count since."""
        self._ended: set[StepId] = set()
        """The steps that ended since the run was last resumed."""
        self._undone: set[StepId] = set()
        """Those of them that another step reverted since."""
        self._unknown: dict[StepId, PlannedStep] = {}
        """The steps as they were planned when they were broken off: nobody knows what they did."""

    def satisfied(self, step: StepId) -> bool:
        """Return whether later steps may run as far as this one goes."""
        outcome = self.outcomes.get(step)
        return outcome is not None and outcome.satisfies

    def last_attempt(self, step: StepId) -> int | None:
        """Return the number of a step's last attempt, over all sessions; None if it was never started."""
        return self._attempts.get(step)

    def is_unknown(self, step: PlannedStep) -> bool:
        """Return whether the step, as it is planned now, was broken off before and did not run since."""
        return _is_same(self._unknown.get(step.id), step)

    def start(self, step: PlannedStep, attempt: int | None) -> None:
        """Let a step start.

        Raises:
            ContradictionError: It was not its turn, or the attempt is none that can be next.
        """
        self._demand_turn(step)
        self._attempts[step.id] = self._next_attempt(step, attempt)
        self.outcomes.pop(step.id, None)
        self._carriable.pop(step.id, None)
        self._unknown.pop(step.id, None)
        self._reached = min(self._reached, step.position)
        self.running, self.attempt, self._begun = step.id, attempt, True
        if not step.always:
            self._entered.update(block for block in blocks_around(step.id) if block in self._plan.cleaned)

    def end(self, step: PlannedStep, outcome: Outcome, attempt: int | None) -> None:
        """Let a step end.

        Raises:
            ContradictionError: It had ended, or could not end like this.
        """
        if step.id in self._ended:
            raise ContradictionError(f"step {step.id!r} ends a second time")
        ran = self.running == step.id
        if attempt != max(self._attempts.get(step.id, 0), 1):
            raise ContradictionError(f"step {step.id!r} ends in attempt {attempt}, which was not its last")
        if ran and outcome in _WITHOUT_START:
            raise ContradictionError(f"step {step.id!r} is {outcome.words}, but it was started")
        if not ran:
            self._demand_end_without_run(step, outcome)
        self.outcomes[step.id] = outcome
        self._ended.add(step.id)
        self._reached = self._reached if outcome.satisfies else min(self._reached, step.position)
        self.running = None if ran else self.running
        if ran and outcome is Outcome.INTERRUPTED:
            self._unknown[step.id] = step

    def try_again(self, step: PlannedStep) -> None:
        """Forget that an attempt failed: another one, which was announced, starts now."""
        self.outcomes.pop(step.id, None)
        self._ended.discard(step.id)

    def undo(self, step: PlannedStep) -> None:
        """Forget what a step did: another one reverted it, and it runs again in a later session.

        Raises:
            ContradictionError: It did not end in this session.
        """
        if step.id not in self._ended or step.id in self._undone:
            raise ContradictionError(f"step {step.id!r} is undone, but it did not end before")
        self._undone.add(step.id)
        self.outcomes.pop(step.id, None)
        self._carriable.pop(step.id, None)
        self._unknown.pop(step.id, None)
        self._reached = min(self._reached, step.position)

    def invalidate(self, step: PlannedStep) -> None:
        """Forget how a step ended: it has to be run again."""
        self.outcomes.pop(step.id, None)
        self._carriable.pop(step.id, None)
        self._ended.discard(step.id)
        self._reached = min(self._reached, step.position)
        self._closed = min(self._closed, step.position)

    def resume(self, plan: Plan) -> None:
        """Go on where an earlier process stopped: what is not satisfied starts anew, what is may be carried over.

        Args:
            plan: What is planned now; the file may have been edited.
        """
        planned = self._plan.by_id
        self._carriable |= {step: planned[step] for step, outcome in self.outcomes.items() if outcome.satisfies}
        self._plan, self.outcomes = plan, {}
        self._ended.clear()
        self._undone.clear()
        if self.running is not None:
            self._unknown[self.running] = planned[self.running]
        self.running = None
        self._reached = self._closed = 0

    def unsatisfied(self) -> list[StepId]:
        """Return the planned steps that are not satisfied, in order."""
        return [step.id for step in self._plan.steps if not self.satisfied(step.id)]

    def _demand_turn(self, step: PlannedStep) -> None:
        if self.running is not None:
            raise ContradictionError(f"it is not the turn of step {step.id!r}: {self.running!r} is still under way")
        if step.id in self._ended:
            raise ContradictionError(f"it is not the turn of step {step.id!r}: it has ended before")
        # Where nothing of a block was started, the steps of its `finally` are steps like any other.
        cleans_up = step.always and (step.block is None or step.block in self._entered)
        earlier = self._first_open() if cleans_up else self._first_unsatisfied()
        if earlier is not None and earlier.position < step.position:
            how = self.outcomes[earlier.id].words if earlier.id in self.outcomes else "has no end"
            raise ContradictionError(f"it is not the turn of step {step.id!r}: {earlier.id!r} {_is(how)}")
        if cleans_up and not self._begun:
            raise ContradictionError(f"it is not the turn of step {step.id!r}: no step of the workflow ever started")

    def _first_unsatisfied(self) -> PlannedStep | None:
        steps = self._plan.steps
        while self._reached < len(steps) and self.satisfied(steps[self._reached].id):
            self._reached += 1
        return steps[self._reached] if self._reached < len(steps) else None

    def _first_open(self) -> PlannedStep | None:
        steps = self._plan.steps
        while self._closed < len(steps) and steps[self._closed].id in self._ended:
            self._closed += 1
        return steps[self._closed] if self._closed < len(steps) else None

    def _next_attempt(self, step: PlannedStep, attempt: int | None) -> int:
        # Numbers are never used twice: what was decided in one attempt must not be taken for a decision in another.
        last = self._attempts.get(step.id, 0)
        if attempt is None or attempt <= last:
            raise ContradictionError(f"step {step.id!r} starts attempt {attempt}, but there was attempt {last} before")
        return attempt

    def _demand_end_without_run(self, step: PlannedStep, outcome: Outcome) -> None:
        if outcome is Outcome.PASSED:
            raise ContradictionError(f"step {step.id!r} passed, but no record says that it was started")
        if outcome is Outcome.CARRIED and not _is_same(self._carriable.get(step.id), step):
            raise ContradictionError(f"step {step.id!r} is carried, but no earlier end of it satisfies")
        if outcome.satisfies:
            self._demand_turn(step)


def _is_same(earlier: PlannedStep | None, step: PlannedStep) -> bool:
    return earlier is not None and (earlier.kind, earlier.digest) == (step.kind, step.digest)


def _is(how: str) -> str:
    return how if how.startswith("has ") else f"is {how}"
