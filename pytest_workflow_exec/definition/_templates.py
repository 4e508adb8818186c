"""Texts with references: reading `${steps.build.wheel}`, and judging whether what it names can be known."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from typing import Literal, cast

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import (
    CaseValue,
    Condition,
    EachReference,
    EveryReference,
    GivenEveryReference,
    GivenReference,
    Junction,
    Reference,
    StepId,
    Template,
    base_of,
    plain_id,
)

from ._names import quoted, suggestion

_OPENING = lazy_pattern(r"\$(\$)?\{")
STEP_PART = r"[A-Za-z0-9_-]+(?:\[[A-Za-z0-9._+%~-]+\])?"
"""One part of the id of a step: a block or the step itself, with its case."""
_PART = rf"{STEP_PART}(?:/{STEP_PART})*"
_DOTTED = lazy_pattern(rf"{_PART}(\.{_PART})*", re.ASCII)
_DOT = lazy_pattern(r"\.(?![^\[]*\])")
"""A dot that does not stand in the brackets of a case."""
_OF_STEPS = lazy_pattern(r"[\[/]")
_SCOPES = ("each", "inputs", "run", "steps", "vars")
_RUN_KEYS = ("dir", "id")

_MAX_KEYS = 2
_MAX_SHOWN_CASES = 10

COMMAND_KEYS = ("exit", "outcome", "stderr", "stdout")


class _Secret(frozenset[str]):
    """The named groups of a secret input: none. Only `env` and `stdin` may name it."""


SECRET = _Secret()
"""What a scope knows of a secret input."""

Keys = Mapping[str, frozenset[str]]
"""The keys of a step's values, each with the keys below it."""
OUTCOME_ONLY: Keys = {"outcome": frozenset()}
"""Those of a step that leaves nothing."""


class TemplateError(ValueError):
    """A text holds something that starts like a reference and is none."""


def parse_template(text: str, *, steps: AbstractSet[str] = frozenset(), whole: bool = False) -> Template:
    """Return a text with its references; `$${` is a literal `${`.

    Args:
        text: The text.
        steps: The ids of the workflow's steps: those that hold dots are read as one name.
        whole: Whether it may be a list, `${…[*]}` and nothing else.

    Raises:
        TemplateError: A `${` is not closed, or what it holds is no reference.
    """
    parts: list[str | Reference] = []
    literal, position = "", 0
    while opening := _OPENING.search(text, position):
        literal += text[position : opening.start()]
        if opening.group(1):
            literal, position = literal + "${", opening.end()
            continue
        closing = text.find("}", opening.end())
        if closing < 0:
            raise TemplateError("'${' is not closed by '}'; write $${ for the characters themselves")
        reference = read_reference(text[opening.end() : closing], steps=steps)
        parts += [literal, reference] if literal else [reference]
        literal, position = "", closing + 1
    literal += text[position:]
    template = Template(text=text, parts=(*parts, literal) if literal else tuple(parts))
    every = next((part for part in parts if isinstance(part, EveryReference)), None)
    if every is not None and not (whole and template.every is not None):
        raise TemplateError(f"{every} is several arguments; it can only be a whole element of run, behind the program")
    return template


def literal_template(text: str) -> Template:
    """Return a text without references, whatever it looks like."""
    return Template(text=text, parts=(text,) if text else ())


@functools.lru_cache(maxsize=4096)
def plain_template(text: str) -> Template:
    """Return a text that can't hold a reference; workflows of many steps say the same words again and again."""
    return literal_template(text)


def read_reference(content: str, *, steps: AbstractSet[str] = frozenset()) -> Reference:
    """Return the reference that `scope.name.key` is.

    Args:
        content: What stands between the braces.
        steps: The ids of the workflow's steps.

    Raises:
        TemplateError: It is none.
    """
    if content.endswith("[*]"):
        listed = read_reference(content[: -len("[*]")], steps=steps)
        if listed.scope not in ("inputs", "steps"):
            raise TemplateError(f"{_shown(content)} is no list; an input of type list or an output can be one")
        return EveryReference(scope=listed.scope, path=listed.path)
    scope, *path = dotted_parts(content)
    if _DOTTED.fullmatch(content) is None or (_OF_STEPS.search(content) and scope != "steps"):
        raise TemplateError(
            f"{_shown(content)} is no reference; write ${{inputs.name}} or ${{steps.id.key}}, or $${{ for the "
            f"characters themselves"
        )
    if scope not in _SCOPES:
        raise TemplateError(f"{_shown(content)}: unknown scope {quoted(scope)}{suggestion(scope, _SCOPES)}")
    if not path:
        raise TemplateError(f"{_shown(content)} names no value; write ${{{scope}.name}}")
    if scope == "steps":
        path = split_step(path, steps)
    return Reference(scope=cast("Literal['inputs', 'steps', 'vars', 'run', 'each']", scope), path=tuple(path))


