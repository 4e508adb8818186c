"""Steps that ask a model, inside a pytest session: who answers, what is known to be wrong before, and the asking."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from pytest_workflow_exec.ai import (
    AiChoice,
    AiNews,
    AnswerKind,
    AnswerKindError,
    Asker,
    Purse,
    SchemaRefusedError,
    Standing,
    ask_in_python,
    backend_of,
    choice_problems,
    choose,
    fit_schema,
    kind_of,
    needs_module,
    perform_ai,
    unrecorded,
)
from pytest_workflow_exec.approval import escape_line
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError, PreflightError, Problem, SettingsError, WorkflowExecError
from pytest_workflow_exec.model import Ai, AiContext, Session, Step, StepId, Workflow
from pytest_workflow_exec.run import Run, StepOutputs
from pytest_workflow_exec.settings import load_settings, with_variables

from ._keys import SESSION
from ._load import load_model
from ._session import WorkflowSession
from ._ways_on import WaysOn

_ASKING_KINDS = ("step", "call")


def choice_of(config: pytest.Config, root: Path) -> AiChoice:
    """Return who answers in a session, in a project.

    Raises:
        PreflightError: Its options can't be used.
        SettingsError: The project's configuration can't be used, or a variable that says a setting.
    """
    own = load_settings(root)
    here = with_variables(own, os.environ)
    by = here.said.get("ai")
    said = f'ai = "{here.ai}" in the configuration' if by is None else f"{by.variable}={here.ai}"
    return choose(
        mode=config.getoption("workflow_ai"),
        script=config.getoption("workflow_ai_answers"),
        budget=config.getoption("workflow_ai_budget"),
        environment=os.environ,
        folder=config.invocation_params.dir,
        standing=Standing(mode=here.ai, by=said, budget_usd=here.ai_budget_usd, most_usd=own.ai_budget_usd),
    )


def asking_problems(config: pytest.Config, workflow: Workflow, steps: Iterable[Step]) -> Iterator[Problem]:
    """Give what would keep the steps of a workflow from asking a model.

    Args:
        steps: Those that are to run.
    """
    steps = tuple(steps)
    asking = [(step, step.body) for step in steps if isinstance(step.body, (Ai, Session))]
    in_code = workflow.mode != "python" and not any(isinstance(step.body, (Ai, Session)) for step in workflow.steps)
    if not asking and not in_code:
        return
    first = asking[0][0] if asking else None
    try:
        choice = choice_of(config, workflow.root)
        problems = choice_problems(choice, os.environ)
    except (PreflightError, SettingsError) as error:
        yield from error.problems
        return
    for problem in problems:
        yield _at(first, workflow, problem)
    yield from _talking_problems(config, workflow, steps)
    if choice.mode == "replay":
        yield from _unrecorded(config, workflow, [step for step, _ in asking])
    for step, ai in asking:
        try:
            kind = kind_for(ai)
            if choice.asks:
                fit_schema(kind.schema)
        except (WorkflowExecError, SchemaRefusedError) as error:
            yield _at(step, workflow, f"can't be asked: {error}")


def _unrecorded(config: pytest.Config, workflow: Workflow, asking: Iterable[Step]) -> Iterator[Problem]:
    command = WaysOn.of(config).recorded(workflow)
    for step in asking:
        if step.when is not None:
            # Where it did not apply at the recording, nothing was asked.
            continue
        reason = unrecorded(recordings_of(workflow), step.id, talks=isinstance(step.body, Session))
        if reason is not None:
            yield _at(step, workflow, f"is to be replayed, and can't be: {reason}. Record it with: {command}")


def recordings_of(workflow: Workflow) -> Path:
    """Return the folder in which answers of a workflow's steps are recorded."""
    return workflow.file.parent / "recordings" / workflow.name


def _talking_problems(config: pytest.Config, workflow: Workflow, steps: Iterable[Step]) -> Iterator[Problem]:
    talking = [step for step in steps if isinstance(step.body, Session)]
    if not talking and workflow.mode != "interactive":
        return
    from ._talks import talking_problems

    for problem in talking_problems(config):
        yield _at(talking[0] if talking else None, workflow, problem)


