"""The outline of a Python module: what reading its steps needs of its source, once its syntax tree is gone.

A tree takes two kilobytes for a function of three lines, and would stay there while pytest imports and collects the file.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._problems import Mark
from ._python_source import FUNCTION, FunctionNode, functions_in, lines_of, mark_of
from ._spellings import Spellings, is_fixture, is_test

DECLARATION = "WORKFLOW"
FRAGMENT = "FRAGMENT"

_HANDLES = frozenset({"sandbox", "workflow"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFunction:
    """A function as its source tells of it."""

    mark: Mark
    lines: range
    """The numbers of those that it stands in, from its first decorator to its end."""
    is_step: bool
    """Whether it is one by a decorator or its name, so that pytest has to collect it."""
    is_helper: bool
    """Whether the rest of the module calls it by name. Steps can be helpers, too."""
    returns_value: bool
    """Whether it is annotated to return anything but None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenInclude:
    """A statement that includes a fragment."""

    mark: Mark
    lines: range


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What the source of a module says, as far as its steps are concerned."""

    declaration: Mark
    """Where it declares its workflow, or its fragment."""
    functions: Mapping[str, WrittenFunction]
    """Those at its top level and in its classes, by their qualified names."""
    includes: Sequence[WrittenInclude]
    """In their order."""
    places: Mapping[str, int]
    """The lines at which its functions and classes stand, by their names."""
    said_elsewhere: frozenset[int]
    """The lines of statements that are part of no step, as long as no code looks at them."""


def outline_of(tree: ast.Module, spellings: Spellings, *, declares: str = DECLARATION) -> Outline:
    """Return the outline of a module.

    Args:
        tree: Its syntax tree.
        spellings: How it spells the decorators.
        declares: The name of its declaration, whose parts count where they are used.
    """
    named = Counter(_named_in(tree))
    includes = spellings.includes_in(tree)
    return Outline(
        declaration=declaration_mark(tree, declares),
        functions={name: _function(name, node, named, spellings) for name, node in functions_in(tree).items()},
        includes=[WrittenInclude(mark=mark_of(node), lines=lines_of(node)) for node in includes],
        places={node.name: node.lineno for node in tree.body if isinstance(node, (*FUNCTION, ast.ClassDef))},
        said_elsewhere=frozenset(_said_elsewhere(tree, declares, named, includes)),
    )


def declaration_mark(tree: ast.Module, declares: str = DECLARATION) -> Mark:
    """Return where the module declares its workflow, or its fragment."""
    return next((mark_of(statement) for statement in tree.body if assigns(statement, declares)), Mark(1, 1))


def assigns(statement: ast.stmt, name: str) -> bool:
    """Return whether a statement gives that name a value, be it beside others."""
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    else:
        return False
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _function(name: str, node: FunctionNode, named: Counter[str], spellings: Spellings) -> WrittenFunction:
    returns = node.returns
    return WrittenFunction(
        mark=mark_of(node),
        lines=lines_of(node),
        is_step=spellings.word_on(node) is not None or (is_test(node) and not is_fixture(node)),
        is_helper=_is_helper(name, node, named),
        returns_value=returns is not None and not (isinstance(returns, ast.Constant) and returns.value is None),
    )


def _named_in(tree: ast.AST) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                yield node.id
            continue
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in _HANDLES):
            yield f".{node.attr}"
        # As `ast.walk` does it, in any order and without two generators for each node: a file's every node is looked at.
        for name in node._fields:
            field = getattr(node, name, None)
            if isinstance(field, list):
                waiting += [child for child in field if isinstance(child, ast.AST)]
            elif isinstance(field, ast.AST):
                waiting.append(field)


def _is_helper(name: str, node: FunctionNode, named: Counter[str]) -> bool:
    # A method is called by way of something, whatever that is called: `self`, an object, its class.
    spelling = f".{node.name}" if "." in name else node.name
    return spelling in named and named[spelling] > Counter(_named_in(node))[spelling]


def _said_elsewhere(tree: ast.Module, declaration: str, named: Counter[str], includes: Sequence[ast.Expr]) -> set[int]:
    apart: list[ast.stmt] = [
        node
        for node in tree.body
        if (_is_text(node) and not named["__doc__"]) or (_declares(node, declaration) and not named[declaration])
    ]
    # What an include says is in the digests of its own steps.
    apart += [node for node in includes if not _does_more(node)]
    # `WORKFLOW = Workflow(); LIMIT = 3`
    left_out = {number for node in apart for number in lines_of(node)}
    others = (lines_of(node) for node in tree.body if node not in apart)
    return left_out.difference(*(lines for lines in others if not left_out.isdisjoint(lines)))


def _does_more(node: ast.Expr | ast.Assign | ast.AnnAssign) -> bool:
    """Return whether a statement calls or binds anything but the one function that it is for: that may do anything."""
    parts = (part for part in ast.walk(node) if part is not node.value)
    return any(isinstance(part, (ast.Call, ast.NamedExpr, ast.Await, ast.comprehension)) for part in parts)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _declares(node: ast.stmt, name: str) -> bool:
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if [target.id if isinstance(target, ast.Name) else "" for target in targets] != [name]:
        return False
    return not _does_more(node)
