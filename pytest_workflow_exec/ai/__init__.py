"""Models propose and Python decides: what answers a prompt, and what must be true of an answer before it counts."""

from pytest_workflow_exec.ai._backend import AiAnswer, AiAttempt, AiBackend, AiNews, AiRequest, AiUsage

__all__ = ["AiAnswer", "AiAttempt", "AiBackend", "AiNews", "AiRequest", "AiUsage"]
