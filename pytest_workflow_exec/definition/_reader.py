"""What reading the steps of a YAML workflow needs: what is around a step, and what is known of the steps before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pytest_workflow_exec.model import BlockId, CaseValue, Condition, Step, StepId, Template, When

from ._cases import CaseReader
from ._known import KnownValues
from ._names import step_id_problem
from ._problems import Problems
from ._schema import KINDS, DefaultsModel
from ._templates import Conditional, Keys, Scope
from ._texts import Files, Texts


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
class Reader:
    """Reads the steps of one file."""

    problems: Problems
    files: Files
    inputs: Mapping[str, frozenset[str] | None]
    variables: Mapping[str, Template]
    all_variables: frozenset[str]
    known: KnownValues
    ids: frozenset[str]
    """The plain ids of all steps: those in blocks without the names of cases."""
    defaults: DefaultsModel
    around: Surrounding = field(default_factory=Surrounding)

    def cases(self) -> CaseReader:
        """Return what reads lists of cases."""
        scope = Scope(inputs=self.inputs, variables=self.variables.keys(), all_variables=self.all_variables)
        return CaseReader(problems=self.problems, scope=scope, known=self.known)

    def texts(
        self, own: StepId, when: Condition | None, read: Read, each: Mapping[str, CaseValue] | None = None
    ) -> Texts:
        """Return what reads the texts of one step.

        Args:
            own: The step's id, without the name of its own case.
            when: Its condition.
            each: What its own case stands for; None if it has none.
        """
        around = self.around
        scope = Scope(
            inputs=self.inputs,
            variables=self.variables.keys(),
            all_variables=self.all_variables,
            steps=read.keys,
            all_steps=self.ids,
            own_step=own,
            own_when=when,
            conditional=read.conditional,
            cases=read.cases,
            each=each if around.each is None else {**around.each, **(each or {})},
            block=around.prefix,
            closed=read.closed,
        )
        return Texts(problems=self.problems, scope=scope)


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
    first_lines: dict[StepId, int] = field(default_factory=dict)

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
            first_lines=dict(self.first_lines),
        )


NO_CASES: Mapping[str, CaseValue] = MappingProxyType({})


def is_block(item: object) -> bool:
    """Return whether an entry of a list of steps is a block of them."""
    return isinstance(item, dict) and ("steps" in item or ("finally" in item and not item.keys() & set(KINDS)))


def own_ids(item: object) -> list[str]:
    """Return the id that an entry of a list of steps says, if it is one."""
    step_id = item.get("id") if isinstance(item, dict) else None
    return [step_id] if isinstance(step_id, str) and step_id_problem(step_id) is None else []


def plain_ids(items: object, prefix: str = "") -> Iterator[str]:
    """Give the ids of all steps in a list, those in blocks as `update/drain`."""
    for item in items if isinstance(items, list) else ():
        for step_id in own_ids(item):
            if is_block(item):
                yield from plain_ids(item.get("steps"), f"{prefix}{step_id}/")
                yield from plain_ids(item.get("finally"), f"{prefix}{step_id}/")
            else:
                yield f"{prefix}{step_id}"
