"""Commands: what the policy allows, and running it with nothing but what the policy grants."""

from __future__ import annotations

from ._level import level_for, level_words, mode_of, offered_level
from ._policy import Policy, compile_policy
from ._process_watch import ProcessStart, watched_processes
from ._program import check_digest, identify, resolve_program
from ._program_pins import ProgramPins, pin_programs
from ._result import CommandResult
from ._rules import Rule
from ._runner import CommandRunner
from ._surroundings import PLAIN, Surroundings, SurroundingsError, check_folder, check_variables, stdin_bytes
from ._writable import write_problems

__all__ = [
    "PLAIN",
    "CommandResult",
    "CommandRunner",
    "Policy",
    "ProcessStart",
    "ProgramPins",
    "Rule",
    "Surroundings",
    "SurroundingsError",
    "check_digest",
    "check_folder",
    "check_variables",
    "compile_policy",
    "identify",
    "level_for",
    "level_words",
    "mode_of",
    "offered_level",
    "pin_programs",
    "resolve_program",
    "stdin_bytes",
    "watched_processes",
    "write_problems",
]
