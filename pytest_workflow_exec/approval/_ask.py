"""Asking a person at the terminal: the frames, up to five tries, and a decision whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.lean_dataclasses import replace

from ._decision import Decision
from ._desk import SignatureDesk
from ._form import Answers, ReadAnswer
from ._refusal import BallotRefusedError
from ._request import GateRequest
from ._say import say
from ._sitting import MAX_NOTICE_CHARS, TRIES, RefusedError, Sitting, refusal, sit
from ._words import escape, escape_line

_NEITHER = "That is neither the code nor reject."


def ask(
    request: GateRequest,
    *,
    timeout_s: float,
    read: ReadAnswer | None = None,
    screen: TextIO | None = None,
    desk: SignatureDesk | None = None,
) -> Decision:
    """Return what the person at the terminal decides; blocks until then, at most `timeout_s`.

    Whatever is no answer is a decision against it. Only what interrupts the whole process, such as
    KeyboardInterrupt, passes through.

    Args:
        read: Judges what is filled into the fields of the request's form; without it, one with a form is refused.
        screen: What the frames are written to; None for standard output. It must be the terminal.
        desk: Where a signature has to lie before the code counts; None if none is wanted.

    Raises:
        TypeError: A value of the request is none that JSON has a word for.
        ValueError: A value of the request is NaN or an infinity.
    """
    code = request.code
    if problem := _form_problem(request, read):
        return refusal(RefusedError(problem), terminal="")

    def tries(sitting: Sitting) -> Decision:
        if desk is not None:
            # Filled in first: what is signed holds it.
            answers = sitting.fill_in(read) if request.fields_to_fill and read is not None else {}
            say(sitting.screen, f"{escape(desk.notice(answers), max_chars=MAX_NOTICE_CHARS)}\n")
            decision = _tries(sitting, code, lambda: _signed(desk, answers, terminal=sitting.terminal))
            return replace(decision, answers=answers) if decision.decision == "approved" else decision
        decision = _tries(sitting, code, lambda: sitting.decided("approved", ""))
        if decision.decision != "approved" or read is None or not request.fields_to_fill:
            return decision
        return replace(decision, answers=sitting.fill_in(read))

    return sit(request, tries, timeout_s=timeout_s, screen=screen)


def _tries(sitting: Sitting, code: str, approve: Callable[[], Decision]) -> Decision:
    for left in reversed(range(TRIES)):
        answer, wrong = sitting.line(f"Type {code} to approve, or reject to stop: ").casefold(), _NEITHER
        if answer == "reject":
            return sitting.rejected()
        if answer == code.casefold():
            try:
                return approve()
            except BallotRefusedError as error:
                wrong = escape_line(f"There is no signature that counts: {error}.", max_chars=MAX_NOTICE_CHARS)
        sitting.wrong(wrong, left)
    raise RefusedError("five wrong answers")


def _signed(desk: SignatureDesk, answers: Answers, *, terminal: str) -> Decision:
    proof = desk.take(answers)
    return Decision(
        decision="approved",
        reason="",
        approver=Actor(kind="human", id=proof.principal),
        channel="signature",
        terminal=terminal,
        assurance=desk.worth(proof),
        proof=proof,
    )


def _form_problem(request: GateRequest, read: ReadAnswer | None) -> str | None:
    return "its form can't be filled in here" if request.fields_to_fill and read is None else None
