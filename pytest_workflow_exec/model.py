"""The product's nouns as frozen values: workflows, their steps, texts with references, outcomes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from pytest_workflow_exec.digests import Json, digest_of

StepId = str
"""A step's identity everywhere: `[a-z][a-z0-9_-]*`, never its position."""

RunId = str
"""A UUID version 7 in its usual spelling: sorting run ids sorts runs by their start."""


class Outcome(str, enum.Enum):
    """How a step ended."""

    PASSED = "passed"
    CARRIED = "carried"
    NOT_APPLICABLE = "not_applicable"
    WAIVED = "waived"
    FAILED = "failed"
    DENIED = "denied"
    SUSPENDED = "suspended"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"

    @property
    def satisfies(self) -> bool:
        """Whether later steps may run after this outcome."""
        return self in _SATISFYING

    @property
    def words(self) -> str:
        """The outcome as a person reads it: `not applicable`."""
        return self.value.replace("_", " ")


_SATISFYING = frozenset({Outcome.PASSED, Outcome.CARRIED, Outcome.NOT_APPLICABLE, Outcome.WAIVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a file; lines and columns count from 1."""

    path: Path
    line: int
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One `${scope.name.key}` in a text."""

    scope: Literal["inputs", "steps", "vars", "run"]
    path: tuple[str, ...]

    def __str__(self) -> str:
        """Return the reference as its author wrote it."""
        return "${" + ".".join((self.scope, *self.path)) + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text of the author with its references; never evaluated, never split."""

    text: str
    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """The references in it, in order."""
        return tuple(part for part in self.parts if isinstance(part, Reference))


MatchOperator = Literal["equals", "in", "not", "matches", "not_matches", "contains", "lt", "le", "gt", "ge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One comparison of an expectation, such as `contains: done`."""

    operator: MatchOperator
    operands: tuple[Template, ...]
    """One text, or for `in` the texts to choose from. Numbers are compared as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a command must have done for its step to pass."""

    exit: tuple[Matcher, ...] = ()
    """Empty: the exit status must be 0."""
    stdout: tuple[Matcher, ...] = ()
    stderr: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRule:
    """How a command's output becomes a named value."""

    name: str
    kind: Literal["stdout", "glob"]
    pattern: Template
    """A regular expression for `stdout`, a path pattern from the project root for `glob`."""
    count: int | None = 1
    """How many files a `glob` must find; None for any number but zero."""
    as_list: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`run:`: one program with its arguments."""

    argv: tuple[Template, ...]
    expect: Expectation = field(default_factory=Expectation)
    outputs: tuple[OutputRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`call:`: a Python function beside the workflow file."""

    path: Path
    """The module's file, absolute."""
    function: str
    fixtures: tuple[str, ...]
    """The parameters that pytest fixtures fill, in order."""
    arguments: Mapping[str, ArgumentValue]
    """`with:`: plain values by parameter name."""
    source: bytes
    """The module as it was digested; this, not the file, is what runs."""


ArgumentValue: TypeAlias = (
    "bool | int | float | Template | tuple[ArgumentValue, ...] | Mapping[str, ArgumentValue] | None"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """`verify:`: existing pytest tests, run in a pytest of their own."""

    path: Path
    """A test file or directory, absolute."""
    skips_allowed: bool = False
    expect: Expectation = field(default_factory=Expectation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """`@step` or a plain `test_*` function of a Python workflow."""

    name: str
    returns_outputs: bool
    """True for `@step`; a plain test returns nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """`gate:` or `@gate`: stops everything until a person decides."""

    question: Template
    show: tuple[tuple[StepId, str | None], ...] = ()
    """What the approver sees: all outputs of a step, or one of them by key."""
    timeout_s: float = 3600.0
    """How long the terminal waits for an answer."""
    meaning: str = "approve"
    """What the signature means, as 21 CFR 11.50 asks."""
    refs: tuple[str, ...] = ()
    function: str | None = None
    """The `@gate` function whose returned words are shown below the facts; None for YAML."""


Body = Command | Call | Verify | Function | Gate


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

    @property
    def kind(self) -> str:
        """The step's kind in one word, as it stands in plans and evidence."""
        return _KINDS[type(self.body)]


_KINDS: dict[type, str] = {Command: "run", Call: "call", Verify: "verify", Function: "step", Gate: "gate"}

InputType = Literal["string", "integer", "number", "boolean", "enum", "list", "path", "file"]
InputValue = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultFrom:
    """A default that is read from a key of a TOML, JSON or YAML file of the project."""

    path: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One declared input of a workflow."""

    name: str
    type: InputType = "string"
    description: str = ""
    pattern: str | None = None
    """A full match; its named groups are values: `${inputs.version.series}`."""
    values: tuple[str, ...] = ()
    """The choices of an `enum`."""
    default: InputValue | DefaultFrom | None = None
    location: Location


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
    steps: tuple[Step, ...]
    sources: Mapping[str, str]
    """SHA-256 of each file the run trusts (the workflow, called modules, conftest files), by path from the root."""

    @property
    def plan(self) -> Mapping[str, Json]:
        """The plan as data: which steps, in which order, made of what."""
        return {
            "workflow": self.name,
            "file": self.file.relative_to(self.root).as_posix(),
            "steps": [
                {"id": step.id, "kind": step.kind, "name": step.name, "digest": step.digest} for step in self.steps
            ],
            "sources": dict(sorted(self.sources.items())),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the plan, in hex."""
        return digest_of(self.plan)

    def step(self, step_id: StepId) -> Step:
        """Return the step with that id.

        Raises:
            KeyError: The workflow has no such step.
        """
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
