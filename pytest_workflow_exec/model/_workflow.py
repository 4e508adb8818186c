"""One file's procedure: its steps, and the plan that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._ai import Ai, Execute, ModelType, Session
from ._body import Body, Call, Check, Command, Function, Gate, Manual, Pause, Poll, Verify, Waive
from ._condition import When
from ._identity import BlockId, Location, StepId
from ._input import InputSpec, InputValue
from ._retry import Retry
from ._text import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """What the code of an included step sees in place of the workflow's inputs and steps: those of its fragment."""

    prefix: str
    """How the ids of the fragment's steps begin; empty if they stand among the workflow's own."""
    inputs: Mapping[str, Template]
    """The fragment's inputs, each with what it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncludedOutputs:
    """What a fragment declares as outputs, in one include of it."""

    fragment: str | None
    """The fragment that says the include, by its path from the project root; None: the workflow's own file does."""
    values: Mapping[str, tuple[StepId, ...]]
    """By name, the step and the keys below it that each value comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a workflow: what pytest runs as one item."""

    id: StepId
    name: str
    body: Body
    location: Location
    digest: str
    """SHA-256 over its definition and the source it runs, in hex; not over comments and layout."""
    description: str = ""
    timeout_s: float | None = None
    when: When | None = None
    """If it is false, the step does not apply, and later ones may run."""
    always: bool = False
    """Whether it stands in `finally`: it runs once the workflow, or its block, has begun, whatever became of the others."""
    block: BlockId | None = None
    """The block in whose `finally` it stands; None for that of the workflow, and for every other step."""
    idempotent: bool = False
    """Whether running it a second time does no harm, so that nobody has to be asked before."""
    evidence: tuple[str, ...] = ()
    """The values that it must leave, and not empty, to pass."""
    evidence_type: ModelType | None = None
    """The pydantic model that must take what it leaves, for it to pass; None for none. Of a function the class itself has it."""
    max_age_s: float | None = None
    """How old it may be, in seconds, for a resumed run to carry it; None for any age."""
    check: Check | None = None
    """What passes if its effect is there: asked when a session was broken off in it and nobody knows."""
    undoes: tuple[StepId, ...] = ()
    """The earlier steps that it reverts, cases one by one: once it passed, they count no more."""
    retry: Retry | None = None
    """How it is tried again if it fails; None: it is not."""
    poll: Poll | None = None
    """How it is repeated until it is as expected; None: it is not."""
    waive: Waive | None = None
    """What a person is asked if it fails; None: its failure stops the workflow."""
    fragment: str | None = None
    """The file that it comes from, by its path from the project root, if the workflow includes that; else None."""
    enclosure: Enclosure | None = None
    """What its code sees of the run, if it has any and comes from a fragment; None: the workflow's own."""

    @property
    def repeatable(self) -> bool:
        """Whether it may run a second time unasked: by its author's word, or because it only tests or asks."""
        if isinstance(self.body, Function):
            return self.idempotent or not self.body.returns_outputs
        return self.idempotent or self.poll is not None or isinstance(self.body, (Verify, Gate, Pause, Ai, Session))

    @property
    def looks_around(self) -> bool:
        """Whether code of it, or a model that it asks, can look at any input and any earlier step."""
        if isinstance(self.body, (Ai, Session)) and self.body.context is not None:
            return True
        calls = (each for each in (self.body, self.check) if isinstance(each, Call))
        return isinstance(self.body, Function) or any("workflow" in call.fixtures for call in calls)

    @property
    def has_tests(self) -> bool:
        """Whether it runs tests in a pytest of their own: to do its work, or to see whether it is done."""
        return isinstance(self.body, Verify) or isinstance(self.check, Verify)

    @property
    def may_repeat(self) -> bool:
        """Whether its body may run more than once in a session."""
        return self.retry is not None or self.poll is not None

    @property
    def times_itself(self) -> bool:
        """Whether only its attempts count for its timeout, and not what stands between or behind them."""
        return self.may_repeat or self.waive is not None

    @property
    def kind(self) -> str:
        """The step's kind in one word, as it stands in plans and evidence."""
        return _KINDS[type(self.body)]


