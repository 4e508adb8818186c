"""Types that a workflow names as `module:Model`, in a module beside its file."""

from __future__ import annotations

import re

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import ModelType

from ._names import quoted, suggestion
from ._python_source import ModuleNames, SourceError, names_in, parse_module
from ._sources import inside
from ._texts import Files

_TARGET = lazy_pattern(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)", re.ASCII)


class NamedTypeError(ValueError):
    """Why something names no type."""


def model_type(target: object, files: Files, *, ways: str) -> ModelType:
    """Return the type that a `module:Model` names, by what its file says: nothing is imported.

    Args:
        target: What is written.
        ways: What may be written there, for whoever wrote something else.

    Raises:
        NamedTypeError: There is none of that name, or it can't be told which.
        OSError: Its file can't be read.
    """
    match = _TARGET.fullmatch(target) if isinstance(target, str) else None
    if match is None:
        raise NamedTypeError(ways)
    wanted = files.folder.joinpath(*match["module"].split(".")).with_suffix(".py")
    path = inside(files.root, wanted)
    if path is None:
        raise NamedTypeError(f"{wanted.name} leads out of the project")
    if not path.is_file():
        raise NamedTypeError(f"there is no {wanted.relative_to(files.folder).as_posix()} beside this file")
    source, name = files.read(path), match["name"]
    # Its module is not imported here: nothing of a YAML workflow runs before its checks.
    names = _names_of(source, path.name)
    lines, functions = names.lines, names.functions
    if name not in lines:
        known = [each for each in lines if each not in functions]
        raise NamedTypeError(f"{path.name} defines no {quoted(name)} at its top level{suggestion(name, known)}")
    if len(lines[name]) > 1:
        numbers = ", ".join(map(str, sorted(lines[name])))
        raise NamedTypeError(f"{path.name} gives {quoted(name)} a value more than once (lines {numbers})")
    if name in functions and not functions[name].decorator_list:
        raise NamedTypeError(f"it is a function (line {functions[name].lineno} of {path.name}), not a type")
    return ModelType(path=path, name=name, source=source)


def _names_of(source: bytes, name: str) -> ModuleNames:
    try:
        return names_in(parse_module(source))
    except SourceError as error:
        raise NamedTypeError(f"{name} is no Python: {error}") from error
