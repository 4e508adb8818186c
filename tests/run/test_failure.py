"""Classes of errors: what a failure is, by everything that an error says of itself."""

from __future__ import annotations

import asyncio
import errno
import socket
import urllib.error
from email.message import Message

import pytest

from pytest_workflow_exec import errors
from pytest_workflow_exec.run import class_of_text, classify, failure_of


class _Response:
    def __init__(self, status: int) -> None:
        self.status_code = status


class _HttpError(Exception):
    """An error as HTTP libraries raise it: it holds the answer that it is about."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server said {status}")
        self.response = _Response(status)


class _LibraryTimeoutError(Exception):
    """Stands in for a timeout of a library that is not installed here."""


_LibraryTimeoutError.__module__, _LibraryTimeoutError.__qualname__ = "requests.exceptions", "Timeout"


def _failed(exit_status: int | None, stderr: str = "") -> Exception:
    return errors.CommandFailedError(argv=["x"], exit_status=exit_status, signal=None, stderr=stderr)


def _unexpected(exit_status: int | None, printed: str = "", what: str = "exit status") -> Exception:
    return errors.ExpectationError(
        argv=["x"], what=what, expected="0", found="1", exit_status=exit_status, printed=printed
    )


def _caused(cause: Exception) -> Exception:
    error = RuntimeError("could not publish")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "transient"),
        (OSError(errno.ENETUNREACH, "unreachable"), "transient"),
        (TimeoutError("late"), "transient"),
        (asyncio.TimeoutError(), "transient"),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "transient"),
        (_LibraryTimeoutError("read"), "transient"),
        (type("Mine", (_LibraryTimeoutError,), {})("read"), "transient"),
        (urllib.error.URLError(ConnectionResetError(errno.ECONNRESET, "reset")), "transient"),
        (urllib.error.HTTPError("u", 503, "busy", Message(), None), "transient"),
        (_HttpError(429), "transient"),
        (RuntimeError("503 Service Unavailable"), "transient"),
        (_caused(ConnectionAbortedError("gone")), "transient"),
        (errors.CommandTimeoutError(argv=["x"], timeout_s=1), "transient"),
        (_failed(75), "transient"),
        (_unexpected(128, "fatal: Could not resolve host: example.org"), "transient"),
        (PermissionError(errno.EACCES, "no"), "permission"),
        (OSError(errno.EROFS, "read-only"), "permission"),
        (_HttpError(403), "permission"),
        (_failed(77), "permission"),
        (_failed(128, "git@example.org: Permission denied (publickey)."), "permission"),
        (errors.SecretMissingError(step="a", name="TOKEN"), "permission"),
        (AssertionError("assert 'Connection refused' in log"), "business"),
        (FileNotFoundError(errno.ENOENT, "no such file", "Connection refused.txt"), "business"),
        (_HttpError(404), "business"),
        (ValueError("no"), "business"),
        (_failed(1, "3 tests failed"), "business"),
        (_unexpected(None, "timed out", what="stdout"), "business"),
        (errors.VerifyFailedError("1 tests failed: connection refused"), "business"),
        (errors.OutputError("no wheel"), "business"),
        (SyntaxError("no"), "definition"),
        (ModuleNotFoundError("no"), "definition"),
        (_failed(127), "definition"),
        (errors.CommandNotFoundError(program="x", path=[]), "definition"),
        (errors.CommandRefusedError(argv=["x"], reason="timed out"), "policy"),
        (errors.EvidenceError("connection refused"), "internal"),
        (errors.SandboxSetupError("no"), "internal"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{type(value).__name__}-{str(value)[:30]}",
)
def test_every_error_has_one_class(error: BaseException, expected: str) -> None:
    """Type, errno, exit and HTTP status and then the words decide; whatever says nothing is business."""
    assert classify(error) == expected
    assert failure_of(error).error_class == expected


def test_causes_that_go_round_in_a_circle_end() -> None:
    """An error that is its own cause is judged like any other."""
    error = RuntimeError("a")
    error.__cause__ = RuntimeError("b")
    error.__cause__.__cause__ = error

    assert classify(error) == "business"


def test_only_the_end_of_a_long_text_is_read() -> None:
    """What was printed long before says nothing about what went wrong in the end."""
    assert class_of_text("connection refused" + "x\n" * 20_000) is None
    assert class_of_text("x\n" * 20_000 + "connection refused") == "transient"


def test_what_is_known_of_a_failed_command() -> None:
    """Rules of others see the type by its qualified name, the message and the exit status."""
    failure = failure_of(_failed(3, "no room"))

    assert (failure.type, failure.exit) == ("pytest_workflow_exec.errors.CommandFailedError", 3)
    assert "no room" in failure.message
    assert failure.judged("transient").error_class == "transient"
