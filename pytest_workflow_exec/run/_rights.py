"""What the commands and tests of a step may reach, in words for a person who decides about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_workflow_exec.errors import CommandRefusedError, OutputError
from pytest_workflow_exec.model import Command, Step
from pytest_workflow_exec.run._outlook import possible_rules
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import Policy, Rule


def rights_words(
    step: Step, values: Values, spell: Callable[[str], str], policy: Policy, texts: Mapping[str, str]
) -> str:
    """Return what stands behind what a step does; empty if its commands and tests have no rights of their own.

    Args:
        spell: How a value is said to a person, which is what rules see of it.
        texts: The inputs as a rule's `{name}` compares them.
    """
    said = [
        f"{who} may: {words}"
        for who, command in (("it", step.body), ("its check", step.check))
        if isinstance(command, Command) and (words := _of_command(command, values, spell, policy, texts))
    ]
    if step.has_tests and policy.tests.rights:
        said.append(f"its tests may: {policy.tests.rights}")
    return "".join(f"; {each}" for each in said)


def by_rule(rule: Rule) -> str:
    """Return what stands behind a command whose rule is known; empty if the rule gives no rights."""
    return f"; it may: {rule.rights}" if rule.rights else ""


def _of_command(
    command: Command, values: Values, spell: Callable[[str], str], policy: Policy, texts: Mapping[str, str]
) -> str:
    try:
        rules = _rules(command, values, spell, policy, texts)
    except (CommandRefusedError, OutputError):
        # It is refused when its turn comes, and may nothing then.
        return ""
    if len(rules) == 1:
        return rules[0].rights
    # Which of them it is depends on what is not known yet: at worst the one that gives most.
    return " or, ".join(f"by rule {rule.text!a}, {rule.rights}" for rule in rules if rule.rights)


def _rules(
    command: Command, values: Values, spell: Callable[[str], str], policy: Policy, texts: Mapping[str, str]
) -> tuple[Rule, ...]:
    known = [values.known_arguments(argument) for argument in command.argv]
    if any(each is None for each in known):
        return possible_rules(command, values, policy, texts)
    return policy.possible([spell(word) for words in known if words is not None for word in words], inputs=texts)
