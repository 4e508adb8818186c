"""What `@step` and `@gate` can say, and refusing what they can't, at the decorator's own line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import NamedTuple, NoReturn

from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.errors import DefinitionError, Problem
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Signed

from ._names import STEP_LATER, WAIVE_LATER, one_line_problem, suggestion
from ._signed import Wanted

DEFAULT_GATE_TIMEOUT_S = 3600.0
DEFAULT_REQUEST_LIFETIME_S = 7 * 86400.0
"""How long a question can be answered."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file and a line in it.

    The line is looked up when something is said of it: in a long module, that takes as long as the module is.
    """

    code: CodeType | None
    """None for what has no code of its own."""
    instruction: int | None = None
    """The offset of what was executed there; None: where the code begins."""

    @property
    def path(self) -> Path:
        """The file."""
        return Path("<unknown>" if self.code is None else self.code.co_filename)

    @property
    def line(self) -> int:
        """The line, from 1."""
        if self.code is None:
            return 1
        for start, end, line in self.code.co_lines():
            if self.instruction is not None and start <= self.instruction < end and line is not None:
                return line
        return self.code.co_firstlineno


_STEP_KEYWORDS = (
    "name",
    "description",
    "timeout",
    "when",
    "always",
    "idempotent",
    "max_age",
    "evidence",
    "check",
    "undoes",
    "retry",
    "waive",
)
_EACH_KEYWORDS = ("foreach", "allow_empty")
_GATE_KEYWORDS = (
    "question",
    "show",
    "timeout",
    "meaning",
    "refs",
    "assurance",
    "approvers",
    "required",
    "min_wait",
    "veto",
    "when",
    "wait",
    "on_timeout",
    "expires",
    "form",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOptions:
    """What `@step` says about its function."""

    name: str | None = None
    description: str | None = None
    timeout_s: float | None = None
    when: str | None = None
    always: bool = False
    idempotent: bool | None = None
    """None: it does not say."""
    max_age_s: float | None = None
    evidence: tuple[str, ...] = ()
    evidence_type: type | None = None
    """The pydantic model that has to take what the function returns; None for none."""
    check: Mapping[str, object] | None = None
    """As a `check:` in YAML."""
    undoes: tuple[str, ...] = ()
    retry: object = None
    """As it was written: it is read with the file."""
    waive: str | None = None
    waive_timeout_s: float | None = None
    waive_signed: Signed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """What `@gate` says about its function."""

    question: str | None = None
    show: tuple[str, ...] = ()
    timeout_s: float | None = None
    meaning: str = "approve"
    refs: tuple[str, ...] = ()
    suspends: bool = False
    on_timeout: str = "reject"
    expires_s: float = DEFAULT_REQUEST_LIFETIME_S
    signed: Signed | None = None
    when: str | None = None
    form: Mapping[str, object] | None = None
    """Its fields, as inputs are declared."""


EACH_ATTRIBUTE = "__workflow_exec_each__"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EachOptions:
    """What `@each` says about its function."""

    lists: Mapping[str, str | tuple[object, ...]]
    """The parameters that it fills, each with its values or a reference to them."""
    allow_empty: bool
    place: Place


def each_of(function: object) -> EachOptions | None:
    """Return what the function's `@each` says; None for a function without one."""
    options = getattr(function, EACH_ATTRIBUTE, None)
    return options if isinstance(options, EachOptions) else None


_PLAIN_STEP = StepOptions()
"""What most steps say."""


def read_step_options(options: Mapping[str, object], place: Place) -> StepOptions:
    """Return what the keywords of a `@step` say.

    Raises:
        DefinitionError: One of them does not exist, can't be used yet, or has a value of the wrong kind.
    """
    if not options:
        return _PLAIN_STEP
    check_keywords("@step", options, _STEP_KEYWORDS, STEP_LATER, place)
    waive = _waive(options, place)
    evidence_type = _evidence_type(options, place)
    return StepOptions(
        name=_line("@step", options, "name", place),
        description=_text("@step", options, "description", place),
        timeout_s=_duration("@step", options, "timeout", place),
        when=_text("@step", options, "when", place),
        always=_flag("@step", options, "always", place),
        idempotent=_flag("@step", options, "idempotent", place) if "idempotent" in options else None,
        max_age_s=_duration("@step", options, "max_age", place),
        evidence=() if evidence_type else _lines("@step", options, "evidence", place),
        evidence_type=evidence_type,
        check=_check(options, place),
        undoes=_lines("@step", options, "undoes", place),
        retry=options.get("retry"),
        waive=waive.question,
        waive_timeout_s=waive.timeout_s,
        waive_signed=waive.signed,
    )


