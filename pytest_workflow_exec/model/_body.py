"""What a step does: one kind of body each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._ai import Ai, Execute, Session
from ._identity import StepId
from ._input import InputSpec
from ._text import Template

OutputType = Literal["string", "integer", "number", "boolean", "list"]
MatchOperator = Literal["equals", "in", "not", "matches", "not_matches", "contains", "lt", "le", "gt", "ge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One comparison of an expectation, such as `contains: done`."""

    operator: MatchOperator
    operands: tuple[Template, ...]
    """One text, or for `in` the texts to choose from. Numbers are compared as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonMatcher:
    """One comparison of what a path into printed JSON leads to."""

    path: str
    """As RFC 9535 says."""
    operator: MatchOperator
    operands: tuple[ArgumentValue, ...]
    """One value, or for `in` those to choose from; values keep their types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a command must have done for its step to pass."""

    exit: tuple[Matcher, ...] = ()
    """Empty: the exit status must be 0."""
    stdout: tuple[Matcher, ...] = ()
    stderr: tuple[Matcher, ...] = ()
    json: tuple[JsonMatcher, ...] = ()
    """Of what the command prints to stdout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """`poll:`: a step is repeated until what it looks at is as it expects."""

    every_s: float
    """How long to wait between two attempts, in seconds."""
    timeout_s: float
    """How long all its waits together may last, in seconds; attempts take their own time."""
    fail_on: Expectation | None = None
    """What ends it as failed before that, any of it; None for nothing."""
    holds_no_process: bool = False
    """Whether the run ends between two attempts, instead of waiting in its process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRule:
    """How a command's output becomes a named value."""

    name: str
    kind: Literal["stdout", "glob", "json"]
    pattern: Template
    """A regular expression for `stdout`, a path into JSON for `json`, a path pattern from the project root for `glob`."""
    count: int | None = 1
    """How many files a `glob` must find; None for any number but zero."""
    as_list: bool = False
    """Whether its value is a list: of files, of everything that a pattern finds, or of what a path leads to."""
    type: OutputType | None = None
    """What a text becomes, or what JSON must be; None: what it is."""
    default: Template | None = None
    """Its value when the step does not apply; None: it has none then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`run:`: one program with its arguments."""

    argv: tuple[Template, ...]
    cwd: Template | None = None
    """The folder that it runs in, from the project root; None for the root itself."""
    env: Mapping[str, Template] = field(default_factory=lambda: MappingProxyType({}))
    """Variables that it receives besides what every command receives; they may hold secrets."""
    stdin: Template | None = None
    """What it reads from standard input; may hold secrets. None for nothing."""
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
class Signed:
    """What a gate wants beyond a code that is typed at a terminal: signatures, by whom, how many and when."""

    assurance: int
    """2 for a signature, 3 for one of a token that was touched."""
    approvers: tuple[str, ...] = ()
    """Groups of the policy; empty for everybody whom the list of signers names."""
    required: int | Mapping[str, int] = 1
    """So many persons of any of the groups, or of which group how many."""
    min_wait_s: float = 0.0
    """How long the question stays open whoever agreed, in seconds."""
    veto: bool = True
    """Whether one rejection ends it."""
    in_advance: bool = False
    """Whether signatures count that were made before the question, for the plan that it lets run."""

    @property
    def persons(self) -> int:
        """How many persons have to agree."""
        return self.required if isinstance(self.required, int) else sum(self.required.values())

    def to_data(self) -> Mapping[str, Json]:
        """Return it as a plan and a question hold it."""
        return {
            "assurance": self.assurance,
            "approvers": list(self.approvers),
            "required": self.required if isinstance(self.required, int) else dict(self.required),
            "min_wait_s": self.min_wait_s,
            "veto": self.veto,
            # Without it, a plan has the digest that it had before plans could be approved in advance.
            **({"in_advance": True} if self.in_advance else {}),
        }


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
    suspends: bool = False
    """Whether the run ends here until somebody decided elsewhere, instead of waiting at the terminal."""
    on_timeout: Literal["reject", "suspend"] = "reject"
    """What becomes of the run if nobody answers at the terminal; never an approval."""
    expires_s: float = 7 * 86400.0
    """How long the question can be answered, in seconds."""
    signed: Signed | None = None
    """What it wants beyond a code typed at a terminal; None for assurance 1."""
    function: str | None = None
    """The `@gate` function whose returned words are shown below the facts; None for YAML."""
    form: tuple[InputSpec, ...] = ()
    """What an approver fills in; its values are outputs of the gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waive:
    """`waive:`: what a person is asked if a checking step fails: may the run go on all the same?"""

    question: Template
    timeout_s: float = 3600.0
    """How long the terminal waits for an answer."""
    signed: Signed | None = None
    """What it wants beyond a code that is typed; None for assurance 1."""

    def as_gate(self) -> Gate:
        """Return the same as a gate asks."""
        return Gate(question=self.question, timeout_s=self.timeout_s, meaning="accept the failure", signed=self.signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """`manual:`: work that a person does by hand and then attests."""

    instruction: Template
    checklist: tuple[Template, ...] = ()
    timeout_s: float = 86400.0
    """How long the terminal waits for an answer."""
    form: tuple[InputSpec, ...] = ()
    """What whoever did it fills in; its values are outputs of the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """`pause:`: waits for a time."""

    for_s: float | None = None
    """How long, in seconds, from when the step was first reached; None if it waits until a moment."""
    until: Template | None = None
    """That moment, in ISO 8601 with its zone."""
    suspends: bool = False
    """Whether the run ends meanwhile, instead of waiting in its process."""


Body = Command | Call | Verify | Function | Gate | Manual | Pause | Ai | Session | Execute
Check = Command | Call | Verify
"""What tells whether a step's effect is there."""
