"""Asking a person why: one line, typed at the terminal."""

from __future__ import annotations

import sys
import termios

from ._deadline import Deadline, NoAnswerError
from ._terminal import discard_typed_ahead, prompt_on_terminal, reset_terminal, terminal_problem
from ._words import escape

_PATIENCE_S = 3600.0
_MAX_CHARS = 4000


def ask_reason(explanation: str) -> str:
    """Return what a person at the terminal gives as a reason; empty if nobody gives one.

    Args:
        explanation: What the reason is for, shown above the prompt.
    """
    screen = sys.__stdout__
    if screen is None or terminal_problem(stdout=screen) is not None:
        return ""
    try:
        with prompt_on_terminal():
            reset_terminal(screen)
            screen.write(f"\n{escape(explanation, max_chars=_MAX_CHARS)}\n")
            screen.flush()
            discard_typed_ahead()
            with Deadline(_PATIENCE_S) as deadline:
                return deadline.read("Reason: ").strip()
    except (EOFError, NoAnswerError, OSError, ValueError, termios.error):
        return ""
