"""What is known while the steps of a workflow are read, in YAML or Python: what is around one, and what was before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import BlockId, CaseValue, Location, Step, StepId, When

from ._names import quoted
from ._templates import Conditional, Included, Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounding:
    """The blocks that a step stands in."""

    prefix: str = ""
    """How the ids of the steps there begin: `update[web1]/`."""
    each: Mapping[str, CaseValue] | None = None
    """What their cases stand for; None if none of the blocks has cases."""
    when: When | None = None
    """The condition of all of them together."""
    cleans: BlockId | None = None
    """The block in whose `finally` the step stands."""
    depth: int = 0
    """How many blocks there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What is known of the steps read so far, by their ids."""

    steps: list[Step] = field(default_factory=list)
    keys: dict[StepId, Keys | None] = field(default_factory=dict)
    gates: set[StepId] = field(default_factory=set)
    lasting: set[StepId] = field(default_factory=set)
    """The steps that nothing can undo: gates, and those of `finally`."""
    conditional: dict[StepId, Conditional] = field(default_factory=dict)
    cases: dict[StepId, Sequence[StepId] | None] = field(default_factory=dict)
    closed: set[StepId] = field(default_factory=set)
    """The steps of the `finally` of each block that is over."""
    waivable: set[StepId] = field(default_factory=set)
    included: dict[StepId, Included] = field(default_factory=dict)
    first_places: dict[StepId, Location] = field(default_factory=dict)

    def taken_problem(self, step: StepId, here: Location, said: str) -> str | None:
        """Return why no step there may have that id, or None; from then on it is taken.

        Args:
            said: The id as it is written there.
        """
        first = self.first_places.setdefault(step, here)
        if first is here:
            return None
        where = f"first in line {first.line}" + ("" if first.path == here.path else f" of {first.path.name}")
        if first == here:
            where = "as the fragment is included twice; give each include an id of its own"
        return f"two steps have the id {quoted(said)}, {where}"

    def copy(self) -> Read:
        """Return the same, to read on without consequences."""
        return Read(
            steps=list(self.steps),
            keys=dict(self.keys),
            gates=set(self.gates),
            lasting=set(self.lasting),
            conditional=dict(self.conditional),
            cases=dict(self.cases),
            closed=set(self.closed),
            waivable=set(self.waivable),
            included=dict(self.included),
            first_places=dict(self.first_places),
        )
