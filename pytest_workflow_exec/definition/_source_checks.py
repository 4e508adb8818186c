"""What the source of a Python workflow must not do: lose, hide or replace one of its steps."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ._names import quoted
from ._problems import Mark, Problems
from ._python_source import Binding, FunctionNode, SourceError, bindings, mark_of, parse_module

DECLARATION = "WORKFLOW"

_PACKAGE = "pytest_workflow_exec"
_WORDS = ("step", "gate")
_MAY_REPEAT = frozenset({"overload", "setter", "getter", "deleter", "register"})
_BLOCKS: Mapping[type[ast.AST], str] = {
    ast.If: "if",
    ast.Try: "try",
    ast.ExceptHandler: "except",
    ast.For: "for",
    ast.While: "while",
    ast.With: "with",
    ast.Match: "match",
}

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def check_python_source(path: Path, source: bytes) -> None:
    """Check the source of a Python workflow before it is imported.

    Source that is no Python is left to Python's own import, whose message is better.

    Raises:
        DefinitionError: A function is defined twice, a step stands where it can't be collected, or the file
            declares no workflow; holds all problems, each with its place.
    """
    try:
        tree = parse_module(source)
    except SourceError:
        return
    problems = Problems(path)
    found = list(bindings(tree.body))
    _check_declaration(found, tree, problems)
    _check_repeats(found, "", problems, steps=_step_names(found, tree))
    _check_classes(tree, problems)
    _check_places(tree, problems)
    _check_rebound(found, tree, problems)
    problems.raise_if_any()


def step_functions(tree: ast.Module) -> Mapping[str, FunctionNode]:
    """Return the functions at the module's top level by name."""
    return {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def decorated_functions(tree: ast.Module) -> Mapping[str, FunctionNode]:
    """Return the top-level functions that `@step` or `@gate` stands on, as far as the source tells."""
    spellings = _Spellings.in_module(tree)
    return {name: node for name, node in step_functions(tree).items() if spellings.word_on(node) is not None}


def _check_declaration(found: list[Binding], tree: ast.Module, problems: Problems) -> None:
    names = [binding for binding in found if binding.name == DECLARATION]
    own = [statement for statement in tree.body if _assigns_declaration(statement)]
    if not own:
        problems.at((), "a workflow_*.py must define WORKFLOW = Workflow(name=...) at its top level")
    for binding in sorted(names, key=lambda one: mark_of(one.node))[1:]:
        again = problems.standing_at(mark_of(binding.node))
        again.at((), "WORKFLOW gets a value a second time; a file is one workflow")


def declaration_mark(tree: ast.Module) -> Mark:
    """Return where the module declares its workflow."""
    return next((mark_of(statement) for statement in tree.body if _assigns_declaration(statement)), Mark(1, 1))


def _assigns_declaration(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    else:
        return False
    return any(isinstance(target, ast.Name) and target.id == DECLARATION for target in targets)


def _step_names(found: list[Binding], tree: ast.Module) -> frozenset[str]:
    spellings = _Spellings.in_module(tree)
    functions = [binding.node for binding in found if isinstance(binding.node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return frozenset(node.name for node in functions if _is_test(node) or spellings.word_on(node) is not None)


def _check_repeats(
    found: list[Binding], owner: str, problems: Problems, *, steps: frozenset[str] = frozenset()
) -> None:
    first: dict[tuple[int, str], int] = {}
    functions = [binding for binding in found if isinstance(binding.node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for binding in sorted(functions, key=lambda one: mark_of(one.node)):
        if _may_repeat(binding.node) and binding.name not in steps:
            continue
        key, mark = (binding.block, binding.name), mark_of(binding.node)
        if key in first:
            message = (
                f"the function {quoted(owner + binding.name)} is defined twice, first in line {first[key]}; "
                f"only the last would run"
            )
            problems.standing_at(mark).at((), message)
        first.setdefault(key, mark.line)


def _may_repeat(node: ast.AST) -> bool:
    # `@overload` before an implementation, `@x.setter` after a property, `@singledispatched.register`.
    decorators = getattr(node, "decorator_list", [])
    names = {_last_name(decorator) for decorator in decorators}
    return bool(names & _MAY_REPEAT) or getattr(node, "name", "") == "_"


def _last_name(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _check_classes(tree: ast.Module, problems: Problems) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            _check_repeats(list(bindings(node.body)), f"{node.name}.", problems)
            if _holds_tests(node):
                message = f"the class {quoted(node.name)} holds tests; steps are not supported in classes yet"
                problems.standing_at(mark_of(node)).at((), message)


def _holds_tests(node: ast.ClassDef) -> bool:
    is_test_class = node.name.startswith("Test") or any(_last_name(base).endswith("TestCase") for base in node.bases)
    return is_test_class and any(_is_test(binding.node) for binding in bindings(node.body))


def _is_test(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test")


def _check_places(tree: ast.Module, problems: Problems) -> None:
    spellings = _Spellings.in_module(tree)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in parents:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        word = spellings.word_on(node)
        problem = _place_problem(node, word, parents)
        if problem is not None:
            problems.standing_at(mark_of(node)).at((), problem)


def _place_problem(
    node: FunctionNode | ast.ClassDef, word: str | None, parents: Mapping[ast.AST, ast.AST]
) -> str | None:
    if word is not None and isinstance(node, ast.ClassDef):
        return f"@{word} stands on the class {quoted(node.name)}; it belongs on functions"
    blocks = list(_around(node, parents))
    enclosing = next((block for block in blocks if isinstance(block, _SCOPES)), None)
    if word is None:
        # A test in a branch is a step that some environments don't have. One in a function is not collected
        # by pytest either, but nothing says that it was meant to be.
        conditional = _is_test(node) and bool(blocks) and enclosing is None
        return _in_block(f"the step {quoted(node.name)}", blocks[0]) if conditional else None
    if isinstance(enclosing, ast.ClassDef):
        return f"@{word} on {quoted(node.name)} stands in a class; steps are not supported in classes yet"
    if enclosing is not None:
        return (
            f"@{word} on {quoted(node.name)} stands inside a function, where it is never collected; "
            f"move it to the file's top level"
        )
    return _in_block(f"@{word} on {quoted(node.name)}", blocks[0]) if blocks else None


def _in_block(what: str, block: ast.AST) -> str:
    word = next((word for kind, word in _BLOCKS.items() if isinstance(block, kind)), "another block")
    return f"{what} stands under {word!r}; a step must stand at the file's top level, so that every run has it"


def _around(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    parent = parents.get(node)
    while parent is not None and not isinstance(parent, ast.Module):
        if isinstance(parent, ast.stmt | ast.ExceptHandler):
            yield parent
        parent = parents.get(parent)


def _check_rebound(found: list[Binding], tree: ast.Module, problems: Problems) -> None:
    decorated = decorated_functions(tree)
    steps = {name: node for name, node in step_functions(tree).items() if name in decorated or _is_test(node)}
    by_name: dict[str, list[Binding]] = defaultdict(list)
    for binding in found:
        by_name[binding.name].append(binding)
    for name in steps:
        for binding in by_name[name]:
            if not isinstance(binding.node, (ast.FunctionDef, ast.AsyncFunctionDef)) or binding.block:
                message = f"the step {quoted(name)} is replaced here; its name can't be used for something else"
                problems.standing_at(mark_of(binding.node)).at((), message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spellings:
    """How a module spells the decorators: `step`, `s` after `import step as s`, `pwe.step`."""

    names: Mapping[str, str]
    modules: frozenset[str]

    @classmethod
    def in_module(cls, tree: ast.Module) -> _Spellings:
        names: dict[str, str] = {}
        modules: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == _PACKAGE and not node.level:
                for alias in node.names:
                    words = _WORDS if alias.name == "*" else (alias.name,)
                    names.update({alias.asname or word: word for word in words if word in _WORDS})
            elif isinstance(node, ast.Import):
                modules |= {alias.asname or _PACKAGE for alias in node.names if alias.name.split(".")[0] == _PACKAGE}
        return cls(names=names, modules=frozenset(modules))

    def word_on(self, node: FunctionNode | ast.ClassDef) -> str | None:
        """Return `step` or `gate` if that decorator stands on the node."""
        words = (self._word(decorator) for decorator in node.decorator_list)
        return next((word for word in words if word is not None), None)

    def _word(self, decorator: ast.expr) -> str | None:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(target, ast.Name):
            return self.names.get(target.id)
        if isinstance(target, ast.Attribute) and target.attr in _WORDS and ast.unparse(target.value) in self.modules:
            return target.attr
        return None
