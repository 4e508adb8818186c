"""The narrowest rule for a command: it allows that command, and no other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_workflow_exec.errors import CommandRefusedError
from pytest_workflow_exec.sandbox import (
    Anything,
    InputValue,
    Piece,
    Policy,
    RuleTextError,
    Text,
    compile_policy,
    narrow_rule,
    narrow_rule_of,
)
from pytest_workflow_exec.settings import PolicySettings, RuleSettings

_WORDS = st.one_of(
    st.text(max_size=8),
    st.text(alphabet="ab-*{}: \\/.=%v'\"$[]()|^+?é\u00a0", max_size=8),
    st.sampled_from(["", "**", "*", "{x}", "{:.*}", "-", "--", "a b", "dist/*.whl", "-m", "[a-z]", "\\d", "v1.2.3"]),
)


def _policy(*rules: str) -> Policy:
    settings = PolicySettings(rules=tuple(RuleSettings(rule=rule) for rule in rules), sandbox="none")
    return compile_policy(settings, workflow="w", environment={})


def _allows(policy: Policy, argv: Sequence[str], **inputs: str) -> bool:
    try:
        policy.judge(argv, inputs=inputs)
    except CommandRefusedError:
        return False
    return True


@given(
    program=st.sampled_from(["echo", "git", "python", "env", "touch", "sh"]),
    words=st.lists(_WORDS, max_size=5),
    data=st.data(),
)
def test_a_rule_for_a_command_allows_that_command_alone(program: str, words: list[str], data: st.DataObject) -> None:
    """Whatever its arguments are: what differs in one of them, or has one more or less, is refused."""
    argv = [program, *words]
    try:
        policy = _policy(narrow_rule_of(argv))
    except RuleTextError:
        assume(False)
        return

    assert _allows(policy, argv)
    other = list(argv)
    at = data.draw(st.integers(0, len(argv)))
    how = data.draw(st.sampled_from(["change", "drop", "insert"]))
    if how == "change":
        other[at : at + 1] = [data.draw(_WORDS)]
    elif how == "drop":
        del other[at : at + 1]
    else:
        other.insert(at, data.draw(_WORDS))
    assert _allows(policy, other) == (other == argv)


@pytest.mark.parametrize(
    ("argv", "rule"),
    [
        (["git", "status", "--porcelain"], "git status --porcelain"),
        (["echo", "a b"], r"echo {:a\x20b}"),
        (["echo", ""], "echo {:(?:)}"),
        (["echo", "*"], r"echo {:\x2a}"),
        (["echo", "**"], r"echo {:\x2a\x2a}"),
        (["echo", "{x}"], r"echo {:\x7bx\x7d}"),
        (["/usr/bin/env", "true"], "/usr/bin/env true"),
    ],
)
def test_rules_read_as_a_person_would_write_them(argv: list[str], rule: str) -> None:
    """Plain words stand for themselves; only what a rule gives a meaning is spelled out."""
    assert narrow_rule_of(argv) == rule


@pytest.mark.parametrize(
    "argv",
    [
        ["a b"],
        ["*"],
        ["./tool"],
        [""],
        ["echo", "a\nb c"],
        ["python", "-c", "a b"],
        ["sh", "a b"],
        ["echo", "\ud800"],
        ["echo", "a\0"],
    ],
)
def test_what_no_rule_can_say_is_said(argv: list[str]) -> None:
    """A program that is no name, control characters, and what an interpreter would run in other spellings."""
    with pytest.raises(RuleTextError):
        narrow_rule_of(argv)


@pytest.mark.parametrize(
    ("pieces", "rule", "allowed", "refused"),
    [
        ((Text(text="v"), InputValue(name="version")), "v{version}", "v1.0", "v1.1"),
        ((Text(text="dist/"), Anything(), Text(text=".whl")), "dist/*.whl", "dist/a.whl", "dist/b/a.whl"),
        ((Text(text="a "), InputValue(name="version")), r"a{:\x20}{version}", "a 1.0", "a1.0"),
        ((Anything(),), "*", "x", "-x"),
        ((Anything(), Anything(), Text(text="x")), "*x", "ax", "a"),
    ],
)
def test_what_is_not_known_yet_stays_open(pieces: Sequence[Piece], rule: str, allowed: str, refused: str) -> None:
    """An input keeps its name, what a step leaves is anything of that shape."""
    text = narrow_rule([(Text(text="echo"),), pieces])

    assert text == f"echo {rule}"
    assert _allows(_policy(text), ["echo", allowed], version="1.0")
    assert not _allows(_policy(text), ["echo", refused], version="1.0")
