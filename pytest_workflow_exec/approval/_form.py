"""Fields that a person fills in at the terminal: each asked by name, with what is allowed, until it is right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TextIO

from pytest_workflow_exec.digests import Json

from ._deadline import Deadline
from ._field import FormField, allowed
from ._say import say
from ._screen import fold
from ._terminal import discard_typed_ahead, terminal_columns, terminal_problem
from ._words import escape, escape_line

_TRIES = 5
_MAX_ANSWER_CHARS = 1000
_MAX_DESCRIPTION_CHARS = 1000
_WORDS_MARK = "| "


ReadAnswer = Callable[[FormField, str], Json]
"""Returns what an answer is as a value of its field; raises ValueError, with words behind the field's name, if none."""

Answers = Mapping[str, Json]


class FormError(Exception):
    """A field was not filled in."""


def fill_in(fields: Iterable[FormField], read: ReadAnswer, *, deadline: Deadline, screen: TextIO) -> Answers:
    """Return an allowed value for each field, once a person gave them.

    Raises:
        FormError: Five answers to one field were not allowed, input ended, or nobody can be asked any more.
        NoAnswerError: The time is over.
    """
    answers: dict[str, Json] = {}
    for field in fields:
        _introduce(field, screen)
        answers[field.name] = _answer(field, read, deadline, screen)
    return answers


def _introduce(field: FormField, screen: TextIO) -> None:
    lines = fold(f"{escape_line(field.name)}: {allowed(field)}", terminal_columns())
    if field.description:
        words = escape(field.description, max_chars=_MAX_DESCRIPTION_CHARS).rstrip("\n").split("\n")
        width = terminal_columns() - len(_WORDS_MARK)
        lines += [_WORDS_MARK + piece for line in words for piece in fold(line, width)]
    say(screen, "\n" + "".join(f"{line}\n" for line in lines))


def _answer(field: FormField, read: ReadAnswer, deadline: Deadline, screen: TextIO) -> Json:
    for left in reversed(range(_TRIES)):
        # Again before every try: since the last one the process may have been moved to the background.
        if (problem := terminal_problem(stdout=screen)) is not None:
            raise FormError(problem)
        discard_typed_ahead()
        try:
            return _read(field, deadline.read(f"{field.name} = ").strip(), read)
        except EOFError as error:
            raise FormError(f"end of input at field {field.name!r}") from error
        except UnicodeDecodeError as error:
            raise FormError(f"input() failed: {error}") from error
        except ValueError as error:
            tries = "1 try is left." if left == 1 else f"{left} tries are left."
            say(screen, f"{field.name} {escape_line(str(error))}." + (f" {tries}\n" if left else "\n"))
    raise FormError(f"five answers to field {field.name!r} that are not allowed")


def _read(field: FormField, text: str, read: ReadAnswer) -> Json:
    if not text:
        if field.default is None:
            raise ValueError("must be filled in")
        return field.default
    if len(text) > _MAX_ANSWER_CHARS:
        raise ValueError(f"is longer than {_MAX_ANSWER_CHARS} characters")
    return read(field, text)
