"""What was filled into forms: just what was asked for, and just what the step left."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.redaction import holds_mask

from ._contradiction import ContradictionError


def asked_in(fields: Json) -> frozenset[str]:
    """Return the names of the fields that a form asks for.

    Args:
        fields: The form as a record holds it; None if it holds none.

    Raises:
        ContradictionError: It is none.
    """
    names = [field.get("name") if isinstance(field, Mapping) else None for field in _list(fields)]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ContradictionError("it holds a form that is none")
    return frozenset(map(str, names))


def answers_in(data: Mapping[str, Json], *, asked: frozenset[str]) -> Mapping[str, Json]:
    """Return what a record says was filled in.

    Args:
        data: The record's.
        asked: The names of the fields that were asked for; none if nothing may be filled in.

    Raises:
        ContradictionError: It answers something else than was asked for.
    """
    answers = data.get("form", {})
    if not isinstance(answers, Mapping) or answers.keys() != asked:
        raise ContradictionError(
            f"it does not fill in just what was asked for: {', '.join(sorted(asked)) or 'nothing'}"
        )
    return answers


def demand_left(step: StepId, answers: Mapping[str, Json], outputs: Json) -> None:
    """Return if a step left what was filled into its form.

    Raises:
        ContradictionError: It left something else.
    """
    left = outputs if isinstance(outputs, Mapping) else {}
    for name, answer in answers.items():
        if name not in left or (left[name] != answer and not holds_mask(canonical_json([left[name], answer]))):
            raise ContradictionError(f"step {step!r} did not leave what was filled into its form as {name!r}")


def _list(value: Json) -> list[Json]:
    if value is not None and not isinstance(value, list):
        raise ContradictionError("it holds a form that is none")
    return value or []
