"""Breaking the glass: a person at the terminal goes past a gate that wants signatures, for a reason and by a code of its own."""

from __future__ import annotations

from typing import TextIO

from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.lean_dataclasses import replace

from ._code import code_of
from ._decision import Decision
from ._form import ReadAnswer
from ._request import GateRequest
from ._sitting import TRIES, RefusedError, Sitting, sit
from ._words import escape_line

_MAX_REASON_CHARS = 500
_NO_REASON = "That is no reason: say in one line, of 500 characters at most, why it can't wait."
_NEITHER = "That is neither the code nor reject."


def ask_break_glass(
    request: GateRequest, *, timeout_s: float, missing: str, read: ReadAnswer, screen: TextIO | None = None
) -> Decision:
    """Return whether the person at the terminal goes past a gate, as a decision of the channel `break-glass`.

    Args:
        missing: What the gate still wants.
        read: Judges what is filled into the request's form.
        screen: As for `ask`.

    Raises:
        TypeError: A value of the request is none that JSON has a word for.
        ValueError: A value of the request is NaN or an infinity.
    """
    digest, notice = (
        request.digest,
        (
            "BREAK GLASS\n"
            f"This gate still needs {escape_line(missing)}. The policy lets a person at this terminal go past that.\n"
            "It is no approval: people are told at once, and the run, its evidence and every verdict on it say so for good.\n"
            "Somebody else has to review it: workflow-exec review."
        ),
    )
    return sit(
        request, lambda sitting: _tries(sitting, digest, read), timeout_s=timeout_s, screen=screen, notice=notice
    )


def _tries(sitting: Sitting, digest: str, read: ReadAnswer) -> Decision:
    reason = ""
    for left in reversed(range(TRIES)):
        if not reason:
            answer = sitting.line("Reason to break the glass, or reject to stop: ")
            if answer.casefold() == "reject":
                return sitting.rejected()
            if not answer or len(answer) > _MAX_REASON_CHARS:
                sitting.wrong(_NO_REASON, left)
                continue
            reason = answer
        # With the reason in it: whoever has seen the question alone can't know it.
        code = code_of(digest_of({"request": digest, "break_glass": reason}))
        answer = sitting.line(f"Type {code} to break the glass, or reject to stop: ").casefold()
        if answer == "reject":
            return sitting.rejected()
        if answer == code.casefold():
            broken = sitting.decided("approved", reason, channel="break-glass")
            return replace(broken, answers=sitting.fill_in(read)) if sitting.request.fields_to_fill else broken
        sitting.wrong(_NEITHER, left)
    raise RefusedError("five wrong answers")
