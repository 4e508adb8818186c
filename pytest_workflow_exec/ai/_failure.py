"""Why there is no answer that counts, in the one error that everything else becomes."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError

from ._backend import AiAttempt

Kind: TypeAlias = Literal["transient", "permission", "business"]

_MAX_TEXT: Final = 600
_PERMISSION = frozenset({401, 402, 403})
_TRANSIENT = frozenset({408, 409, 425, 429})
_FIRST_OF_THE_SERVER = 500
_BY_WORD: dict[str, Kind] = {
    "authentication_failed": "permission",
    "billing_error": "permission",
    "invalid_request": "business",
    "model_not_found": "business",
}
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
_NEXT: dict[Kind, str] = {
    "transient": "Try again later.",
    "permission": "Look at the login of the environment: ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN.",
    "business": "Look at the name of the model and at what was asked.",
}
_REFUSED = "What was proposed and why it was refused is in the evidence of the step."


class Failure(Exception):  # noqa: N818  # it becomes the error
    """What went wrong; `advice` says what to do where the kind of failure does not say it."""

    def __init__(self, reason: str, kind: Kind = "business", advice: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.kind, self.advice = reason, kind, advice


def kind_of(*, status: int | None, word: str | None) -> Kind:
    """Return the class of an API's error, by its HTTP status, else by the word that the program has for it."""
    if status is None:
        return _BY_WORD.get(word or "", "transient")
    if status in _PERMISSION:
        return "permission"
    return (
        "transient" if status in _TRANSIENT or status >= _FIRST_OF_THE_SERVER else _BY_WORD.get(word or "", "business")
    )


def ai_error(failure: Failure, *, step: str, attempts: Sequence[AiAttempt] = (), cost_usd: float = 0.0) -> AiError:
    """Return the error that is raised for a failure."""
    tried = len(attempts)
    told = [f"step {step!r} has no answer from the model: {failure.reason.rstrip('.')}."]
    if tried:
        told.append(f"{tried} answer{'s were' if tried > 1 else ' was'} proposed.")
    if tried and attempts[-1].errors:
        told.append(f"The last one was refused: {plain('; '.join(attempts[-1].errors)).rstrip('.')}.")
    if cost_usd:
        told.append(f"It cost ${cost_usd:.4f}.")
    told.append(failure.advice or (_REFUSED if failure.kind == "business" and tried else _NEXT[failure.kind]))
    return AiError(" ".join(told), kind=failure.kind, attempts=[_as_json(each) for each in attempts], cost_usd=cost_usd)


def plain(text: str) -> str:
    """Return what others wrote as one bounded line in which nothing hides or moves the cursor."""
    line = " ".join(text.split())
    shown = "".join(_spelled(character) for character in line[: _MAX_TEXT + 1])
    return shown if len(shown) <= _MAX_TEXT else shown[:_MAX_TEXT] + "..."


def _spelled(character: str) -> str:
    return ascii(character)[1:-1] if unicodedata.category(character) in _HIDDEN else character


def _as_json(attempt: AiAttempt) -> Json:
    return {"value": attempt.value, "errors": list(attempt.errors)}
