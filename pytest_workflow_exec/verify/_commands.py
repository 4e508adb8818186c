"""The commands of the step under way: each one that ends was announced, each one announced ends."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from pytest_workflow_exec.digests import canonical_json
from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.model import StepId

from ._contradiction import ContradictionError


class _Command(NamedTuple):
    """What tells one command of a step from another."""

    argv: str
    attempt: int | None


class Commands:
    """The commands that were announced and have no end yet; several threads of a step may run some at once."""

    def __init__(self) -> None:
        self._open: dict[StepId, Counter[_Command]] = {}

    def start(self, record: Record, *, running: StepId | None, attempt: int | None) -> None:
        """Take in the announcement of a command.

        Args:
            running: The step under way, in that attempt.

        Raises:
            ContradictionError: Its step is not under way.
        """
        step = record.step or ""
        if (step, record.attempt) != (running, attempt):
            raise ContradictionError(f"step {step!r} starts a command, but it is not under way in that attempt")
        self._open.setdefault(step, Counter())[_command(record)] += 1

    def finish(self, record: Record) -> None:
        """Take in the end of a command; that of a step which was broken off may come late.

        Raises:
            ContradictionError: No such command was announced, or it has ended before.
        """
        step, command = record.step or "", _command(record)
        under_way = self._open.get(step, Counter())
        if not under_way[command]:
            raise ContradictionError(
                f"a command of step {step!r} ends, but no record says that it was started: {command.argv}"
            )
        under_way[command] -= 1
        if not under_way.total():
            self._open.pop(step)

    def demand_ends(self, step: StepId) -> None:
        """Return if every command of the step has ended.

        Raises:
            ContradictionError: One has not.
        """
        command = next(iter(+self._open.get(step, Counter())), None)
        if command is not None:
            raise ContradictionError(f"step {step!r} passed, but no record says how its command ended: {command.argv}")

    def resume(self) -> None:
        """Go on where an earlier process stopped: how its last commands ended is not known."""
        self._open.clear()


def _command(record: Record) -> _Command:
    return _Command(canonical_json(record.data.get("argv")), record.attempt)
