"""A person at the terminal: shown a question, answering line by line, and a decision whatever happens."""

from __future__ import annotations

import os
import pwd
import sys
import termios
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TextIO

from pytest_workflow_exec.events import ENGINE, Actor, Decided
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._deadline import Deadline, NoAnswerError
from ._decision import Channel, Decision
from ._facts import facts_on_screen
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

TRIES = 5
_MAX_REASON_CHARS = 500
MAX_NOTICE_CHARS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """A person at the terminal, who has been shown a request."""

    request: GateRequest
    pages: Pages
    deadline: Deadline
    screen: TextIO
    terminal: str

    def line(self, prompt: str) -> str:
        """Return what they answer, with what turns pages already done.

        Raises:
            RefusedError: Nobody can be asked any more, or it is too late.
        """
        answer = _answer(self, prompt)
        while self.pages.turned(answer.casefold(), deadline=self.deadline, screen=self.screen):
            answer = _answer(self, prompt)
        return answer

    def wrong(self, why: str, left: int) -> None:
        """Say that an answer is none, unless it was the last."""
        if left:
            say(self.screen, f"{why} {_tries_left(left)}\n")

    def decided(self, decision: Decided, reason: str, *, channel: Channel = "terminal") -> Decision:
        """Return a decision of theirs."""
        return Decision(
            decision=decision,
            reason=reason,
            approver=somebody_here(),
            channel=channel,
            terminal=self.terminal,
            assurance=1,
        )

    def fill_in(self, read: ReadAnswer) -> Answers:
        """Return what they fill into the request's form.

        Raises:
            RefusedError: It is too late.
            FormError: They did not.
            NoAnswerError: The time is over.
        """
        answers = fill_in(self.request.fields_to_fill, read, deadline=self.deadline, screen=self.screen)
        if is_past(self.request.expires):
            raise RefusedError(f"not filled in before the request expired at {self.request.expires}", "expired")
        return answers

    def rejected(self) -> Decision:
        """Return their rejection, with the reason that they are asked for."""
        return self.decided("rejected", _reason(self.deadline))


def sit(
    request: GateRequest,
    tries: Callable[[Sitting], Decision],
    *,
    timeout_s: float,
    screen: TextIO | None = None,
    notice: str = "",
) -> Decision:
    """Return what a person decides who is shown a request at the terminal; whatever goes wrong is a refusal.

    Args:
        tries: Asks them.
        screen: As for `ask`.
        notice: What is said below the request.
    """
    to = sys.__stdout__ if screen is None else screen
    problem = terminal_problem(stdout=to) or _expiry_problem(request.expires)
    if problem is not None or to is None:
        return refusal(RefusedError(problem or "standard output is closed"), terminal="")
    terminal = terminal_name()
    return _told(_decide(request, tries, timeout_s=timeout_s, screen=to, terminal=terminal, notice=notice), to)


class RefusedError(Exception):
    """Nobody approved and nobody rejected."""

    def __init__(self, reason: str, decision: Decided = "denied") -> None:
        super().__init__(reason)
        self.reason, self.decision = reason, decision


def _decide(
    request: GateRequest,
    tries: Callable[[Sitting], Decision],
    *,
    timeout_s: float,
    screen: TextIO,
    terminal: str,
    notice: str,
) -> Decision:
    try:
        with prompt_on_terminal():
            reset_terminal(screen)
            color = shows_color(screen)
            shown = _shown(request, color=color)
            say(screen, shown.text)
            if notice:
                say(screen, f"{escape(notice, max_chars=MAX_NOTICE_CHARS)}\n")
            pages = Pages(cuts=shown.cuts, whole=lambda: _shown(request, color=color, whole=True), color=color)
            with Deadline(timeout_s) as deadline:
                sitting = Sitting(request=request, pages=pages, deadline=deadline, screen=screen, terminal=terminal)
                return tries(sitting)
    except RefusedError as refused:
        return refusal(refused, terminal=terminal)
    except (FormError, PageError) as error:
        return refusal(RefusedError(str(error)), terminal=terminal)
    except NoAnswerError:
        return refusal(RefusedError(f"no answer within {_duration(timeout_s)}", "expired"), terminal=terminal)
    except (OSError, ValueError, OverflowError, termios.error) as error:
        return refusal(RefusedError(f"the gate could not be asked: {error}"), terminal=terminal)


def _shown(request: GateRequest, *, color: bool, whole: bool = False) -> Screen:
    return frames(facts_on_screen(request), request.author_words, width=terminal_columns(), color=color, whole=whole)


def _answer(sitting: Sitting, prompt: str) -> str:
    # Again before every try: since the last one the process may have been moved to the background.
    if (problem := terminal_problem(stdout=sitting.screen)) is not None:
        raise RefusedError(problem)
    discard_typed_ahead()
    try:
        answer = sitting.deadline.read(prompt)
    except EOFError as error:
        raise RefusedError("end of input") from error
    except Exception as error:
        # Whatever goes wrong while a person is asked, nobody approved.
        raise RefusedError(f"input() failed: {error}") from error
    if is_past(sitting.request.expires):
        raise RefusedError(f"no answer before the request expired at {sitting.request.expires}", "expired")
    return answer.strip()


def _reason(deadline: Deadline) -> str:
    try:
        return deadline.read("Reason: ").strip()
    except (Exception, KeyboardInterrupt, NoAnswerError):  # noqa: BLE001  # it is rejected already, with a reason or without
        return ""


def _told(decision: Decision, screen: TextIO) -> Decision:
    words = {"approved": "Approved", "rejected": "Rejected", "denied": "Denied", "expired": "Expired"}
    reason = escape_line(decision.reason, max_chars=_MAX_REASON_CHARS)
    broken = decision.decision == "approved" and decision.channel == "break-glass"
    closing = ("The glass is broken" if broken else words[decision.decision]) + (f": {reason}" if reason else ".")
    try:
        say(screen, f"\n{closing}\n")
    except (OSError, ValueError) as error:
        # A screen that fails now may have failed before: whether the facts were seen is in doubt.
        if decision.decision == "approved":
            return refusal(RefusedError(f"the gate could not be asked: {error}"), terminal=decision.terminal)
    return decision


def refusal(refused: RefusedError, *, terminal: str) -> Decision:
    """Return the decision that nobody approved."""
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


def is_past(expires: str) -> bool:
    """Return whether a moment is over, or none."""
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
