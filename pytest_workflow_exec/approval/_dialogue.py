"""A conversation on the terminal: a person's lines, and the words of somebody else that can't look like ours."""

from __future__ import annotations

import os
import sys
import termios
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.color import ColorSystem
from rich.style import Style

from pytest_workflow_exec.errors import WorkflowExecError

from ._deadline import Deadline, NoAnswerError
from ._line_editor import LineEditor
from ._say import say
from ._terminal import prompt_on_terminal, reset_terminal, shows_color, terminal_columns, terminal_problem
from ._words import escape, escape_line

_ERASE_LINE = "\r\x1b[K"
_OURS, _THEIRS, _FRAME = Style(bold=True), Style(color="magenta"), Style(bold=True, color="cyan")
_SPINNER = "|/-\\"
_MAX_LINE = 400
_MORE = "\\"


class DialogueError(WorkflowExecError):
    """Nobody can be talked with at the terminal any more; the message says why."""


class Dialogue:
    """Lines of a person, and words of a model.

    Each line of the model's stands behind a bar: nothing that it says can pass for a prompt, or for words of the engine.
    """

    def __init__(self, screen: TextIO) -> None:
        """Talk on `screen`, which is the terminal."""
        self._screen, self._color = screen, shows_color(screen)
        self._moves = self._color
        self._column = 0
        self._passing = 0
        # A terminal that moves no cursor shows what is typed as it comes.
        self._editor = None if os.environ.get("TERM", "dumb") == "dumb" else LineEditor(screen)

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator[Dialogue]:
        """Make the terminal an ordinary one, and give what talks on it.

        Raises:
            DialogueError: No person can be talked with here.
        """
        screen = sys.__stdout__
        problem = terminal_problem(stdout=screen)
        if problem is not None or screen is None:
            raise DialogueError(
                f"a conversation needs a person at a terminal: {problem or 'standard output is closed'}"
            )
        try:
            with prompt_on_terminal():
                reset_terminal(screen)
                yield cls(screen)
        except (OSError, ValueError, OverflowError, termios.error) as error:
            raise DialogueError(f"the terminal can't be used any more: {error}") from error

    def read(self, prompt: str, *, timeout_s: float) -> str:
        r"""Return what a person types: one line, or several of which all but the last end in `\`.

        Raises:
            DialogueError: The time or the input is over, or no person can be asked any more.
        """
        self.end_words()
        if (problem := terminal_problem(stdout=self._screen)) is not None:
            raise DialogueError(f"a conversation needs a person at a terminal: {problem}")
        ends_s = time.monotonic() + timeout_s
        lines: list[str] = []
        try:
            while not lines or lines[-1].endswith(_MORE):
                lines.append(self._line(prompt if not lines else "...> ", ends_s))
        except NoAnswerError:
            raise DialogueError("the time for the conversation is over") from None
        except EOFError as error:
            raise DialogueError("the input ended, so the conversation has no conclusion") from error
        return "\n".join(line.removesuffix(_MORE) for line in lines)

    def remember(self, text: str) -> None:
        """Let a person find a line again that they typed before."""
        if self._editor is not None:
            self._editor.remember(text)

    def _line(self, prompt: str, ends_s: float) -> str:
        if self._editor is not None:
            return self._editor.read(prompt, ends_s=ends_s)
        with Deadline(max(ends_s - time.monotonic(), 0.001)) as deadline:
            return deadline.read(prompt)

    def tell(self, line: str) -> None:
        """Say something of the engine's own."""
        self.end_words()
        text = f"-- {escape_line(line, max_chars=_MAX_LINE)}"
        rows = textwrap.wrap(text, terminal_columns(), subsequent_indent="   ", break_on_hyphens=False)
        say(self._screen, "".join(f"{self._painted(row, _OURS)}\n" for row in rows))

    def echo(self, who: str, text: str) -> None:
        """Show what somebody said who typed nothing here."""
        self.end_words()
        for line in escape(text, max_chars=len(text)).split("\n"):
            say(self._screen, f"{who}> {line}\n")

    def passing(self, line: str) -> None:
        """Show something of the moment, in whose place the next thing stands."""
        if not self._moves or self._column:
            return
        mark = _SPINNER[self._passing % len(_SPINNER)]
        self._passing += 1
        width = terminal_columns() - 1
        say(self._screen, _ERASE_LINE + f"{mark} {escape_line(line)}"[:width])

    def words(self, text: str) -> None:
        """Show the next words of the model."""
        self._wipe()
        room = terminal_columns() - 2
        for position, line in enumerate(escape(text, max_chars=len(text)).split("\n")):
            if position:
                self._break()
            left = line
            while left:
                if not self._column:
                    say(self._screen, self._painted("│ " if self._color else "| ", _FRAME))
                piece, left = left[: room - self._column], left[room - self._column :]
                say(self._screen, self._painted(piece, _THEIRS))
                self._column += len(piece)
                if self._column >= room:
                    self._break()

    def end_words(self) -> None:
        """Let whatever comes next stand in a line of its own."""
        self._wipe()
        if self._column:
            self._break()

    def _break(self) -> None:
        if not self._column:
            say(self._screen, self._painted("│" if self._color else "|", _FRAME))
        say(self._screen, "\n")
        self._column = 0

    def _wipe(self) -> None:
        if self._passing:
            say(self._screen, _ERASE_LINE)
            self._passing = 0

    def _painted(self, text: str, style: Style) -> str:
        return style.render(text, color_system=ColorSystem.STANDARD) if self._color else text
