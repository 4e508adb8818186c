"""Fragments: files of steps that workflows include, each found and parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import IncludedOutputs, InputSpec, Location, StepId

from ._fragment_modules import Modules, PythonSource, ids_in, includes_in, problems_in, python_source
from ._inputs import read_inputs
from ._names import is_fragment, quoted
from ._problems import Problems
from ._python_cases import text_keys
from ._sources import inside
from ._validation import validated
from ._yaml_text import Tree, read_bytes

if TYPE_CHECKING:
    from ._schema_blocks import FragmentModel


MAX_INCLUDES = 5000
"""How many times a workflow may include fragments, through others and in each case of a block, too."""
MAX_DEPTH = 8
"""How many fragments may include each other in a row."""


class IncludeError(ValueError):
    """A file can't be included. Without a message, what is wrong was said in the file itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A file of steps that other files include."""

    path: Path
    name: str
    """Its path from the project root."""
    data: Mapping[str, object]
    model: FragmentModel
    specs: Mapping[str, InputSpec | None]
    """Its inputs; None where a declaration has a problem."""
    groups: Mapping[str, frozenset[str] | None]
    problems: Problems
    python: PythonSource | None = None
    """Its source, if it is Python."""
    ids: tuple[str, ...] | None = None
    """The ids of its steps, if it is Python, as far as the source tells."""
    includes: tuple[Mapping[str, object], ...] = ()
    """What it includes itself, if it is Python, as far as the source tells."""


