"""Work done by hand: a person at the terminal is told what to do, and says whether it was done."""

from __future__ import annotations

import sys
import termios
from collections.abc import Sequence
from dataclasses import field
from typing import Literal, TextIO

from pytest_workflow_exec.events import ENGINE, Actor
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._deadline import Deadline, NoAnswerError
from ._facts import Fact, FactLine, form_fact
from ._field import FormField
from ._form import Answers, FormError, ReadAnswer, fill_in
from ._pager import PageError, Pages
from ._request import AuthorWords
from ._say import say
from ._screen import Screen, frames
from ._sitting import somebody_here
from ._terminal import (
    discard_typed_ahead,
    prompt_on_terminal,
    reset_terminal,
    shows_color,
    terminal_columns,
    terminal_name,
    terminal_problem,
)
from ._words import escape_line

_PROMPT = "Type done, failed or note: "
_TRIES = 5
_MAX_NOTES = 100

AttestedResult = Literal["done", "failed", "unanswered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualTask:
    """What somebody is to do by hand, as they are told."""

    workflow: str
    run: str
    step: str
    attempt: int
    instruction: str
    checklist: tuple[str, ...] = ()
    form: tuple[FormField, ...] = ()
    """What whoever did it fills in, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """What a person says of it. It is no approval: it opens no gate."""

    result: AttestedResult
    reason: str
    """Why it failed, or why nobody answered; empty if it was done."""
    notes: tuple[str, ...]
    who: Actor
    terminal: str
    answers: Answers = field(default_factory=dict)
    """What they filled into the form, if it was done."""


def attest(task: ManualTask, *, timeout_s: float, read: ReadAnswer) -> Attestation:
    """Return what the person at the terminal says of the work; blocks until then, at most `timeout_s`.

    Whatever is no answer is none that it was done. Only what interrupts the whole process passes through.

    Args:
        read: Judges what is filled into the fields of the form.
    """
    screen = sys.__stdout__
    problem = terminal_problem(stdout=screen)
    if problem is not None or screen is None:
        return _unanswered(problem or "standard output is closed", ())
    notes: list[str] = []
    try:
        with prompt_on_terminal():
            reset_terminal(screen)
            color = shows_color(screen)
            shown = _shown(task, color=color)
            say(screen, shown.text)
            pages = Pages(cuts=shown.cuts, whole=lambda: _shown(task, color=color, whole=True), color=color)
            with Deadline(timeout_s) as deadline:
                return _answers(task, pages, notes, read, deadline=deadline, screen=screen)
    except NoAnswerError:
        return _unanswered("no answer in time", notes)
    except EOFError:
        return _unanswered("end of input", notes)
    except (FormError, PageError) as error:
        return _unanswered(str(error), notes)
    except (OSError, ValueError, OverflowError, termios.error) as error:
        return _unanswered(f"nobody could be asked: {error}", notes)


def _answers(
    task: ManualTask, pages: Pages, notes: list[str], read: ReadAnswer, *, deadline: Deadline, screen: TextIO
) -> Attestation:
    wrong = 0
    while wrong < _TRIES and len(notes) < _MAX_NOTES:
        if (problem := terminal_problem(stdout=screen)) is not None:
            return _unanswered(problem, notes)
        discard_typed_ahead()
        answer = deadline.read(_PROMPT).strip().casefold()
        if answer == "done":
            return _said("done", "", notes, fill_in(task.form, read, deadline=deadline, screen=screen))
        if answer == "failed":
            return _said("failed", deadline.read("Reason: ").strip(), notes, {})
        if answer == "note":
            notes.append(deadline.read("Note: ").strip())
        elif not pages.turned(answer, deadline=deadline, screen=screen):
            wrong += 1
            say(screen, "That is none of the three.\n")
    return _unanswered("five answers that were none" if wrong >= _TRIES else "too many notes", notes)


def _said(result: AttestedResult, reason: str, notes: Sequence[str], answers: Answers) -> Attestation:
    return Attestation(
        result=result,
        reason=reason,
        notes=tuple(notes),
        who=somebody_here(),
        terminal=terminal_name(),
        answers=answers,
    )


def _unanswered(reason: str, notes: Sequence[str]) -> Attestation:
    return Attestation(result="unanswered", reason=reason, notes=tuple(notes), who=ENGINE, terminal="")


def _shown(task: ManualTask, *, color: bool, whole: bool = False) -> Screen:
    facts = (
        _fact("Workflow", task.workflow),
        _fact("Run", task.run),
        _fact("Work by hand", f"{task.step}, attempt {task.attempt}"),
        *((form_fact(task.form),) if task.form else ()),
    )
    words = [AuthorWords(source="instruction", text=task.instruction)]
    if task.checklist:
        listed = "\n".join(f"{number}. {item}" for number, item in enumerate(task.checklist, start=1))
        words.append(AuthorWords(source="checklist", text=listed))
    return frames(facts, words, width=terminal_columns(), color=color, whole=whole)


def _fact(label: str, text: str) -> Fact:
    return Fact(label=label, lines=(FactLine(text=escape_line(text)),))
