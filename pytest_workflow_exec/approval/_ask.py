"""Asking a person at the terminal: the frames, up to five tries, and a decision whatever happens."""

from __future__ import annotations

import os
import pwd
import sys
import termios
from dataclasses import replace
from datetime import datetime, timezone
from typing import TextIO

from pytest_workflow_exec.events import ENGINE, Actor, Decided

from ._ballot import BallotRefusedError
from ._deadline import Deadline, NoAnswerError
from ._decision import Decision
from ._desk import SignatureDesk
from ._facts import facts_of
from ._form import Answers, FormError, ReadAnswer, fill_in
from ._pager import PageError, Pages
from ._request import GateRequest
from ._say import say
from ._screen import Screen, frames
from ._terminal import (
    discard_typed_ahead,
    prompt_on_terminal,
    reset_terminal,
    shows_color,
    terminal_columns,
    terminal_name,
    terminal_problem,
)
from ._words import escape, escape_line

_TRIES = 5
_MAX_REASON_CHARS = 500
_MAX_NOTICE_CHARS = 4000


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
    to = sys.__stdout__ if screen is None else screen
    problem = terminal_problem(stdout=to) or _expiry_problem(request.expires) or _form_problem(request, read)
    if problem is not None or to is None:
        return _refusal(_RefusedError(problem or "standard output is closed"), terminal="")
    terminal = terminal_name()
    decision = _decide(request, code, timeout_s=timeout_s, read=read, screen=to, terminal=terminal, desk=desk)
    return _told(decision, to)


class _RefusedError(Exception):
    """Nobody approved and nobody rejected."""

    def __init__(self, reason: str, decision: Decided = "denied") -> None:
        super().__init__(reason)
        self.reason, self.decision = reason, decision


def _decide(
    request: GateRequest,
    code: str,
    *,
    timeout_s: float,
    read: ReadAnswer | None,
    screen: TextIO,
    terminal: str,
    desk: SignatureDesk | None,
) -> Decision:
    try:
        with prompt_on_terminal():
            reset_terminal(screen)
            color = shows_color(screen)
            shown = _shown(request, color=color)
            say(screen, shown.text)
            if desk is not None:
                say(screen, f"{escape(desk.notice, max_chars=_MAX_NOTICE_CHARS)}\n")
            pages = Pages(cuts=shown.cuts, whole=lambda: _shown(request, color=color, whole=True), color=color)
            with Deadline(timeout_s) as deadline:
                decision = _tries(request, code, pages, deadline=deadline, screen=screen, terminal=terminal, desk=desk)
                if decision.decision != "approved" or read is None or not request.fields_to_fill:
                    return decision
                return replace(decision, answers=_filled_in(request, read, deadline=deadline, screen=screen))
    except _RefusedError as refused:
        return _refusal(refused, terminal=terminal)
    except (FormError, PageError) as error:
        return _refusal(_RefusedError(str(error)), terminal=terminal)
    except NoAnswerError:
        return _refusal(_RefusedError(f"no answer within {_duration(timeout_s)}", "expired"), terminal=terminal)
    except (OSError, ValueError, OverflowError, termios.error) as error:
        return _refusal(_RefusedError(f"the gate could not be asked: {error}"), terminal=terminal)


def _shown(request: GateRequest, *, color: bool, whole: bool = False) -> Screen:
    return frames(facts_of(request), request.author_words, width=terminal_columns(), color=color, whole=whole)


def _tries(
    request: GateRequest,
    code: str,
    pages: Pages,
    *,
    deadline: Deadline,
    screen: TextIO,
    terminal: str,
    desk: SignatureDesk | None,
) -> Decision:
    for left in reversed(range(_TRIES)):
        answer, wrong = _answer(request, code, deadline=deadline, screen=screen), "That is neither the code nor reject."
        while pages.turned(answer, deadline=deadline, screen=screen):
            answer = _answer(request, code, deadline=deadline, screen=screen)
        if answer == "reject":
            return _by_person("rejected", _reason(deadline), terminal=terminal)
        if answer == code.casefold():
            if desk is None:
                return _by_person("approved", "", terminal=terminal)
            try:
                return _signed(desk, terminal=terminal)
            except BallotRefusedError as error:
                wrong = escape_line(f"There is no signature that counts: {error}.", max_chars=_MAX_NOTICE_CHARS)
        if left:
            say(screen, f"{wrong} {_tries_left(left)}\n")
    raise _RefusedError("five wrong answers")


