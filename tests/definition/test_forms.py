"""Rules of `form:`: what gates and work by hand may ask for, and what later steps may name of it."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from pytest_workflow_exec.definition import gate, options_of
from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.model import Gate, Manual

from ._samples import problems_of, read

FLOW = r"""
workflow: flow
steps:
  - id: approve
    gate:
      question: Go on?
      form:
        ticket: {pattern: 'REL-(?P<number>\d+)', description: Of the release}
        severity: {enum: [minor, major], default: minor}
        count: {type: integer, default: 3}
        hosts: {type: list, default: [web1]}
  - id: announce
    manual: {instruction: "Tell ${steps.approve.ticket}", form: {url: {}}}
  - {id: later, gate: {question: Sure?, show: [approve, announce.url]}}
  - {id: last, run: [git, "${steps.approve.ticket}", "${steps.announce.url}"], when: steps.approve.severity == 'major'}
"""


def test_forms_are_declared_as_inputs_are(project: Path) -> None:
    """Gates and work by hand carry their fields, and later steps, conditions and gates name them."""
    workflow = read(project, FLOW.replace("gate: {question: Sure?", "gate: {question: Sure?"))

    asked, done = workflow.step("approve").body, workflow.step("announce").body
    assert isinstance(asked, Gate)
    assert isinstance(done, Manual)
    assert [(field.name, field.type, field.default) for field in asked.form] == [
        ("ticket", "string", None),
        ("severity", "enum", "minor"),
        ("count", "integer", 3),
        ("hosts", "list", ("web1",)),
    ]
    assert [field.name for field in done.form] == ["url"]


def test_a_form_is_part_of_the_plan_and_its_absence_is_not(project: Path) -> None:
    """Another form is another step; where there is none, the digest is what it was before there were forms."""
    first = read(project, FLOW).step("approve").digest
    second = read(project, FLOW.replace("Of the release", "Of it")).step("approve").digest
    third = read(project, "steps: [{id: a, gate: Go on?}]\n").step("a").digest
    fourth = read(project, "steps: [{id: a, gate: {question: Go on?, show: []}}]\n").step("a").digest

    assert first != second
    assert third == fourth


@pytest.mark.parametrize(
    ("form", "fragment"),
    [
        ("{}", "must not be empty"),
        ("{approver: {}}", "the step has a value 'approver' already"),
        ("{a b: {}}", "'a b'"),
        ("{t: {pattern: '('}}", "is no regular expression"),
        ("{t: {type: secret}}", "a form can't ask for a secret"),
        ("{t: {type: file}}", "a form can't ask for a file"),
        ("{t: {type: path}}", "a form can't ask for a path"),
        ("{t: {type: enum}}", "an enum needs values"),
        ("{t: {enum: [a], default: b}}", "the default of field 't' can't be 'b'"),
        ("{t: {default: {from: pyproject.toml, key: project.version}}}", "is a value, not read from a file"),
        ("{t: {patern: x}}", "unknown key 'patern'"),
        ("{t: text}", "must be a mapping"),
        ("{" + ", ".join(f"t{number}: {{}}" for number in range(21)) + "}", "more than 20 fields"),
    ],
)
def test_broken_form_is_refused(project: Path, form: str, fragment: str) -> None:
    """What a form can't ask for is refused where it stands."""
    [problem] = problems_of(project, f"steps:\n  - id: a\n    gate: {{question: Go on?, form: {form}}}\n")

    assert fragment in problem.message
    assert problem.line == 3


@pytest.mark.parametrize(
    ("step", "fragment"),
    [
        ("{id: b, run: [git, '${steps.a.tiket}']}", "no value 'tiket' (did you mean 'ticket'?)"),
        ("{id: b, run: [git, '${steps.a.ticket.number}']}", "'ticket' has no values below it"),
        ("{id: b, gate: {question: Sure?, show: [a.tiket]}}", "no value 'tiket'"),
    ],
)
def test_unknown_field_is_a_collection_error(project: Path, step: str, fragment: str) -> None:
    """A reference to a field that the form does not have is found before anything runs."""
    [problem] = problems_of(
        project, f"steps:\n  - {{id: a, gate: {{question: Go on?, form: {{ticket: {{}}}}}}}}\n  - {step}\n"
    )

    assert fragment in problem.message


class Level(enum.Enum):
    """How bad it is."""

    minor = "minor"
    major = "major"


class Ticket(BaseModel):
    """Of the release."""

    ticket: Annotated[str, Field(pattern=r"REL-\d+", description="Of the release")]
    level: Level = Level.minor
    kind: Literal["a", "b"]
    count: int = 3
    share: float
    public: bool = False
    hosts: list[str] = []


def any_gate(**options: Any) -> Any:
    """Return a function that is a gate with these options."""

    @gate(**options)
    def approve() -> None:
        """Go on?"""

    return approve


def test_a_pydantic_model_declares_the_same_fields() -> None:
    """Types, patterns, choices, defaults and descriptions of a model become those of fields."""
    options = options_of(ASKED)

    assert options is not None
    assert options.form == {  # type: ignore[union-attr]  # it is a gate's
        "ticket": {"type": "string", "description": "Of the release", "pattern": r"REL-\d+"},
        "level": {"type": "enum", "values": ["minor", "major"], "default": "minor"},
        "kind": {"type": "enum", "values": ["a", "b"]},
        "count": {"type": "integer", "default": 3},
        "share": {"type": "number"},
        "public": {"type": "boolean", "default": False},
        "hosts": {"type": "list", "default": []},
    }


@gate(form=Ticket)
def ASKED() -> None:  # noqa: N802 - a constant to the tests
    """Go on?"""


class Limited(BaseModel):
    """A number with a limit."""

    count: int = Field(gt=3)


class Nested(BaseModel):
    """A field that is no value."""

    ticket: Ticket


class Optional(BaseModel):
    """A field that may be nothing."""

    ticket: str | None = None


class Made(BaseModel):
    """A default that is made."""

    hosts: list[str] = Field(default_factory=list)


class Judged(BaseModel):
    """A field with a judge of its own."""

    ticket: str

    @field_validator("ticket")
    @classmethod
    def judged(cls, value: str) -> str:
        """Judge it."""
        return value


@pytest.mark.parametrize(
    ("form", "fragment"),
    [
        ({}, "must be a mapping of fields by name or a pydantic model"),
        ("ticket", "must be a mapping of fields by name or a pydantic model"),
        ({1: {}}, "must be a mapping of fields by name or a pydantic model"),
        (Path, "must be a mapping of fields by name or a pydantic model"),
        (Limited, "field 'count' has the limit Gt(gt=3); a form knows only a pattern"),
        (Nested, "field 'ticket' is of type Ticket; a form asks for str"),
        (Optional, "field 'ticket' is of type str | NoneType"),
        (Made, "field 'hosts' has a default_factory"),
        (Judged, "Judged has validators of its own"),
    ],
)
def test_what_a_form_could_not_hold_to_is_refused(form: object, fragment: str) -> None:
    """A model that checks more than a form can is refused: what it would refuse, a person could fill in."""
    with pytest.raises(DefinitionError) as caught:
        any_gate(form=form)

    assert fragment in str(caught.value)
