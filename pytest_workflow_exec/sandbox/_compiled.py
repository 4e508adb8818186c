"""From a rule as written to a rule that can be asked, or to all that is wrong with it."""

from __future__ import annotations

import os.path
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.settings import GatedSettings, RuleSettings

from ._limits import limits_of
from ._rules import Gated, Rule, parse_tokens, program_token
from ._tokens import InputValue, RuleTextError

_TERMINAL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleProblem:
    """What is wrong with one rule."""

    place: tuple[str | int, ...]
    """Where the rule stands in the configuration."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRules:
    """The rules of one table, and what is wrong with those that are none."""

    rules: tuple[Rule, ...]
    problems: tuple[RuleProblem, ...]


def compiled_rules(table: Sequence[RuleSettings], path: Sequence[Path], groups: Collection[str] = ()) -> CompiledRules:
    """Return the rules of one table of the policy.

    Args:
        path: The directories that programs are found in.
        groups: The names of the policy's groups of approvers.
    """
    from ._rights import rights_problems

    rules: list[Rule] = []
    problems: list[RuleProblem] = []
    for written in table:
        found = [*rights_problems(written), *_gated_problems(written.gated, groups)]
        try:
            rule = _rule(written, path)
        except RuleTextError as error:
            found.insert(0, str(error))
        else:
            if any(rule.text == other.text for other in rules):
                found.append("it is written twice; keep the one with the rights that it needs")
            found.extend(_example_problems(rule, written))
            rules.append(rule)
        name = name_of(written)
        problems += [RuleProblem(place=written.place, message=f"rule {name!r}: {problem}") for problem in found]
    return CompiledRules(rules=tuple(rules), problems=tuple(problems))


def tests_rule(written: RuleSettings) -> Rule:
    """Return what the tests of `verify:` steps may do, as the rule that they run by."""
    return Rule(
        text=written.rule,
        tokens=parse_tokens(written.rule),
        exec=written.exec,
        env=written.env,
        # The kernel knows ports of any machine, not this machine's alone.
        network=("*:*",) if "loopback" in written.needs else written.network,
        read=written.read,
        write=written.write,
        home=written.home,
        sockets=written.sockets,
        needs=written.needs,
    )


def name_of(written: RuleSettings) -> str:
    """Return what a message calls a rule: its text, or the program and sub-commands of its table."""
    return written.rule or " ".join([written.program or "", "|".join(written.subcommand)]).rstrip()


def _rule(written: RuleSettings, path: Sequence[Path]) -> Rule:
    if written.program is None:
        from ._loose import loose_problem

        tokens, shape, text = parse_tokens(written.rule), None, written.rule
        problem = loose_problem(tokens)
    else:
        from ._shape import shape_text
        from ._shapes import read_shape

        tokens, shape, problem = (program_token(written.program),), read_shape(written), None
        text = shape_text(written.program, shape)
    problem = problem or (_off_path_problem(tokens[0].text, path) if written.sha256 is None else None)
    if problem is not None:
        raise RuleTextError(problem)
    gated = written.gated
    return Rule(
        text=text,
        tokens=tokens,
        shape=shape,
        sha256=written.sha256,
        gated=None if gated is None else Gated(assurance=gated.assurance, approvers=gated.approvers),
        exec=written.exec,
        env=written.env,
        secrets=written.secrets,
        network=written.network,
        read=written.read,
        write=written.write,
        cwd=written.cwd,
        home=written.home,
        sockets=written.sockets,
        needs=written.needs,
        limits=limits_of(written.limits),
    )


def _gated_problems(gated: GatedSettings | None, groups: Collection[str]) -> Iterator[str]:
    if gated is None:
        return
    unknown = [name for name in gated.approvers if name not in groups]
    if unknown:
        known = ", ".join(sorted(groups)) or "none"
        yield f"gated by {', '.join(unknown)}: the policy has no such group of approvers (it has: {known})"
    if gated.approvers and gated.assurance <= _TERMINAL:
        yield "gated by approvers needs an assurance of 2 or more: at a terminal anybody may type"


def _example_problems(rule: Rule, written: RuleSettings) -> Iterator[str]:
    from ._rules import difference

    if not written.allow and not written.refuse:
        return
    if any(isinstance(piece, InputValue) for token in rule.tokens for piece in token.pieces):
        yield "its examples can't be checked, because it matches the value of an input; remove allow and refuse"
        return
    for example in written.allow:
        if difference(rule, example, {}) is not None:
            yield f"it does not allow its own example {' '.join(example)!a}"
    for example in written.refuse:
        if difference(rule, example, {}) is None:
            yield f"it allows {' '.join(example)!a}, which it is to refuse"


def _off_path_problem(program: str, path: Sequence[Path]) -> str | None:
    if not program.startswith("/") or is_on_path(Path(program), path):
        return None
    return (
        f"program {program!r} is in no directory of the policy's path; a program off it is named by its content, too: "
        f"write the rule as a table with sha256 (sha256sum prints it)"
    )


def is_on_path(program: Path, path: Sequence[Path]) -> bool:
    """Return whether an absolute program lies in a directory of `path`, as written and after following links."""
    real = {os.path.realpath(folder) for folder in path}
    return program.parent in path and os.path.realpath(program.parent) in real
