"""The matcher against a slow, obvious one that was written from the documentation alone: nothing may get past it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.errors import CommandRefusedError, PolicyError
from pytest_workflow_exec.sandbox import Policy, compile_policy
from pytest_workflow_exec.settings import PolicySettings, RuleSettings

from ._reference import INPUTS, accepts, table_accepts

_LITERALS = st.sampled_from(["a", "v", "-", "--x=", "dist/", "/", ".", "..", "x.whl", "é", "a/b", "1.2.3"])
_OPEN = st.just("*") | st.sampled_from(
    ["*", "{version}", "{kind}", "{odd}", "{dash}", "{path}", "{empty}", "{missing}", "{:[a-z]+}", "{:.*}", "{:-?x}",
     "{version:[0-9.]+}", "{odd:.+}", "{:a|b}"]
)  # fmt: skip
_TOKENS = st.one_of(
    _LITERALS, _OPEN, st.lists(st.one_of(_LITERALS, _OPEN), min_size=2, max_size=4).map("".join)
).filter(lambda token: "**" not in token)
_BITS = st.sampled_from(
    ["a", "b", "v", "-", "--", "x", "=", "/", ".", "..", "dist/", "x.whl", "1.2.3", "minor", "a b", "-x", "a/b", "", "é",
     "\n", "\0", "\u202e", "*", "{version}"]
)  # fmt: skip


def _allows(policy: Policy, argv: Sequence[str], inputs: Mapping[str, str]) -> bool:
    try:
        policy.judge(argv, inputs=inputs)
    except CommandRefusedError:
        return False
    return True


_FILLED = st.just("-x") | st.sampled_from(["x", "a", "1.2.3", "minor", "a b", "..", ".", "a/b", "", "x\n", "\u202e"])


def _likely(token: str) -> st.SearchStrategy[str]:
    """Return arguments of which many fit a token, and most others nearly do."""
    pieces = re.findall(r"\*|\{[^}]*\}|[^*{]+", token)
    filled = st.tuples(*(_FILLED if piece[0] in "*{" else st.just(piece) for piece in pieces)).map("".join)
    return st.one_of(filled, filled, filled, st.lists(_BITS, max_size=4).map("".join))


@settings(max_examples=1000, deadline=None)
@given(
    tokens=st.one_of(st.lists(_OPEN, min_size=1, max_size=1), st.lists(_TOKENS, max_size=2)),
    rest=st.booleans(),
    data=st.data(),
)
def test_no_short_rule_allows_what_the_reference_refuses(tokens: list[str], rest: bool, data: st.DataObject) -> None:
    """Of rules with stars, inputs and expressions, and arguments that nearly fit: each that is allowed is allowed by both."""
    rule = " ".join(["tool", *tokens, *(["**"] if rest else [])])
    try:
        policy = compile_policy(
            PolicySettings(rules=(RuleSettings(rule=rule),), sandbox="none"), workflow="w", environment={}
        )
    except PolicyError:
        assume(False)
        return
    argv = [
        "tool",
        *(data.draw(_likely(token)) for token in tokens),
        *data.draw(st.one_of(st.just([]), st.lists(_BITS, max_size=2))),
    ]

    if _allows(policy, argv, INPUTS):
        assert accepts(rule, argv), (rule, argv)


def test_the_reference_is_no_doormat() -> None:
    """It takes what the documentation says, and refuses what nearly is that: else the test above would say nothing."""
    for rule, argv, fits in (
        ("tool v{version}", ["tool", "v1.2.3"], True),
        ("tool v{version}", ["tool", "v1.2.4"], False),
        ("tool {odd}", ["tool", "a b"], False),
        ("tool dist/*.whl", ["tool", "dist/x.whl"], True),
        ("tool dist/*.whl", ["tool", "dist/../x.whl"], False),
        ("tool *", ["tool", "-x"], False),
        ("tool {:-?x}", ["tool", "-x"], True),
        ("tool **", ["tool", "-x", ""], True),
        ("tool **", ["tool", "\n"], False),
        ("tool a*", ["tool", "a"], False),
    ):
        assert accepts(rule, argv) is fits
        policy = compile_policy(
            PolicySettings(rules=(RuleSettings(rule=rule),), sandbox="none"), workflow="w", environment={}
        )
        assert _allows(policy, argv, INPUTS) is fits, (rule, argv)


# Rules in table form: sub-commands, paths in the project, expressions.

_TABLE_WORDS = st.sampled_from(
    ["add", "remote", "rm", "-v", "--out", "--out=x", "--out=../x", "--out=", "--out=.git/x", "x", "a/b", "..", "a/../b",
     ".git", ".GIT", "a/.git./b", "/etc", "~", "@x", "a:b", "-", "--", "", "x\n", "abc", "--ou", "-vv"]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(
    words=st.lists(_TABLE_WORDS, max_size=5),
    subcommands=st.lists(st.sampled_from(["add", "remote rm", "remote"]), max_size=2, unique=True),
    options=st.lists(st.sampled_from(["-v", "--out=ws", "--all"]), max_size=3, unique=True),
    arguments=st.sampled_from(["workspace", "[a-z]+", "[a-z/]*"]),
)
def test_no_table_allows_what_the_reference_refuses(
    words: list[str], subcommands: list[str], options: list[str], arguments: str
) -> None:
    """Sub-commands, options with paths and open arguments: each list that is allowed has a reading that fits."""
    rule = RuleSettings(program="tool", subcommand=tuple(subcommands), options=tuple(options), arguments=arguments)
    try:
        policy = compile_policy(PolicySettings(rules=(rule,), sandbox="none"), workflow="w", environment={})
    except PolicyError:
        assume(False)
        return
    argv = ["tool", *words]

    if _allows(policy, argv, {}):
        assert table_accepts(argv, subcommands, options, arguments), argv
