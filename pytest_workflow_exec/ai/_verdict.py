"""Whether an answer counts. The program says success of much that is none, so every sign of it has to be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._backend import AiRequest
from ._conversation import Conversation
from ._failure import Failure, kind_of, plain
from ._schema_wrap import STRUCTURED_OUTPUT

_BUDGET = "error_max_budget_usd"
_NO_MORE_ATTEMPTS = frozenset({"error_max_structured_output_retries", "error_max_turns"})


def verdict(talk: Conversation, request: AiRequest) -> Failure | None:
    """Return the first thing that is wrong with what was heard; None only if everything that has to be there is."""
    if talk.failure is not None:
        return talk.failure
    return next(_doubts(talk, request), None)


def _doubts(talk: Conversation, request: AiRequest) -> Iterator[Failure]:
    result = talk.result
    if result.is_error or result.subtype != "success":
        yield _failure_of(result, talk.word, request)
    if result.structured_output is None:
        yield Failure("it answered in prose, and a value was asked for")
    if result.terminal_reason != "completed" or talk.started is None:
        reason = plain(str(result.terminal_reason))
        yield Failure(f"the program ended for another reason than being done ({reason})", "transient")
    denied = {str(each.get("tool_name")) for each in result.permission_denials or ()}
    if denied - {STRUCTURED_OUTPUT}:
        yield Failure(f"it was denied {plain(', '.join(sorted(denied)))}, of which it should not even have known")
    if not talk.proposals.is_accepted(result.structured_output):
        yield Failure("what the program gives out is not what was accepted; was its hook switched off?")
    if not (talk.model == request.model or talk.model.startswith(f"{request.model}-")):
        yield Failure(f"{plain(talk.model)} answered, and {request.model} was asked", advice="Name the model in full.")
    if request.budget_usd is not None and result.total_cost_usd is None:
        yield Failure("the program does not say what it cost, and there is a budget")


def _failure_of(result: Any, word: str | None, request: AiRequest) -> Failure:  # noqa: ANN401  # a class of the SDK's
    if result.subtype == _BUDGET:
        return Failure(f"it took more than the ${request.budget_usd} that it may cost", advice="Nothing of it is used.")
    if result.subtype in _NO_MORE_ATTEMPTS:
        return Failure(f"none of {request.attempts} attempts was accepted")
    if result.stop_reason == "refusal":
        return Failure("the model refuses to answer this", advice="Change what is asked.")
    status = result.api_error_status
    said = plain(str(result.result or "; ".join(result.errors or ()) or result.subtype))
    told = f"HTTP {status}: {said}" if status is not None else said
    return Failure(told, kind_of(status=status, word=word))
