"""`run:` steps: the command, what it must have done, and which values it leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import cast

from pytest_workflow_exec.model import Command, Expectation, Matcher, MatchOperator, OutputRule, Template

from ._names import quoted, value_name_problem
from ._problems import Where
from ._regexes import RegexError, compile_template
from ._schema import EqualsModel, ExpectModel, MatchModel, OutputModel, StepModel
from ._templates import COMMAND_KEYS, Keys, TemplateError, parse_template
from ._texts import Texts

_WHOLE = re.compile(r"-?[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_ORDER = ("lt", "le", "gt", "ge")
_EXIT_OPERATORS = ("equals", "in", "not", *_ORDER)


def read_command(step: StepModel, where: Where, texts: Texts) -> Command:
    """Return the command of a `run:` step."""
    argv = tuple(texts.template(text, (*where, "run", index)) for index, text in enumerate(step.run or ()))
    if argv and not argv[0].text:
        texts.problems.at((*where, "run", 0), "the name of the program is empty")
    return Command(
        argv=argv,
        expect=read_expectation(step.expect or ExpectModel(), (*where, "expect"), texts),
        outputs=_outputs(step.outputs or {}, (*where, "outputs"), texts),
    )


def command_keys(step: StepModel) -> Keys:
    """Return the values of a `run:` step that later steps may name."""
    declared = {name: _named_groups(name, output) for name, output in (step.outputs or {}).items()}
    return {**dict.fromkeys(COMMAND_KEYS, frozenset[str]()), **declared}


def _named_groups(name: str, output: OutputModel) -> frozenset[str]:
    try:
        groups = frozenset(compile_template(parse_template(output.stdout or "")).groupindex)
    except (TemplateError, RegexError):
        return frozenset()
    # `version: {stdout: 'v(?P<version>.*)'}` is one text, which its group only cuts out.
    return frozenset() if groups == {name} else groups


def read_expectation(model: ExpectModel, where: Where, texts: Texts) -> Expectation:
    """Return what the command of a step must have done."""
    if model.exit is not None:
        _check_exit(model.exit, (*where, "exit"), texts)
    return Expectation(
        exit=tuple(_matchers(model.exit, (*where, "exit"), texts)),
        stdout=tuple(_matchers(model.stdout, (*where, "stdout"), texts)),
        stderr=tuple(_matchers(model.stderr, (*where, "stderr"), texts)),
    )


def _operands(model: MatchModel) -> Iterator[tuple[MatchOperator, tuple[str, ...], Where]]:
    if isinstance(model, EqualsModel):
        yield "equals", (model.equals,), ()
        return
    for field in type(model).model_fields:
        operator = cast("MatchOperator", field.rstrip("_"))
        value: str | list[str] | None = getattr(model, field)
        if isinstance(value, list):
            yield operator, tuple(value), (operator,)
        elif value is not None:
            yield operator, (value,), (operator,)


def _matchers(model: MatchModel | None, where: Where, texts: Texts) -> Iterator[Matcher]:
    if model is None:
        return
    for operator, operands, below in _operands(model):
        place = (*where, *below)
        templates = tuple(texts.template(text, place) for text in operands)
        for template in templates:
            _check_operand(operator, template, place, texts)
        yield Matcher(operator=operator, operands=templates)


def _check_operand(operator: MatchOperator, template: Template, where: Where, texts: Texts) -> None:
    if operator in ("matches", "not_matches"):
        _check_regex(template, where, texts)
    if operator in _ORDER and not template.references and _NUMBER.fullmatch(template.text) is None:
        texts.problems.at(where, f"{operator} compares numbers, and {quoted(template.text)} is none")


def _check_exit(model: MatchModel, where: Where, texts: Texts) -> None:
    for operator, operands, below in _operands(model):
        place = (*where, *below)
        if operator not in _EXIT_OPERATORS:
            texts.problems.at_key(place, f"an exit status is a number: {operator} can't be used on it")
            continue
        for text in operands:
            if "${" not in text and _WHOLE.fullmatch(text) is None:
                texts.problems.at(place, f"an exit status is a whole number, not {quoted(text)}")


def _check_regex(template: Template, where: Where, texts: Texts) -> None:
    try:
        compile_template(template)
    except RegexError as error:
        texts.problems.at(where, str(error))


def _outputs(models: Mapping[str, OutputModel], where: Where, texts: Texts) -> tuple[OutputRule, ...]:
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
            rule = replace(rule, default=texts.template(model.default, (*place, "default")))
        rules += [] if rule is None else [rule]
    return tuple(rules)


def _output(name: str, model: OutputModel, where: Where, texts: Texts) -> OutputRule | None:
    if (model.stdout is None) == (model.glob is None):
        texts.problems.at(where, "an output is read from exactly one of stdout, glob")
        return None
    if model.glob is not None:
        return _glob(name, model, model.glob, where, texts)
    for key in ("count", "type"):
        if key in model.model_fields_set:
            texts.problems.at_key((*where, key), f"{key} belongs to a glob, not to stdout")
    template = texts.template(model.stdout or "", (*where, "stdout"))
    _check_regex(template, (*where, "stdout"), texts)
    return OutputRule(name=name, kind="stdout", pattern=template)


def _glob(name: str, model: OutputModel, pattern: str, where: Where, texts: Texts) -> OutputRule:
    template = texts.template(pattern, (*where, "glob"))
    path = PurePosixPath(pattern)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        texts.problems.at((*where, "glob"), "must be a path pattern inside the project, from its root and without '..'")
    if model.count == 0:
        texts.problems.at((*where, "count"), "must be at least 1")
    if model.type == "file" and model.count not in (None, 1):
        texts.problems.at((*where, "count"), f"type: file is one file; {model.count} files are a type: list")
    as_list = model.type == "list" or model.count not in (None, 1)
    count = model.count if model.count is not None or as_list else 1
    return OutputRule(name=name, kind="glob", pattern=template, count=count, as_list=as_list)
