"""What the source text of a Python module says, before anything of it runs."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping, Sequence

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._problems import Mark

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_OWN_SCOPE = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class SourceError(ValueError):
    """A module's source is no Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One place where a name of the module gets (or loses) its value."""

    name: str
    node: ast.AST
    block: int
    """Which list of statements it stands in; 0 for the module's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleNames:
    """What a module's top level says of its names."""

    functions: Mapping[str, FunctionNode]
    """The functions defined there, each as it is first."""
    lines: Mapping[str, Sequence[int]]
    """The lines in which each name gets (or loses) a value, in no order."""


def names_in(tree: ast.Module) -> ModuleNames:
    """Return what a module's top level says of its names."""
    functions: dict[str, FunctionNode] = {}
    lines: dict[str, list[int]] = {}
    for statement in tree.body:
        if isinstance(statement, FUNCTION):
            functions.setdefault(statement.name, statement)
    for binding in bindings(tree.body):
        lines.setdefault(binding.name, []).append(getattr(binding.node, "lineno", 0))
    return ModuleNames(functions=functions, lines=lines)


def parse_module(source: bytes) -> ast.Module:
    """Return the module's syntax tree.

    Raises:
        SourceError: It is no Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        raise SourceError(f"line {error.lineno or 1}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceError(str(error) or "is nested too deeply") from error


def bindings(body: list[ast.stmt]) -> Iterator[Binding]:
    """Return every binding of a scope, in no order, without those inside its functions and classes."""
    waiting: list[tuple[ast.AST, int]] = [(statement, 0) for statement in body]
    blocks = 0
    while waiting:
        node, block = waiting.pop()
        yield from (Binding(name=name, node=node, block=block) for name in _bound_by(node))
        if isinstance(node, (*_OWN_SCOPE, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for _, field in ast.iter_fields(node):
            if isinstance(field, list):
                # Each branch of an `if` is a block of its own: what it defines twice is a mistake, what
                # two branches define is not.
                blocks += 1
                waiting += [(child, blocks) for child in field if isinstance(child, ast.AST)]
            elif isinstance(field, ast.AST):
                waiting.append((field, block))


def _bound_by(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return (node.name,)
    if isinstance(node, ast.alias):
        return (node.asname or node.name.split(".")[0],)
    if isinstance(node, ast.Name):
        return () if isinstance(node.ctx, ast.Load) else (node.id,)
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return (node.name,) if node.name else ()
    return (node.rest,) if isinstance(node, ast.MatchMapping) and node.rest else ()


_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_BLOCKS_OF: Mapping[type, tuple[str, ...]] = {
    kind: tuple(block for block in _BLOCKS if block in kind._fields)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""The lists of statements that each kind of node has. An expression's `body` is none, and no list."""


def statements_in(tree: ast.Module | ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Return every statement in a module or a statement, and every branch of one, each with what it stands in.

    Functions, classes and imports are found so without a look at any expression, which are most of a tree.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        for block in _BLOCKS_OF[type(node)]:
            for child in getattr(node, block, ()):
                yield child, node
                waiting.append(child)


def is_generator(function: FunctionNode) -> bool:
    """Return whether calling the function would run nothing of it yet."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def mark_of(node: ast.AST) -> Mark:
    """Return the place of a node."""
    return Mark(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1)


def functions_in(tree: ast.Module) -> Mapping[str, FunctionNode]:
    """Return the functions at the module's top level and in its classes, by their qualified names."""
    return {name: node for name, node in _members(tree.body, "") if isinstance(node, FUNCTION)}


def classes_in(tree: ast.Module) -> Mapping[str, ast.ClassDef]:
    """Return the classes at the module's top level and in its classes, by their qualified names."""
    return {name: node for name, node in _members(tree.body, "") if isinstance(node, ast.ClassDef)}


def _members(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, FunctionNode | ast.ClassDef]]:
    for node in body:
        if isinstance(node, (*FUNCTION, ast.ClassDef)):
            # Not an f-string: a second text of each name, beside the one that Python keeps and finds again at import.
            yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _members(node.body, f"{prefix}{node.name}.")


def segment(lines: Sequence[bytes], numbers: range) -> bytes:
    """Return those of a file's lines with these numbers, from 1."""
    return b"\n".join(lines[numbers.start - 1 : numbers.stop - 1])


def lines_of(node: ast.stmt) -> range:
    """Return the numbers of the lines that a statement stands in, from its first decorator to its end."""
    decorators = node.decorator_list if isinstance(node, (*FUNCTION, ast.ClassDef)) else []
    # They stand in the order of the file, before what they decorate.
    first = decorators[0].lineno if decorators else node.lineno
    return range(first, (node.end_lineno or node.lineno) + 1)
