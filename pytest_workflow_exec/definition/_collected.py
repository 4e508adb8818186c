"""The functions of a file as pytest collected them: none is missing, and what they share is known."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_workflow_exec.digests import digest_of_bytes

from ._include import IncludeOptions
from ._names import quoted
from ._outline import Outline
from ._problems import Problems
from ._python_steps import DeclaredFunction, Entry, functions_of, includes_of
from ._shared_source import shared_source


def shared_digest(source: bytes, outline: Outline, functions: Sequence[DeclaredFunction]) -> str:
    """Return the digest of what the functions of a file share."""
    written = {function.written_as or function.name for function in functions}
    return digest_of_bytes(shared_source(source, outline, written))


def in_source_order(outline: Outline, entries: Sequence[Entry]) -> list[Entry]:
    """Return the functions and includes of a file as they stand in it.

    The module's namespace has another order where `from ... import *` gave a name to something else before.
    """
    place, placed = 0, list[tuple[int, Entry]]()
    for entry in entries:
        if isinstance(entry, IncludeOptions):
            place = entry.place.line
        else:
            # A method stands where its class does.
            place = outline.places.get(entry.name.partition(".")[0], place)
        placed.append((place, entry))
    return [entry for _, entry in sorted(placed, key=lambda one: one[0])]


def check_collected(outline: Outline, entries: Sequence[Entry], problems: Problems) -> None:
    """Add what is wrong if the file has no steps, or one of them was not collected."""
    if not entries:
        problems.at((), "has no steps; write @step, @gate or test_* functions")
    functions = functions_of(entries)
    lines = {each.place.line for each in includes_of(entries)}
    for include in outline.includes:
        if lines.isdisjoint(include.lines):
            message = "this include(...) was not seen; something in the file replaces `include`, or leaves it out"
            problems.standing_at(include.mark).at((), message)
    collected = {function.written_as or function.name for function in functions}
    for name, function in outline.functions.items():
        if not function.is_step or name in collected:
            continue
        why = "something other than this file leaves it out"
        if "." in name:
            why = (
                "no class that pytest collects has it (pytest collects classes by their names, which begin with "
                "Test unless python_classes says otherwise)"
            )
        problems.standing_at(function.mark).at((), f"the step {quoted(name)} was not collected; {why}")
