"""Where a signature is handed in while a gate waits at the terminal."""

from __future__ import annotations

from collections.abc import Callable

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._form import Answers
from ._proof import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureDesk:
    """What a person has to sign before the code counts, and what looks whether they did."""

    notice: Callable[[Answers], str]
    """Returns what is said of how to sign the question with what is filled into its form, and where."""
    take: Callable[[Answers], Proof]
    """Returns what a good signature proves; raises BallotRefusedError, with the reason, if there is none."""
    worth: Callable[[Proof], int]
    """What an answer with it is worth."""
