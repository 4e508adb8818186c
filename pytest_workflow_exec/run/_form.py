"""What people fill into forms: judged as values of inputs are, and kept only if it can be used later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.definition import read_value
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.model import InputSpec, Location
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run._values import is_altered

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import FormField, ReadAnswer

_INTEGERS = range(-(2**63), 2**63)
_MAX_ANSWER_CHARS = 1000
_NOWHERE = Location(path=Path(), line=1)


def fields_of(form: Iterable[InputSpec]) -> tuple[FormField, ...]:
    """Return the fields of a form as whoever fills it in is told of them."""
    from pytest_workflow_exec.approval import FormField

    return tuple(
        FormField(
            name=spec.name,
            type=spec.type,
            description=spec.description,
            pattern=spec.pattern,
            values=spec.values,
            default=_as_json(spec.default),
        )
        for spec in form
    )


def answer_reader(redactor: Redactor) -> ReadAnswer:
    """Return what judges the answers to a form.

    Args:
        redactor: Knows the secrets that are no answers, as none of them is kept.
    """

    def read(field: FormField, text: str) -> Json:
        if redactor.text(text) != text:
            raise ValueError("holds a secret, which is not kept")
        return _read(field, text)

    return read


def answers_problem(form: Sequence[FormField], answers: Mapping[str, Json]) -> str | None:
    """Return why these are no answers to a form, or None: each field has one, and it is allowed."""
    names = [field.name for field in form]
    if list(answers) != names and sorted(answers) != sorted(names):
        return f"it answers {sorted(answers)}, but was asked for {sorted(names)}"
    for field in form:
        try:
            if answers[field.name] != _read(field, answers[field.name]):
                return f"{field.name} is of another type than was asked for"
        except ValueError as error:
            return f"{field.name} {error}"
    return None


def _read(field: FormField, given: Json) -> Json:
    spec = InputSpec(name=field.name, type=field.type, pattern=field.pattern, values=field.values, location=_NOWHERE)
    value = _as_json(read_value(spec, given))
    if isinstance(value, int) and value not in _INTEGERS:
        raise ValueError("has more digits than can be kept")
    if len(str(value)) > _MAX_ANSWER_CHARS:
        raise ValueError(f"is longer than {_MAX_ANSWER_CHARS} characters")
    if is_altered(value):
        raise ValueError("looks like what stands for something that was taken out")
    return value


def _as_json(value: object) -> Json:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value if isinstance(value, (str, bool, int, float)) else None
