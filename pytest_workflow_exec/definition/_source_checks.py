"""What the source of a Python workflow must not do: lose, hide or replace one of its steps."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ._names import quoted
from ._outline import DECLARATION, FRAGMENT, Outline, assigns, outline_of
from ._problems import Problems
from ._python_source import (
    FUNCTION,
    Binding,
    FunctionNode,
    SourceError,
    bindings,
    classes_in,
    mark_of,
    parse_module,
    statements_in,
)
from ._spellings import Spellings, is_test

_MUST = {
    DECLARATION: "a workflow_*.py must define WORKFLOW = Workflow(name=...) at its top level",
    FRAGMENT: "a _workflow_*.py must define FRAGMENT = Fragment(...) at its top level",
}

_TEST_CLASS = "Test"
_PROPERTIES = frozenset({"property", "cached_property"})
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


def check_python_source(path: Path, source: bytes, *, declares: str = DECLARATION) -> Outline | None:
    """Check the source of a Python workflow before it is imported, and return its outline.

    Source that is no Python has none, and is left to Python's own import, whose message is better.

    Args:
        path: The file.
        source: What it holds.
        declares: What it must define: a workflow, or a fragment of some.

    Raises:
        DefinitionError: A function is defined twice, a step stands where it can't be collected, or the file
            declares no workflow; holds all problems, each with its place.
    """
    try:
        tree = parse_module(source)
    except SourceError:
        return None
    problems = Problems(path)
    spellings = Spellings.in_module(tree)
    found = list(bindings(tree.body))
    _check_declaration(found, tree, problems, declares)
    _check_repeats(found, "", problems, steps=_step_names(found, spellings))
    parents = dict(statements_in(tree))
    _check_classes(parents, spellings, problems)
    _check_places(parents, spellings, problems)
    _check_cases(parents, spellings, problems)
    _check_includes(tree, spellings, problems)
    _check_rebound(tree.body, spellings, problems, tests=True)
    for name, node in classes_in(tree).items():
        _check_rebound(node.body, spellings, problems, tests=_is_test_class(name))
    problems.raise_if_any()
    return outline_of(tree, spellings, declares=declares)


def _check_declaration(found: list[Binding], tree: ast.Module, problems: Problems, declares: str) -> None:
    names = [binding for binding in found if binding.name == declares]
    own = [statement for statement in tree.body if assigns(statement, declares)]
    if not own:
        problems.at((), _MUST[declares])
    for binding in sorted(names, key=lambda one: mark_of(one.node))[1:]:
        again = problems.standing_at(mark_of(binding.node))
        again.at((), f"{declares} gets a value a second time; a file is one {declares.lower()}")


def _step_names(found: list[Binding], spellings: Spellings) -> frozenset[str]:
    functions = [binding.node for binding in found if isinstance(binding.node, FUNCTION)]
    return frozenset(node.name for node in functions if is_test(node) or spellings.word_on(node) is not None)


def _check_repeats(found: list[Binding], owner: str, problems: Problems, *, steps: frozenset[str]) -> None:
    first: dict[tuple[int, str], int] = {}
    functions = [binding for binding in found if isinstance(binding.node, FUNCTION)]
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


def _check_classes(statements: Iterable[ast.AST], spellings: Spellings, problems: Problems) -> None:
    for node in statements:
        if isinstance(node, ast.ClassDef):
            found = list(bindings(node.body))
            _check_repeats(found, f"{node.name}.", problems, steps=_step_names(found, spellings))
            if _is_unittest(node) and _holds_steps(node, spellings, tests=True):
                message = f"the class {quoted(node.name)} is a unittest.TestCase; write its steps in a plain class"
                problems.standing_at(mark_of(node)).at((), message)


def _is_unittest(node: ast.ClassDef) -> bool:
    return any(_last_name(base).endswith("TestCase") for base in node.bases)


def _holds_steps(node: ast.ClassDef, spellings: Spellings, *, tests: bool) -> bool:
    functions = [each for each, _ in statements_in(node) if isinstance(each, FUNCTION)]
    return any((tests and is_test(each)) or spellings.word_on(each) is not None for each in functions)


def _is_test_class(name: str) -> bool:
    return all(part.startswith(_TEST_CLASS) for part in name.split("."))


def _check_places(parents: Mapping[ast.AST, ast.AST], spellings: Spellings, problems: Problems) -> None:
    for node in parents:
        if not isinstance(node, (*FUNCTION, ast.ClassDef)):
            continue
        problem = _place_problem(node, spellings.word_on(node), list(_around(node, parents)))
        if problem is not None:
            problems.standing_at(mark_of(node)).at((), problem)


def _check_cases(statements: Iterable[ast.AST], spellings: Spellings, problems: Problems) -> None:
    for node in statements:
        if (
            isinstance(node, FUNCTION)
            and spellings.has_cases(node)
            and spellings.word_on(node) is None
            and not is_test(node)
        ):
            message = f"@each stands on {quoted(node.name)}, which is no step; put @step beside it"
            problems.standing_at(mark_of(node)).at((), message)


def _check_includes(tree: ast.Module, spellings: Spellings, problems: Problems) -> None:
    if not spellings.can_include():
        return
    known = {id(node.value) for node in spellings.includes_in(tree)}
    for node in ast.walk(tree):
        if spellings.is_include(node) and id(node) not in known:
            message = (
                "include(...) must be a statement of its own at the file's top level, so that every run has its steps"
            )
            problems.standing_at(mark_of(node)).at((), message)


def _place_problem(node: FunctionNode | ast.ClassDef, word: str | None, around: list[ast.AST]) -> str | None:
    if isinstance(node, ast.ClassDef):
        return None if word is None else f"@{word} stands on the class {quoted(node.name)}; it belongs on functions"
    block = next((each for each in around if not isinstance(each, ast.ClassDef)), None)
    in_function = any(isinstance(each, FUNCTION) for each in around)
    if word is None:
        # A test in a branch is a step that some environments don't have. One in a function is not collected
        # by pytest either, but nothing says that it was meant to be.
        meant = is_test(node) and all(_is_test_class(each.name) for each in around if isinstance(each, ast.ClassDef))
        return _in_block(f"the step {quoted(node.name)}", block) if block and meant and not in_function else None
    if in_function:
        return (
            f"@{word} on {quoted(node.name)} stands inside a function, where it is never collected; "
            f"move it to the file's top level"
        )
    if any(_last_name(decorator) in _PROPERTIES for decorator in node.decorator_list):
        return f"@{word} on {quoted(node.name)} stands on a property; a step is a method, which pytest calls"
    return _in_block(f"@{word} on {quoted(node.name)}", block) if block else None


def _in_block(what: str, block: ast.AST) -> str:
    word = next((word for kind, word in _BLOCKS.items() if isinstance(block, kind)), "another block")
    return f"{what} stands under {word!r}; a step must stand at the file's top level, so that every run has it"


def _around(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    parent = parents.get(node)
    while parent is not None and not isinstance(parent, ast.Module):
        if isinstance(parent, ast.stmt | ast.ExceptHandler):
            yield parent
        parent = parents.get(parent)


def _check_rebound(body: list[ast.stmt], spellings: Spellings, problems: Problems, *, tests: bool) -> None:
    by_name: dict[str, list[Binding]] = defaultdict(list)
    for binding in bindings(body):
        by_name[binding.name].append(binding)
    for node in body:
        if isinstance(node, FUNCTION) and ((tests and is_test(node)) or spellings.word_on(node) is not None):
            others = [each for each in by_name[node.name] if not isinstance(each.node, FUNCTION) or each.block]
            what = f"the step {quoted(node.name)}"
        elif isinstance(node, ast.ClassDef) and _holds_steps(node, spellings, tests=_is_test_class(node.name)):
            others = [each for each in by_name[node.name] if mark_of(each.node) > mark_of(node)]
            what = f"the class {quoted(node.name)}, which holds steps,"
        else:
            continue
        for binding in others:
            message = f"{what} is replaced here; its name can't be used for something else"
            problems.standing_at(mark_of(binding.node)).at((), message)
