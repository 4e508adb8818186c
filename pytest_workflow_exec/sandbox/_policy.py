"""The policy of one workflow: compiled once from the project's settings, then asked about every command."""

from __future__ import annotations

import os.path
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from pytest_workflow_exec.errors import CommandRefusedError, PolicyError, Problem
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.settings import (
    Carry,
    GitIdentity,
    Pin,
    PolicySettings,
    PythonProcesses,
    RuleSettings,
    SecretSource,
    SignersFile,
    Trusted,
)

from ._compiled import RuleProblem, compiled_rules, name_of, tests_rule
from ._level import Level, level_for
from ._limits import Limits, limits_of
from ._rules import Rule, breadth, difference, parse_tokens
from ._tokens import RuleTextError, has_control

_VENV = "venv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What commands one workflow may run. Whatever no rule allows is refused."""

    rules: tuple[Rule, ...]
    """The workflow's own rules, then those of every workflow."""
    only: tuple[Rule, ...] | None = None
    """What the workflow itself keeps its commands to: one of these must match, too. None: nothing."""
    path: tuple[Path, ...]
    """The directories that programs are found in, in order."""
    digest: str
    """SHA-256 over the policy as the project states it, in hex."""
    tests: Rule = field(default_factory=lambda: tests_rule(RuleSettings(rule="verify")))
    """What the tests of `verify:` steps may do."""
    carry: Carry = "any"
    """Whether a resumed run may carry steps."""
    level: Level
    """The kernel confinement that commands run under."""
    limits: Limits = field(default_factory=Limits)
    """What commands may use up that no rule is for: the engine's own."""
    approvers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Groups of principals by name."""
    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    """Where secrets stand that are in no variable, by name."""
    refuse_reachable_keys: bool = False
    """Whether a signature counts as no more than a typed code if its key is within the reach of the run's user."""
    python_processes: PythonProcesses = "refuse"
    """What becomes of a process that Python code of a step starts past the sandbox."""
    git_identity: GitIdentity | None = None
    """Whom git takes the runner of commands for; None for nobody."""
    starter_may_approve: bool = False
    """Whether who started a run may sign an approval of it."""
    break_glass: bool = False
    """Whether a person at the terminal may go past its gates that want signatures."""
    trusted: Trusted = field(default_factory=Trusted)
    """The policy as the project states it, with the lists of keys."""
    pin: Pin | None = None
    """What holds `trusted` outside the project; None if nothing does."""

    @property
    def signers(self) -> SignersFile | None:
        """Whose signatures count; None if nobody's do."""
        return self.trusted.signers

    @property
    def revoked(self) -> SignersFile | None:
        """The keys that count no more; None if there is no list of them."""
        return self.trusted.revoked

    def judge(self, argv: Sequence[str], *, inputs: Mapping[str, str]) -> Rule:
        """Return the rule that allows a command: a gated one if there is, else the one that leaves the least open.

        Args:
            inputs: The workflow's input values as texts, by name.

        Raises:
            CommandRefusedError: No rule allows it; names the rule that came nearest and where it differs.
        """
        from ._argv import checked_argv, shown_argv
        from ._refusal import refusal_reason

        words = checked_argv(argv)
        rule = find_rule(self.rules, words, inputs)
        if rule is None:
            raise CommandRefusedError(argv=shown_argv(words), reason=refusal_reason(self.rules, words, inputs))
        self.check_narrowed(words, inputs=inputs)
        return rule

    def check_narrowed(
        self, argv: Sequence[str | None], *, inputs: Mapping[str, str], show: Callable[[str], str] = str
    ) -> None:
        """Return if the workflow itself does not keep a command that the rules allow from running.

        Args:
            argv: None stands for an argument that is known only later; it may turn out to be anything.
            inputs: The workflow's input values as texts, by name.
            show: Takes secrets out of a text before it is quoted.

        Raises:
            CommandRefusedError: None of its own rules matches it.
        """
        from ._argv import shown_argv
        from ._refusal import nearest_words

        if self.only is None or any(difference(rule, argv, inputs) is None for rule in self.only):
            return
        shown = shown_argv(["${...}" if word is None else word for word in argv], mask=show)
        nearest = nearest_words(self.only, argv, inputs, show)
        raise CommandRefusedError(
            argv=shown,
            reason=f"the workflow's own policy.only does not have it: {nearest or 'it has no command'}. "
            "Add it there if the workflow is to run it.",
        )

    def may_match(self, argv: Sequence[str | None], *, inputs: Mapping[str, str]) -> Rule | None:
        """Return the only rule that can allow a command of which not everything is known yet.

        Args:
            argv: None stands for an argument that is known only later; it may turn out to be anything.
            inputs: The workflow's input values as texts, by name.

        Returns:
            None if several rules can, so that which one it is depends on what is not known yet.

        Raises:
            CommandRefusedError: No rule can allow it, whatever the unknown arguments turn out to be.
        """
        possible = self.possible(argv, inputs=inputs)
        return possible[0] if len(possible) == 1 else None

    def possible(self, argv: Sequence[str | None], *, inputs: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the rules that may turn out to allow a command: one, if all of the command is known.

        Args:
            argv: None stands for an argument that is known only later; it may turn out to be anything.
            inputs: The workflow's input values as texts, by name.

        Raises:
            CommandRefusedError: No rule can allow it, whatever the unknown arguments turn out to be.
        """
        from ._argv import checked_argv, shown_argv
        from ._refusal import refusal_reason

        if isinstance(argv, str):
            checked_argv(argv)
        known = checked_argv(["-" if argument is None else argument for argument in argv])
        words = tuple(None if given is None else word for given, word in zip(argv, known, strict=True))
        if None not in words:
            return (self.judge([word for word in words if word is not None], inputs=inputs),)
        possible = tuple(rule for rule in self.rules if difference(rule, words, inputs) is None)
        if not possible:
            shown = tuple("${...}" if word is None else word for word in words)
            raise CommandRefusedError(argv=shown_argv(shown), reason=refusal_reason(self.rules, words, inputs))
        self.check_narrowed(words, inputs=inputs)
        return possible

    def gating(self, argv: Sequence[str | None], *, inputs: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the gated rules that may turn out to match a command; each of them has to be satisfied.

        Args:
            argv: None stands for an argument that is known only later.
            inputs: The workflow's input values as texts, by name.
        """
        return tuple(rule for rule in self.rules if rule.gated is not None and difference(rule, argv, inputs) is None)


def compile_policy(
    settings: PolicySettings,
    *,
    workflow: str,
    environment: Mapping[str, str],
    pin: Pin | None = None,
    tests: bool = False,
    only: Sequence[str] | None = None,
) -> Policy:
    """Return the policy that the project's settings make for one workflow.

    Args:
        workflow: The workflow's name; rules of other workflows' tables are left out.
        environment: The engine's environment, in which a rule with `home` needs a home folder.
        pin: What was found to hold the settings outside the project.
        tests: Whether the workflow runs tests in `verify:`, which are confined though no rule allows them.
        only: What the workflow itself keeps its commands to, as rules in short form; None if to nothing.

    Raises:
        PolicyError: Something in it can't be used; holds every problem at once, those of a rule with its place.
    """
    from ._rights import rights_problems
    from ._secrets import secret_problems

    level, problem = level_for(settings, tests=tests)
    problems = [*([problem] if problem else []), *_home_problems(settings, workflow, environment)]
    path = tuple(_resolved_path(settings.path, problems))
    tables = (settings.workflow_rules.get(workflow, ()), settings.rules)
    problems += secret_problems(settings, [*(rule for table in tables for rule in table), settings.verify])
    compiled = [compiled_rules(table, path, settings.approvers) for table in tables]
    found = [Problem(message=f"policy: {problem}") for problem in problems]
    found += [_located(settings, problem) for table in compiled for problem in table.problems]
    found += [
        _located(settings, RuleProblem(place=settings.verify.place, message=f"verify: {problem}"))
        for problem in rights_problems(settings.verify)
    ]
    found += [_located(settings, problem) for problem in _socket_problems(settings, workflow, level)]
    narrowing = None if only is None else tuple(_narrowing(only, found))
    if found:
        raise PolicyError(found)
    return Policy(
        only=narrowing,
        rules=tuple(rule for table in compiled for rule in table.rules),
        path=path,
        digest=settings.digest,
        tests=replace(tests_rule(settings.verify), limits=limits_of(settings.limits)),
        carry=settings.carry,
        level=level,
        limits=limits_of(settings.limits),
        approvers=settings.approvers,
        secrets=settings.secrets,
        refuse_reachable_keys=settings.refuse_reachable_keys,
        starter_may_approve=settings.starter_may_approve,
        break_glass=settings.break_glass or workflow in settings.break_glass_in,
        python_processes=settings.python_processes,
        git_identity=settings.git_identity,
        trusted=settings.trusted,
        pin=pin,
    )


def stated_policy(settings: PolicySettings, *, workflow: str, only: Sequence[str] | None = None) -> Policy:
    """Return the policy that the settings state for one workflow, to be shown: nothing is tried, and broken rules are left out."""
    path = tuple(_resolved_path(settings.path, []))
    tables = (settings.workflow_rules.get(workflow, ()), settings.rules)
    return Policy(
        only=None if only is None else tuple(_narrowing(only, [])),
        rules=tuple(rule for table in tables for rule in compiled_rules(table, path, settings.approvers).rules),
        path=path,
        digest=settings.digest,
        tests=tests_rule(settings.verify),
        level="none",
    )


def find_rule(rules: Sequence[Rule], argv: Sequence[str], inputs: Mapping[str, str]) -> Rule | None:
    """Return the rule that allows `argv`, or None: of those that do, the one that leaves the least open.

    A gated one comes before all that are not: no other rule takes the need for a decision away.
    """
    allowing = [rule for rule in rules if difference(rule, argv, inputs) is None]
    return min(allowing, key=lambda rule: (_ungated(rule), breadth(rule)), default=None)


def _narrowing(only: Sequence[str], problems: list[Problem]) -> Iterator[Rule]:
    for text in only:
        try:
            yield Rule(text=text, tokens=parse_tokens(text))
        except RuleTextError as error:
            problems.append(Problem(message=f"policy.only of the workflow: rule {text!r}: {error}"))


def _ungated(rule: Rule) -> tuple[int, int]:
    return (0, 0) if rule.gated is None else (-rule.gated.assurance, -len(rule.gated.approvers))


def _home_problems(settings: PolicySettings, workflow: str, environment: Mapping[str, str]) -> Iterator[str]:
    if Path(environment.get("HOME", "")).is_absolute():
        return
    for rule in (*settings.workflow_rules.get(workflow, ()), *settings.rules, settings.verify):
        if rule.home:
            yield f"rule {name_of(rule)!r}: it grants home, but HOME is no absolute path. Set it, or remove home."


def _socket_problems(settings: PolicySettings, workflow: str, level: Level) -> Iterator[RuleProblem]:
    for rule in (*settings.workflow_rules.get(workflow, ()), *settings.rules, settings.verify):
        if rule.sockets and level != "none":
            from ._sockets_canary import sockets_problem

            reason = sockets_problem(level)
            if reason:
                message = f"rule {name_of(rule)!r}: its commands can't be held to the sockets it names: {reason}"
                yield RuleProblem(place=rule.place, message=message)


def _resolved_path(entries: Sequence[str], problems: list[str]) -> Iterator[Path]:
    seen: set[Path] = set()
    for entry in entries:
        problem = _entry_problem(entry)
        if problem is not None:
            problems.append(f"path entry {entry!r} {problem}")
            continue
        folder = Path(sys.executable).parent if entry == _VENV else Path(entry)
        if folder.is_dir() and folder not in seen:
            seen.add(folder)
            yield folder
    if not seen:
        problems.append("path names no directory that exists, so no program could be found")


def _entry_problem(entry: str) -> str | None:
    if entry == _VENV:
        known = Path(sys.executable or "").is_absolute()
        return None if known else "can't be used: the running interpreter's path is not known"
    if not entry.startswith("/"):
        return "must be absolute, or 'venv'"
    if os.path.normpath(entry) != entry or entry.startswith("//") or ":" in entry or has_control(entry):
        return "must be a canonical path: no '.', '..', doubled or final slash, no ':'"
    return None


def _located(settings: PolicySettings, found: RuleProblem) -> Problem:
    path, line = (None, None) if settings.locate is None else settings.locate(found.place)
    return Problem(path=path, line=line, message=f"policy: {found.message}")
