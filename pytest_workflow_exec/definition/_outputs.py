"""`outputs:` of a step: how what its command leaves becomes values with names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import OutputRule, Template

from ._json_expectations import check_path
from ._names import quoted, value_name_problem
from ._problems import Where
from ._regexes import RegexError, compile_template
from ._templates import COMMAND_KEYS, literal_template
from ._texts import Texts
from ._values import ValueProblemError, value_of_type

if TYPE_CHECKING:
    from ._schema_commands import OutputModel


def read_outputs(models: Mapping[str, OutputModel], where: Where, texts: Texts) -> tuple[OutputRule, ...]:
    """Return the outputs that a step declares; those with a problem are left out after adding it."""
    rules: list[OutputRule] = []
    for name, model in models.items():
        place = (*where, name)
        problem = value_name_problem(name)
        if name in COMMAND_KEYS:
            problem = f"every command has a value {quoted(name)} already; choose another name"
        if problem is not None:
            texts.problems.at_key(place, problem)
            continue
        rule = _output(name, model, place, texts)
        if rule is not None and model.default is not None:
            rule = replace(rule, default=_default(rule, model.default, (*place, "default"), texts))
        rules += [] if rule is None else [rule]
    return tuple(rules)


def _output(name: str, model: OutputModel, where: Where, texts: Texts) -> OutputRule | None:
    if sum(source is not None for source in (model.stdout, model.json_, model.glob)) != 1:
        texts.problems.at(where, "an output is read from exactly one of stdout, json, glob")
        return None
    if model.glob is not None:
        return _glob(name, model, model.glob, where, texts)
    if "count" in model.model_fields_set:
        texts.problems.at_key((*where, "count"), "count belongs to a glob")
    if model.type == "file":
        texts.problems.at((*where, "type"), "type: file belongs to a glob")
    if model.json_ is not None:
        check_path(model.json_, (*where, "json"), texts)
        template = literal_template(model.json_)
    else:
        template = _stdout(name, model, where, texts)
    kind: Literal["json", "stdout"] = "stdout" if model.json_ is None else "json"
    kept = None if model.type == "file" else model.type
    return OutputRule(name=name, kind=kind, pattern=template, as_list=model.type == "list", type=kept)


def _stdout(name: str, model: OutputModel, where: Where, texts: Texts) -> Template:
    template = texts.template(model.stdout or "", (*where, "stdout"))
    try:
        groups = set(compile_template(template).groupindex)
    except RegexError as error:
        texts.problems.at((*where, "stdout"), str(error))
        return template
    if model.type is not None and groups and groups != {name}:
        texts.problems.at((*where, "type"), "a pattern with named groups gives texts by name; they have no other type")
    return template


def _glob(name: str, model: OutputModel, pattern: str, where: Where, texts: Texts) -> OutputRule:
    template = texts.template(pattern, (*where, "glob"))
    path = PurePosixPath(pattern)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        texts.problems.at((*where, "glob"), "must be a path pattern inside the project, from its root and without '..'")
    if model.type not in (None, "file", "list"):
        texts.problems.at((*where, "type"), f"a glob finds files; its type is file or list, not {model.type}")
    if model.count == 0:
        texts.problems.at((*where, "count"), "must be at least 1")
    if model.type == "file" and model.count not in (None, 1):
        texts.problems.at((*where, "count"), f"type: file is one file; {model.count} files are a type: list")
    as_list = model.type == "list" or model.count not in (None, 1)
    count = model.count if model.count is not None or as_list else 1
    return OutputRule(name=name, kind="glob", pattern=template, count=count, as_list=as_list)


def _default(rule: OutputRule, text: str, where: Where, texts: Texts) -> Template:
    template = texts.template(text, where)
    if rule.type is not None and not template.references:
        try:
            value_of_type(rule.type, text)
        except ValueProblemError as error:
            texts.problems.at(where, f"the default {error}")
    return template
