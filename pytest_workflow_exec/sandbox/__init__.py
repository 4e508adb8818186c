"""Commands: what the policy allows, and running it with nothing but what the policy grants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_exports import exporter

if TYPE_CHECKING:
    from ._environment import make_folders as notice_folders
    from ._last_line import CommandWatch
    from ._level import highest_offer, level_for, level_words, mode_of, offered_level
    from ._narrow import narrow_rule, narrow_rule_of
    from ._notice import Notice, give_notice
    from ._policy import Policy, compile_policy, stated_policy
    from ._process_watch import ProcessStart, watched_processes
    from ._program import check_digest, identify, resolve_program
    from ._program_pins import ProgramPins, pin_programs
    from ._result import CommandResult
    from ._rules import Gated, Rule
    from ._runner import CommandRunner
    from ._secrets import SecretEnvironment, file_problem, place_of
    from ._shared_memory import shared_memory_problems
    from ._sockets import socket_problems
    from ._surroundings import PLAIN, Surroundings, SurroundingsError, check_folder, check_variables, stdin_bytes
    from ._tokens import Anything, InputValue, Matching, Piece, RuleTextError, Text
    from ._writable import write_problems

__all__ = [
    "PLAIN",
    "Anything",
    "CommandResult",
    "CommandRunner",
    "CommandWatch",
    "Gated",
    "InputValue",
    "Matching",
    "Notice",
    "Piece",
    "Policy",
    "ProcessStart",
    "ProgramPins",
    "Rule",
    "RuleTextError",
    "SecretEnvironment",
    "Surroundings",
    "SurroundingsError",
    "Text",
    "check_digest",
    "check_folder",
    "check_variables",
    "compile_policy",
    "file_problem",
    "give_notice",
    "highest_offer",
    "identify",
    "level_for",
    "level_words",
    "mode_of",
    "narrow_rule",
    "narrow_rule_of",
    "notice_folders",
    "offered_level",
    "pin_programs",
    "place_of",
    "resolve_program",
    "shared_memory_problems",
    "socket_problems",
    "stated_policy",
    "stdin_bytes",
    "watched_processes",
    "write_problems",
]

__getattr__ = exporter(
    __name__,
    {
        "_environment": "make_folders:notice_folders",
        "_last_line": "CommandWatch",
        "_level": "highest_offer level_for level_words mode_of offered_level",
        "_narrow": "narrow_rule narrow_rule_of",
        "_notice": "Notice give_notice",
        "_policy": "Policy compile_policy stated_policy",
        "_process_watch": "ProcessStart watched_processes",
        "_program": "check_digest identify resolve_program",
        "_program_pins": "ProgramPins pin_programs",
        "_result": "CommandResult",
        "_rules": "Gated Rule",
        "_runner": "CommandRunner",
        "_secrets": "SecretEnvironment file_problem place_of",
        "_shared_memory": "shared_memory_problems",
        "_sockets": "socket_problems",
        "_surroundings": "PLAIN Surroundings SurroundingsError check_folder check_variables stdin_bytes",
        "_tokens": "Anything InputValue Matching Piece RuleTextError Text",
        "_writable": "write_problems",
    },
)
