"""Conversations with a model inside a pytest session: who types, what is known to be wrong before, and the holding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from pytest_workflow_exec.ai import (
    InputScriptError,
    InteractiveSession,
    SessionBounds,
    hold_dialogue,
    perform_session,
    read_input_script,
    session_in_python,
)
from pytest_workflow_exec.approval import Dialogue
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.errors import AiError
from pytest_workflow_exec.model import (
    DEFAULT_AI_ATTEMPTS,
    DEFAULT_AI_TIMEOUT_S,
    DEFAULT_MODEL,
    DEFAULT_SESSION_TIMEOUT_S,
    DEFAULT_SESSION_TURNS,
    SESSION_TOOLS,
    Session,
    Step,
)
from pytest_workflow_exec.run import Run, StepOutputs

from ._ai import asker_of, kind_for
from ._gates import hold_still
from ._keys import PLANNED, SESSION
from ._session import run_of

_OPTION = "--workflow-session-input"


def talking_problems(config: pytest.Config) -> Iterator[str]:
    """Give what would keep steps from talking with a model, beside what keeps them from asking one."""
    try:
        _scripts(config)
    except InputScriptError as error:
        yield f"is a conversation, and {config.getoption('workflow_session_input')} {error}"


def perform_session_step(item: pytest.Item, run: Run, step: Step, session: Session) -> StepOutputs:
    """Hold the conversation of a `session:` step, and return its confirmed conclusion as outputs.

    Raises:
        AiError: It has no conclusion.
        GateDeniedError: Nobody confirmed it.
        OutputError: A value in the prompt is not there.
    """
    hold_still(item)
    asker = asker_of(item.config.stash[SESSION], run)
    return perform_session(asker, step, session, kind_for(session), converse=_converse(item, step))


class Claude:
    """Conversations with a model, for the code of a step: the fixture `claude`."""

    def __init__(self, item: pytest.Item) -> None:
        """Talk for a step."""
        self._item = item

    def session(
        self,
        prompt: str,
        *,
        output: type[Any],
        tools: Sequence[Literal["read", "grep", "glob"]] = (),
        data: Mapping[str, Json] | None = None,
        model: str = DEFAULT_MODEL,
        attempts: int = DEFAULT_AI_ATTEMPTS,
        timeout: str | float = DEFAULT_SESSION_TIMEOUT_S,
        turn_timeout: str | float = DEFAULT_AI_TIMEOUT_S,
        turns: int = DEFAULT_SESSION_TURNS,
        budget: float | None = None,
        turn_budget: float | None = None,
    ) -> InteractiveSession[Any]:
        """Return a conversation with a model; use it in a `with` statement.

        The workflow has to say `mode="interactive"`. `ask` says something, `talk` lets the person at the terminal talk, and
        `conclude` returns what it came to, once that person confirmed it.

        Args:
            prompt: The author's own words, with which it begins. Values belong into `data`.
            output: The type of the conclusion: a pydantic model, or another type that pydantic knows.
            tools: What the model may look at the project with; nothing unless named.
            data: Values by name, which the model is given as data and never as instructions.
            model: The model's full name.
            attempts: How many conclusions may be tried.
            timeout: For all of it: a duration such as `"1h"`, or seconds.
            turn_timeout: For each reply.
            turns: How often the model may be spoken to.
            budget: What it may cost in all, in US dollars; None for what is left of the run's budget.
            turn_budget: What one turn may cost.

        Raises:
            AiError: The step can't hold one.
            ValueError: A bound or a tool is none.
        """
        __tracebackhide__ = True
        item = self._item
        step, run = item.stash[PLANNED].step, run_of(item)
        if step.kind not in ("step", "call"):
            raise AiError(
                f"step {step.id!r} is a {step.kind} step; only code of steps talks with a model", kind="definition"
            )
        if run.workflow.mode != "interactive":
            raise AiError(
                f"step {step.id!r} talks with a model, and the workflow's mode is {run.workflow.mode}. Say "
                "mode='interactive' in its declaration, so that what it needs is checked before the first step.",
                kind="definition",
            )
        bounds = SessionBounds(
            model=model,
            attempts=attempts,
            timeout_s=_seconds(timeout),
            turn_timeout_s=_seconds(turn_timeout),
            turns=turns,
            tools=tuple(dict.fromkeys(tools)),
            budget_usd=budget,
            turn_budget_usd=turn_budget,
        )
        if unknown := [tool for tool in tools if tool not in SESSION_TOOLS]:
            message = f"there is no tool {unknown[0]!r} (there are {', '.join(SESSION_TOOLS)})"
            raise ValueError(message)
        if min(attempts, turns, bounds.timeout_s, bounds.turn_timeout_s, budget or 1, turn_budget or 1) <= 0:
            message = "attempts, turns, times and budgets must be more than nothing"
            raise ValueError(message)
        hold_still(item)
        asker = asker_of(item.config.stash[SESSION], run)
        return session_in_python(
            asker, step, prompt, output, bounds=bounds, converse=_converse(item, step), data=dict(data or {})
        )


def _seconds(said: str | float) -> float:
    return parse_duration(said) if isinstance(said, str) else float(said)


def _converse(item: pytest.Item, step: Step) -> partial[None]:
    return partial(_hold, item, step)


def _hold(item: pytest.Item, step: Step, session: InteractiveSession[Any]) -> None:
    __tracebackhide__ = True
    scripts = _scripts(item.config)
    with Dialogue.opened() as screen:
        hold_dialogue(session, screen, script=None if scripts is None else scripts.get(step.id, ()))


def _scripts(config: pytest.Config) -> Mapping[str, Sequence[str]] | None:
    named = config.getoption("workflow_session_input")
    return None if named is None else read_input_script(Path(config.invocation_params.dir, str(named)))
