"""What models were asked, and the plans that were executed: each request has its answer, and what ran is what was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.redaction import holds_mask

from ._contradiction import ContradictionError, text_in
from ._plan import PlannedStep
from ._told import Told

_SOURCES = ("live", "local", "replay", "scripted")
_KINDS = ("ai", "session", "step", "call")
"""The kinds of steps that can ask a model."""


class _Turn(NamedTuple):
    step: StepId | None
    attempt: int | None


class Models:
    """The requests of a run and what came of them, and the commands that plans made of it."""

    def __init__(self) -> None:
        """Begin without any."""
        self._open: Mapping[str, Json] | None = None
        """The request that has no answer yet."""
        self._turn = _Turn(None, None)
        self._count = 0
        self._accepted: Mapping[str, Json] | None = None
        """The last answer of the attempt under way that was accepted."""
        self._shown: dict[StepId, Mapping[StepId, Sequence[str]]] = {}
        """What each gate last said of the plans behind it: a line for each command, by step."""
        self._started: list[str] = []

    def begin(self, step: PlannedStep, attempt: int | None) -> None:
        """Take in that a step starts."""
        self._open, self._accepted, self._count = None, None, 0
        self._turn, self._started = _Turn(step.id, attempt), []

    def request(self, step: PlannedStep, record: Told) -> None:
        """Take in what a model is asked.

        Raises:
            ContradictionError: The step is not under way, can't ask, or has not had its last answer.
        """
        self._demand_turn(step, record)
        if self._open is not None:
            raise ContradictionError(
                f"step {step.id!r} asks a model again, but no record says what came of its question"
            )
        if record.data.get("number") != self._count + 1:
            raise ContradictionError(f"step {step.id!r} asks a model, and its question is not number {self._count + 1}")
        self._count += 1
        self._open, self._accepted = record.data, None

    def response(self, step: PlannedStep, record: Told) -> None:
        """Take in what came of it.

        Raises:
            ContradictionError: Nothing was asked, it is about something else, or says nothing of where it came from.
        """
        self._demand_turn(step, record)
        asked = self._open
        if asked is None or asked.get("number") != record.data.get("number"):
            raise ContradictionError(
                f"a model answers step {step.id!r}, but no record says that it was asked just that"
            )
        if record.data.get("request") != digest_of(asked) and not holds_mask(canonical_json(asked)):
            raise ContradictionError(f"a model answers step {step.id!r}, but to another question than it was asked")
        if text_in(record.data, "source") not in _SOURCES:
            raise ContradictionError("it does not say where the answer came from")
        self._open = None
        self._accepted = record.data if text_in(record.data, "outcome") == "accepted" else None

    def end(self, step: PlannedStep, record: Told) -> None:
        """Return if a step that asks, or executes what was proposed, may have passed.

        Raises:
            ContradictionError: It has no accepted answer, left something else, or ran something else than was shown.
        """
        if step.kind in ("ai", "session"):
            self._demand_answer(step, record)
        elif step.kind == "execute" and record.data.get("checked") is not True:
            # Where its check found the effect, nothing of it ran.
            self._demand_shown(step)

    def ask_at_gate(self, gate: PlannedStep, record: Told) -> None:
        """Take in what a gate says of the plans behind it."""
        request = record.data.get("request")
        covers = request.get("covers") if isinstance(request, Mapping) else None
        said: dict[StepId, list[str]] = {}
        for each in covers if isinstance(covers, list) else ():
            if isinstance(each, Mapping) and each.get("kind") == "execute":
                said.setdefault(str(each.get("step")), []).append(str(each.get("does")))
        # The first line is about all of them together.
        self._shown[gate.id] = {step: lines[1:] for step, lines in said.items()}

    def start_command(self, step: PlannedStep, record: Told) -> None:
        """Take in a command of a plan.

        Raises:
            ContradictionError: It is none that the gate before the step showed, or not the next one.
        """
        if step.kind != "execute" or record.data.get("check"):
            return
        argv = record.data.get("argv")
        words = ", ".join(ascii(word) for word in argv) if isinstance(argv, list) else ""
        position, lines = len(self._started), self._lines(step)
        line = lines[position] if position < len(lines) else ""
        if not line.startswith(f"{position + 1} of {len(lines)}: [{words}] by rule "):
            raise ContradictionError(f"step {step.id!r} runs [{words}], which no gate showed at that place of its plan")
        self._started.append(words)

    def _lines(self, step: PlannedStep) -> Sequence[str]:
        return self._shown.get(step.gate or "", {}).get(step.id, ())

    def _demand_turn(self, step: PlannedStep, record: Told) -> None:
        if _Turn(step.id, record.attempt) != self._turn:
            raise ContradictionError(f"step {step.id!r} asks a model, but that attempt is not under way")
        if step.kind not in _KINDS:
            raise ContradictionError(f"step {step.id!r} is a {step.kind} step, and asks a model")

    def _demand_answer(self, step: PlannedStep, record: Told) -> None:
        if self._accepted is None:
            raise ContradictionError(f"step {step.id!r} passed, but no record says that an answer was accepted")
        outputs = record.data.get("outputs")
        if digest_of(outputs) != self._accepted.get("outputs_sha256") and not holds_mask(canonical_json(outputs)):
            raise ContradictionError(f"step {step.id!r} left something else than the answer that was accepted")

    def _demand_shown(self, step: PlannedStep) -> None:
        wanted = len(self._lines(step))
        if not wanted or len(self._started) != wanted:
            raise ContradictionError(
                f"step {step.id!r} passed, but ran {len(self._started)} of the {wanted} commands that a gate showed"
            )
