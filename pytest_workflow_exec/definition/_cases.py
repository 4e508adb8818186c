"""Steps with cases: the list behind `foreach` and `@each`, and one step for each of its values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import quote

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.lean_dataclasses import dataclass, field_names, replace
from pytest_workflow_exec.model import CaseValue, Reference, Step, StepId, Template, case_text

from ._known import KnownValues, NotGivenError, UnknownError
from ._names import MAX_NAME_LENGTH, quoted, value_name_problem
from ._problems import Problems, Where
from ._scalars import typed_scalar
from ._templates import Scope, TemplateError, filled_template, parse_template
from ._yaml_text import Plain

MAX_CASES = 2_000
"""How many cases several lists may make together."""
_OPEN = "?"
"""No value has this name: it would be spelled `%3F`."""
_MAX_NUMBER = 10**MAX_NAME_LENGTH
_EARLY = "a list must be known before any step runs"
_TOO_EARLY: Mapping[str, str] = {
    "steps": f"{_EARLY}, and values of steps are not; take a list, an input or a variable",
    "run": f"{_EARLY}, and there is no run then; take a list, an input or a variable",
    "each": f"{_EARLY}; each is what it gives, and can't stand in it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One value of a list, or of each of several, and the name that it goes by."""

    each: Mapping[str, CaseValue]
    """What each variable stands for: one value of its list."""
    name: str
    """Its text, with everything but letters, digits and `.`, `_`, `-`, `+`, `~` as in a URL; several joined by `-`."""

    @property
    def is_open(self) -> bool:
        """Whether it stands for all cases of a list that isn't known, where nothing will be run."""
        return self.name == _OPEN

    def of(self, step: StepId) -> StepId:
        """Return the id of the step's case: `deploy[web1]`."""
        return f"{step}[{self.name}]"


def as_case(step: Step, step_id: StepId, each: Mapping[str, CaseValue], *, refers: Sequence[str] = ()) -> Step:
    """Return the step as one of its cases, or as it stands in a block; its digest covers what the case stands for.

    Args:
        refers: The references to steps that mean something else elsewhere.
    """
    said: dict[str, Json] = {"case": step_id, "each": dict(each), "of": step.digest}
    digest = digest_of({**said, "refers": list(refers)} if refers else said)
    return replace(step, id=step_id, name=step_id if step.name == step.id else step.name, digest=digest)


D = TypeVar("D")


def filled_in(value: D, each: Mapping[str, CaseValue]) -> D:
    """Return a part of a definition with what the `each` references of its texts stand for in one case."""
    return cast("D", _filled_in(value, each))


