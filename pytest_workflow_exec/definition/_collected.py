"""The functions of a file as pytest collected them: none is missing, and what they share is known."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from pytest_workflow_exec.digests import digest_of_bytes

from ._include import IncludeOptions
from ._names import quoted
from ._problems import Problems
from ._python_source import FUNCTION, FunctionNode, functions_in, lines_of, mark_of
from ._python_steps import DeclaredFunction, Entry, functions_of, includes_of
from ._shared_source import shared_source
from ._source_checks import DECLARATION
from ._spellings import decorated_functions, include_calls, is_fixture, is_test


def shared_digest(
    source: bytes,
    tree: ast.Module,
    nodes: Mapping[str, FunctionNode],
    functions: Sequence[DeclaredFunction],
    *,
    declaration: str = DECLARATION,
) -> str:
    """Return the digest of what the functions of a file share."""
    written = {function.written_as or function.name for function in functions}
    steps = {name: node for name, node in nodes.items() if name in written}
    return digest_of_bytes(shared_source(source, tree, steps, declaration=declaration))


def in_source_order(tree: ast.Module, entries: Sequence[Entry]) -> list[Entry]:
    """Return the functions and includes of a file as they stand in it.

    The module's namespace has another order where `from ... import *` gave a name to something else before.
    """
    lines = {node.name: node.lineno for node in tree.body if isinstance(node, (*FUNCTION, ast.ClassDef))}
    place, placed = 0, list[tuple[int, Entry]]()
    for entry in entries:
        if isinstance(entry, IncludeOptions):
            place = entry.place.line
        else:
            # A method stands where its class does.
            place = lines.get(entry.name.partition(".")[0], place)
        placed.append((place, entry))
    return [entry for _, entry in sorted(placed, key=lambda one: one[0])]


def check_collected(tree: ast.Module, entries: Sequence[Entry], problems: Problems) -> None:
    """Add what is wrong if the file has no steps, or one of them was not collected."""
    if not entries:
        problems.at((), "has no steps; write @step, @gate or test_* functions")
    functions = functions_of(entries)
    lines = {each.place.line for each in includes_of(entries)}
    for call in include_calls(tree):
        if lines.isdisjoint(lines_of(call)):
            message = "this include(...) was not seen; something in the file replaces `include`, or leaves it out"
            problems.standing_at(mark_of(call)).at((), message)
    collected = {function.written_as or function.name for function in functions}
    tests = {name: node for name, node in functions_in(tree).items() if is_test(node) and not is_fixture(node)}
    for name, node in {**tests, **decorated_functions(tree)}.items():
        if name in collected:
            continue
        why = "something other than this file leaves it out"
        if "." in name:
            why = (
                "no class that pytest collects has it (pytest collects classes by their names, which begin with "
                "Test unless python_classes says otherwise)"
            )
        problems.standing_at(mark_of(node)).at((), f"the step {quoted(name)} was not collected; {why}")