def _at(step: Step | None, workflow: Workflow, message: str) -> Problem:
    if step is None:
        return Problem(
            path=workflow.file, message=f"workflow {workflow.name!r}, which has mode {workflow.mode!r}, {message}"
        )
    place = step.location
    return Problem(path=place.path, line=place.line, column=place.column, message=f"step {step.id!r} {message}")


def kind_for(ai: Ai | Session) -> AnswerKind:
    """Return what a step asks a model for; its module is loaded from the digested bytes.

    Raises:
        AnswerKindError: Nobody can be asked for that, with the reason.
    """
    wanted = needs_module(ai)
    if wanted is None:
        return kind_of(ai, None)
    try:
        annotation = load_model(wanted)
    except WorkflowExecError as error:
        raise AnswerKindError(str(error)) from error
    except Exception as error:
        reason = escape_line(f"{type(error).__name__}: {error}", max_chars=400)
        raise AnswerKindError(f"{wanted.path.name} can't be imported: {reason}") from error
    return kind_of(ai, annotation)


def perform_ai_step(session: WorkflowSession, run: Run, step: Step, ai: Ai) -> StepOutputs:
    """Ask what an `ai:` step asks, and return the accepted answer as its outputs.

    Raises:
        AiError: There is none.
        PlanRefusedError: It holds a plan that is to be executed, and the policy does not allow it as a whole.
        OutputError: A value in the prompt is not there, or the answer lacks what a later step executes.
    """
    with session.lines.live.command(lambda: session.ai_news):
        session.ai_news = f"asking {ai.model}"
        return perform_ai(asker_of(session, run), step, ai, kind_for(ai))


def ask_for_code(item: pytest.Item, run: Run, step: Step) -> partial[object]:
    """Return what asks a model for the code of a step.

    Raises:
        AiError: It is no step whose code may ask.
    """
    if step.kind not in _ASKING_KINDS:
        message = f"step {step.id!r} is a {step.kind} step, whose fixtures ask no model; only code of steps does"
        raise AiError(message, kind="definition")
    return partial(_ask, item.config.stash[SESSION], run, step.id)


def _ask(
    session: WorkflowSession,
    run: Run,
    step: StepId,
    prompt: str,
    output: type,
    *,
    model: str,
    attempts: int,
    timeout_s: float,
    budget_usd: float | None,
    context: AiContext | None,
    data: Mapping[str, Json],
) -> object:
    __tracebackhide__ = True
    if run.workflow.mode == "python":
        raise AiError(
            f"step {step!r} asks a model, and the workflow's mode is python. Say mode='ai_json' in its declaration, so "
            "that what it needs is checked before the first step.",
            kind="definition",
        )
    return ask_in_python(
        asker_of(session, run),
        step,
        prompt,
        output,
        model=model,
        attempts=attempts,
        timeout_s=timeout_s,
        budget_usd=budget_usd,
        context=context,
        data=data,
    )


def asker_of(session: WorkflowSession, run: Run) -> Asker:
    """Return what asks models for a run, within the budget of all runs of the session.

    Raises:
        AiError: There is a budget, and this process can't know what others spend.
    """
    name = run.workflow.name
    if name not in session.askers:
        choice = choice_of(session.config, run.workflow.root)
        session.askers[name] = Asker(
            run,
            backend_of(
                choice,
                recordings=recordings_of(run.workflow),
                redact=run.redactor.value,
                record_with=session.ways_on.recording(run),
            ),
            source=choice.source,
            purse=_purse(session, choice),
            tell=partial(_tell, session, run),
        )
    return session.askers[name]


def _purse(session: WorkflowSession, choice: AiChoice) -> Purse:
    if session.purse is None:
        costs = None if session.share is None else session.share.costs
        if session.share is not None and costs is None and choice.budget_usd is not None:
            raise AiError("what other workers spend on models can't be known here; nothing was asked. Add -n0.")
        session.purse = Purse(choice.budget_usd, shared=costs)
    return session.purse


def _tell(session: WorkflowSession, run: Run, news: AiNews) -> None:
    if news.passing:
        # Drawn beside the spinner, where there is one.
        session.ai_news = run.redactor.text(news.text)
        return
    if session.config.get_verbosity() < 0:
        return
    line = escape_line(run.redactor.text(news.text), max_chars=200)
    with session.lines.aside():
        session.lines.say(f"  {line}")
