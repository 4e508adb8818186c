"""Asking a person at the terminal: the frames, up to five tries, and a decision whatever happens."""

from __future__ import annotations

from dataclasses import replace
from typing import TextIO

from pytest_workflow_exec.events import Actor

from ._decision import Decision
from ._desk import SignatureDesk
from ._form import Answers, ReadAnswer, fill_in
from ._refusal import BallotRefusedError
from ._request import GateRequest
from ._sitting import MAX_NOTICE_CHARS, TRIES, RefusedError, Sitting, is_past, refusal, sit
from ._words import escape_line

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
        decision = _tries(sitting, code, desk)
        if decision.decision != "approved" or read is None or not request.fields_to_fill:
            return decision
        return replace(decision, answers=_filled_in(sitting, read))

    return sit(request, tries, timeout_s=timeout_s, screen=screen, notice="" if desk is None else desk.notice)


def _tries(sitting: Sitting, code: str, desk: SignatureDesk | None) -> Decision:
    for left in reversed(range(TRIES)):
        answer, wrong = sitting.line(f"Type {code} to approve, or reject to stop: ").casefold(), _NEITHER
        if answer == "reject":
            return sitting.rejected()
        if answer == code.casefold():
            if desk is None:
                return sitting.decided("approved", "")
            try:
                return _signed(desk, terminal=sitting.terminal)
            except BallotRefusedError as error:
                wrong = escape_line(f"There is no signature that counts: {error}.", max_chars=MAX_NOTICE_CHARS)
        sitting.wrong(wrong, left)
    raise RefusedError("five wrong answers")


def _filled_in(sitting: Sitting, read: ReadAnswer) -> Answers:
    request = sitting.request
    answers = fill_in(request.fields_to_fill, read, deadline=sitting.deadline, screen=sitting.screen)
    if is_past(request.expires):
        raise RefusedError(f"not filled in before the request expired at {request.expires}", "expired")
    return answers


def _signed(desk: SignatureDesk, *, terminal: str) -> Decision:
    proof = desk.take()
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
