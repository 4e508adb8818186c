"""A plan of commands that a model proposed: read strictly, judged as a whole, and said to a person word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.errors import CommandNotFoundError, CommandRefusedError, OutputError, PlanRefusedError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Execute, Step
from pytest_workflow_exec.run._rights import by_rule
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import Policy, Rule, resolve_program

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Covered

MAX_COMMANDS = 50
_MAX_WORDS = 200
_MAX_WORD_CHARACTERS = 4096
_KEYS = ({"argv"}, {"argv", "why"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPlan:
    """Commands in their order, as a model proposed them."""

    what: str
    """Whose they are, for messages."""
    commands: tuple[tuple[str, ...], ...]
    reasons: tuple[str, ...]
    """Why the model wants each of them; empty where it does not say."""
    digest: str
    """SHA-256 of the commands, in hex: why the model wants them is no part of what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPlan:
    """A plan all of whose commands the policy allows."""

    plan: CommandPlan
    rules: tuple[Rule, ...]
    """The rule that allows each of them."""

    @property
    def is_gated(self) -> bool:
        """Whether one of its commands runs only after a decision."""
        return any(rule.gated is not None for rule in self.rules)


def read_plan(value: Json, *, what: str) -> CommandPlan:
    """Return the commands that a value holds: a list of `{argv, why}`, or `{commands: [...]}`.

    Raises:
        PlanRefusedError: It is no plan.
    """
    listed = value["commands"] if isinstance(value, Mapping) and set(value) == {"commands"} else value
    if not isinstance(listed, (list, tuple)) or not 1 <= len(listed) <= MAX_COMMANDS:
        reason = f"it must be a list of 1 to {MAX_COMMANDS} commands, each {{argv: [...], why: ...}}"
        raise PlanRefusedError(what=what, reasons=[reason])
    problems = [f"{number}: {problem}" for number, each in enumerate(listed, start=1) if (problem := _problem(each))]
    if problems:
        raise PlanRefusedError(what=what, reasons=problems)
    commands: list[Json] = [list(each["argv"]) for each in listed]
    return CommandPlan(
        what=what,
        commands=tuple(tuple(each["argv"]) for each in listed),
        reasons=tuple(each.get("why", "") for each in listed),
        digest=digest_of(commands),
    )


def _problem(command: Json) -> str | None:
    if not isinstance(command, Mapping) or set(command) not in _KEYS or not isinstance(command.get("why", ""), str):
        return "is no command; it must be {argv: [...], why: ...}"
    argv = command["argv"]
    if not isinstance(argv, (list, tuple)) or not 1 <= len(argv) <= _MAX_WORDS:
        return f"its argv must be a list of 1 to {_MAX_WORDS} texts; there is no shell that would split one"
    if not all(isinstance(word, str) and len(word) <= _MAX_WORD_CHARACTERS for word in argv):
        return f"its argv must hold texts of at most {_MAX_WORD_CHARACTERS} characters"
    return None


def judge_plan(plan: CommandPlan, policy: Policy, texts: Mapping[str, str]) -> JudgedPlan:
    """Return the plan if the policy allows each of its commands.

    Args:
        texts: The inputs as a rule's `{name}` compares them.

    Raises:
        PlanRefusedError: It does not allow one of them, which refuses all; names every such command.
    """
    rules: list[Rule] = []
    refused: list[tuple[int, tuple[str, ...], str]] = []
    for number, argv in enumerate(plan.commands, start=1):
        try:
            rules.append(policy.judge(argv, inputs=texts))
            resolve_program(argv[0], policy)
        except (CommandRefusedError, CommandNotFoundError) as error:
            refused.append((number, argv, str(error)))
    if refused:
        raise PlanRefusedError(
            what=plan.what,
            reasons=[f"{number} of {len(plan.commands)}: {reason}" for number, _, reason in refused],
            refused=[(argv, reason) for _, argv, reason in refused],
        )
    return JudgedPlan(plan=plan, rules=tuple(rules))


def plan_of(execute: Execute, values: Values) -> CommandPlan:
    """Return the plan that a step executes.

    Raises:
        OutputError: There is no such value.
        PlanRefusedError: It is no plan.
    """
    [reference] = execute.plan.references
    return read_plan(values.value(reference), what=f"the plan {reference}")


def covered_plan(
    step: Step, execute: Execute, values: Values, policy: Policy, texts: Mapping[str, str]
) -> tuple[Covered, ...]:
    """Return what a person is told of a step that executes a plan: each command in full, with the rule that allows it.

    Raises:
        PlanRefusedError: The policy does not allow one of its commands, which refuses all.
    """
    from pytest_workflow_exec.approval import Covered

    try:
        plan = plan_of(execute, values)
    except OutputError:
        does = f"the commands of {execute.plan.text}, which are not known here and will not run"
        return (Covered(step=step.id, kind=step.kind, does=does),)
    judged = judge_plan(plan, policy, texts)
    total = len(plan.commands)
    head = f"{_counted(total)} of {execute.plan.text} until one fails, sha256 {plan.digest}"
    if step.when is not None:
        head += f", when {step.when.text}"
    lines = [
        f"{number} of {total}: {listed(argv)} by rule {rule.text!a}{_gated(rule)}{by_rule(rule)}"
        for number, (argv, rule) in enumerate(zip(plan.commands, judged.rules, strict=True), start=1)
    ]
    return tuple(Covered(step=step.id, kind=step.kind, does=does) for does in (head, *lines))


def listed(argv: Sequence[str]) -> str:
    """Return a command as it is shown: no character of it acts on a terminal, hides or reorders others."""
    return "[" + ", ".join(ascii(word) for word in argv) + "]"


def _counted(total: int) -> str:
    return f"the {total} commands" if total > 1 else "the command"


def _gated(rule: Rule) -> str:
    return "" if rule.gated is None else ", which is gated"
