"""What to do next, as commands that can be typed where pytest was started."""

from __future__ import annotations

import os
import shlex

from pytest_workflow_exec.run import Run, needs_person


def going_on(run: Run, *, redo: str | None = None) -> str:
    """Return the command that goes on with a run.

    Args:
        redo: The step that is to be run again, or the gate that is to ask again; None for none.
    """
    words = ["pytest", os.path.relpath(run.workflow.file), "--workflow-resume"]
    words += ["--workflow-redo", redo] if redo is not None else []
    # A person who is asked has to see it: pytest's capturing would be in the way.
    words += ["-s"] if redo is not None or needs_person(run.workflow) else []
    return shlex.join(words)


def next_steps(run: Run) -> list[str]:
    """Return what a person can do next with a run that has ended and waits for nobody: one command in each line."""
    if run.state.complete and not run.results_problem:
        return [f"workflow-exec verify {run.id} --expect-head HASH, with the head as you kept it elsewhere"]
    if run.until is not None and run.fulfilled:
        return [f"{going_on(run)} goes on"]
    if run.denied_at is not None:
        return [f"{going_on(run, redo=run.denied_at)} asks again, and for a reason"]
    return [f"workflow-exec show {run.id}", f"{going_on(run)} goes on, once what is wrong is put right"]
