"""The commands of the step under way: each one that ends was announced, each one announced ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pytest_workflow_exec.digests import canonical_json
from pytest_workflow_exec.model import StepId

from ._contradiction import ContradictionError
from ._plan import PlannedStep
from ._shapes import Recognized
from ._told import Told

_Command: TypeAlias = "tuple[StepId | None, int | None, str]"
"""What tells one command from another: step, attempt and command line."""

_MADE_OF_ONE = frozenset({"run", "verify"})
"""The kinds of steps that are a command, or tests in a process of their own: without one they did nothing."""


class Commands:
    """The commands that were announced and have no end yet; several threads of a step may run some at once."""

    def __init__(self) -> None:
        self._open: dict[_Command, int] = {}
        """How many of each are under way."""
        self._last: Told | None = None
        """The end of the last command of the body of the step under way; None if none ended yet."""

    def begin(self) -> None:
        """Take in that a step starts."""
        self._last = None

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
        if record.data.get("check") is None:
            self._last = record

    def demand_body(self, step: PlannedStep, record: Told) -> None:
        """Return if a step that passed did what it is made of.

        Raises:
            ContradictionError: No record says that its command ran, or it left another exit status than that had.
        """
        if step.kind not in _MADE_OF_ONE or record.data.get("checked") is True:
            return
        if self._last is None:
            raise ContradictionError(f"step {step.id!r} passed, but no record says that its command ran")
        outputs, ended = record.data.get("outputs"), self._last.data.get("exit")
        left = outputs.get("exit", ended) if isinstance(outputs, Mapping) else ended
        if step.kind == "run" and left != ended:
            raise ContradictionError(
                f"step {step.id!r} left exit status {left!r}, but its command ended with {ended!r}"
            )

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
