"""Blocks: steps that belong together, read once for each value of their list, and what cleans up after each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import CaseValue, plain_id

from ._cases import Case
from ._names import quoted
from ._problems import Where
from ._read import Read, Surrounding
from ._reader import Reader, own_ids
from ._validation import validated
from ._whens import both, read_when

if TYPE_CHECKING:
    from ._schema_blocks import BlockModel


MAX_DEPTH = 8
"""How many blocks may stand in each other."""
MAX_STEPS = 20_000
"""How many steps blocks may make of a workflow."""
DRY = "x"
"""What a variable stands for where everything but its list is checked."""

ReadItem = Callable[[Reader, Read, object, Where, bool], None]
"""Reads an entry of a list of steps; the last argument says whether the list is a `finally`."""


def read_block(reader: Reader, read: Read, item: Mapping[str, object], where: Where, read_item: ReadItem) -> None:
    """Read a block's steps for each of its cases, after adding what is wrong with it."""
    from ._schema_blocks import BlockModel

    problems, around = reader.problems, reader.around
    model = validated(BlockModel, item, where, problems)
    if around.depth >= MAX_DEPTH:
        problems.at(where, f"blocks are nested deeper than {MAX_DEPTH} levels")
        model = None
    if model is None:
        _mark(reader, read, item, None)
        return
    if model.allow_empty and model.foreach is None:
        problems.at_key((*where, "allow_empty"), "allow_empty belongs to a foreach; this block has none")
    block = f"{around.prefix}{model.id}"
    if model.foreach is None:
        read_inside(reader, read, model, where, read_item, inside=replace(around, prefix=f"{block}/"))
        return
    check_variable(reader, model.foreach, where)
    cases = reader.cases().read(model.foreach, (*where, "foreach"), allow_empty=model.allow_empty)
    if not cases:
        # Of a list that is empty or wrong, too, everything else about the block is checked.
        each = {**(around.each or {}), **dict.fromkeys(model.foreach, DRY)}
        inside = replace(around, prefix=f"{block}[{DRY}]/", each=each)
        read_inside(reader, read.copy(), model, where, read_item, inside=inside)
        _mark(reader, read, item, None if cases is None else ())
        return
    first = len(read.steps)
    for case in cases:
        if len(read.steps) > MAX_STEPS:
            problems.at(where, f"the blocks make more than {MAX_STEPS} steps of the workflow")
            return
        inside = replace(around, prefix=f"{case.of(block)}/", each=_each(around, case))
        read_inside(reader, read, model, where, read_item, inside=inside)
    if any(case.is_open for case in cases):
        _mark(reader, read, item, None)
    else:
        _gather(reader, read, first)


def _each(around: Surrounding, case: Case) -> Mapping[str, CaseValue]:
    return {**(around.each or {}), **case.each}


def read_inside(
    reader: Reader,
    read: Read,
    model: BlockModel,
    where: Where,
    read_item: ReadItem,
    *,
    inside: Surrounding,
    always: bool = False,
) -> None:
    """Read the steps of a block, or of one case of it, and what cleans up after them.

    Args:
        always: Whether they clean up themselves: a fragment that a `finally` includes.
    """
    entry = replace(reader, around=replace(inside, when=None))
    own = inside.prefix.removesuffix("/")
    # Its condition is that of its steps, so it may name what they may name that stands before it.
    when = read_when(model.when, (*where, "when"), entry.texts(own, None, read))
    inside = replace(inside, when=both(inside.when, when), depth=inside.depth + 1)
    for number, item in enumerate(model.steps):
        read_item(replace(reader, around=inside), read, item, (*where, "steps", number), always)
    first, included = len(read.steps), set(read.included)
    cleaning = replace(reader, around=replace(inside, cleans=own))
    for number, item in enumerate(model.finally_ or ()):
        read_item(cleaning, read, item, (*where, "finally", number), True)
    # What cleans up may run again whenever a run goes on, so that nothing else may hang on what it left.
    read.closed.update(step.id for step in read.steps[first:])
    read.closed.update(read.included.keys() - included)


def check_variable(reader: Reader, foreach: Mapping[str, object], where: Where) -> None:
    """Add a problem if a variable of a `foreach` hides one of a block around it."""
    for name in foreach:
        if name in (reader.around.each or {}):
            message = f"{quoted(name)} is the variable of a block around this one; choose another name"
            reader.problems.at_key((*where, "foreach", name), message)


def _mark(reader: Reader, read: Read, item: Mapping[str, object], cases: Sequence[str] | None) -> None:
    """Take note that the steps of a block have no case, or none that is known: why, is said once, at the block."""
    [block] = own_ids(item) or [""]
    for plain in reader.ids_of([item], reader.around.prefix) if block else ():
        read.cases[plain] = cases
        read.cases[plain_id(plain)] = cases


def _gather(reader: Reader, read: Read, first: int) -> None:
    """Let a name that leaves the case open, `update/drain`, stand for the steps of all cases."""
    prefix = reader.around.prefix
    for step in read.steps[first:]:
        name = prefix + plain_id(step.id[len(prefix) :])
        if name != step.id:
            known = read.cases.setdefault(name, [])
            if isinstance(known, list):
                known.append(step.id)
