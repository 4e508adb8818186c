"""Keys of a step that belong to some kinds of steps only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ._problems import Problems, Where
from ._retries import retry_problem

if TYPE_CHECKING:
    from ._schema import StepModel

KEYS_OF_KINDS: Mapping[str, tuple[str, ...]] = {
    "outputs": ("run",),
    "cwd": ("run",),
    "env": ("run",),
    "stdin": ("run",),
    "skips": ("verify",),
    "poll": ("run", "call", "verify"),
    "waive": ("run", "call", "verify"),
    "evidence": ("run", "call", "verify", "ai"),
    "expect": ("run", "verify"),
}
NOT_IN_FINALLY = {
    "pause": "a pause can't stand in finally: what cleans up does not wait",
    "manual": "work by hand can't stand in finally: it may have to run without a person",
    "gate": "a gate can't stand in finally: its steps run whatever is decided",
    "execute": "a plan can't be executed in finally: its steps run whatever is decided",
}
_ONCE = {"gate": "a gate asks once", "execute": "a plan is executed once"}
_PLURAL = frozenset({"outputs", "skips"})


def _listed(kinds: tuple[str, ...]) -> str:
    *first, last = kinds
    return f"{', '.join(first)} and {last}" if first else last


def check_belongings(model: StepModel, kind: str, where: Where, problems: Problems) -> None:
    """Add a problem for each key of a step that steps of its kind do not have."""
    if model.foreach is not None and kind in _ONCE:
        problems.at_key((*where, "foreach"), f"{_ONCE[kind]}; it can't have a foreach")
    if model.allow_empty and model.foreach is None:
        problems.at_key((*where, "allow_empty"), "allow_empty belongs to a foreach; this step has none")
    problem = None if model.retry is None else retry_problem(kind)
    if problem is not None:
        problems.at_key((*where, "retry"), problem)
    if model.poll is not None and model.retry is not None:
        problems.at_key((*where, "poll"), "a poll looks again by itself; it can't stand beside a retry")
    for key, kinds in KEYS_OF_KINDS.items():
        if getattr(model, key) is not None and kind not in kinds:
            verb = "belong" if key in _PLURAL else "belongs"
            problems.at_key((*where, key), f"{key} {verb} to {_listed(kinds)} steps; this one is a {kind} step")
    if model.expect is not None and kind == "verify":
        for key in ("stdout", "stderr", "json_"):
            if getattr(model.expect, key) is not None:
                problems.at_key(
                    (*where, "expect", key.rstrip("_")), "of a verify step only the exit status can be expected"
                )
