"""Claude through the claude-agent-sdk: one request, no tools, and an answer only if every sign says that it is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import cast

from pytest_workflow_exec.digests import Json, digest_of

from ._backend import Accept, AiAnswer, AiNews, AiRequest
from ._conversation import Conversation, usage_of
from ._failure import Failure, ai_error, plain
from ._loop import Caller, converse
from ._program import bundled_program, sdk_version
from ._room import LOGINS, asked_addresses, opened_room
from ._schema import FittedSchema, SchemaRefusedError, fit_schema
from ._sdk import load_sdk, shown_options
from ._tellings import Tell
from ._verdict import verdict

IDLE_S = 120.0
"""How long a model may say nothing at all."""
_RETRIES = 2


class ClaudeBackend:
    """Asks a Claude model. Nothing of the SDK is imported before the first request."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Return the first proposal that `accept` finds nothing wrong with.

        `accept` and `tell` are called in this thread.

        Raises:
            AiError: There is no accepted answer; it says what happened, its class, and carries attempts and cost.
        """
        try:
            _refuse_unaskable(request)
            sdk, fitted = load_sdk(), fit_schema(request.schema)
        except SchemaRefusedError as error:
            raise ai_error(Failure(str(error)), step=request.step) from error
        except Failure as failure:
            raise ai_error(failure, step=request.step) from failure.__cause__
        return self._asked(sdk, fitted, request, accept, tell)

    def _asked(
        self, sdk: ModuleType, fitted: FittedSchema, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]
    ) -> AiAnswer:
        heard: list[Conversation] = []
        try:
            self._converse(sdk, fitted, request, accept, tell=tell, heard=heard)
            [talk] = heard
            failure = verdict(talk, request)
        except Failure as told:
            failure = told
        if failure is None:
            return _answer(talk, request, fitted)
        attempts, cost_usd = (heard[0].proposals.attempts, heard[0].cost_usd) if heard else ((), 0.0)
        raise ai_error(failure, step=request.step, attempts=attempts, cost_usd=cost_usd)

    def _converse(
        self,
        sdk: ModuleType,
        fitted: FittedSchema,
        request: AiRequest,
        accept: Accept,
        *,
        tell: Callable[[AiNews], None],
        heard: list[Conversation],
    ) -> None:
        program = bundled_program()
        assert program is not None  # noqa: S101  # `load_sdk` refuses where there is none

        with ExitStack() as stack:
            try:
                room = stack.enter_context(
                    opened_room(cli=program, system=request.system, bounds=self._bounds(request))
                )
            except OSError as error:
                raise Failure(f"the program's folder can't be made: {error}", advice="Look at TMPDIR.") from error

            async def conversation(caller: Caller) -> None:
                talk = Conversation(
                    sdk,
                    request,
                    accept,
                    tell=Tell(tell, caller),
                    caller=caller,
                    fitted=fitted,
                    room=room,
                    idle_s=self._idle_s,
                )
                heard.append(talk)
                await talk.run()

            def idle() -> None:
                if heard:
                    tell(AiNews(text=heard[0].progress, passing=True))

            converse(conversation, idle)

    def _bounds(self, request: AiRequest) -> Mapping[str, str]:
        return {
            "API_TIMEOUT_MS": str(round(1000 * min(self._idle_s, request.timeout))),
            "CLAUDE_CODE_MAX_RETRIES": str(_RETRIES),
            "MAX_STRUCTURED_OUTPUT_RETRIES": str(request.attempts),
        }


def _refuse_unaskable(request: AiRequest) -> None:
    if not request.model or request.model.startswith("-") or not request.model.isprintable() or " " in request.model:
        raise Failure(f"{plain(request.model)!r} is no name of a model", advice="Name one in full.")
    if request.attempts < 1 or request.timeout <= 0:
        raise Failure("without an attempt or without time nothing can be asked", advice="Allow at least one attempt.")
    if request.budget_usd is not None and request.budget_usd <= 0:
        raise Failure(
            "nothing is left of the budget", advice="Nothing was asked. Allow more with --workflow-ai-budget."
        )
    for name, text in (("prompt", request.prompt), ("system prompt", request.system)):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Failure(f"the {name} holds half a character at {error.start}", advice="Nothing was asked.") from error


def _answer(talk: Conversation, request: AiRequest, fitted: FittedSchema) -> AiAnswer:
    login = next((name for name in LOGINS if os.environ.get(name)), None)
    return AiAnswer(
        value=talk.proposals.attempts[-1].value,
        source="live",
        attempts=tuple(talk.proposals.attempts),
        usage=usage_of(talk.result, talk.cost_usd),
        versions={"model": talk.model, "sdk": sdk_version(), "cli": talk.program_version},
        options={
            **shown_options(request),
            "schema": digest_of(cast("Json", fitted.schema)),
            "login": login,
            # Whoever answers there answered.
            **asked_addresses(),
        },
    )
