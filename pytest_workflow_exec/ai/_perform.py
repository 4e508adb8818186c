"""What an `ai:` step does, and `workflow.ai` in Python: one question, and what its answer becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, cast, get_origin

from pytest_workflow_exec.ai._answer_kind import AnswerKind, AnswerKindError, kind_of_form
from pytest_workflow_exec.ai._asking import Asker, Question
from pytest_workflow_exec.ai._backend import AiAnswer
from pytest_workflow_exec.ai._plan_judge import COMMANDS, PlanJudge
from pytest_workflow_exec.ai._plans import CommandPlan
from pytest_workflow_exec.ai._prompt import text_of, whole_prompt
from pytest_workflow_exec.context import ContextError, Query
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError
from pytest_workflow_exec.lean_dataclasses import replace
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
from pytest_workflow_exec.run import Run, StepOutputs, context_of

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
        OutputError: A value in the prompt is not there.
    """
    run = asker.run
    keys = list(dict.fromkeys(_executed_of(run, step.id)))
    prompt = whole_prompt(
        text_of(ai.prompt, run.values),
        context=context_text(run, ai.context, step.id),
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
    answer = _asked(asker, step.id, question, keys)
    return StepOutputs(values=kind.outputs(answer.value), files={})


def kind_in_code(step: StepId, output: object) -> AnswerKind:
    """Return the kind of answers that the code of a step asks for.

    Raises:
        AiError: Nobody can be asked for that, with the reason.
    """
    __tracebackhide__ = True
    try:
        return AnswerKind.of(output, name=getattr(output, "__name__", str(output)))
    except AnswerKindError as error:
        # Not from it: beneath it stands how pydantic found out, in dozens of frames.
        raise AiError(f"step {step!r}: {error}", kind="definition") from None


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
        AiError: There is none, or nobody can be asked for that type.
        PlanRefusedError: It is a `CommandPlan`, and the policy does not allow it as a whole.
    """
    __tracebackhide__ = True
    run, kind = asker.run, kind_in_code(step, output)
    is_plan = _is_plan(output)
    whole = whole_prompt(
        prompt,
        context=context_text(run, context, step),
        rules=_rules(run) if is_plan else None,
        data=data or {},
        redactor=run.redactor,
    )
    question = Question(
        prompt=whole, kind=kind, model=model, attempts=attempts, timeout_s=timeout_s, budget_usd=budget_usd
    )
    answer = _asked(asker, step, question, [COMMANDS] if is_plan else [])
    return cast("T", kind.instance(answer.value))


def _executed_of(run: Run, proposer: StepId) -> Iterator[str]:
    bodies = (step.body for step in run.workflow.steps)
    yield from (body.key for body in bodies if isinstance(body, Execute) and body.proposer == proposer)


def _is_plan(output: object) -> bool:
    # Python 3.10 takes `list[str]` for a class, too.
    return isinstance(output, type) and get_origin(output) is None and issubclass(output, CommandPlan)


def _asked(asker: Asker, step: StepId, question: Question, keys: Sequence[str]) -> AiAnswer:
    """Return an answer whose plans the policy allows; what it refuses, the model is told and may mend."""
    if not keys:
        return asker.ask(step, question)
    judge = PlanJudge(asker.run, step, question.kind, keys)
    try:
        answer = asker.ask(step, replace(question, judge=judge.problems))
    except AiError as error:
        refused = judge.refusal_behind(error, question.attempts)
        if refused is None:
            raise
        raise refused from error
    judge.demand_asked_now(answer)
    return answer


def _rules(run: Run) -> Iterable[str]:
    return dict.fromkeys(rule.text for rule in run.policy.rules)


def context_text(run: Run, context: AiContext | None, step: StepId) -> str | None:
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
        return context_of(run, query, run.workflow.step(step)).text.replace(run.id, "this run")
    except (ContextError, ValueError) as error:
        message = f"the context can't be made: {error}"
        raise AiError(message) from error
