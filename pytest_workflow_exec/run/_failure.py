"""Which class an error belongs to: by its type, its errno, an exit or HTTP status, or the words that it comes with.

Whatever says nothing is `business`: what was to be so is not so, and trying again would only hide it.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from pytest_workflow_exec import errors
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import ErrorClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is known of an error that ended an attempt."""

    type: str
    """The error's type, by its qualified name."""
    message: str
    exit: int | None
    """The exit status of the command that failed; None if none did."""
    error_class: ErrorClass

    def judged(self, error_class: ErrorClass) -> Failure:
        """Return the same with another class."""
        return replace(self, error_class=error_class)


_OWN: dict[type[BaseException], ErrorClass] = {
    errors.CommandRefusedError: "policy",
    errors.ProcessStartError: "policy",
    errors.PolicyError: "policy",
    errors.PinError: "policy",
    errors.PlanRefusedError: "policy",
    errors.ApprovalLapsedError: "policy",
    errors.GateDeniedError: "permission",
    errors.SecretMissingError: "permission",
    errors.CommandTimeoutError: "transient",
    errors.LockHeldError: "transient",
    errors.CommandNotFoundError: "definition",
    errors.DefinitionError: "definition",
    errors.SettingsError: "definition",
    errors.PreflightError: "definition",
    errors.InputError: "definition",
    errors.StepOrderError: "definition",
    errors.StillRunningError: "definition",
    errors.SandboxSetupError: "internal",
    errors.EvidenceError: "internal",
    errors.LogUnreadableError: "internal",
}
_BUILT_IN: dict[type[BaseException], ErrorClass] = {
    AssertionError: "business",
    TimeoutError: "transient",
    ConnectionError: "transient",
    PermissionError: "permission",
    SyntaxError: "definition",
    ImportError: "definition",
    NameError: "definition",
}
# By name: none of these packages is needed here, and none is imported for an error that nobody raised.
_OF_LIBRARIES: dict[str, ErrorClass] = {
    "asyncio.exceptions.TimeoutError": "transient",
    "concurrent.futures._base.TimeoutError": "transient",
    "requests.exceptions.ConnectionError": "transient",
    "requests.exceptions.Timeout": "transient",
    "httpx.TimeoutException": "transient",
    "httpx.NetworkError": "transient",
    "urllib3.exceptions.TimeoutError": "transient",
    "urllib3.exceptions.ProtocolError": "transient",
    "aiohttp.client_exceptions.ClientConnectionError": "transient",
    "http.client.IncompleteRead": "transient",
}
_ERRNO: dict[int, ErrorClass] = {
    **dict.fromkeys(
        (
            errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT, errno.EHOSTUNREACH,
            errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN, errno.ENETRESET, errno.EPIPE, errno.EAGAIN,
            errno.EINTR, errno.EBUSY, errno.ETXTBSY, errno.ESTALE,
        ),
        "transient",
    ),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "permission"),
}  # fmt: skip
_NAME_RESOLUTION_AGAIN = -3
"""EAI_AGAIN of Linux; other systems say it in words."""
# As sysexits.h, shells and timeout(1) have them; whatever else a program means by a number, only it knows.
_EXITS: dict[int, ErrorClass] = {
    69: "transient", 75: "transient", 124: "transient", 77: "permission", 126: "permission", 127: "definition",
}  # fmt: skip
_STATUSES: dict[int, ErrorClass] = {
    **dict.fromkeys((408, 425, 429, 500, 502, 503, 504), "transient"),
    **dict.fromkeys((401, 403, 407), "permission"),
}
_WORDS: tuple[tuple[re.Pattern[str], ErrorClass], ...] = (
    (
        lazy_pattern(
            r"\b401 unauthorized\b|\b403 forbidden\b|\bpermission denied\b|\boperation not permitted\b"
            r"|\bauthentication failed\b|\baccess denied\b|\binvalid credentials\b",
            re.IGNORECASE | re.ASCII,
        ),
        "permission",
    ),
    (
        lazy_pattern(
            r"\bconnection (?:refused|reset|aborted|timed out)\b|\bnetwork is unreachable\b|\bno route to host\b"
            r"|\btemporary failure in name resolution\b|\bcould not resolve host\b|\btimed out\b"
            r"|\b429 too many requests\b|\b50(?:2 bad gateway|3 service unavailable|4 gateway time-?out)\b"
            r"|\bresource temporarily unavailable\b|\btimeout (?:\(>|>)[0-9.]+s",
            re.IGNORECASE | re.ASCII,
        ),
        "transient",
    ),
)
_MAX_CAUSES = 8
_MAX_READ = 20_000
_HTTP = range(100, 600)


def failure_of(error: BaseException) -> Failure:
    """Return what is known of an error."""
    status = getattr(error, "exit_status", None)
    return Failure(
        type=_name(type(error)),
        message=str(error),
        exit=status if type(status) is int else None,
        error_class=classify(error),
    )


def classify(error: BaseException) -> ErrorClass:
    """Return the class of an error; that of what it was raised from, if it says nothing itself."""
    for each in _with_causes(error):
        found = _judge(each)
        if found is not None:
            return found
    return "business"


def class_of_text(text: str) -> ErrorClass | None:
    """Return the class that the words of an error speak for; None if they say nothing."""
    # Their end says what went wrong; what was printed before may be of any length.
    tail = text[-_MAX_READ:]
    return next((found for pattern, found in _WORDS if pattern.search(tail)), None)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if at is None:
            return
        yield at
        reason = getattr(at, "reason", None)
        # urllib wraps what really happened.
        at = at.__cause__ or (reason if isinstance(reason, BaseException) else None)


def _judge(error: BaseException) -> ErrorClass | None:
    if isinstance(error, (errors.CommandFailedError, errors.ExpectationError)):
        return _of_command(error)
    if isinstance(error, errors.AiError):
        return next((found for found in ("transient", "permission", "definition") if error.kind == found), "business")
    if isinstance(error, errors.WorkflowExecError):
        return next((found for kind, found in _OWN.items() if isinstance(error, kind)), "business")
    by_status = _STATUSES.get(_http_status(error) or 0)
    if by_status is not None:
        return by_status
    by_type = _of_type(error)
    if by_type is not None:
        return by_type
    return class_of_text(str(error))


def _of_command(error: errors.CommandFailedError | errors.ExpectationError) -> ErrorClass:
    if error.exit_status is None:
        # What it prints is not what was to be printed, or a signal ended it.
        return "business"
    return _EXITS.get(error.exit_status) or class_of_text(error.printed) or "business"


def _of_type(error: BaseException) -> ErrorClass | None:
    if isinstance(error, OSError) and error.errno is not None:
        # A file that is not there is a fact, whatever its message quotes.
        if error.errno == _NAME_RESOLUTION_AGAIN and "gaierror" in type(error).__name__:
            return "transient"
        return _ERRNO.get(error.errno) or ("business" if type(error).__module__ == "builtins" else None)
    for kind in type(error).__mro__:
        found = _BUILT_IN.get(kind) or _OF_LIBRARIES.get(_name(kind))
        if found is not None:
            return found
    return None


def _http_status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for value in (getattr(response, "status_code", None), getattr(error, "status", None), getattr(error, "code", None)):
        if type(value) is int and value in _HTTP:
            return value
    return None


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