class Fragments:
    """The fragments of one workflow."""

    def __init__(self, *, root: Path, problems: Problems, contents: dict[Path, bytes], modules: Modules) -> None:
        """Find nothing yet.

        Args:
            root: The project.
            problems: Those of the workflow.
            contents: The sources read so far; fragments are added.
            modules: Imports those in Python.
        """
        self.modules = modules
        self.outputs: dict[StepId, IncludedOutputs] = {}
        """What each include with an id leaves."""
        self.made = 0
        """How many steps fragments have made."""
        self._root, self._problems, self._contents = root, problems, contents
        self._by_path: dict[Path, Fragment | None] = {}
        self._trees: dict[Path, Tree | DefinitionError] = {}
        self._count = self._glances = 0

    def find(self, text: str, folder: Path, *, within: tuple[Path, ...], by: Location) -> Fragment:
        """Return the fragment that an include names.

        Args:
            text: What it says.
            folder: That of the file that says it.
            within: That file, behind those that include it.
            by: Where it says so.

        Raises:
            IncludeError: There is no such fragment, or it is wrong, or would include itself.
        """
        self._count += 1
        if self._count > MAX_INCLUDES:
            raise IncludeError(f"the workflow includes fragments more than {MAX_INCLUDES} times")
        path = self._path(text, folder)
        if path in within:
            way = " -> ".join(each.name for each in (*within[within.index(path) :], path))
            raise IncludeError(f"{quoted(text)} includes itself: {way}")
        if len(within) > MAX_DEPTH:
            raise IncludeError(f"fragments include each other more than {MAX_DEPTH} deep")
        fragment = self._read(path, by)
        if fragment is None:
            raise IncludeError
        return fragment

    def glance(self, text: object, folder: Path, *, within: tuple[Path, ...]) -> Fragment | None:
        """Return the fragment that an include names, to look at its ids; what is wrong with it is said elsewhere."""
        self._glances += 1
        if not isinstance(text, str) or self._glances > MAX_INCLUDES:
            return None
        try:
            path = self._path(text, folder)
        except IncludeError:
            return None
        if path in within or len(within) > MAX_DEPTH:
            return None
        name, problems = _relative(path, self._root), Problems(path)
        if path.suffix == ".py":
            source = self._source(path)
            return Fragment(
                path=path,
                name=name,
                data={},
                model=_nothing(),
                specs={},
                groups={},
                problems=problems,
                ids=ids_in(source),
                includes=includes_in(source),
            )
        tree = self._tree(path)
        data = tree.value if isinstance(tree, Tree) and isinstance(tree.value, dict) else {}
        return Fragment(path=path, name=name, data=data, model=_nothing(), specs={}, groups={}, problems=problems)

    def _source(self, path: Path) -> bytes:
        """Return the source of a fragment in Python; nothing if it can't be read, which is said elsewhere."""
        try:
            if path not in self._contents:
                self._contents[path] = read_bytes(path)
        except DefinitionError:
            return b""
        return self._contents[path]

    def _tree(self, path: Path) -> Tree | DefinitionError:
        # Read once, so that what is digested is what was looked at.
        if path not in self._trees:
            try:
                content = read_bytes(path)
                self._contents[path] = content
                from ._yaml_tree import read_tree

                self._trees[path] = read_tree(path, content)
            except DefinitionError as error:
                self._trees[path] = error
        return self._trees[path]

    def _path(self, text: str, folder: Path) -> Path:
        wanted = folder / text
        if not is_fragment(wanted):
            raise IncludeError(f"{quoted(text)} is no fragment; those are named _*.workflow.yaml or _workflow_*.py")
        try:
            path = inside(self._root, wanted)
            found = path is not None and path.is_file()
        except (OSError, ValueError) as error:
            raise IncludeError(f"{quoted(text)} can't be looked at: {error}") from error
        if path is None:
            raise IncludeError(f"{quoted(text)} leads out of the project")
        if not found:
            raise IncludeError(f"there is no {quoted(text)} beside this file; fragments are named from its folder")
        if not is_fragment(path):
            raise IncludeError(f"{quoted(text)} is a link to {path.name}, which is no fragment")
        return path

    def _read(self, path: Path, by: Location) -> Fragment | None:
        if path not in self._by_path:
            self._by_path[path] = self._parsed(path, by)
        return self._by_path[path]

    def _parsed(self, path: Path, by: Location) -> Fragment | None:
        from ._schema_blocks import FragmentModel

        note = f" (included by {_relative(by.path, self._root)}:{by.line})"
        if path.suffix == ".py":
            return self._python(path, note)
        tree = self._tree(path)
        if isinstance(tree, DefinitionError):
            nowhere = self._problems.of_included(Problems(path), note=note)
            for problem in tree.problems:
                nowhere.take(problem)
            return None
        problems = self._problems.of_included(tree.problems, note=note)
        data = tree.value if isinstance(tree.value, dict) else {}
        # Where a key of it is wrong, its steps are read all the same, to say all that is wrong at once.
        model = validated(FragmentModel, tree.value, (), problems) or _as_far_as_it_goes(data)
        return self._made(path, data, model, problems)

    def _made(
        self,
        path: Path,
        data: Mapping[str, object],
        model: FragmentModel,
        problems: Problems,
        python: PythonSource | None = None,
    ) -> Fragment:
        declared = data.get("inputs")
        specs, groups = read_inputs(declared if isinstance(declared, dict) else {}, problems)
        by_name = {spec.name: spec for spec in specs}
        return Fragment(
            path=path,
            name=_relative(path, self._root),
            data=data,
            model=model,
            specs={name: by_name.get(name) for name in groups},
            groups=groups,
            problems=problems,
            python=python,
            ids=None if python is None else ids_in(python.source),
        )

    def _python(self, path: Path, note: str) -> Fragment | None:
        from ._schema_blocks import FragmentDeclarationModel, FragmentModel

        problems = self._problems.of_included(problems_in(path, self._source(path)), note=note)
        try:
            # Read once, so that what is digested is what was looked at.
            self._contents.setdefault(path, read_bytes(path))
            python = python_source(path, self._contents[path], self.modules)
        except DefinitionError as error:
            for problem in error.problems:
                problems.take(problem)
            return None
        if python is None:
            return None
        said = python.declaration
        data = {
            "description": said.description,
            "inputs": text_keys(said.inputs),
            "vars": text_keys(said.vars),
            "defaults": said.defaults,
            "outputs": said.outputs,
        }
        checked = validated(FragmentDeclarationModel, {**data, "inputs": said.inputs, "vars": said.vars}, (), problems)
        outputs = {} if checked is None else checked.outputs
        model = FragmentModel.model_construct(outputs=outputs, steps=[], defaults=said.defaults)
        return self._made(path, data, model, problems, python)


def _as_far_as_it_goes(data: Mapping[str, object]) -> FragmentModel:
    from ._schema_blocks import FragmentModel

    lists = {key: value for key in ("steps", "finally") if isinstance(value := data.get(key), list)}
    outputs = data.get("outputs")
    texts = {name: text for name, text in outputs.items() if isinstance(text, str)} if isinstance(outputs, dict) else {}
    return FragmentModel.model_construct(
        outputs=texts, steps=lists.get("steps", []), finally_=lists.get("finally"), defaults=data.get("defaults")
    )


def _nothing() -> FragmentModel:
    from ._schema_blocks import FragmentModel

    return FragmentModel.model_construct(steps=[])


def is_include(item: object) -> TypeGuard[Mapping[str, object]]:
    """Return whether an entry of a list of steps stands for the steps of a fragment."""
    return isinstance(item, dict) and "include" in item


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
