"""What things are called: steps, runs, and places in files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

StepId = str
"""A step's identity everywhere: `[a-z][a-z0-9_-]*`, one case of it `deploy[web1]`, in a block `update[web1]/drain`; never
its position."""

BlockId = str
"""A block's identity: that of one case of it, `update[web1]`, if it has cases."""

RunId = str
"""A UUID version 7 in its usual spelling: sorting run ids sorts runs by their start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a file; lines and columns count from 1."""

    path: Path
    line: int
    column: int = 1


# What stands in the brackets of a block's case is spelled as in a URL. In Python, that of a step may be any text.
_BLOCKS = lazy_pattern(r"(?:[a-z][a-z0-9_-]*(?:\[[^\[\]/]*\])?/)*", re.ASCII)
_CASE = lazy_pattern(r"\[[^\[\]/]*\]")


def base_of(step: StepId) -> StepId:
    """Return the id of the step that a case is one of: `deploy` for `deploy[web1]`; else the id itself."""
    blocks = blocks_in(step)
    return blocks + step[len(blocks) :].partition("[")[0]


def plain_id(step: StepId) -> str:
    """Return what all cases of a step share, those of its blocks too: `update/drain` for `update[web1]/drain`."""
    if "[" not in step:
        return step
    blocks = blocks_in(step)
    return _CASE.sub("", blocks) + step[len(blocks) :].partition("[")[0]


def blocks_in(step: StepId) -> str:
    """Return the part of an id that says in which blocks the step stands: `update[web1]/` for `update[web1]/drain`."""
    found = _BLOCKS.match(step) if "/" in step else None
    return "" if found is None else found.group()


def blocks_around(step: StepId) -> Iterator[BlockId]:
    """Give the blocks that a step stands in, the outermost first."""
    blocks = blocks_in(step)
    end = blocks.find("/")
    while end >= 0:
        yield blocks[:end]
        end = blocks.find("/", end + 1)


def is_named_by(step: StepId, name: str) -> bool:
    """Return whether a name stands for the step: its own, or that of a step or block that it is a part or a case of."""
    return step == name or step.startswith((f"{name}[", f"{name}/")) or plain_id(step) == name
