"""What a `session:` step does, and `claude.session` in Python: one conversation, and what its conclusion becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pytest_workflow_exec.ai._answer_kind import AnswerKind
from pytest_workflow_exec.ai._asking import Asker
from pytest_workflow_exec.ai._interactive import InteractiveSession, SessionBounds
from pytest_workflow_exec.ai._perform import context_text, kind_in_code
from pytest_workflow_exec.ai._prompt import text_of, whole_prompt
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.model import AiContext, Session, Step
from pytest_workflow_exec.run import PastTalk, StepOutputs, past_talk

T = TypeVar("T")
Converse = Callable[[InteractiveSession[Any]], None]


def perform_session(asker: Asker, step: Step, session: Session, kind: AnswerKind, *, converse: Converse) -> StepOutputs:
    """Hold the conversation of a `session:` step, and return its confirmed conclusion as outputs.

    Args:
        converse: Lets a person talk.

    Raises:
        AiError: It has no conclusion.
        GateDeniedError: Nobody confirmed it.
        OutputError: A value in the prompt is not there.
    """
    run = asker.run
    prompt = whole_prompt(
        text_of(session.prompt, run.values),
        context=context_text(run, session.context, step.id),
        rules=None,
        data={},
        redactor=run.redactor,
    )
    bounds = SessionBounds(
        model=session.model,
        attempts=session.attempts,
        timeout_s=session.timeout_s,
        turn_timeout_s=session.turn_timeout_s,
        turns=session.turns,
        tools=session.tools,
        budget_usd=session.budget_usd,
        turn_budget_usd=session.turn_budget_usd,
    )
    earlier = past_talk(run.log_path, step.id, digest=step.digest)
    held: InteractiveSession[object] = InteractiveSession(
        asker, step, prompt, kind=kind, bounds=bounds, earlier=earlier, confirm=run.confirm, converse=converse
    )
    with held:
        held.talk()
        return StepOutputs(values=kind.outputs(held.conclusion()), files={})


def session_in_python(
    asker: Asker,
    step: Step,
    prompt: str,
    output: type[T],
    *,
    bounds: SessionBounds,
    converse: Converse,
    context: AiContext | None = None,
    data: Mapping[str, Json] | None = None,
) -> InteractiveSession[T]:
    """Return a conversation for the code of a step.

    Raises:
        AiError: Nobody can be asked for that type.
    """
    __tracebackhide__ = True
    run, kind = asker.run, kind_in_code(step.id, output)
    whole = whole_prompt(
        prompt, context=context_text(run, context, step.id), rules=None, data=data or {}, redactor=run.redactor
    )
    # What was said counts, but code says things anew: only a person could tell where it had stopped.
    past = past_talk(run.log_path, step.id, digest=step.digest)
    earlier = PastTalk(cost_usd=past.cost_usd, count=0)
    return InteractiveSession(
        asker, step, whole, kind=kind, bounds=bounds, earlier=earlier, confirm=run.confirm, converse=converse
    )
