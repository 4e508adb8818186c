"""Reading the texts of one step: references parsed, and judged against what may be named there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import GivenReference, Template

from ._names import value_name_problem
from ._problems import Problems, Where
from ._python_source import ModuleNames
from ._schema_basics import DeclarationModel
from ._templates import Scope, TemplateError, literal_template, parse_template, plain_template
from ._yaml_text import Plain

MAX_REFERENCES = 1000
"""How many references one text may stand for, all together: each may stand for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What reading a text needs: where to complain, and what the text may name."""

    problems: Problems
    scope: Scope

    def with_secrets(self) -> Texts:
        """Return the same for a text that may hold secrets."""
        return replace(self, scope=replace(self.scope, secrets=True))

    def template(self, text: str, where: Where, *, whole: bool = False) -> Template:
        """Return the text with its references, after adding what is wrong with them.

        Args:
            text: The text.
            where: Where it stands.
            whole: Whether it may be a list, `${…[*]}` and nothing else.
        """
        if "${" not in text:
            return plain_template(text)
        try:
            template = parse_template(text, steps=self.scope.all_steps, whole=whole)
        except TemplateError as error:
            self.problems.at(where, str(error))
            return literal_template(text)
        for reference in template.references:
            problem = self.scope.problem(reference)
            if problem is not None:
                self.problems.at(where, problem)
        parts = tuple(part if isinstance(part, str) else self.scope.placed(part) for part in template.parts)
        placed = Template(text=template.text, parts=parts)
        if weight_of(placed) > MAX_REFERENCES:
            self.problems.at(where, _TOO_MANY)
            return literal_template(text)
        return placed


_TOO_MANY = f"stands for more than {MAX_REFERENCES} references, with those that they stand for"


def weight_of(template: Template) -> int:
    """Return how many references a text stands for, those behind what a fragment is given among them."""
    return sum(
        part.weight if isinstance(part, GivenReference) else 1 for part in template.parts if not isinstance(part, str)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What finding the files of one workflow needs."""

    root: Path
    folder: Path
    """The workflow file's folder; `call` and `verify` count from it."""
    contents: dict[Path, bytes]
    """The sources read so far; each is read once, so that what is digested is what runs."""
    targets: dict[str, tuple[Path, str]] = field(default_factory=dict)
    """The files and names of the functions that were found so far, by how steps name them."""
    modules: dict[Path, ModuleNames] = field(default_factory=dict)
    """What the sources say of their names, as far as it was asked."""

    def read(self, path: Path) -> bytes:
        """Return the content of a source file below the root.

        Raises:
            OSError: It can't be read.
        """
        if path not in self.contents:
            self.contents[path] = path.read_bytes()
        return self.contents[path]


def read_group(
    model: DeclarationModel | None,
    *,
    inputs: Mapping[str, frozenset[str] | None],
    variables: Mapping[str, Template],
    declared: Mapping[str, object],
    problems: Problems,
) -> Template | None:
    """Return the name of a workflow's concurrency group; it may name inputs and variables."""
    if model is None or model.concurrency is None:
        return None
    scope = Scope(inputs=inputs, variables=frozenset(variables), all_variables=frozenset(declared))
    return Texts(problems=problems, scope=scope).template(model.concurrency, ("concurrency",))


def read_variables(
    declared: Mapping[str, object], *, inputs: Mapping[str, frozenset[str] | None], problems: Problems
) -> dict[str, Template]:
    """Return the derived texts of a workflow; each may name inputs, the run and the variables above it."""
    variables: dict[str, Template] = {}
    weights: dict[str, int] = {}
    for name, text in declared.items():
        where: Where = ("vars", name)
        problem = value_name_problem(name)
        if problem is not None:
            problems.at_key(where, problem)
        elif not isinstance(text, str):
            problems.at(where, "must be a text")
        elif isinstance(text, Plain) and not text:
            problems.at(where, 'has no value; write "" if an empty text is meant')
        else:
            scope = Scope(inputs=inputs, variables=frozenset(variables), all_variables=frozenset(declared))
            variables[name] = Texts(problems=problems, scope=scope).template(text, where)
            weights[name] = sum(
                weights.get(each.path[0], 1) if each.scope == "vars" else 1 for each in variables[name].references
            )
            if weights[name] > MAX_REFERENCES:
                problems.at(where, _TOO_MANY)
                variables[name] = literal_template(text)
    return variables
