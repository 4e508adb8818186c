"""Answers out of a file, for tests: what is asked of a model is answered by whoever wrote it, and shown as such."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.ai._backend import Accept, AiAnswer, AiAttempt, AiNews, AiRequest
from pytest_workflow_exec.ai._talker import Ear, Reply
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError

_MAX_BYTES = 16 << 20


class ScriptError(ValueError):
    """A file of answers can't be used; the message continues its name."""


def read_script(path: Path) -> Mapping[str, Sequence[Json]]:
    """Return the answers in a JSON file: for each step a list of proposals, in the order in which they are made.

    Raises:
        ScriptError: It holds no answers.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ScriptError(f"is larger than {_MAX_BYTES >> 20} MiB")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ScriptError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise ScriptError(f"can't be read: {reason}") from error
    if not isinstance(found, dict) or not all(isinstance(proposals, list) for proposals in found.values()):
        raise ScriptError('must hold an object with a list of proposals for each step: {"diagnose": [{...}]}')
    return found


class ScriptedBackend:
    """Answers with what a script says, proposal by proposal; a request takes as many as it needs."""

    def __init__(self, script: Mapping[str, Sequence[Json]]) -> None:
        self._left = {step: list(proposals) for step, proposals in script.items()}

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Return the first proposal of the script that `accept` finds nothing wrong with.

        Raises:
            AiError: No further proposal is there, or none of so many was accepted.
        """
        attempts: list[AiAttempt] = []
        left = self._left.get(request.step, [])
        for number in range(1, request.attempts + 1):
            if not left:
                break
            proposal = left.pop(0)
            errors = accept(proposal)
            attempts.append(AiAttempt(value=proposal, errors=errors))
            if not errors:
                return AiAnswer(value=proposal, source="scripted", attempts=tuple(attempts))
            tell(AiNews(text=f"proposal {number} of {request.attempts} is not what was asked for"))
        if not attempts:
            raise AiError(f"the script of answers holds no further proposal for step {request.step!r}")
        raise AiError(no_acceptable(attempts), attempts=[as_data(each) for each in attempts])

    def reply(self, step: str) -> str:
        """Return the next text of the script: what a model would say in a turn of a conversation.

        Raises:
            AiError: No further one is there, or it is no text.
        """
        left = self._left.get(step, [])
        if not left or not isinstance(left[0], str):
            raise AiError(f"the script of answers holds no further text for the conversation of step {step!r}")
        return str(left.pop(0))


class ScriptedTalk:
    """A conversation in which a script says what a model would."""

    is_over = False

    def __init__(self, backend: ScriptedBackend, step: str) -> None:
        self._backend, self._step = backend, step

    def say(self, text: str, ear: Ear, *, timeout_s: float) -> Reply:
        """Return the next text of the script."""
        del text, timeout_s
        try:
            said = self._backend.reply(self._step)
        except AiError as error:
            return Reply(outcome="failed", error=str(error), kind="business")
        ear.hear(said)
        return Reply(outcome="whole", text=said)

    def close(self) -> None:
        """There is nothing to end."""


def no_acceptable(attempts: Sequence[AiAttempt]) -> str:
    """Return that no proposal was accepted, and why the last one was not."""
    errors = attempts[-1].errors
    listed = "".join(f"\n  {error}" for error in errors)
    return f"none of {len(attempts)} proposals is what was asked for. The last one:{listed}"


def as_data(attempt: AiAttempt) -> Mapping[str, Json]:
    """Return a proposal as an error carries it."""
    return {"value": attempt.value, "errors": list(attempt.errors)}