def dotted_parts(text: str) -> list[str]:
    """Return the parts of a dotted name; the brackets of a case hold their dots together: `deploy[v1.2]`."""
    return _DOT.split(text)


def filled(reference: Reference, each: Mapping[str, CaseValue]) -> Reference:
    """Return an `each` reference with what it stands for in one case; others, and unknown ones, as they are."""
    if reference.scope != "each" or reference.path[0] not in each:
        return reference
    return EachReference(scope="each", path=reference.path, value=each[reference.path[0]])


def filled_template(template: Template, each: Mapping[str, CaseValue]) -> Template:
    """Return a text with what its `each` references stand for in one case."""
    parts = tuple(part if isinstance(part, str) else filled(part, each) for part in template.parts)
    return Template(text=template.text, parts=parts)


def implies(condition: Condition | None, other: Condition) -> bool:
    """Return whether the other condition holds wherever this one does, as far as their words say: `a and b` implies `a`."""
    return condition is not None and _parts(other) <= _parts(condition)


def _parts(condition: Condition) -> frozenset[Condition]:
    if isinstance(condition, Junction) and condition.word == "and":
        return frozenset().union(*map(_parts, condition.parts))
    return frozenset((condition,))


def split_step(parts: Sequence[str], steps: AbstractSet[str]) -> list[str]:
    """Return the parts of a dotted name with those first that make up the id of a step joined: `TestSite.deploy`."""
    for count in range(len(parts), 1, -1):
        if ".".join(parts[:count]) in steps:
            return [".".join(parts[:count]), *parts[count:]]
    return list(parts)


def _cases_of(cases: Sequence[StepId]) -> str:
    if not cases:
        return "has no case: its list is empty"
    more = ", ..." if len(cases) > _MAX_SHOWN_CASES else ""
    return f"has cases; name one of them: {', '.join(cases[:_MAX_SHOWN_CASES])}{more}"


def _as_given(reference: Reference, given: Reference) -> Reference:
    whole = (reference.scope, *reference.path)
    if isinstance(reference, EveryReference):
        if isinstance(given, GivenReference):
            return GivenEveryReference(scope="given", path=whole, listed=given)
        return EveryReference(scope=given.scope, path=given.path)
    return replace(given, path=whole) if isinstance(given, GivenReference) else given


