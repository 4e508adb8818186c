"""`include`: the steps of a fragment in a file of functions, where the call stands. The standard library only."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._names import is_fragment, is_workflow_file
from ._options import Place, check_keywords, refuse

_KEYWORDS = ("id", "description", "when", "foreach", "allow_empty", "with_", "always")
Value = str | int | float | bool | Path | Sequence[str | int | float | bool]
"""What an input of a fragment may be given; a text may hold references."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IncludeOptions:
    """What an `include(...)` says."""

    said: Mapping[str, object]
    """The same as an entry of a list of steps in YAML."""
    always: bool
    """Whether its steps run last, whatever became of the others."""
    module: str
    """The name of the module that says it."""
    place: Place


def include(
    fragment: str,
    /,
    *,
    id: str | None = None,  # noqa: A002 - the key's name in YAML
    with_: Mapping[str, Value] | None = None,
    when: str | None = None,
    foreach: Mapping[str, object] | None = None,
    allow_empty: bool = False,
    description: str = "",
    always: bool = False,
    **unknown: object,
) -> None:
    """Put the steps of a fragment where the call stands, at the top level of a Python workflow or fragment.

    Args:
        fragment: Its file, `_*.workflow.yaml` or `_workflow_*.py`, from the folder of this one.
        id: What stands before the ids of its steps, `images/push`; its outputs are `workflow.outputs["images"]`, and in
            texts `${steps.images.wheel}`.
        with_: What its inputs are, by name; texts may hold references.
        when: The condition without which none of its steps applies.
        foreach: One variable with its list, `{"host": "${inputs.hosts}"}`: all steps for one value, then for the next.
        allow_empty: Whether that list may be empty.
        description: What its steps are for.
        always: Whether its steps run last, whatever became of the others, as `@step(always=True)` does.

    Raises:
        DefinitionError: It stands where no workflow would read it, or a keyword does not exist or fit.
    """
    # The file's own namespace keeps the order of includes, functions and classes.
    frame = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads every source file on the way
    place = Place(frame.f_code, frame.f_lasti)
    if frame.f_code.co_name != "<module>":
        refuse(place, "include(...) stands inside a function or class; it belongs at the file's top level")
    if not (is_workflow_file(place.path) or is_fragment(place.path)):
        refuse(place, f"include(...) stands in {place.path.name}, which is neither a workflow nor a fragment")
    check_keywords("include", unknown, _KEYWORDS, frozenset(), place)
    if not isinstance(fragment, str):
        refuse(place, f"include: the fragment must be a text, not {fragment!r}")
    flags = {"allow_empty": allow_empty, "always": always}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            refuse(place, f"include: {name} must be True or False, not {flag!r}")
    said: dict[str, object] = {"include": fragment, "description": description}
    given = {"id": id, "when": when, "foreach": _mapping("foreach", foreach, place)}
    said |= {key: value for key, value in given.items() if value is not None}
    if allow_empty:
        said["allow_empty"] = "true"
    values = _mapping("with_", with_, place) or {}
    said["with"] = {name: _as_written(value) for name, value in values.items()}
    number = sum(isinstance(value, IncludeOptions) for value in frame.f_globals.values())
    # No name of Python is spelled like this.
    frame.f_globals[f"(include {number})"] = IncludeOptions(
        said=said, always=always, module=str(frame.f_globals.get("__name__")), place=place
    )


def _mapping(name: str, value: object, place: Place) -> Mapping[str, object] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        refuse(place, f"include: {name} must be a mapping with texts as its keys, not {value!r}")
    return {str(key): item for key, item in value.items()}


def _as_written(value: object) -> object:
    """Return a value as it would be written in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, (list, tuple)):
        return [_as_written(item) for item in value]
    return str(value) if isinstance(value, (int, float)) else value
