"""Rules as a whole: their text, their program, and the number of arguments."""

from __future__ import annotations

import re

import pytest

from pytest_workflow_exec.sandbox._rules import Rule, difference, parse_tokens
from pytest_workflow_exec.sandbox._tokens import RuleTextError


def rule(text: str) -> Rule:
    """Return a rule without rights."""
    return Rule(text=text, tokens=parse_tokens(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" ", "exactly one space"),
        (" git", "exactly one space"),
        ("git ", "exactly one space"),
        ("git  status", "exactly one space"),
        ("git\tstatus", r"holds '\t'"),
        ("git\nstatus", r"holds '\n'"),
        ("git\x00", r"holds '\x00'"),
        ("git\u00a0status", r"holds '\xa0'"),
        ("git\u200b status", r"holds '\u200b'"),
        ("git\u202e status", r"holds '\u202e'"),
        ("** git", "only as the last token"),
        ("git ** x", "only as the last token"),
        ("*", "must be exact"),
        ("{version}", "must be exact"),
        ("gi*", "must be exact"),
        ("./git status", "without slashes"),
        ("bin/git status", "without slashes"),
        (".. x", "without slashes"),
        ("gít status", "without slashes"),
        ("/usr/bin/./git status", "canonical"),
        ("/usr/bin/../bin/git status", "canonical"),
        ("/usr//bin/git", "canonical"),
        ("//usr/bin/git", "canonical"),
        ("/usr/bin/", "canonical"),
    ],
)
def test_text_that_is_no_rule_is_refused(text: str, words: str) -> None:
    """A text that is no rule is an error that says what is wrong with it."""
    with pytest.raises(RuleTextError, match=re.escape(words)):
        parse_tokens(text)


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("git", ["git"]),
        ("git status --porcelain", ["git", "status", "--porcelain"]),
        ("git **", ["git"]),
        ("git **", ["git", "-c", "x", ""]),
        ("/usr/bin/git status", ["/usr/bin/git", "status"]),
        ("git tag {version}", ["git", "tag", "1.2.3"]),
    ],
)
def test_rule_allows_its_shape(text: str, argv: list[str]) -> None:
    """A rule allows an argument list of exactly its shape."""
    assert difference(rule(text), argv, {"version": "1.2.3"}) is None


@pytest.mark.parametrize(
    ("text", "argv", "position"),
    [
        ("git status", ["git"], 1),
        ("git status", ["git", "status", ""], 2),
        ("git status", ["git", "Status"], 1),
        ("git status", ["./git", "status"], 0),
        ("git status", ["/usr/bin/git", "status"], 0),
        ("/usr/bin/git status", ["git", "status"], 0),
        ("/usr/bin/git status", ["/usr/bin/./git", "status"], 0),
        ("/usr/bin/git status", ["//usr/bin/git", "status"], 0),
        ("/usr/bin/git status", [" /usr/bin/git", "status"], 0),
        ("/usr/bin/git status", ["/usr/bin/git\n", "status"], 0),
        ("/usr/bin/git status", ["/usr/bin/git\u200b", "status"], 0),
        ("/usr/bin/git status", ["/proc/self/exe", "status"], 0),
        ("git status", ["git status"], 0),
        ("git **", ["git", "a", "b\x1b"], 2),
        ("git tag {other}", ["git", "tag", "1.2.3"], 2),
    ],
)
def test_rule_names_the_first_difference(text: str, argv: list[str], position: int) -> None:
    """A rule refuses every other argument list, and knows where it first differs."""
    found = difference(rule(text), argv, {"version": "1.2.3"})

    assert found is not None
    assert found.position == position


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("gcc -c *", "@options"),
        ("gcc-12 -c *.c", "@options.c"),
        ("javac *", "@files"),
        ("ar rcs lib.a *", "@members"),
        ("less *", "+!id"),
    ],
)
def test_file_of_options_is_an_option(text: str, given: str) -> None:
    """What a tool takes for a file of options, or for a command of its own, is no open argument."""
    *words, _ = text.split(" ")

    assert difference(rule(text), [*words, given.lstrip("@+")], {}) is None
    assert difference(rule(text), [*words, given], {}) is not None


@pytest.mark.parametrize(
    ("text", "argv"),
    [("gcc *", ["gcc", "a@b.c"]), ("echo *", ["echo", "@x"]), ("gcc @build.rsp", ["gcc", "@build.rsp"])],
)
def test_sign_elsewhere_is_no_option(text: str, argv: list[str]) -> None:
    """To other tools it is a letter like others, and who writes it out means it."""
    assert difference(rule(text), argv, {}) is None
