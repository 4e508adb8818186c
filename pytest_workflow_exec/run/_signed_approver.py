"""Who is asked at a gate that wants a signature beside the code: apart, so that runs without one load none of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Decision, GateRequest, ReadAnswer, SignatureDesk

SignedApprover: TypeAlias = "Callable[[GateRequest, float, SignatureDesk, ReadAnswer], Decision]"
"""Asks a person at the terminal whose code counts only beside a signature."""


def ask_signed(request: GateRequest, timeout_s: float, desk: SignatureDesk, read: ReadAnswer) -> Decision:
    """Return what the person at the terminal decides, whose code counts only beside a signature."""
    from pytest_workflow_exec.approval import ask

    return ask(request, timeout_s=timeout_s, desk=desk, read=read)


GlassApprover: TypeAlias = "Callable[[GateRequest, float, str, ReadAnswer], Decision]"
"""Asks a person at the terminal whether they go past what a gate still wants, which is said in one text."""


def ask_past(request: GateRequest, timeout_s: float, missing: str, read: ReadAnswer) -> Decision:
    """Return whether the person at the terminal breaks the glass."""
    from pytest_workflow_exec.approval import ask_break_glass

    return ask_break_glass(request, timeout_s=timeout_s, missing=missing, read=read)