def read_gate_options(options: Mapping[str, object], place: Place) -> GateOptions:
    """Return what the keywords of a `@gate` say.

    Raises:
        DefinitionError: One of them does not exist, can't be used yet, or has a value of the wrong kind.
    """
    check_keywords("@gate", options, _GATE_KEYWORDS, STEP_LATER, place)
    expires_s = _duration("@gate", options, "expires", place) or DEFAULT_REQUEST_LIFETIME_S
    suspends = _choice("@gate", options, "wait", ("suspend",), place) is not None
    return GateOptions(
        question=_text("@gate", options, "question", place),
        show=_lines("@gate", options, "show", place),
        timeout_s=_duration("@gate", options, "timeout", place),
        meaning=_line("@gate", options, "meaning", place) or "approve",
        refs=_lines("@gate", options, "refs", place),
        suspends=suspends,
        on_timeout=_choice("@gate", options, "on_timeout", ("reject", "suspend"), place) or "reject",
        expires_s=expires_s,
        signed=_signed("@gate", options, place, suspends=suspends, expires_s=expires_s),
        when=_text("@gate", options, "when", place),
        form=_form(options, place),
    )


def _check(options: Mapping[str, object], place: Place) -> Mapping[str, object] | None:
    given = options.get("check")
    if given is None:
        return None
    if isinstance(given, Mapping):
        return {str(key): value for key, value in given.items()}
    if not isinstance(given, (list, tuple)):
        refuse(place, f'@step: check must be a command as a list of texts, or {{"call": "module:function"}}: {given!r}')
    command = _lines("@step", options, "check", place)
    if not command:
        refuse(place, "@step: check is empty; write a command as a list of texts")
    return {"run": list(command)}


class _Waived(NamedTuple):
    question: str | None
    timeout_s: float | None = None
    signed: Signed | None = None


def _waive(options: Mapping[str, object], place: Place) -> _Waived:
    given, what = options.get("waive"), "@step: waive"
    if not isinstance(given, Mapping):
        return _Waived(_line("@step", options, "waive", place))
    said = {str(key): value for key, value in given.items()}
    check_keywords(what, said, ("question", "timeout", "assurance", "approvers"), WAIVE_LATER, place)
    question = _line(what, said, "question", place)
    if question is None:
        refuse(place, f"{what}: question is missing")
    signed = _signed(what, said, place, suspends=False, expires_s=DEFAULT_REQUEST_LIFETIME_S)
    return _Waived(question, _duration(what, said, "timeout", place), signed)


def _signed(
    what: str, options: Mapping[str, object], place: Place, *, suspends: bool, expires_s: float
) -> Signed | None:
    assurance, required = options.get("assurance", 1), options.get("required")
    if type(assurance) is not int:
        refuse(place, f"{what}: assurance must be 1, 2 or 3, not {assurance!r}")
    wanted = Wanted(
        assurance=assurance,
        approvers=_lines(what, options, "approvers", place),
        required=None if required is None else _required(required, place),
        min_wait_s=_duration(what, options, "min_wait", place),
        veto=_flag(what, options, "veto", place) if "veto" in options else None,
        suspends=suspends,
        expires_s=expires_s,
    )
    for key, problem in wanted.problems():
        refuse(place, f"{what}: {key}: {problem}")
    return wanted.signed


def _required(value: object, place: Place) -> int | Mapping[str, int]:
    if type(value) is int:
        return value
    if isinstance(value, Mapping) and value and all(isinstance(key, str) for key in value):
        numbers = {str(key): number for key, number in value.items() if type(number) is int}
        if len(numbers) == len(value):
            return numbers
    return refuse(place, f"@gate: required must be a number, or how many of which group, not {value!r}")


