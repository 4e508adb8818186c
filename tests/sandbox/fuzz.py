"""Rules, tables and argument lists made by a fuzzer that sees which code each reaches: `python -m tests.sandbox.fuzz`.

It takes the options of libFuzzer, such as `-max_total_time=600`, and needs the extra `fuzz`. It stops at the first rule
that allows what the reference refuses, and at any error that is not a refusal in words.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import atheris

with atheris.instrument_imports(include=["pytest_workflow_exec.sandbox"]):
    from pytest_workflow_exec.errors import CommandRefusedError
    from pytest_workflow_exec.sandbox import Policy, RuleTextError, narrow_rule_of
    from pytest_workflow_exec.sandbox._compiled import compiled_rules
    from pytest_workflow_exec.settings import RuleSettings

from tests.sandbox._reference import INPUTS, accepts, table_accepts

_BITS = (
    "a", "v", "-", "--", "--x=", "=", "/", ".", "..", "dist/", "x.whl", "1.2.3", "minor", "a b", "-x", "a/b", "é", "\n", "\0",
    "\u202e", "*", "**", "{version}", "{odd}", "{dash}", "{path}", "{empty}", "{missing}", "{:[a-z]+}", "{:.*}", "{:-?x}",
    "{version:[0-9.]+}", "{:a|b}", "{", "}", "{:", "{:(", " ",
)  # fmt: skip
_WORDS = (
    "add", "remote", "rm", "-v", "--out", "--out=x", "--out=../x", "--out=", "--out=.git/x", "x", "a/b", "..", "a/../b", ".git",
    ".GIT", "a/.git./b", "/etc", "~", "@x", "a:b", "-", "--", "", "x\n", "abc", "--ou", "-vv", "--all",
)  # fmt: skip
_SUBCOMMANDS, _OPTIONS = ("add", "remote rm", "remote"), ("-v", "--out=ws", "--all")
_ARGUMENTS = ("workspace", "[a-z]+", "[a-z/]*")
_PROGRAMS = ("tool", "git", "python", "sh", "env", "/usr/bin/tar", "TOOL", "./tool")
_LONGEST = 6


class Given:
    """What the fuzzer's bytes stand for."""

    def __init__(self, data: bytes) -> None:
        """Read them."""
        self._bytes = atheris.FuzzedDataProvider(data)

    def one_of(self, among: Sequence[str]) -> str:
        """Return one of some texts."""
        return among[self._count(len(among) - 1)]

    def some_of(self, among: Sequence[str]) -> list[str]:
        """Return several of them, each once at most."""
        return [text for text in among if self._bytes.ConsumeBool()]

    def text(self) -> str:
        """Return a text of pieces that mean something, or of any characters."""
        if self._bytes.ConsumeBool():
            return "".join(self.one_of(_BITS) for _ in range(self._count(4)))
        made: str = self._bytes.ConsumeUnicode(self._count(12))
        return made

    def texts(self) -> list[str]:
        """Return a few of them."""
        return [self.text() for _ in range(self._count(_LONGEST))]

    def words(self) -> list[str]:
        """Return arguments of which many fit a table."""
        return [self.one_of(_WORDS) for _ in range(self._count(_LONGEST))]

    def chance(self) -> bool:
        """Return one thing or the other."""
        decided: bool = self._bytes.ConsumeBool()
        return decided

    def _count(self, most: int) -> int:
        count: int = self._bytes.ConsumeIntInRange(0, most)
        return count


def policy_of(rule: RuleSettings) -> Policy | None:
    """Return a policy of one rule; None if it is none, which has to be said in words."""
    compiled = compiled_rules([rule], ())
    if compiled.problems:
        if not all(problem.message for problem in compiled.problems):
            raise AssertionError(rule)
        return None
    return Policy(rules=compiled.rules, path=(), digest="", level="none")


def allows(policy: Policy, argv: Sequence[str]) -> bool:
    """Return whether the policy allows a command."""
    try:
        policy.judge(argv, inputs=INPUTS)
    except CommandRefusedError:
        return False
    return True


def try_short(given: Given) -> None:
    """Let a short rule allow nothing that the reference refuses."""
    tokens = given.texts()
    rule = " ".join([given.one_of(_PROGRAMS), *tokens])
    policy = policy_of(RuleSettings(rule=rule))
    if policy is None:
        return
    argv = [policy.rules[0].program, *(tokens if given.chance() else []), *given.texts()]
    if allows(policy, argv) and not accepts(rule, argv):
        raise AssertionError((rule, argv))


def try_table(given: Given) -> None:
    """Let a table allow nothing that has no reading as the table says it."""
    subcommands, options = given.some_of(_SUBCOMMANDS), given.some_of(_OPTIONS)
    arguments = given.one_of(_ARGUMENTS)
    rule = RuleSettings(program="tool", subcommand=tuple(subcommands), options=tuple(options), arguments=arguments)
    policy = policy_of(rule)
    argv = ["tool", *given.words()]
    if policy is not None and allows(policy, argv) and not table_accepts(argv, subcommands, options, arguments):
        raise AssertionError((rule, argv))


def try_any_table(given: Given) -> None:
    """Let a table of any texts be a rule, or be refused in words."""
    rule = RuleSettings(
        program=given.one_of(_PROGRAMS),
        subcommand=tuple(given.texts()),
        options=tuple(given.texts()),
        arguments=tuple(given.texts()) if given.chance() else given.text() or "none",
    )
    policy = policy_of(rule)
    if policy is not None:
        allows(policy, [rule.program or "", *given.texts()])


def try_narrow(given: Given) -> None:
    """Let the narrowest rule of a command allow that command, and no other one."""
    argv = [given.one_of(_PROGRAMS), *given.texts()]
    try:
        rule = narrow_rule_of(argv)
    except RuleTextError:
        return
    policy = policy_of(RuleSettings(rule=rule))
    if policy is None:
        # A program off the path needs its digest, too.
        return
    other = [argv[0], *given.texts()]
    if not allows(policy, argv) or (other != argv and allows(policy, other)):
        raise AssertionError((rule, argv, other))


_ATTEMPTS = (try_short, try_short, try_table, try_any_table, try_narrow)


def test_one_input(data: bytes) -> None:
    """Try what the fuzzer made."""
    if data:
        _ATTEMPTS[data[0] % len(_ATTEMPTS)](Given(data[1:]))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
