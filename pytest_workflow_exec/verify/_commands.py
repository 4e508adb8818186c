"""The commands of the step under way: each one that ends was announced, each one announced ends."""

from __future__ import annotations

from typing import TypeAlias

from pytest_workflow_exec.digests import canonical_json
from pytest_workflow_exec.model import StepId

from ._contradiction import ContradictionError
from ._shapes import Recognized
from ._told import Told

_Command: TypeAlias = "tuple[StepId | None, int | None, str]"
"""What tells one command from another: step, attempt and command line."""


class Commands:
    """The commands that were announced and have no end yet; several threads of a step may run some at once."""

    def __init__(self) -> None:
        self._open: dict[_Command, int] = {}
        """How many of each are under way."""

    def start(self, record: Told, *, running: StepId | None, attempt: int | None) -> None:
        """Take in the announcement of a command.

        Args:
            running: The step under way, in that attempt.

        Raises:
            ContradictionError: Its step is not under way.
        """
        if record.step != running or record.attempt != attempt:
            raise ContradictionError(f"step {record.step!r} starts a command, but it is not under way in that attempt")
        command = _command(record)
        self._open[command] = self._open.get(command, 0) + 1

    def finish(self, record: Told) -> None:
        """Take in the end of a command; that of a step which was broken off may come late.

        Raises:
            ContradictionError: No such command was announced, or it has ended before.
        """
        command = _command(record)
        left = self._open.pop(command, 0) - 1
        if left < 0:
            raise ContradictionError(
                f"a command of step {record.step!r} ends, but no record says that it was started: {command[2]}"
            )
        if left:
            self._open[command] = left

    def demand_ends(self, step: StepId) -> None:
        """Return if every command of the step has ended.

        Raises:
            ContradictionError: One has not.
        """
        for of, _, argv in self._open:
            if of == step:
                raise ContradictionError(f"step {step!r} passed, but no record says how its command ended: {argv}")

    def resume(self) -> None:
        """Go on where an earlier process stopped: how its last commands ended is not known."""
        self._open.clear()


def _command(record: Told) -> _Command:
    text = record.plain_text_of("argv") if isinstance(record, Recognized) else None
    return record.step, record.attempt, canonical_json(record.data.get("argv")) if text is None else text
