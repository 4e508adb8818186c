"""What an included fragment is given: its inputs and variables, in terms of the file that includes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import GivenReference, InputSpec, InputValue, Reference, Template

from ._names import quoted, suggestion
from ._problems import Where
from ._resolve import input_value
from ._templates import SECRET, Scope, TemplateError, parse_template
from ._texts import Texts, weight_of
from ._values import ValueProblemError, check_inside, read_value

Given = Mapping[tuple[str, str], Reference]
"""What stands for each input and variable of a fragment, by scope and name; one without it has a problem."""


def read_given(
    values: Mapping[str, object],
    specs: Mapping[str, InputSpec | None],
    where: Where,
    texts: Texts,
    *,
    root: Path,
    fragment: str,
) -> Given:
    """Return what a fragment's inputs stand for, after adding what is wrong with what they are given.

    Args:
        values: What `with:` says.
        specs: The fragment's inputs; None where a declaration has a problem, which was said there.
        where: The way to what includes it.
        texts: Reads the texts of the including file.
        root: The project.
        fragment: The fragment's file, from the project root.
    """
    for name in values.keys() - specs.keys():
        message = f"{fragment} has no input {quoted(name)}{suggestion(name, specs)}"
        texts.problems.at_key((*where, "with", name), message)
    given: dict[tuple[str, str], Reference] = {}
    for name, spec in specs.items():
        if spec is None:
            continue
        place = (*where, "with", name)
        value = _Reading(spec, place if name in values else (*where, "include"), texts, root, fragment)
        found = value.of(values[name]) if name in values else value.of_default()
        if found is not None:
            given["inputs", name] = found
    return given


def place_variables(variables: Mapping[str, Template], given: Given, *, fragment: str) -> Given:
    """Return what a fragment's inputs and, derived from them, its variables stand for."""
    placed = dict(given)
    for name, template in variables.items():
        scope = Scope(inputs={}, given=placed)
        parts = tuple(part if isinstance(part, str) else scope.placed(part) for part in template.parts)
        text = Template(text=template.text, parts=parts)
        placed["vars", name] = GivenReference(
            scope="given", path=("vars", name), given=text, fragment=fragment, weight=weight_of(text) + 1
        )
    return placed


class _Reading:
    """Reads what one input is given."""

    def __init__(self, spec: InputSpec, where: Where, texts: Texts, root: Path, fragment: str) -> None:
        self._spec, self._where, self._texts, self._root, self._fragment = spec, where, texts, root, fragment
        self._named = f"input {quoted(spec.name)} of {fragment}"

    def of(self, value: object) -> Reference | None:
        if self._spec.type == "secret":
            return self._secret(value)
        if isinstance(value, list):
            return self._list(value)
        if not isinstance(value, str):
            self._wrong("must be a text or a list of texts")
            return None
        template = self._texts.template(str(value), self._where)
        if not template.references:
            return self._known("".join(str(part) for part in template.parts))
        return replace(self._reference(template), weight=weight_of(template) + 1)

    def of_default(self) -> Reference | None:
        spec = self._spec
        if spec.type == "secret":
            self._wrong(f"{self._named} is a secret: hand one over with: {{{spec.name}: ${{inputs.NAME}}}}")
            return None
        if spec.default is None:
            self._wrong(f"{self._named} has no value; say it with: {{{spec.name}: ...}}")
            return None
        try:
            return self._reference(input_value(self._root, spec, {}))
        except ValueProblemError as error:
            self._wrong(f"{self._named} {error}")
            return None

    def _secret(self, value: object) -> Reference | None:
        scope = self._texts.scope
        try:
            written = parse_template(str(value)).parts if isinstance(value, str) else ()
        except TemplateError as error:
            self._wrong(str(error))
            return None
        [only] = written if len(written) == 1 else [""]
        if isinstance(only, Reference) and only.scope == "inputs" and scope.inputs.get(only.path[0]) is SECRET:
            return scope.placed(only)
        self._wrong(f"{self._named} is a secret; only a secret input can be handed over, ${{inputs.NAME}}")
        return None

    def _list(self, items: list[object]) -> Reference | None:
        texts = [str(item) for item in items if isinstance(item, str)]
        if len(texts) != len(items) or any("${" in text for text in texts):
            self._wrong("a list holds plain texts; a list with values is handed over by one reference to it")
            return None
        return self._known(tuple(texts))

    def _known(self, value: object) -> Reference | None:
        try:
            found = read_value(self._spec, value)
            check_inside(self._root, self._spec, found)
        except ValueProblemError as error:
            self._wrong(f"{self._named} {error}")
            return None
        return self._reference(found)

    def _reference(self, value: Template | InputValue) -> GivenReference:
        path = ("inputs", self._spec.name)
        return GivenReference(scope="given", path=path, given=value, spec=self._spec, fragment=self._fragment)

    def _wrong(self, message: str) -> None:
        self._texts.problems.at(self._where, message)
