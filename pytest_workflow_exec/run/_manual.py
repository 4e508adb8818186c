"""Work done by hand inside a run: told, attested, recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from pytest_workflow_exec import events
from pytest_workflow_exec.errors import ManualFailedError
from pytest_workflow_exec.events import ENGINE
from pytest_workflow_exec.model import Manual, Step
from pytest_workflow_exec.run._form import answers_problem, fields_of
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._values import StepOutputs, Values

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Attestation, ManualTask

Attester: TypeAlias = "Callable[[ManualTask, float], Attestation]"
"""Tells a person what to do; returns what they say of it within so many seconds."""


def attested(
    step: Step, manual: Manual, *, attempt: int, workflow: str, values: Values, journal: Journal, attester: Attester
) -> StepOutputs:
    """Return who did the work, once a person said that it was done.

    Raises:
        ManualFailedError: Nobody said so.
        OutputError: A value in the instruction is not there.
        EvidenceError: The answer can't be written.
    """
    from pytest_workflow_exec.approval import ManualTask

    task = ManualTask(
        workflow=workflow,
        run=values.run,
        step=step.id,
        attempt=attempt,
        instruction=values.text(manual.instruction),
        checklist=tuple(values.text(item) for item in manual.checklist),
        form=fields_of(manual.form),
    )
    # Whoever is asked may take days: what came before must not be lost meanwhile.
    journal.barrier()
    said = _checked(attester(task, manual.timeout_s), task)
    journal.record(
        events.manual_attested(
            step.id,
            attempt=attempt,
            result=said.result,
            reason=said.reason,
            notes=said.notes,
            instruction=task.instruction,
            checklist=task.checklist,
            who=said.who,
            terminal=said.terminal,
            form=[field.to_data() for field in task.form],
            answers=said.answers,
        )
    )
    journal.barrier()
    if said.result != "done":
        raise ManualFailedError(step=step.id, result=said.result, reason=said.reason)
    return StepOutputs(values={"who": said.who.id, "notes": list(said.notes), **said.answers}, files={})


def _checked(said: Attestation, task: ManualTask) -> Attestation:
    problem = answers_problem(task.form if said.result == "done" else (), said.answers)
    if problem is None:
        return said
    from pytest_workflow_exec.approval import Attestation

    return Attestation(
        result="unanswered", reason=f"no answer to its form: {problem}", notes=said.notes, who=ENGINE, terminal=""
    )
