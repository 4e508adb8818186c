"""What can be known while a workflow is read: its inputs and what is derived from them, looked at only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.errors import PreflightError
from pytest_workflow_exec.model import (
    CaseValue,
    EachReference,
    GivenReference,
    InputSpec,
    InputValue,
    Reference,
    Template,
    case_text,
)

from ._judged import given_value
from ._problems import Problems, Where
from ._values import ValueProblemError, groups_of, read_list

Given = Callable[[str], Mapping[str, str]]
"""Returns the texts that were given to a workflow's inputs, by its name.

Raises:
    PreflightError: They can't be told.
"""


def nothing_given(_workflow: str) -> Mapping[str, str]:
    """Return that no input was given a value."""
    return {}


class UnknownError(ValueError):
    """A value can't be known yet. Without a message, what is wrong was said where it belongs."""


class NotGivenError(UnknownError):
    """An input has no value, and the session only looks: what depends on it stays open."""


class KnownValues:
    """The values of one workflow that do not depend on a run."""

    def __init__(
        self,
        *,
        root: Path,
        specs: Sequence[InputSpec],
        variables: Mapping[str, Template],
        given: Callable[[], Mapping[str, str]],
        problems: Problems,
        looking: bool = False,
    ) -> None:
        """Look at nothing yet.

        Args:
            root: The project.
            specs: The inputs that are declared without mistakes.
            variables: The same for variables.
            given: Returns the texts that were given to inputs.
            problems: Where to say what is wrong with an input.
            looking: Whether nothing will be run: then an input without a value is no problem.
        """
        self.inputs: dict[str, InputValue] = {}
        """The inputs that were asked for."""
        self._root, self._variables, self._problems = root, variables, problems
        self._specs = {spec.name: spec for spec in specs}
        self._read_given, self._looking = given, looking
        self._given: Mapping[str, str] | None = None

    def listed(self, reference: Reference) -> tuple[str, ...]:
        """Return the list that a reference is.

        Raises:
            UnknownError: It is none, or its value can't be known.
        """
        if isinstance(reference, GivenReference):
            return self._listed_given(reference)
        if reference.scope == "vars":
            try:
                return read_list(self._variable(reference))
            except ValueProblemError as error:
                raise UnknownError(f"{reference} {error}") from error
        value = self._input(reference)
        if isinstance(value, tuple):
            return value
        raise UnknownError(f"{reference} is no list; declare the input with type: list")

    def _listed_given(self, reference: GivenReference) -> tuple[str, ...]:
        value = self._given_value(reference)
        if isinstance(value, str) and reference.spec is None:
            try:
                return read_list(value)
            except ValueProblemError as error:
                raise UnknownError(f"{reference} {error}") from error
        if isinstance(value, tuple):
            return value
        raise UnknownError(f"{reference} is no list; declare the fragment's input with type: list")

    def _given_value(self, reference: GivenReference) -> InputValue:
        early = next((each for each in reference.nested if each.scope in ("steps", "run")), None)
        if early is not None:
            raise UnknownError(f"{reference} stands for {early}; a list must be known before any step runs")
        given = reference.given
        raw = self._raw(given) if isinstance(given, Template) else given
        try:
            return given_value(reference, raw, root=self._root)
        except ValueProblemError as error:
            raise UnknownError(f"{reference} {error}") from error

    def _raw(self, template: Template) -> InputValue:
        [only] = template.parts if len(template.parts) == 1 else [None]
        if isinstance(only, GivenReference):
            return self._given_value(only)
        if isinstance(only, Reference) and only.scope == "inputs":
            return self._input(only)
        return self.value(template)

    def value(self, template: Template) -> CaseValue:
        """Return what a text stands for; one that is a single reference keeps the value's own type.

        Raises:
            UnknownError: It can't be known.
        """
        if len(template.parts) == 1 and isinstance(template.parts[0], Reference):
            return self._scalar(template.parts[0])
        return self._text(template)

    def _text(self, template: Template) -> str:
        return "".join(part if isinstance(part, str) else case_text(self._scalar(part)) for part in template.parts)

    def _scalar(self, reference: Reference) -> CaseValue:
        if isinstance(reference, EachReference):
            return reference.value
        if reference.scope == "vars":
            return self._variable(reference)
        value = self._given_value(reference) if isinstance(reference, GivenReference) else self._input(reference)
        if isinstance(value, tuple):
            raise UnknownError(f"{reference} is a list; it can't stand inside a text or another list")
        return value

    def _variable(self, reference: Reference) -> str:
        template = self._variables.get(reference.path[0])
        if template is None:
            raise UnknownError
        unknown = next((each for each in template.references if each.scope == "run"), None)
        if unknown is not None:
            raise UnknownError(f"{reference} holds {unknown}, and there is no run before the steps are known")
        return self._text(template)

    def _input(self, reference: Reference) -> InputValue:
        name, *group = reference.path
        spec = self._specs.get(name)
        if spec is None:
            raise UnknownError
        if name not in self.inputs:
            self.inputs[name] = self._resolved(spec)
        return groups_of(spec, self.inputs[name])[group[0]] if group else self.inputs[name]

    def _resolved(self, spec: InputSpec) -> InputValue:
        # Said at the input's declaration, so that several lists that need it say it once.
        from ._resolve import input_value, no_value

        where: Where = ("inputs", spec.name)
        try:
            if self._given is None:
                self._given = self._read_given()
            return input_value(self._root, spec, self._given)
        except PreflightError as error:
            for problem in error.problems:
                self._problems.at((), problem.message)
        except ValueProblemError as error:
            if self._looking and spec.name not in (self._given or {}):
                raise NotGivenError from error
            self._problems.at_key(where, no_value(spec, error))
        raise UnknownError
