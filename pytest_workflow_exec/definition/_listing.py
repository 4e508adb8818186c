"""Which workflows a project holds: found by the names of files, read as text; nothing of the project is imported."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._fragment_modules import Passed
from ._fragments import is_include
from ._names import is_workflow_file, name_from_file
from ._python_source import SourceError, parse_module
from ._reader import is_block
from ._spellings import literal_includes
from ._yaml_text import read_bytes
from ._yaml_tree import read_tree
from ._yaml_workflow import read_yaml_workflow

_NOT_SOURCE = frozenset({"__pycache__", "node_modules", "venv", "build", "dist"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A workflow file of a project."""

    name: str
    path: Path
    steps: int | None
    """How many steps it has; of Python files how many functions are steps, cases not counted. None: unreadable."""
    problem: str = ""
    """What is wrong with the file, if it can't be used."""


def list_workflows(root: Path) -> Iterator[Listed]:
    """Give the workflows below a folder, by the paths of their files; fragments are none."""
    for path in sorted(_workflow_files(root)):
        yield _python(path) if path.suffix == ".py" else _yaml(path, root)


def _workflow_files(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_SOURCE]
        yield from (path for name in names if is_workflow_file(path := Path(place, name)) and path.is_file())


def _yaml(path: Path, root: Path) -> Listed:
    try:
        passed = Passed()
        workflow = read_yaml_workflow(path, root=root, looking=True, modules=passed)
    except DefinitionError as error:
        return Listed(name=name_from_file(path), path=path, steps=None, problem=str(error.problems[0]))
    return Listed(name=workflow.name, path=path, steps=len(workflow.steps) + passed.functions_passed)


def _python(path: Path) -> Listed:
    try:
        tree = parse_module(path.read_bytes())
    except (OSError, SourceError) as error:
        return Listed(name=name_from_file(path), path=path, steps=None, problem=str(error))
    return Listed(name=_name(tree) or name_from_file(path), path=path, steps=_Counter().of_functions(tree, path.parent))


class _Counter:
    """Counts the steps of files and of the fragments that they include, each file once."""

    def __init__(self) -> None:
        self._known: dict[Path, int] = {}

    def of_functions(self, tree: ast.Module, folder: Path) -> int:
        own = sum(map(_is_step, _functions(tree.body)))
        return own + sum(self._of_include(each, folder) for each in literal_includes(tree))

    def _of_include(self, said: Mapping[str, object], folder: Path) -> int:
        name = said.get("include")
        if not isinstance(name, str):
            return 0
        path = Path(os.path.normpath(folder / name))
        if path not in self._known:
            # Nothing, as long as it is not known: a fragment that includes itself ends here.
            self._known[path] = 0
            self._known[path] = self._of_file(path)
        return self._known[path]

    def _of_file(self, path: Path) -> int:
        # What is wrong with a fragment is said where the workflow is read.
        try:
            if path.suffix == ".py":
                return self.of_functions(parse_module(read_bytes(path)), path.parent)
            return self._of_list(read_tree(path, read_bytes(path)).value, path.parent)
        except (DefinitionError, SourceError, OSError, ValueError, RecursionError):
            return 0

    def _of_list(self, data: object, folder: Path) -> int:
        lists = (data.get(key) for key in ("steps", "finally")) if isinstance(data, dict) else ()
        return sum(self._of_item(item, folder) for items in lists if isinstance(items, list) for item in items)

    def _of_item(self, item: object, folder: Path) -> int:
        if is_include(item):
            return self._of_include(item, folder)
        return self._of_list(item, folder) if is_block(item) else 1


def _functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _functions(node.body)


def _is_step(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return function.name.startswith("test") or any(
        _called(decorator) in ("step", "gate") for decorator in function.decorator_list
    )


def _called(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def _name(tree: ast.Module) -> str | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _called(node.value) == "Workflow":
            for keyword in node.value.keywords:
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    return str(keyword.value.value)
    return None
