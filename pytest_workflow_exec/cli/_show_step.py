"""`workflow-exec show RUN --step ID`: everything that a log tells of one step."""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError, WorkflowExecError
from pytest_workflow_exec.evidence import read_log
from pytest_workflow_exec.report import RunStory, step_lines
from pytest_workflow_exec.verify import verify_log

from ._text import escape

_READABLE, _BROKEN = 0, 1


class UnknownStepError(WorkflowExecError):
    """A run has no such step."""

    def __init__(self, *, step: str, known: list[str]) -> None:
        """Say which step is meant most likely."""
        near = difflib.get_close_matches(step, known, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        super().__init__(f"the run has no step {step!r}{meant or '.'} `workflow-exec show` lists them")
        self.step = step


def show_step(log: Path, name: str, *, as_json: bool) -> int:
    """Print what a log tells of a step; return 0, or 1 if the log is broken.

    Raises:
        LogUnreadableError: Nothing of the log can be read.
        UnknownStepError: There is no such step in what can be read.
    """
    verdict, story = verify_log(log), RunStory()
    if verdict.word == "unreadable":
        raise LogUnreadableError(verdict.message)
    broken = verdict.message if verdict.word == "broken" else None
    try:
        story.take(read_log(log))
    except LogUnreadableError as error:
        broken = broken or str(error)
    step = story.steps.get(name)
    if step is None:
        raise UnknownStepError(step=name, known=list(story.steps))
    if as_json:
        facts = {"broken": broken, "run": story.run, "workflow": story.workflow, "step": dataclasses.asdict(step)}
        sys.stdout.write(json.dumps(facts, indent=2) + "\n")
    else:
        told = [f"BROKEN {escape(broken)}"] if broken is not None else []
        sys.stdout.write("\n".join([*told, *step_lines(story, step)]) + "\n")
    return _READABLE if broken is None else _BROKEN
