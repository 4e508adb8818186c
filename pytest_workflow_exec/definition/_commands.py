"""`run:` steps: the command, what it must have done, and which values it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import (
    Command,
    Expectation,
    Matcher,
    MatchOperator,
    Template,
    variable_problem,
)

from ._defaults import place_of
from ._names import quoted
from ._outputs import read_outputs
from ._problems import Where
from ._regexes import RegexError, compile_template
from ._templates import COMMAND_KEYS, Keys, TemplateError, parse_template
from ._texts import Texts

if TYPE_CHECKING:
    from ._schema import StepModel
    from ._schema_commands import ExpectModel, MatchModel, OutputModel


_WHOLE = lazy_pattern(r"-?[0-9]{1,9}")
_NUMBER = lazy_pattern(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_OWN_KEYS: Keys = dict.fromkeys(COMMAND_KEYS, frozenset[str]())
_NO_VARIABLES: Mapping[str, Template] = MappingProxyType({})
_ORDER = ("lt", "le", "gt", "ge")
_EXIT_OPERATORS = ("equals", "in", "not", *_ORDER)


def read_command(step: StepModel, where: Where, texts: Texts) -> Command:
    """Return the command of a `run:` step."""
    argv = tuple(
        texts.template(text, (*where, "run", index), whole=index > 0) for index, text in enumerate(step.run or ())
    )
    if argv and not argv[0].text:
        texts.problems.at((*where, "run", 0), "the name of the program is empty")
    return Command(
        argv=argv,
        cwd=None if step.cwd is None else _cwd(step.cwd, place_of((*where, "cwd"), texts.problems), texts),
        env=_env(step.env, (*where, "env"), texts.with_secrets()) if step.env else _NO_VARIABLES,
        stdin=None if step.stdin is None else texts.with_secrets().template(step.stdin, (*where, "stdin")),
        expect=read_expectation(step.expect, (*where, "expect"), texts),
        outputs=read_outputs(step.outputs or {}, (*where, "outputs"), texts),
    )


def _cwd(text: str, where: Where, texts: Texts) -> Template:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts:
        texts.problems.at(where, "must be a folder of the project, from its root and without '..'")
    return texts.template(text, where)


def _env(variables: Mapping[str, str], where: Where, texts: Texts) -> Mapping[str, Template]:
    read: dict[str, Template] = {}
    for name, text in variables.items():
        place = place_of((*where, name), texts.problems)
        problem = variable_problem(name)
        if problem is not None:
            texts.problems.at_key(place, problem)
        read[name] = texts.template(text, place)
    return MappingProxyType(read)


def command_keys(step: StepModel) -> Keys:
    """Return the values of a `run:` step that later steps may name."""
    if not step.outputs:
        return _OWN_KEYS
    return {**_OWN_KEYS, **{name: _named_groups(name, output) for name, output in step.outputs.items()}}


def _named_groups(name: str, output: OutputModel) -> frozenset[str]:
    try:
        groups = frozenset(compile_template(parse_template(output.stdout or "")).groupindex)
    except (TemplateError, RegexError):
        return frozenset()
    # `version: {stdout: 'v(?P<version>.*)'}` is one text, which its group only cuts out.
    return frozenset() if groups == {name} else groups


def read_expectation(model: ExpectModel | None, where: Where, texts: Texts) -> Expectation:
    """Return what the command of a step must have done; None where nothing is said of it."""
    if model is None:
        return Expectation()
    from ._json_expectations import read_json_expectation

    if model.exit is not None:
        _check_exit(model.exit, (*where, "exit"), texts)
    return Expectation(
        exit=tuple(_matchers(model.exit, (*where, "exit"), texts)),
        stdout=tuple(_matchers(model.stdout, (*where, "stdout"), texts)),
        stderr=tuple(_matchers(model.stderr, (*where, "stderr"), texts)),
        json=() if model.json_ is None else read_json_expectation(model.json_, (*where, "json"), texts),
    )


def _operands(model: MatchModel) -> Iterator[tuple[MatchOperator, tuple[str, ...], Where]]:
    from ._schema_commands import EqualsModel

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
