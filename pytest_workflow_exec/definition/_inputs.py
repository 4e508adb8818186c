"""The inputs that a workflow declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import VARIABLE_NAME, DefaultFrom, InputSpec, InputValue

from ._names import quoted, suggestion, value_name_problem
from ._problems import Problems, Where
from ._regexes import RegexError, compile_regex
from ._templates import SECRET
from ._validation import validated
from ._values import ValueProblemError, read_value

if TYPE_CHECKING:
    from ._schema_inputs import InputModel


_FILE_KINDS = (".json", ".toml", ".yaml", ".yml")
_PATTERN_TYPES = ("string", "path", "file")

InputGroups = Mapping[str, "frozenset[str] | None"]
"""Each declared input with the named groups of its pattern, `SECRET` for a secret; None if its declaration has a problem.
"""


def read_inputs(declared: Mapping[str, object], problems: Problems) -> tuple[tuple[InputSpec, ...], InputGroups]:
    """Return the inputs of a workflow, and what references to them may name."""
    specs: list[InputSpec] = []
    groups: dict[str, frozenset[str] | None] = {}
    for name, data in declared.items():
        spec = read_spec(name, data, ("inputs", name), problems)
        groups[name] = None if spec is None else _groups(spec)
        specs += [] if spec is None else [spec]
    return tuple(specs), groups


def _groups(spec: InputSpec) -> frozenset[str]:
    if spec.type == "secret":
        return SECRET
    return frozenset() if spec.pattern is None else frozenset(compile_regex(spec.pattern).groupindex)


def read_spec(name: str, data: object, where: Where, problems: Problems, *, what: str = "input") -> InputSpec | None:
    """Return what one declaration says, or None after adding what is wrong with it.

    Args:
        name: The name that it has.
        data: What stands there.
        where: Where it stands.
        problems: Where to complain.
        what: What is declared, in one word.
    """
    from ._schema_inputs import InputModel

    problem = value_name_problem(name)
    if problem is not None:
        problems.at_key(where, problem)
        return None
    model = validated(InputModel, data, where, problems)
    if model is None or not _is_consistent(model, where, problems):
        return None
    spec = InputSpec(
        name=name,
        type=model.type,
        description=model.description,
        pattern=model.pattern,
        values=tuple(model.values or ()),
        location=problems.key_location(where),
    )
    if spec.type == "secret":
        return _secret(spec, model, where, problems)
    if "default" not in model.model_fields_set:
        return spec
    default = _default(spec, model.default, (*where, "default"), problems, what=what)
    return None if default is None else replace(spec, default=default)


def _secret(spec: InputSpec, model: InputModel, where: Where, problems: Problems) -> InputSpec | None:
    from ._schema_inputs import DefaultEnvModel

    place = (*where, "default")
    if "default" not in model.model_fields_set:
        return replace(spec, variable=spec.name.upper().replace("-", "_"))
    if not isinstance(model.default, Mapping):
        problems.at(place, "a secret has no value in a file; write {env: NAME}, the variable that holds it")
        return None
    source = validated(DefaultEnvModel, model.default, place, problems)
    if source is not None and VARIABLE_NAME.fullmatch(source.env) is None:
        problems.at((*place, "env"), f"{quoted(source.env)} is no variable's name")
        return None
    return None if source is None else replace(spec, variable=source.env)


def _is_consistent(model: InputModel, where: Where, problems: Problems) -> bool:
    if model.type == "enum" and model.values is None:
        problems.at(where, "an enum needs values: [...]")
        return False
    if model.type != "enum" and model.values is not None:
        problems.at_key((*where, "values"), f"values belong to type enum, not {model.type}")
        return False
    if model.pattern is None:
        return True
    if model.type not in _PATTERN_TYPES:
        problems.at_key((*where, "pattern"), f"a pattern belongs to type {', '.join(_PATTERN_TYPES)}, not {model.type}")
        return False
    try:
        compile_regex(model.pattern)
    except RegexError as error:
        problems.at((*where, "pattern"), str(error))
        return False
    return True


def _default(
    spec: InputSpec, raw: object, where: Where, problems: Problems, *, what: str
) -> InputValue | DefaultFrom | None:
    if isinstance(raw, Mapping):
        return _default_from(raw, where, problems)
    try:
        return read_value(spec, _unnamed(raw))
    except ValueProblemError as error:
        problems.at(where, f"the default of {what} {quoted(spec.name)} {error}")
    return None


def _unnamed(raw: object) -> object:
    # A list keeps its texts as they are written; nothing in it is a number for an input.
    return tuple(raw) if isinstance(raw, Sequence) and not isinstance(raw, str) else raw


def _default_from(raw: Mapping[str, object], where: Where, problems: Problems) -> DefaultFrom | None:
    from ._schema_inputs import DefaultModel

    model = validated(DefaultModel, raw, where, problems)
    if model is None:
        return None
    path = PurePosixPath(model.from_)
    if path.is_absolute() or ".." in path.parts:
        problems.at((*where, "from"), "must be a path inside the project, from its root and without '..'")
        return None
    if path.suffix not in _FILE_KINDS:
        message = f"can't be read: a default stands in a TOML, JSON or YAML file{suggestion(path.suffix, _FILE_KINDS)}"
        problems.at((*where, "from"), message)
        return None
    return DefaultFrom(path=model.from_, key=model.key)
