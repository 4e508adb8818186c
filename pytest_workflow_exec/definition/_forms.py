"""`form:` of gates and of work by hand: what a person fills in, declared as inputs are."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from pytest_workflow_exec.model import DefaultFrom, InputSpec

from ._names import quoted
from ._problems import Problems, Where

_MAX_FIELDS = 20
_NO_ANSWERS = ("path", "file", "secret")
OWN_OF_GATES = frozenset({"approver", "outcome"})
OWN_OF_MANUALS = frozenset({"notes", "outcome", "who"})


def read_form(
    declared: Mapping[str, object] | None, where: Where, problems: Problems, *, own: AbstractSet[str]
) -> tuple[InputSpec, ...]:
    """Return the fields of a form; those with a problem are left out after adding it.

    Args:
        declared: What stands there, by name; None for no form.
        where: Where it stands.
        problems: Where to complain.
        own: The values that the step has besides, whose names no field can take.
    """
    if declared is not None and len(declared) > _MAX_FIELDS:
        problems.at(where, f"asks for more than {_MAX_FIELDS} fields")
        return ()
    fields = [_field(name, data, (*where, name), problems, own) for name, data in (declared or {}).items()]
    return tuple(field for field in fields if field is not None)


def _field(name: str, data: object, where: Where, problems: Problems, own: AbstractSet[str]) -> InputSpec | None:
    from ._inputs import read_spec

    if name in own:
        problems.at_key(where, f"the step has a value {quoted(name)} already; choose another name")
        return None
    spec = read_spec(name, _with_type(data), where, problems, what="field")
    if spec is None:
        return None
    if spec.type in _NO_ANSWERS:
        problems.at((*where, "type"), f"a form can't ask for a {spec.type}; nobody could check or keep what is typed")
        return None
    if isinstance(spec.default, DefaultFrom):
        problems.at((*where, "default"), "the default of a field is a value, not read from a file")
        return None
    return spec


def _with_type(data: object) -> object:
    # `{enum: [minor, major]}`, as JSON Schema has it, says its type.
    if isinstance(data, Mapping) and "enum" in data and not data.keys() & {"type", "values"}:
        return {"type": "enum", **{"values" if key == "enum" else key: value for key, value in data.items()}}
    return data
