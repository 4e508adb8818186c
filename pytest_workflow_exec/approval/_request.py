"""What a gate asks: every fact that a decision is bound to, as one value with one digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._again import Again
from ._code import code_of
from ._field import FormField
from ._rules import SignatureRules

WordsSource = Literal["question", "description", "@gate", "model", "instruction", "checklist"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFile:
    """A file that is shown at a gate, as it was when the gate was reached."""

    path: str
    sha256: str
    """SHA-256 of its content, in hex."""
    size_bytes: int
    kept: str = ""
    """The run's own copy of it, which is what later steps use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOutput:
    """One output of an earlier step that is shown at a gate."""

    step: str
    key: str
    value: Json
    file: ShownFile | None = None
    """None if the output is no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One thing that a decision lets run."""

    step: str
    kind: str
    does: str
    """Its command line or function, in full; it is shown on one logical line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorWords:
    """Words that nobody checked: the workflow's author or a model wrote them."""

    source: WordsSource
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An answer of a model that the run goes by."""

    step: str
    model: str
    source: str
    """`live`, or where the answer came from without a model being asked now: `replay`, `scripted`, `local`."""
    at: str = ""
    """The address that was asked; empty if none was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """How a plan of commands differs from the one that was approved last."""

    step: str
    before: str
    """The run in which that was; empty if no plan of this step was ever approved."""
    lines: tuple[str, ...] = ()
    """Its commands beside the earlier ones: each after `+ ` if it is new, `- ` if it is gone, else two blanks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """One question of one gate, asked once."""

    run: str
    workflow: str
    plan_digest: str
    step: str
    attempt: int
    meaning: str
    refs: tuple[str, ...]
    inputs: Mapping[str, Json]
    starter: Mapping[str, Json]
    """Who started the run: `user`, `uid`, `host`."""
    covers: tuple[Covered, ...]
    """What an approval lets run, up to the next gate, in order."""
    on_reject: tuple[Covered, ...]
    """What runs if it is rejected, in order."""
    shown: tuple[ShownOutput, ...]
    commit: str | None
    """None outside version control."""
    dirty: bool | None
    """None if it is not known."""
    changes: str | None = None
    """SHA-256 over every file that differs from the commit, in hex; None if that is not known."""
    policy_digest: str
    pin: str = "unpinned"
    signers: str = "none yet"
    level: str = "none"
    """The sandbox level that commands run at."""
    carried: tuple[str, ...]
    """The steps that did not run now: their results come from earlier in the run's log."""
    evidence_seq: int
    evidence_head: str
    nonce: str
    """32 hexadecimal digits that no other request has."""
    issued: str
    """When it was asked, UTC in ISO 8601."""
    expires: str
    """The moment after which no answer counts, UTC in ISO 8601."""
    author_words: tuple[AuthorWords, ...] = ()
    form: tuple[FormField, ...] = ()
    """What an approver fills in, in order."""
    waived: tuple[str, ...] = ()
    """The steps that failed before, and whose failure a person accepted."""
    broken_glass: tuple[str, ...] = ()
    """The gates before it that somebody went past without the signatures that they want, each with who and why."""
    failure: str = ""
    """How the step failed whose failure is to be accepted; empty for any other question."""
    conclusion: str = ""
    """SHA-256 of what a conversation concluded, in hex, if it is asked whether that is so; empty for any other question."""
    rules: SignatureRules | None = None
    """Who has to sign an answer; None if a code is typed at a terminal."""
    proposals: tuple[Proposal, ...] = ()
    """The answers of models that the run goes by, in order."""
    plan_changes: tuple[PlanChange, ...] = ()
    """What is new in the plans that an approval lets run."""
    again: Again | None = None
    """The approval that is not used, as something changed since; None if nothing of it was approved before."""

    def to_data(self) -> Mapping[str, Json]:
        """Return the whole request as JSON data, as evidence keeps it."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "refs": list(self.refs),
            "inputs": dict(self.inputs),
            "starter": dict(self.starter),
            "covers": [asdict(each) for each in self.covers],
            "on_reject": [asdict(each) for each in self.on_reject],
            "shown": [_output_data(each) for each in self.shown],
            "carried": list(self.carried),
            "author_words": [asdict(each) for each in self.author_words],
            # Without a form, a question has the digest that it had before there were forms.
            **({"waived": list(self.waived)} if self.waived else {}),
            **({"broken_glass": list(self.broken_glass)} if self.broken_glass else {}),
            **({"failure": self.failure} if self.failure else {}),
            **({"conclusion": self.conclusion} if self.conclusion else {}),
            **({"form": [each.to_data() for each in self.form]} if self.form else {}),
            **({} if self.rules is None else {"rules": self.rules.to_data()}),
            **({"proposals": [asdict(each) for each in self.proposals]} if self.proposals else {}),
            **({"plan_changes": [_change_data(each) for each in self.plan_changes]} if self.plan_changes else {}),
            **({} if self.again is None else {"again": self.again.to_data()}),
        }

    @property
    def fields_to_fill(self) -> tuple[FormField, ...]:
        """What an approver fills in now: nothing if it was filled in before, and stays."""
        return self.form if self.again is None else ()

    @property
    def digest(self) -> str:
        """SHA-256 of the whole request, in hex."""
        return digest_of(self.to_data())

    @property
    def code(self) -> str:
        """What a person types to approve this very request: `XXXX-XXXX`."""
        return code_of(self.digest)

    def facts(self) -> Mapping[str, Json]:
        """Return what must not change between the decision and its use, by name."""
        return facts_in(self.to_data())

    def facts_digest(self) -> str:
        """Return the SHA-256 of `facts()`, in hex.

        Raises:
            TypeError: A value is none that JSON has a word for.
            ValueError: A value is NaN or an infinity.
        """
        return digest_of(self.facts())


_PLAIN = (
    "run",
    "workflow",
    "plan_digest",
    "step",
    "attempt",
    "meaning",
    "commit",
    "dirty",
    "changes",
    "policy_digest",
    "pin",
    "signers",
    "level",
    "evidence_seq",
    "evidence_head",
    "nonce",
    "issued",
    "expires",
)

# These differ each time the same question is asked; words are no facts, and what other runs did is none of this one.
_OF_THE_ASKING = frozenset(
    {"nonce", "issued", "expires", "evidence_seq", "evidence_head", "author_words", "plan_changes", "again"}
)


def facts_in(data: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return what must not change between decision and use, of a request as evidence keeps it, by name."""
    return {name: value for name, value in data.items() if name not in _OF_THE_ASKING}


def _output_data(output: ShownOutput) -> Mapping[str, Json]:
    # Not asdict: it copies values deeply and knows no mappings that can't be copied.
    file = None if output.file is None else asdict(output.file)
    return {"step": output.step, "key": output.key, "value": output.value, "file": file}


def _change_data(change: PlanChange) -> Mapping[str, Json]:
    return {"step": change.step, "before": change.before, "lines": list(change.lines)}
