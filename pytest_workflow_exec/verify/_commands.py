"""The commands of the step under way: each one that ends was announced, each one announced ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.model import StepId

from ._contradiction import ContradictionError


class Commands:
    """The commands that were announced and have no end yet; several threads of a step may run some at once."""

    def __init__(self) -> None:
        self._open: dict[StepId, Counter[str]] = {}

    def start(self, step: StepId, data: Mapping[str, Json], *, running: StepId | None) -> None:
        """Take in the announcement of a command.

        Raises:
            ContradictionError: Its step is not under way.
        """
        if step != running:
            raise ContradictionError(f"step {step!r} starts a command, but it is not under way")
        self._open.setdefault(step, Counter())[_argv(data)] += 1

    def finish(self, step: StepId, data: Mapping[str, Json]) -> None:
        """Take in the end of a command; that of a step which was broken off may come late.

        Raises:
            ContradictionError: No such command was announced, or it has ended before.
        """
        argv, under_way = _argv(data), self._open.get(step, Counter())
        if not under_way[argv]:
            raise ContradictionError(f"a command of step {step!r} ends, but no record says that it was started: {argv}")
        under_way[argv] -= 1
        if not under_way.total():
            self._open.pop(step)

    def demand_ends(self, step: StepId) -> None:
        """Return if every command of the step has ended.

        Raises:
            ContradictionError: One has not.
        """
        argv = next(iter(+self._open.get(step, Counter())), None)
        if argv is not None:
            raise ContradictionError(f"step {step!r} passed, but no record says how its command ended: {argv}")

    def resume(self) -> None:
        """Go on where an earlier process stopped: how its last commands ended is not known."""
        self._open.clear()


def _argv(data: Mapping[str, Json]) -> str:
    return canonical_json(data.get("argv"))
