"""Models propose and Python decides: what answers a prompt, and what must be true of an answer before it counts."""

from pytest_workflow_exec.ai._answer_kind import AnswerKind, AnswerKindError
from pytest_workflow_exec.ai._asking import Asker
from pytest_workflow_exec.ai._backend import AiAnswer, AiAttempt, AiBackend, AiNews, AiRequest, AiUsage
from pytest_workflow_exec.ai._cassettes import RecordingBackend, ReplayingBackend, unrecorded
from pytest_workflow_exec.ai._choice import MODES, AiChoice, Standing, backend_of, choice_problems, choose
from pytest_workflow_exec.ai._claude import ClaudeBackend
from pytest_workflow_exec.ai._dialogue import InputScriptError, hold_dialogue, read_input_script
from pytest_workflow_exec.ai._interactive import InteractiveSession, SessionBounds
from pytest_workflow_exec.ai._perform import ask_in_python, kind_of, needs_module, perform_ai
from pytest_workflow_exec.ai._plans import CommandPlan, PlannedCommand
from pytest_workflow_exec.ai._program import ai_problems
from pytest_workflow_exec.ai._purse import Purse
from pytest_workflow_exec.ai._schema import SchemaRefusedError, fit_schema
from pytest_workflow_exec.ai._sessions import perform_session, session_in_python

__all__ = [
    "MODES",
    "AiAnswer",
    "AiAttempt",
    "AiBackend",
    "AiChoice",
    "AiNews",
    "AiRequest",
    "AiUsage",
    "AnswerKind",
    "AnswerKindError",
    "Asker",
    "ClaudeBackend",
    "CommandPlan",
    "InputScriptError",
    "InteractiveSession",
    "PlannedCommand",
    "Purse",
    "RecordingBackend",
    "ReplayingBackend",
    "SchemaRefusedError",
    "SessionBounds",
    "Standing",
    "ai_problems",
    "ask_in_python",
    "backend_of",
    "choice_problems",
    "choose",
    "fit_schema",
    "hold_dialogue",
    "kind_of",
    "needs_module",
    "perform_ai",
    "perform_session",
    "read_input_script",
    "session_in_python",
    "unrecorded",
]