_KINDS: dict[type, str] = {
    Command: "run",
    Call: "call",
    Verify: "verify",
    Function: "step",
    Gate: "gate",
    Manual: "manual",
    Pause: "pause",
    Ai: "ai",
    Session: "session",
    Execute: "execute",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One file's procedure, read and checked."""

    name: str
    description: str
    mode: Literal["python", "ai_json", "interactive"]
    """The highest mode its steps may use."""
    file: Path
    root: Path
    """The project that holds it."""
    inputs: tuple[InputSpec, ...]
    variables: Mapping[str, Template] = field(default_factory=lambda: MappingProxyType({}))
    concurrency: Template | None = None
    """The name of the group of which one run at a time may go on in the project; None for no group."""
    listed: Mapping[str, InputValue] = field(default_factory=lambda: MappingProxyType({}))
    """The inputs that gave steps their cases, with the values that they had then."""
    outputs: Mapping[str, Template] = field(default_factory=lambda: MappingProxyType({}))
    """What a run leaves when it has passed, by name."""
    included: Mapping[StepId, IncludedOutputs] = field(default_factory=lambda: MappingProxyType({}))
    """What each fragment leaves that is included under an id."""
    only: tuple[str, ...] | None = None
    """Rules in short form, of which one must match each of its commands; None if it does not narrow the policy."""
    steps: tuple[Step, ...]
    sources: Mapping[str, str]
    """SHA-256 of each file the run trusts (the workflow, called modules, conftest files), by path from the root."""
    _by_id: Mapping[StepId, Step] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the steps."""
        object.__setattr__(self, "_by_id", MappingProxyType({step.id: step for step in self.steps}))

    @property
    def has_tests(self) -> bool:
        """Whether any of its steps runs tests in a pytest of their own."""
        return any(step.has_tests for step in self.steps)

    @property
    def plan(self) -> Mapping[str, Json]:
        """The plan as data: which steps, in which order, made of what."""
        planned: dict[str, Json] = {
            "workflow": self.name,
            "file": self.file.relative_to(self.root).as_posix(),
            "steps": [self._planned(step) for step in self.steps],
            "sources": dict(sorted(self.sources.items())),
        }
        if self.outputs:
            planned["outputs"] = {name: output.text for name, output in self.outputs.items()}
        if self.only is not None:
            planned["policy"] = {"only": list(self.only)}
        return planned

    @property
    def digest(self) -> str:
        """SHA-256 of the plan, in hex."""
        return digest_of(self.plan)

    def _planned(self, step: Step) -> Mapping[str, Json]:
        planned: dict[str, Json] = {
            "id": step.id,
            "kind": step.kind,
            "name": step.name,
            "digest": step.digest,
            "always": step.always,
            "repeatable": step.repeatable,
        }
        if isinstance(step.body, Gate) and step.body.signed is not None:
            planned["signed"] = step.body.signed.to_data()
        if step.waive is not None:
            planned["waive"] = step.waive.question.shown
            planned |= {} if step.waive.signed is None else {"signed": step.waive.signed.to_data()}
        if step.fragment is not None:
            planned["fragment"] = step.fragment
        if step.block is not None:
            planned["block"] = step.block
        if step.check is not None:
            planned["check"] = self._checked(step.check)
        if step.undoes:
            planned["undoes"] = list(step.undoes)
        if step.retry is not None:
            planned["retry"] = {"attempts": step.retry.attempts, "for": list(step.retry.classes)}
        if step.poll is not None:
            wait = {"wait": "suspend"} if step.poll.holds_no_process else {}
            planned["poll"] = {"every_s": step.poll.every_s, "timeout_s": step.poll.timeout_s, **wait}
        return planned

    def _checked(self, check: Check) -> Mapping[str, Json]:
        if isinstance(check, Verify):
            return {"kind": "verify", "path": check.path.relative_to(self.root).as_posix(), "exits": [0]}
        if isinstance(check, Call):
            return {"kind": "call", "function": f"{check.path.relative_to(self.root).as_posix()}:{check.function}"}
        exits = [int(operand.text) for matcher in check.expect.exit for operand in matcher.operands]
        return {"kind": "run", "argv": [argument.shown for argument in check.argv], "exits": exits or [0]}

    def step(self, step_id: StepId) -> Step:
        """Return the step with that id.

        Raises:
            KeyError: The workflow has no such step.
        """
        return self._by_id[step_id]
