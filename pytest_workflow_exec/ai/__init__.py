"""Models propose and Python decides: what answers a prompt, and what must be true of an answer before it counts."""

from pytest_workflow_exec.ai._backend import AiAnswer, AiAttempt, AiBackend, AiNews, AiRequest, AiUsage
from pytest_workflow_exec.ai._cassettes import RecordingBackend, ReplayingBackend
from pytest_workflow_exec.ai._claude import ClaudeBackend
from pytest_workflow_exec.ai._program import ai_problems
from pytest_workflow_exec.ai._schema import SchemaRefusedError, fit_schema

__all__ = [
    "AiAnswer",
    "AiAttempt",
    "AiBackend",
    "AiNews",
    "AiRequest",
    "AiUsage",
    "ClaudeBackend",
    "RecordingBackend",
    "ReplayingBackend",
    "SchemaRefusedError",
    "ai_problems",
    "fit_schema",
]
