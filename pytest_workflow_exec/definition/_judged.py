"""What a fragment's reference stands for: what the including file gave, judged by what the fragment allows."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.model import GivenReference, InputValue

from ._values import ValueProblemError, check_inside, groups_of, read_value, value_text


def given_value(reference: GivenReference, raw: object, *, root: Path) -> InputValue:
    """Return what a fragment's reference stands for.

    Args:
        reference: The reference.
        raw: What the including file gave.
        root: The project.

    Raises:
        ValueProblemError: The fragment does not allow that value.
    """
    spec = reference.spec
    if spec is None:
        return str(raw)
    value = read_value(spec, _plain(raw))
    check_inside(root, spec, value)
    group = reference.path[2:]
    return groups_of(spec, value)[group[0]] if group else value


def _plain(raw: object) -> object:
    if raw is None:
        raise ValueProblemError("has no value")
    return raw if isinstance(raw, (list, tuple, dict)) else value_text(raw)