def check_keywords(
    what: str, given: Mapping[str, object], known: Sequence[str], later: frozenset[str], place: Place
) -> None:
    """Check the names of keywords.

    Raises:
        DefinitionError: One of them is not known, or can't be used yet.
    """
    for keyword in given:
        if keyword in known:
            continue
        if keyword == "id":
            refuse(place, f"{what}: the id of a step is its function's name; rename the function")
        if keyword in _EACH_KEYWORDS:
            refuse(place, f"{what}: cases are written @each(host=[...]) beside @step")
        if keyword in later:
            refuse(place, f"{what}: {keyword!r} can't be used yet")
        refuse(place, f"{what}: unknown keyword {keyword!r}{suggestion(keyword, known)}")


def _choice(what: str, options: Mapping[str, object], key: str, choices: Sequence[str], place: Place) -> str | None:
    value = _text(what, options, key, place)
    if value is not None and value not in choices:
        refuse(place, f"{what}: {key} must be {' or '.join(map(repr, choices))}, not {value!r}")
    return value


def _form(options: Mapping[str, object], place: Place) -> Mapping[str, object] | None:
    form = options.get("form")
    if inspect.isclass(form) and hasattr(form, "model_fields"):
        # Only here, where pydantic is loaded already: the decorators need the standard library alone.
        from ._form_models import FormModelError, declared_by

        try:
            form = declared_by(form)
        except FormModelError as error:
            refuse(place, f"@gate: form: {error}")
    if form is None:
        return None
    if not isinstance(form, Mapping) or not form or not all(isinstance(name, str) for name in form):
        refuse(place, f"@gate: form must be a mapping of fields by name or a pydantic model, and not empty: {form!r}")
    return form


def _text(what: str, options: Mapping[str, object], key: str, place: Place) -> str | None:
    value = options.get(key)
    if value is not None and not isinstance(value, str):
        refuse(place, f"{what}: {key} must be a text, not {value!r}")
    return value


def _line(what: str, options: Mapping[str, object], key: str, place: Place) -> str | None:
    value = _text(what, options, key, place)
    problem = None if value is None else one_line_problem(value)
    if problem is not None:
        refuse(place, f"{what}: {key} {problem}")
    return value


def _evidence_type(options: Mapping[str, object], place: Place) -> type | None:
    said = options.get("evidence")
    if not inspect.isclass(said):
        return None
    if not hasattr(said, "model_fields"):
        refuse(place, f"@step: evidence must be a list of texts or a pydantic model, not the class {said.__name__}")
    return said


def _lines(what: str, options: Mapping[str, object], key: str, place: Place) -> tuple[str, ...]:
    value = options.get(key, ())
    if not isinstance(value, (list, tuple)):
        refuse(place, f"{what}: {key} must be a list of texts, not {value!r}")
    for item in value:
        if not isinstance(item, str) or one_line_problem(item) is not None:
            refuse(place, f"{what}: {key} holds {item!r}, which is no line of text")
    return tuple(value)


def _flag(what: str, options: Mapping[str, object], key: str, place: Place) -> bool:
    value = options.get(key, False)
    if not isinstance(value, bool):
        refuse(place, f"{what}: {key} must be True or False, not {value!r}")
    return value


def _duration(what: str, options: Mapping[str, object], key: str, place: Place) -> float | None:
    value = _text(what, options, key, place)
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        refuse(place, f"{what}: {key} {error}")


def place_of(function: Callable[..., object]) -> Place:
    """Return where the function is defined."""
    code: CodeType | None = getattr(inspect.unwrap(function), "__code__", None)
    return Place(code)


def problem_at(place: Place, message: str) -> Problem:
    """Return a problem with its place."""
    return Problem(path=place.path, line=place.line, message=message)


def refuse(place: Place, message: str) -> NoReturn:
    """End reading the file.

    Raises:
        DefinitionError: Always.
    """
    raise DefinitionError([problem_at(place, message)])


def caller() -> Place:
    """Return the place that called the function that asks: the author's line."""
    frame = sys._getframe(2)  # noqa: SLF001 - inspect.stack() reads every source file on the way
    return Place(frame.f_code, frame.f_lasti)
