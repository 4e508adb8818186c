"""Commands: what the policy allows, and running it with nothing but what the policy grants."""

from __future__ import annotations

from ._policy import Policy, compile_policy
from ._program import resolve_program
from ._result import CommandResult
from ._rules import Rule
from ._runner import CommandRunner

__all__ = ["CommandResult", "CommandRunner", "Policy", "Rule", "compile_policy", "resolve_program"]
