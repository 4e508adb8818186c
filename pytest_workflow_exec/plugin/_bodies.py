"""What the item of a YAML step does when pytest calls it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import pytest

from pytest_workflow_exec.definition import return_annotation
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.model import Ai, Call, Command, Execute, Gate, Manual, Pause, Session, Step, Verify
from pytest_workflow_exec.run import Run, StepOutputs, outputs_of_return

from ._asynchronous import awaited
from ._attempt import failing_plainly
from ._evidence_types import with_evidence
from ._keys import PLANNED, SESSION
from ._load import load_function
from ._session import attempt_of, run_of


def perform(item: pytest.Item, step: Step, fixtures: Mapping[str, object]) -> None:
    """Do what the step says, and keep what it leaves."""
    __tracebackhide__ = True
    attempt, run = attempt_of(item), run_of(item)
    if attempt is None:
        pytest.fail("a step runs only as pytest runs its items", pytrace=False)
    attempt.body_ran = True
    if isinstance(step.body, Call):
        # The author's own code: what it raises keeps pytest's traceback.
        outputs = _call(run, step.body, fixtures)
        with failing_plainly(attempt):
            run.check_over(step.id)
            attempt.outputs = with_evidence(item.stash[PLANNED], outputs)
        return
    with failing_plainly(attempt):
        with _shown(item, step):
            outputs = _engine_body(item, run, step)
        attempt.outputs = with_evidence(item.stash[PLANNED], outputs)
        run.check_over(step.id)


def _shown(item: pytest.Item, step: Step) -> AbstractContextManager[None]:
    # Where a person is asked, nothing is drawn.
    asks = isinstance(step.body, (Gate, Manual))
    return nullcontext() if asks else item.config.stash[SESSION].lines.live.held()


def _engine_body(item: pytest.Item, run: Run, step: Step) -> StepOutputs:
    # What a kind of step needs is loaded for the first step of the kind.
    body = step.body
    if isinstance(body, Command):
        from pytest_workflow_exec.run import perform_command

        return perform_command(run, step, body)
    if isinstance(body, Verify):
        from pytest_workflow_exec.run import perform_verify

        return perform_verify(run, step, body)
    if isinstance(body, Gate):
        from ._gates import ask_at

        return ask_at(item, run, step, body, words="")
    if isinstance(body, Pause):
        return run.pause(step, body)
    if isinstance(body, Manual):
        from pytest_workflow_exec.run import check_attested

        from ._checks import call_check
        from ._gates import attest_at

        left = attest_at(item, run, step, body)
        check_attested(run, step, call=partial(call_check, item, run))
        return left
    return _of_a_model(item, run, step)


def _of_a_model(item: pytest.Item, run: Run, step: Step) -> StepOutputs:
    if isinstance(step.body, Execute):
        from pytest_workflow_exec.run import perform_execute

        return perform_execute(run, step, step.body)
    if isinstance(step.body, Ai):
        from ._ai import perform_ai_step

        return perform_ai_step(item.config.stash[SESSION], run, step, step.body)
    if isinstance(step.body, Session):
        from ._talks import perform_session_step

        return perform_session_step(item, run, step, step.body)
    message = f"step {step.id!r} has no body that a YAML step can have"
    raise WorkflowExecError(message)


def _call(run: Run, call: Call, fixtures: Mapping[str, object]) -> StepOutputs:
    __tracebackhide__ = True
    function = load_function(call)
    given = {name: run.values.argument_value(value) for name, value in call.arguments.items()}
    asked = {name: fixtures[name] for name in call.fixtures if name in fixtures}
    returned = awaited(function(**asked, **given))
    return outputs_of_return(returned, return_annotation(function), root=run.workflow.root)
