"""What can be said of a command before it runs: its arguments as far as they are known, and the rules that may allow it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.errors import CommandRefusedError, OutputError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Command
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import Policy, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a command will be."""

    argv: tuple[str, ...]
    """Its arguments; what is not known yet stands as its author wrote it."""
    rules: tuple[Rule, ...] = ()
    """The rules that can allow it: one, if it is known which."""
    refused: str = ""
    """Why none can."""
    open: bool = False
    """Whether nothing can be said of it, as an input has no value."""


def outlook(command: Command, values: Values, policy: Policy, texts: Mapping[str, str]) -> Outlook:
    """Return what can be said of a command before any step ran.

    Args:
        values: What references stand for then.
        policy: What commands may run.
        texts: The inputs as a rule's `{name}` compares them.
    """
    argv = tuple(word for argument in command.argv for word in values.partly_known(argument))
    if any(values.lacks_input(argument) for argument in command.argv):
        return Outlook(argv=argv, open=True)
    try:
        return Outlook(argv=argv, rules=possible_rules(command, values, policy, texts))
    except (CommandRefusedError, OutputError) as error:
        return Outlook(argv=argv, refused=str(error))


def possible_rule(command: Command, values: Values, policy: Policy, texts: Mapping[str, str]) -> Rule | None:
    """Return the one rule that can allow a command; None if that depends on what is not known yet.

    Raises:
        CommandRefusedError: No rule can.
        OutputError: A value that is known already can't stand where it stands.
    """
    found = possible_rules(command, values, policy, texts)
    return found[0] if len(found) == 1 else None


def possible_rules(
    command: Command, values: Values, policy: Policy, texts: Mapping[str, str], *, gating: bool = False
) -> tuple[Rule, ...]:
    """Return the rules that can allow a command; none if nothing can be said yet.

    Args:
        gating: Whether to add all gated rules that match it, too: each of them has to be satisfied.

    Raises:
        CommandRefusedError: No rule can.
        OutputError: A value that is known already can't stand where it stands.
    """
    known = [values.known_arguments(argument) for argument in command.argv]
    lists = [each for each, argument in zip(known, command.argv, strict=True) if each is None and argument.every]
    if len(lists) > 1:
        return ()
    # How long a list is shows only later: some length must be allowed. Shortest last, for what is said if none is.
    found: dict[Rule, None] = {}
    error: CommandRefusedError | None = None
    for length in (*range(_MAX_LENGTH, 1, -1), 0, 1) if lists else (1,):
        argv = [
            word
            for each, argument in zip(known, command.argv, strict=True)
            for word in (each if each is not None else [None] * (length if argument.every else 1))
        ]
        try:
            found.update(dict.fromkeys(policy.possible(argv, inputs=texts)))
            found.update(dict.fromkeys(policy.gating(argv, inputs=texts) if gating else ()))
        except CommandRefusedError as refused:
            error = refused
    if not found and error is not None:
        raise error
    return tuple(found)


_MAX_LENGTH = 32
