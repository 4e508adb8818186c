"""`call:` steps: finding the function beside the workflow file, and matching its parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import ArgumentValue, Call

from ._names import quoted, suggestion
from ._problems import Where
from ._python_source import FunctionNode, ModuleNames, SourceError, is_generator, names_in, parse_module
from ._scalars import typed_scalar
from ._sources import inside
from ._texts import Files, Texts

if TYPE_CHECKING:
    from ._schema_calls import CallModel

_TARGET = lazy_pattern(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)", re.ASCII)


class _CallError(ValueError):
    """Why a function can't be called."""


def read_call(
    model: CallModel, where: Where, texts: Texts, files: Files, *, given_at: Where | None = None
) -> Call | None:
    """Return the call of a `call:`, or None after adding why there is none.

    Args:
        given_at: The way to its values; None: they stand in it.
    """
    given_at = (*where, "with") if given_at is None else given_at
    arguments = {name: read_argument(value, (*given_at, name), texts) for name, value in model.with_.items()}
    place = (*where, "function")
    try:
        path, name, source = _target(model.function, files)
        function = _function(_module_of(path, source, files), name, path.name)
        fixtures = _fixtures(function)
    except (_CallError, OSError) as error:
        texts.problems.at(place, f"can't call {quoted(model.function)}: {error}")
        return None
    parameters = _parameters(function)
    for argument in arguments:
        if argument not in parameters:
            message = f"{name} has no parameter {quoted(argument)}{suggestion(argument, parameters)}"
            texts.problems.at_key((*given_at, argument), message)
    return Call(
        path=path,
        function=name,
        fixtures=tuple(parameter for parameter in fixtures if parameter not in arguments),
        arguments=arguments,
        source=source,
    )


def _target(text: str, files: Files) -> tuple[Path, str, bytes]:
    # Many steps may call one function: where it stands is looked up once, and is then the same for all of them.
    if text not in files.targets:
        files.targets[text] = _looked_up(text, files)
    path, name = files.targets[text]
    return path, name, files.read(path)


def _looked_up(text: str, files: Files) -> tuple[Path, str]:
    match = _TARGET.fullmatch(text)
    if match is None:
        raise _CallError("write module:function, such as checks:changelog_is_complete for a checks.py beside this file")
    wanted = files.folder.joinpath(*match["module"].split(".")).with_suffix(".py")
    path = inside(files.root, wanted)
    if path is None:
        raise _CallError(f"{wanted.name} leads out of the project")
    if not path.is_file():
        raise _CallError(f"there is no {wanted.relative_to(files.folder).as_posix()} beside this file")
    return path, match["function"]


def _module_of(path: Path, source: bytes, files: Files) -> ModuleNames:
    if path not in files.modules:
        try:
            files.modules[path] = names_in(parse_module(source))
        except SourceError as error:
            raise _CallError(f"{path.name} is no Python: {error}") from error
    return files.modules[path]


def _function(module: ModuleNames, name: str, file: str) -> FunctionNode:
    if name not in module.functions:
        known = list(module.functions)
        raise _CallError(f"{file} defines no function {quoted(name)} at its top level{suggestion(name, known)}")
    if len(module.lines[name]) > 1:
        lines = ", ".join(map(str, sorted(module.lines[name])))
        raise _CallError(f"{file} gives {quoted(name)} a value more than once (lines {lines})")
    return module.functions[name]


def _parameters(function: FunctionNode) -> list[str]:
    return [parameter.arg for parameter in [*function.args.args, *function.args.kwonlyargs]]


def _fixtures(function: FunctionNode) -> list[str]:
    arguments = function.args
    if is_generator(function):
        raise _CallError("it is a generator, and calling one runs nothing")
    if arguments.vararg or arguments.kwarg:
        raise _CallError("its parameters must have names; *args and **kwargs have none")
    if arguments.posonlyargs:
        raise _CallError("its parameters are filled by name; positional-only ones can't be")
    required = arguments.args[: len(arguments.args) - len(arguments.defaults)]
    keywords = [
        parameter
        for parameter, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    return [parameter.arg for parameter in [*required, *keywords]]


def read_argument(value: object, where: Where, texts: Texts) -> ArgumentValue:
    """Return a value of the author's that keeps its type, after adding what is wrong with it."""
    if isinstance(value, dict):
        return {name: read_argument(item, (*where, name), texts) for name, item in value.items()}
    if isinstance(value, list):
        return tuple(read_argument(item, (*where, index), texts) for index, item in enumerate(value))
    scalar = typed_scalar(value if isinstance(value, str) else str(value), where, texts.problems)
    return texts.template(scalar, where) if isinstance(scalar, str) else scalar