def _filled_in(request: GateRequest, read: ReadAnswer, *, deadline: Deadline, screen: TextIO) -> Answers:
    answers = fill_in(request.fields_to_fill, read, deadline=deadline, screen=screen)
    if _is_past(request.expires):
        raise _RefusedError(f"not filled in before the request expired at {request.expires}", "expired")
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


def _answer(request: GateRequest, code: str, *, deadline: Deadline, screen: TextIO) -> str:
    # Again before every try: since the last one the process may have been moved to the background.
    if (problem := terminal_problem(stdout=screen)) is not None:
        raise _RefusedError(problem)
    discard_typed_ahead()
    try:
        answer = deadline.read(f"Type {code} to approve, or reject to stop: ")
    except EOFError as error:
        raise _RefusedError("end of input") from error
    except Exception as error:
        # Whatever goes wrong while a person is asked, nobody approved.
        raise _RefusedError(f"input() failed: {error}") from error
    if _is_past(request.expires):
        raise _RefusedError(f"no answer before the request expired at {request.expires}", "expired")
    return answer.strip().casefold()


def _reason(deadline: Deadline) -> str:
    try:
        return deadline.read("Reason: ").strip()
    except (Exception, KeyboardInterrupt, NoAnswerError):  # noqa: BLE001  # it is rejected already, with a reason or without
        return ""


def _told(decision: Decision, screen: TextIO) -> Decision:
    words = {"approved": "Approved", "rejected": "Rejected", "denied": "Denied", "expired": "Expired"}
    reason = escape_line(decision.reason, max_chars=_MAX_REASON_CHARS)
    closing = words[decision.decision] + (f": {reason}" if reason else ".")
    try:
        say(screen, f"\n{closing}\n")
    except (OSError, ValueError) as error:
        # A screen that fails now may have failed before: whether the facts were seen is in doubt.
        if decision.decision == "approved":
            return _refusal(_RefusedError(f"the gate could not be asked: {error}"), terminal=decision.terminal)
    return decision


def _by_person(decision: Decided, reason: str, *, terminal: str) -> Decision:
    return Decision(
        decision=decision, reason=reason, approver=somebody_here(), channel="terminal", terminal=terminal, assurance=1
    )


def _refusal(refused: _RefusedError, *, terminal: str) -> Decision:
    return Decision(
        decision=refused.decision,
        reason=refused.reason,
        approver=ENGINE,
        channel="terminal" if terminal else "none",
        terminal=terminal,
        assurance=0,
    )


def somebody_here() -> Actor:
    """Return the person whose process this is, as far as the system says."""
    # By the system's own word: LOGNAME and USER say whatever their setter likes.
    try:
        return Actor(kind="human", id=pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return Actor(kind="human", id=f"uid {os.getuid()}")


def _expiry_problem(expires: str) -> str | None:
    if _moment(expires) is None:
        return f"the request expires at {expires!r}, which is no time with its zone: write it in ISO 8601, in UTC"
    return None


def _form_problem(request: GateRequest, read: ReadAnswer | None) -> str | None:
    return "its form can't be filled in here" if request.fields_to_fill and read is None else None


def _is_past(expires: str) -> bool:
    moment = _moment(expires)
    return moment is None or datetime.now(timezone.utc) >= moment


def _moment(text: str) -> datetime | None:
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _tries_left(count: int) -> str:
    return "1 try is left." if count == 1 else f"{count} tries are left."


def _duration(seconds: float) -> str:
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"
