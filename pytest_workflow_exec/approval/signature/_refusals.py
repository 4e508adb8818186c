"""Why a signature does not count, or can't be judged at all."""

from __future__ import annotations

from typing import Literal

from pytest_workflow_exec.errors import WorkflowExecError

Refusal = Literal[
    "not a signature",
    "certificate",
    "key type",
    "weak key",
    "hash",
    "algorithm",
    "namespace",
    "other bytes",
    "principal not listed",
    "key not listed",
    "listed under another principal",
    "not for this namespace",
    "not yet valid",
    "expired",
    "revoked",
    "no presence",
    "no user verification",
    "presence unknown",
]
"""Each kind of reason for which a signature, or a key, is refused."""


class SignatureRefusedError(WorkflowExecError):
    """A signature does not count, or a key can't make one that does; `refusal` is the kind of reason."""

    def __init__(self, *, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal: Refusal = refusal


class SignersError(WorkflowExecError):
    """A list of signers or of revoked keys can't be used; whoever would be on it does not count."""

    def __init__(self, *, file: str, message: str, line: int | None = None) -> None:
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {message}")
        self.file, self.line = file, line


class SignatureToolError(WorkflowExecError):
    """What makes or checks signatures is missing, or does not answer."""
