"""No model at all: whatever is asked is refused."""

from __future__ import annotations

from collections.abc import Callable

from pytest_workflow_exec.ai._backend import Accept, AiAnswer, AiNews, AiRequest
from pytest_workflow_exec.errors import AiError


class OffBackend:
    """Asks nobody."""

    def __init__(self, reason: str) -> None:
        """Refuse with this reason."""
        self._reason = reason

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Refuse.

        Raises:
            AiError: Always.
        """
        del accept, tell
        message = f"step {request.step!r} asks a model, and none is to be asked: {self._reason}"
        raise AiError(message, kind="permission")
