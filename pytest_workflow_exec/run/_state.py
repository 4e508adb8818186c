"""What is true of a run now: a frozen value, folded from the events of its log and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from types import MappingProxyType

from pytest_workflow_exec.errors import StepOrderError
from pytest_workflow_exec.events import Happening
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import BlockId, Outcome, StepId, blocks_around

_NO_BLOCKS: frozenset[BlockId] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run in the order in which they must be satisfied."""

    steps: tuple[StepId, ...]
    always: frozenset[StepId] = frozenset()
    """The steps of `finally`: they run whatever became of the others before them."""
    cleans: Mapping[StepId, BlockId] = field(default_factory=lambda: MappingProxyType({}))
    """Those of them that stand in the `finally` of a block, behind its other steps; the workflow's own stand last."""
    positions: Mapping[StepId, int] = field(init=False, repr=False, compare=False)
    _cleaned: frozenset[BlockId] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the steps.

        Raises:
            ValueError: A step stands in the plan twice.
        """
        positions = {step: position for position, step in enumerate(self.steps)}
        if len(positions) != len(self.steps):
            message = "a step stands in the plan twice"
            raise ValueError(message)
        object.__setattr__(self, "positions", MappingProxyType(positions))
        object.__setattr__(self, "_cleaned", frozenset(self.cleans.values()))

    def entered_by(self, steps: Iterable[StepId]) -> frozenset[BlockId]:
        """Return the blocks with a `finally` in which any of these steps stands, but for those of `finally` itself."""
        if not self._cleaned:
            return _NO_BLOCKS
        ordinary = (step for step in steps if step not in self.always)
        return frozenset(block for step in ordinary for block in blocks_around(step) if block in self._cleaned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The step that keeps every later one from running."""

    step: StepId
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Where a run stands.

    It has the same small size for any number of steps, so that a fold over a long log stays linear.
    """

    plan: Plan
    reached: int = 0
    """How many steps, from the first on, have ended."""
    ahead: frozenset[StepId] = frozenset()
    """Steps that ended out of turn; they never ran."""
    running: StepId | None = None
    begun: bool = False
    """Whether any step was started: before that there is nothing for `finally` to clean up."""
    entered: frozenset[BlockId] = frozenset()
    """The blocks with a `finally` in which any step was started: before that there is nothing to clean up there."""
    stop: Stop | None = None
    """The earliest planned step that ended without being satisfied."""
    undone: frozenset[StepId] = frozenset()
    """Steps that ended, and that another one reverted since."""
    again: StepId | None = None
    """The step that failed last and may start once more; if it does not, it stays failed."""
    counts: Mapping[Outcome, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def complete(self) -> bool:
        """Whether every planned step is satisfied."""
        return not (self.reached < len(self.plan.steps) or self.stop or self.running or self.undone)

    def ended(self, step: StepId) -> bool:
        """Whether the step has ended, in whatever way."""
        return self.plan.positions[step] < self.reached or step in self.ahead

    @property
    def pending(self) -> tuple[StepId, ...]:
        """The steps that have not ended, in order."""
        return tuple(step for step in self.plan.steps[self.reached :] if step not in self.ahead)

    def cleans_up(self, step: StepId) -> bool:
        """Whether the step stands in `finally`, and what it cleans up after has begun."""
        if step not in self.plan.always or not self.begun:
            return False
        block = self.plan.cleans.get(step)
        return block is None or block in self.entered


def admit(state: RunState, step: StepId) -> None:
    """Return if the step may start now: it is the next one, and every step before it is satisfied.

    Raises:
        StepOrderError: It may not; says which step it waits for and why.
    """
    if state.again == step:
        state = _reopened(state, step)
    position = state.plan.positions.get(step)
    if position is None:
        raise StepOrderError(step=step, waiting_for=step, because="it is not in the plan")
    if state.running is not None:
        raise StepOrderError(step=step, waiting_for=state.running, because="still running")
    if state.ended(step):
        raise StepOrderError(step=step, waiting_for=step, because="it has already ended")
    if step in state.plan.always and (state.cleans_up(step) or step not in state.plan.cleans):
        # Where nothing of a block was started, the steps of its `finally` are steps like any other.
        _admit_always(state, step)
    elif state.stop is not None and state.plan.positions[state.stop.step] < position:
        raise StepOrderError(step=step, waiting_for=state.stop.step, because=state.stop.outcome.words)
    elif state.undone:
        # Only an earlier step can be undone.
        first = min(state.undone, key=state.plan.positions.__getitem__)
        raise StepOrderError(step=step, waiting_for=first, because="was undone")
    if position != state.reached:
        raise StepOrderError(step=step, waiting_for=state.plan.steps[state.reached], because="has not run")


def _admit_always(state: RunState, step: StepId) -> None:
    if not state.begun:
        raise StepOrderError(step=step, waiting_for=state.plan.steps[0], because="never started")
    if state.stop is not None and state.stop.outcome is Outcome.SUSPENDED:
        # The workflow is not over: it goes on from there, with all that is to be cleaned up in the end.
        raise StepOrderError(step=step, waiting_for=state.stop.step, because=state.stop.outcome.words)


def settle(state: RunState, step: StepId, outcome: Outcome) -> RunState:
    """Return what is true after the step ended so.

    Raises:
        StepOrderError: The step is not in the plan, or has ended before: an end is final.
    """
    if step not in state.plan.positions or state.ended(step):
        raise StepOrderError(step=step, waiting_for=step, because="it can't end twice or outside the plan")
    reached, ahead = _advance(state, step)
    return replace(
        state,
        reached=reached,
        ahead=ahead,
        running=None if state.running == step else state.running,
        stop=_earlier(state, step, outcome),
        again=None,
        counts=MappingProxyType({**state.counts, outcome: state.counts.get(outcome, 0) + 1}),
    )


def apply(state: RunState, event: Happening) -> RunState:
    """Return what is true after the event.

    Raises:
        StepOrderError: The event contradicts the plan.
    """
    if event.type == "run.resumed":
        # A session begins with no step ended; what an earlier one left comes in as carried, one by one.
        return RunState(plan=state.plan, begun=state.begun, entered=state.entered)
    if event.step is None:
        return state
    if event.type == "step.started":
        return _begin(state, event.step)
    if event.type == "retry.waiting":
        _demand_last(state, event.step)
        state = replace(state, again=event.step)
    if event.type == "step.finished":
        return settle(state, event.step, Outcome(event.data["outcome"]))
    if event.type == "step.invalidated" and event.data.get("outcome") is not None:
        return _undo(state, event.step, Outcome(event.data["outcome"]))
    return state


def fold(plan: Plan, events: Iterable[Happening]) -> RunState:
    """Return what is true after the events of a log, from its first record on.

    Raises:
        StepOrderError: The log contradicts the plan.
    """
    state = RunState(plan=plan)
    for event in events:
        state = apply(state, event)
    return state


def _begin(state: RunState, step: StepId) -> RunState:
    admit(state, step)
    if state.again == step:
        state = _reopened(state, step)
    entered = state.plan.entered_by((step,))
    more = state.entered if entered <= state.entered else state.entered | entered
    return replace(state, running=step, begun=True, entered=more, again=None)


def _demand_last(state: RunState, step: StepId) -> None:
    position = state.plan.positions.get(step)
    last = state.reached - 1 == position and not state.ahead and state.running is None
    if not last or state.stop is None or not state.counts.get(Outcome.FAILED):
        raise StepOrderError(step=step, waiting_for=step, because="it did not just fail")


def _reopened(state: RunState, step: StepId) -> RunState:
    """Return what was true before the step's last attempt failed."""
    return replace(
        state,
        reached=state.plan.positions[step],
        stop=None if state.stop is not None and state.stop.step == step else state.stop,
        counts=_without(state.counts, Outcome.FAILED),
        again=None,
    )


def _without(counts: Mapping[Outcome, int], outcome: Outcome) -> Mapping[Outcome, int]:
    left = {**counts, outcome: counts[outcome] - 1}
    return MappingProxyType({each: count for each, count in left.items() if count})


def _undo(state: RunState, step: StepId, outcome: Outcome) -> RunState:
    return replace(state, undone=state.undone | {step}, counts=_without(state.counts, outcome))


def _advance(state: RunState, step: StepId) -> tuple[int, frozenset[StepId]]:
    if not state.ahead and state.plan.steps[state.reached] == step:
        return state.reached + 1, state.ahead
    ahead = state.ahead | {step}
    reached = state.reached
    while reached < len(state.plan.steps) and state.plan.steps[reached] in ahead:
        ahead -= {state.plan.steps[reached]}
        reached += 1
    return reached, ahead


def _earlier(state: RunState, step: StepId, outcome: Outcome) -> Stop | None:
    if outcome.satisfies:
        return state.stop
    stop, positions = state.stop, state.plan.positions
    if stop is not None and positions[stop.step] < positions[step]:
        return stop
    return Stop(step=step, outcome=outcome)