def _filled_in(value: object, each: Mapping[str, CaseValue]) -> object:
    if isinstance(value, Template):
        return filled_template(value, each)
    if isinstance(value, tuple):
        return tuple(_filled_in(item, each) for item in value)
    if isinstance(value, Mapping):
        return {key: _filled_in(item, each) for key, item in value.items()}
    names = None if isinstance(value, type) else field_names(type(value))
    if names is None:
        return value
    changed: dict[str, Any] = {name: _filled_in(getattr(value, name), each) for name in names}
    return replace(cast("Any", value), **changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseReader:
    """Reads the lists of one workflow."""

    problems: Problems
    scope: Scope
    """What texts in a list may name."""
    known: KnownValues

    def read(self, foreach: Mapping[str, object], where: Where, *, allow_empty: bool) -> tuple[Case, ...] | None:
        """Return the cases in the order of their list, or None after adding what is wrong with it.

        Args:
            foreach: The lists by the names of their variables; of several, each value of one goes with each of the others.
            where: The way to it.
            allow_empty: Whether no case at all is meant, too.
        """
        if not foreach:
            self.problems.at(where, "foreach takes a variable with its list, or several of them, not none")
            return None
        lists = [self._list(variable, listed, where, allow_empty=allow_empty) for variable, listed in foreach.items()]
        sound = [cases for cases in lists if cases is not None]
        if len(sound) < len(lists):
            return None
        if any(case.is_open for cases in sound for case in cases):
            return (Case(each=dict.fromkeys(foreach, _OPEN), name=_OPEN),)
        return sound[0] if len(sound) == 1 else self._together(sound, where)

    def _together(self, lists: Sequence[tuple[Case, ...]], where: Where) -> tuple[Case, ...] | None:
        """Return a case for each choice of one case from each list; the last list goes round fastest."""
        count = math.prod(map(len, lists))
        if count > MAX_CASES:
            self.problems.at(where, f"the lists make {count} cases together; {MAX_CASES} is the most")
            return None
        cases: dict[str, Case] = {}
        for chosen in itertools.product(*lists):
            name = "-".join(case.name for case in chosen)
            if name in cases:
                said = "two cases have the name {}; their values, joined by '-', must keep them apart"
                self.problems.at(where, said.format(quoted(name)))
                return None
            cases[name] = Case(each={key: value for case in chosen for key, value in case.each.items()}, name=name)
        return tuple(cases.values())

    def _list(self, variable: str, listed: object, where: Where, *, allow_empty: bool) -> tuple[Case, ...] | None:
        problem = value_name_problem(variable)
        if problem is not None:
            self.problems.at_key((*where, variable), problem)
            return None
        place = (*where, variable)
        try:
            values = self._values(listed, place)
        except NotGivenError:
            return (Case(each={variable: _OPEN}, name=_OPEN),)
        if values is None:
            return None
        if not values and not allow_empty:
            self.problems.at(place, "the list is empty, and nothing would run; if that may be, say allow_empty: true")
            return None
        return self._named(variable, values, place, each_has_place=not isinstance(listed, str))

    def _named(
        self, variable: str, values: Sequence[CaseValue], where: Where, *, each_has_place: bool
    ) -> tuple[Case, ...] | None:
        cases: dict[str, Case] = {}
        sound = True
        for index, value in enumerate(values):
            name, problem = _name(value), _name_problem(value)
            if problem is None and name in cases:
                problem = f"{quoted(case_text(value))} stands twice in the list; each case has a name of its own"
            if problem is not None:
                self.problems.at((*where, index) if each_has_place else where, problem)
                sound = False
            cases.setdefault(name, Case(each={variable: value}, name=name))
        return tuple(cases.values()) if sound else None

    def _values(self, listed: object, where: Where) -> Sequence[CaseValue] | None:
        if isinstance(listed, str):
            return self._referred(listed, where)
        if not isinstance(listed, (list, tuple)):
            self.problems.at(where, "must be a list, or a reference to one such as ${inputs.hosts}")
            return None
        values = [self._value(item, (*where, index)) for index, item in enumerate(listed)]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None

    def _referred(self, text: str, where: Where) -> Sequence[CaseValue] | None:
        template = self._template(text, where)
        if template is None:
            return None
        [reference] = template.parts if len(template.parts) == 1 else [""]
        if not isinstance(reference, Reference):
            self.problems.at(where, "must be a list, or one reference to a list and nothing else: ${inputs.hosts}")
            return None
        try:
            return self.known.listed(reference)
        except UnknownError as error:
            self._say(where, error)
            return None

    def _value(self, item: object, where: Where) -> CaseValue | None:
        if isinstance(item, Plain) and not item:
            self.problems.at(where, "has no value; leave it out, or write what it is")
            return None
        value = (
            typed_scalar(item, where, self.problems) if isinstance(item, str) and type(item) in (str, Plain) else item
        )
        if type(value) is str:
            return self._filled(value, where)
        if isinstance(value, (bool, int, float)) and _is_plain(value):
            return value
        self.problems.at(where, f"must be a text, a number of up to {MAX_NAME_LENGTH} digits, true or false")
        return None

    def _filled(self, text: str, where: Where) -> CaseValue | None:
        template = self._template(text, where)
        if template is None:
            return None
        try:
            return self.known.value(template)
        except UnknownError as error:
            self._say(where, error)
            return None

    def _template(self, text: str, where: Where) -> Template | None:
        try:
            template = parse_template(text)
        except TemplateError as error:
            self.problems.at(where, str(error))
            return None
        found = [problem for each in template.references if (problem := self._reference_problem(each)) is not None]
        for problem in found:
            self.problems.at(where, problem)
        parts = (part if isinstance(part, str) else self.scope.placed(part) for part in template.parts)
        return None if found else Template(text=template.text, parts=tuple(parts))

    def _reference_problem(self, reference: Reference) -> str | None:
        early = _TOO_EARLY.get(reference.scope)
        return self.scope.problem(reference) if early is None else f"{reference}: {early}"

    def _say(self, where: Where, error: UnknownError) -> None:
        if isinstance(error, NotGivenError):
            raise error
        if str(error):
            self.problems.at(where, str(error))


def _is_plain(value: float) -> bool:
    # An enumeration's member is a number, too, and is written as something else.
    return type(value) in (bool, int, float) and -_MAX_NUMBER < value < _MAX_NUMBER


def _name(value: CaseValue) -> str:
    # As in a URL, because that is one-to-one: two different texts never get the same name.
    return quote(case_text(value), safe="+", errors="replace")


def _name_problem(value: CaseValue) -> str | None:
    text = case_text(value)
    if not text:
        return "an empty text can't be the name of a case"
    if len(_name(value)) > MAX_NAME_LENGTH:
        return f"{quoted(text)} is longer than the {MAX_NAME_LENGTH} characters that the name of a case may have"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return f"{text!a} is no text that evidence can hold"
    return None
