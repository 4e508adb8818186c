"""What an `ai:` step does, and `workflow.ai` in Python: one question, and what its answer becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, cast, get_origin

from pytest_workflow_exec import events
from pytest_workflow_exec.ai._answer_kind import AnswerKind, kind_of_form
from pytest_workflow_exec.ai._asking import Asker, Question, answered_by
from pytest_workflow_exec.ai._backend import AiAnswer
from pytest_workflow_exec.ai._plans import CommandPlan
from pytest_workflow_exec.ai._prompt import text_of, whole_prompt
from pytest_workflow_exec.context import ContextError, Query
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError, OutputError, PlanRefusedError
from pytest_workflow_exec.model import (
    DEFAULT_CONTEXT_TOKENS,
    Ai,
    AiContext,
    Execute,
    FormType,
    ModelType,
    PlanType,
    Session,
    Step,
    StepId,
)
from pytest_workflow_exec.run import Run, StepOutputs, context_of, judge_plan, read_plan

T = TypeVar("T")


def kind_of(ai: Ai | Session, annotation: object) -> AnswerKind:
    """Return what an `ai:` step asks for, or what a `session:` step concludes with.

    Args:
        annotation: The model that its module defines; None for a step without one.

    Raises:
        AnswerKindError: Nobody can be asked for that, with the reason.
    """
    if isinstance(ai.output, FormType):
        return kind_of_form(ai.output.fields, name="its fields")
    if isinstance(ai.output, PlanType):
        return AnswerKind.of(CommandPlan, name="CommandPlan")
    return AnswerKind.of(annotation, name=f"{ai.output.path.stem}:{ai.output.name}")


def needs_module(ai: Ai | Session) -> ModelType | None:
    """Return the model of such a step that has to be loaded; None if it needs none."""
    return ai.output if isinstance(ai.output, ModelType) else None


def perform_ai(asker: Asker, step: Step, ai: Ai, kind: AnswerKind) -> StepOutputs:
    """Ask what an `ai:` step asks, and return the accepted answer as its outputs.

    Raises:
        AiError: There is none.
        PlanRefusedError: It holds a plan that is to be executed, and the policy does not allow it as a whole.
        OutputError: A value in the prompt is not there, or the answer lacks what a later step executes.
    """
    run = asker.run
    keys = list(dict.fromkeys(_executed_of(run, step.id)))
    prompt = whole_prompt(
        text_of(ai.prompt, run.values),
        context=context_text(run, ai.context),
        rules=_rules(run) if keys else None,
        data={},
        redactor=run.redactor,
    )
    question = Question(
        prompt=prompt,
        kind=kind,
        model=ai.model,
        attempts=ai.attempts,
        timeout_s=ai.timeout_s,
        budget_usd=ai.budget_usd,
    )
    answer = asker.ask(step.id, question)
    outputs = kind.outputs(answer.value)
    for key in keys:
        if key not in outputs:
            message = f"the answer holds no {key!r}, which a later step executes (it holds {', '.join(outputs)})"
            raise OutputError(message)
        _judge(run, step.id, answer, outputs[key], what=f"the plan in {key!r} of step {step.id!r}")
    return StepOutputs(values=outputs, files={})


def ask_in_python(
    asker: Asker,
    step: StepId,
    prompt: str,
    output: type[T],
    *,
    model: str,
    attempts: int,
    timeout_s: float,
    budget_usd: float | None = None,
    context: AiContext | None = None,
    data: Mapping[str, Json] | None = None,
) -> T:
    """Return the accepted answer to a question of a Python step.

    Raises:
        AiError: There is none.
        AnswerKindError: Nobody can be asked for that type.
        PlanRefusedError: It is a `CommandPlan`, and the policy does not allow it as a whole.
    """
    run, kind = asker.run, AnswerKind.of(output, name=getattr(output, "__name__", str(output)))
    is_plan = _is_plan(output)
    whole = whole_prompt(
        prompt,
        context=context_text(run, context),
        rules=_rules(run) if is_plan else None,
        data=data or {},
        redactor=run.redactor,
    )
    question = Question(
        prompt=whole, kind=kind, model=model, attempts=attempts, timeout_s=timeout_s, budget_usd=budget_usd
    )
    answer = asker.ask(step, question)
    if is_plan:
        commands = kind.outputs(answer.value)["commands"]
        _judge(run, step, answer, commands, what=f"the plan that was proposed in step {step!r}")
    return cast("T", kind.instance(answer.value))


def _executed_of(run: Run, proposer: StepId) -> Iterator[str]:
    bodies = (step.body for step in run.workflow.steps)
    yield from (body.key for body in bodies if isinstance(body, Execute) and body.proposer == proposer)


def _is_plan(output: object) -> bool:
    # Python 3.10 takes `list[str]` for a class, too.
    return isinstance(output, type) and get_origin(output) is None and issubclass(output, CommandPlan)


def _judge(run: Run, step: StepId, answer: AiAnswer, commands: Json, *, what: str) -> None:
    try:
        judged = judge_plan(read_plan(commands, what=what), run.policy, run.input_texts)
    except PlanRefusedError as error:
        for argv, reason in error.refused:
            run.record_asking(
                events.command_refused(step, attempt=run.attempt_of(step), argv=list(argv), reason=reason)
            )
        raise
    source = answered_by(answer)
    if judged.is_gated and source != "live":
        reason = f"it holds a gated command, and no model gave it now: it is {source}. Add --workflow-ai=live"
        raise PlanRefusedError(what=what, reasons=[reason])


def _rules(run: Run) -> Iterable[str]:
    return dict.fromkeys(rule.text for rule in run.policy.rules)


def context_text(run: Run, context: AiContext | None) -> str | None:
    """Return what a model is told of the project and the run; None if nothing is wanted.

    Raises:
        AiError: It can't be made.
    """
    if context is None:
        return None
    try:
        query = Query(
            task_type=context.task_type,
            keywords=context.keywords,
            max_tokens=DEFAULT_CONTEXT_TOKENS if context.max_tokens is None else context.max_tokens,
        )
        # The run's own name says nothing to a model, and with it no recorded answer would fit another run.
        return context_of(run, query).text.replace(run.id, "this run")
    except (ContextError, ValueError) as error:
        message = f"the context can't be made: {error}"
        raise AiError(message) from error