def _shown(content: str) -> str:
    return quoted("${" + content + "}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """A step that may not apply."""

    condition: Condition
    defaults: frozenset[str]
    """Its outputs that have a value also then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """A fragment that was included under an id: what the including file sees of it."""

    outputs: Mapping[str, tuple[StepId, ...]]
    """The values that it declares, each with the step and key that it comes from."""
    steps: tuple[StepId, ...]
    """Its steps that can be undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the references of one text may name."""

    inputs: Mapping[str, frozenset[str] | None]
    """Each input with its named groups; None: not known, as its declaration has a problem."""
    variables: AbstractSet[str] = frozenset()
    all_variables: AbstractSet[str] = frozenset()
    steps: Mapping[str, Keys | None] | None = None
    """Each earlier step with its values; a step's None: any key. None altogether: steps can't be named here."""
    all_steps: AbstractSet[str] = frozenset()
    own_step: str | None = None
    own_when: Condition | None = None
    """The condition of the text's own step."""
    conditional: Mapping[str, Conditional] = field(default_factory=dict)
    """The earlier steps that may not apply."""
    cases: Mapping[str, Sequence[StepId] | None] = field(default_factory=dict)
    """The earlier steps that have cases, with the ids of those; None: not known, as something is wrong with the step."""
    secrets: bool = False
    """Whether the text may name secret inputs."""
    each: Mapping[str, CaseValue] | None = None
    """What `each` stands for in the text's own case; None: the step has no cases."""
    block: str = ""
    """The blocks that the text's own step stands in, as its id begins: `update[web1]/`."""
    waivable: AbstractSet[StepId] = frozenset()
    """The earlier steps whose failure a person may accept."""
    closed: AbstractSet[StepId] = frozenset()
    """The earlier steps that stand in the `finally` of a block which is over."""
    included: Mapping[StepId, Included] = field(default_factory=dict)
    """The earlier fragments that have an id."""
    given: Mapping[tuple[str, str], Reference] = field(default_factory=dict)
    """What inputs and variables stand for, by scope and name, where the text stands in a fragment."""
    in_fragment: bool = False

    def problem(self, reference: Reference) -> str | None:
        """Return why the reference can't be used, or None."""
        checks: dict[str, Callable[[Reference], str | None]] = {
            "inputs": self._input_problem,
            "vars": self._variable_problem,
            "run": self._run_problem,
            "steps": self._step_problem,
            "each": self._each_problem,
        }
        return checks[reference.scope](reference)

    def meant(self, step: str) -> StepId:
        """Return the id that the name of a step stands for: that of one of the same case, if there is one."""
        around = self.block
        while around:
            if plain_id(f"{around}{step}") in self.all_steps:
                return f"{around}{step}"
            around = around[: around.rfind("/", 0, -1) + 1]
        return step

    def placed(self, reference: Reference) -> Reference:
        """Return a reference as it is meant in the text's own case."""
        if reference.scope == "steps":
            return self._placed_step(reference)
        given = self.given.get((reference.scope, reference.path[0]))
        return filled(reference, self.each or {}) if given is None else _as_given(reference, given)

    def _placed_step(self, reference: Reference) -> Reference:
        step, *keys = reference.path
        meant = self.meant(step)
        if meant in self.included and keys and keys[0] in self.included[meant].outputs:
            return replace(reference, path=(*self.included[meant].outputs[keys[0]], *keys[1:]))
        return replace(reference, path=(meant, *keys)) if meant != step else reference

    def cases_of(self, step: StepId) -> Sequence[StepId] | None:
        """Return the cases of a step, by its id; None: not known, as something is wrong with it."""
        return self.cases.get(step, [step])

    def includes_of(self, step: StepId) -> Sequence[StepId]:
        """Return the includes that a name stands for: one of that id, or each of its cases; none for any other step."""
        if step in self.included:
            return [step]
        cases = self.cases.get(step) or ()
        return cases if all(case in self.included for case in cases) else []

    def step_problem(self, step: str) -> str | None:
        """Return why values of that step can't be known, or None."""
        meant = self.meant(step)
        if meant in self.closed:
            return (
                f"step {quoted(step)} stands in the finally of a block; only later steps of the same finally can use it"
            )
        if meant in (self.steps or {}) or None in (
            self.cases.get(base_of(meant), ()),
            self.cases.get(plain_id(meant), ()),
        ):
            return None
        if self.own_step in (meant, base_of(meant)):
            return f"step {quoted(step)} can't use its own values"
        return self._unknown_step(step, meant)

    def _unknown_step(self, step: str, meant: StepId) -> str:
        base, plain = base_of(meant), plain_id(meant)
        fragment = next((each for each in self.included if meant.startswith(f"{each}/")), None)
        if fragment is not None:
            outputs = ", ".join(self.included[fragment].outputs) or "none"
            return (
                f"step {quoted(step)} stands in the fragment {quoted(fragment)}; only what that declares as outputs "
                f"can be used (declared: {outputs})"
            )
        if meant in self.cases:
            return f"step {quoted(step)} {_cases_of(self.cases[meant] or ())}"
        for name in (base, plain):
            if name in self.cases or name in (self.steps or {}):
                return f"step {quoted(name)} has no case {quoted(step)}{suggestion(step, self.cases.get(name) or ())}"
        if plain in self.all_steps:
            return f"step {quoted(step)} comes later"
        if any(each.startswith(f"{plain}/") for each in self.all_steps):
            return f"{quoted(step)} is a block; name a step of it: {step}/..."
        outside = "; a fragment sees its own steps only: hand the value in by with" if self.in_fragment else ""
        return f"unknown step {quoted(step)}{suggestion(step, self._nameable())}{outside}"

    def _nameable(self) -> Iterator[str]:
        # Not the steps of other cases: the same mistake is to be said once for all cases.
        around = plain_id(f"{self.block}x").partition("/")[0]
        for step in self.steps or {}:
            if self.block and step.startswith(self.block):
                yield step[len(self.block) :]
            elif not self.block or plain_id(step).partition("/")[0] != around:
                yield step

    def key_problem(self, step: str, key: str) -> str | None:
        """Return why the step has no value of that name, or may have none, or None."""
        keys = (self.steps or {}).get(self.meant(step))
        if keys is not None and key not in keys:
            return f"step {quoted(step)} has no value {quoted(key)}{suggestion(key, keys)}"
        return self.missing_problem(step, key)

    def missing_problem(self, step: str, key: str | None) -> str | None:
        """Return why the step's value may be missing when this text is needed, or None."""
        meant = self.meant(step)
        if meant in self.waivable and key not in (None, "outcome"):
            return f"step {quoted(step)} may be waived, and then has no value {quoted(key or '')}; only its outcome can be used"
        conditional = self.conditional.get(meant)
        if conditional is None or key == "outcome" or key in conditional.defaults:
            return None
        if implies(self.own_when, conditional.condition):
            return None
        missing = "nothing to show" if key is None else f"no value {quoted(key)}"
        return (
            f"step {quoted(step)} may not apply, and then has {missing}; give this step the same when, or the output "
            f"a default"
        )

    def _input_problem(self, reference: Reference) -> str | None:
        name, *groups = reference.path
        if name not in self.inputs:
            return f"{reference}: unknown input {quoted(name)}{suggestion(name, self.inputs)}"
        known = self.inputs[name]
        if isinstance(known, _Secret) and not self.secrets:
            return f"{reference}: {quoted(name)} is a secret; only env and stdin of a run step may hold it"
        if len(groups) > 1:
            return f"{reference} has too many parts; write ${{inputs.{name}.group}}"
        if known is not None and groups and groups[0] not in known:
            return (
                f"{reference}: the pattern of input {quoted(name)} has no named group {quoted(groups[0])}"
                f"{suggestion(groups[0], known)}"
            )
        return None

    def _variable_problem(self, reference: Reference) -> str | None:
        name = reference.path[0]
        if len(reference.path) > 1:
            return f"{reference} has too many parts; a variable is one text"
        if name in self.variables:
            return None
        if name in self.all_variables:
            return f"{reference}: variable {quoted(name)} comes later"
        return f"{reference}: unknown variable {quoted(name)}{suggestion(name, self.variables)}"

    def _run_problem(self, reference: Reference) -> str | None:
        if len(reference.path) == 1 and reference.path[0] in _RUN_KEYS:
            return None
        return f"{reference}: unknown value of the run{suggestion('.'.join(reference.path), _RUN_KEYS)}"

    def _each_problem(self, reference: Reference) -> str | None:
        name, *more = reference.path
        if self.each is None:
            return f"{reference}: only a step with a foreach of its own, or in a block with one, has cases"
        if name not in self.each:
            return f"{reference}: unknown variable of foreach {quoted(name)}{suggestion(name, self.each)}"
        return f"{reference} has too many parts; write ${{each.{name}}}" if more else None

    def _step_problem(self, reference: Reference) -> str | None:
        if self.steps is None:
            return f"{reference}: values of steps aren't known here; use inputs, earlier variables or the run"
        step, *keys = reference.path
        problem = self.step_problem(step)
        if problem is None and not keys:
            problem = f"says no value of the step; write ${{steps.{step}.key}}"
        problem = problem or self.key_problem(step, keys[0]) or self._below_problem(step, keys)
        return problem and f"{reference}: {problem}"

    def _below_problem(self, step: str, keys: list[str]) -> str | None:
        if len(keys) == 1:
            return None
        known = (self.steps or {}).get(self.meant(step))
        below = frozenset[str]() if known is None else known[keys[0]]
        if len(keys) > _MAX_KEYS or not below:
            return f"{quoted(keys[0])} has no values below it"
        if keys[1] not in below:
            return f"the pattern of {quoted(keys[0])} has no named group {quoted(keys[1])}{suggestion(keys[1], below)}"
        return None
