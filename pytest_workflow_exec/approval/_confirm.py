"""A person's word at a terminal for something that is no gate of a run: the same care, a code of its own."""

from __future__ import annotations

import secrets
import sys
import termios
from collections.abc import Iterable, Mapping
from typing import TextIO

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.errors import WorkflowExecError

from ._code import code_of
from ._deadline import Deadline, NoAnswerError
from ._screen import fold
from ._terminal import discard_typed_ahead, prompt_on_terminal, reset_terminal, terminal_columns, terminal_problem
from ._words import escape_line

_TRIES = 5
_PATIENCE_S = 3600.0
_NONCE_BYTES = 16
_CONTINUED = "    "


class ConfirmationError(WorkflowExecError):
    """Nobody gave their word."""


def confirm(lines: Iterable[str], facts: Mapping[str, Json], *, verb: str) -> None:
    """Return only if a person at the terminal, who was shown the lines, types their code.

    Args:
        lines: What is shown; every one of them is made harmless and shown whole.
        facts: What the word is given for; the code is derived from it, and never the same again.
        verb: What typing the code does.

    Raises:
        ConfirmationError: They did not, or nobody can be asked here.
        TypeError: A fact is none that JSON has a word for.
    """
    code = code_of(digest_of({"facts": dict(facts), "nonce": secrets.token_hex(_NONCE_BYTES)}))
    screen = sys.__stdout__
    problem = terminal_problem(stdout=screen)
    if problem is not None or screen is None:
        raise ConfirmationError(problem or "standard output is closed")
    try:
        with prompt_on_terminal():
            reset_terminal(screen)
            for line in lines:
                # Folded here: what the terminal continues by itself would stand where an engine's line begins.
                for number, piece in enumerate(fold(escape_line(line), terminal_columns() - len(_CONTINUED))):
                    _say(screen, (_CONTINUED if number else "") + piece)
            with Deadline(_PATIENCE_S) as deadline:
                _demand_code(code, deadline, screen, verb)
    except NoAnswerError as error:
        raise ConfirmationError("no answer in time") from error
    except (EOFError, KeyboardInterrupt) as error:
        raise ConfirmationError("the question was broken off") from error
    except (OSError, ValueError, termios.error) as error:
        raise ConfirmationError(f"the question could not be asked: {error}") from error


def _demand_code(code: str, deadline: Deadline, screen: TextIO, verb: str) -> None:
    for _ in range(_TRIES):
        # Again before every try: since the last one the process may have been moved to the background.
        if (problem := terminal_problem(stdout=screen)) is not None:
            raise ConfirmationError(problem)
        discard_typed_ahead()
        answer = deadline.read(f"Type {code} to {verb}, or stop to leave it: ").strip().casefold()
        if answer == code.casefold():
            return
        if answer == "stop":
            raise ConfirmationError("it was stopped")
        _say(screen, "That is neither the code nor stop.")
    raise ConfirmationError("five wrong answers")


def _say(screen: TextIO, line: str) -> None:
    encoding = screen.encoding or "ascii"
    screen.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    screen.flush()
