"""Who is asked at a gate that wants a signature beside the code: apart, so that runs without one load none of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Decision, GateRequest, SignatureDesk

SignedApprover: TypeAlias = "Callable[[GateRequest, float, SignatureDesk], Decision]"
"""Asks a person at the terminal whose code counts only beside a signature."""


def ask_signed(request: GateRequest, timeout_s: float, desk: SignatureDesk) -> Decision:
    """Return what the person at the terminal decides, whose code counts only beside a signature."""
    from pytest_workflow_exec.approval import ask

    return ask(request, timeout_s=timeout_s, desk=desk)
