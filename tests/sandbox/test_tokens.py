"""The tokens of a rule."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_workflow_exec.sandbox._tokens import RuleTextError, parse_token, token_matches

INPUTS = {"version": "1.2.3", "odd": "a b", "path": "sub/file", "dots": "..", "option": "--exec", "slashed": "x/../y"}

MATCHES = [
    ("status", "status"),
    ("--porcelain", "--porcelain"),
    ("*", "anything at all"),
    ("*", "sub/../file"),
    ("*", "línea"),
    ("{version}", "1.2.3"),
    (r"{version:\d+\.\d+\.\d+}", "1.2.3"),
    ("{path:[a-z/]+}", "sub/file"),
    (r"{:\d{1,3}}", "12"),
    ("{:--(fast|slow)}", "--slow"),
    ("{:[a-z]*}", ""),
    ("v{version}", "v1.2.3"),
    ("dist/*.whl", "dist/a-1.whl"),
    ("dist/*.whl", "dist/-a.whl"),
    ("dist/*/*.whl", "dist/x/y.whl"),
    ("./dist/*", "./dist/x"),
    ("../dist/*", "../dist/x"),
    ("--out=*", "--out=x"),
    ("-o{version}", "-o1.2.3"),
    ("*.whl", "a.whl"),
    ("{version}-{version}", "1.2.3-1.2.3"),
    (r"v{:\d+}.{:\d+}", "v1.22"),
    ("a{:x|y}b", "ayb"),
    (r"dist/{:\.[a-z]+}", "dist/.hidden"),
]

REFUSES = [
    ("status", "Status"),
    ("status", "status "),
    ("status", "status\n"),
    ("*", ""),
    ("*", "-x"),
    ("*", "a\nb"),
    ("*", "a\x7fb"),
    ("*", "a\x85b"),
    ("*", "a\u2028b"),
    ("*", "a\u202eb"),
    ("{version}", "1.2.4"),
    ("{version}", "1.2.3\n"),
    ("{odd}", "a b"),
    ("{path}", "sub/file"),
    ("{dots}", ".."),
    ("{option}", "--exec"),
    ("{option:.*}", "--exec"),
    ("{unknown}", "1.2.3"),
    ("{unknown}", ""),
    ("{unknown:.*}", ""),
    (r"{version:\d}", "1.2.3"),
    (r"{:\d+}", "12\n"),
    (r"{:\d+}", "\u0661"),
    (r"{:\w+}", "é"),
    ("{:.*}", "a\tb"),
    ("v{version}", "v1.2.4"),
    ("v{unknown}", "v"),
    ("v{odd}", "va b"),
    ("v{path:.*}", "vsub"),
    ("dist/*.whl", "dist/sub/a.whl"),
    ("dist/*.whl", "dist/../a.whl"),
    ("dist/*.whl", "dist/.whl"),
    ("dist/*.whl", "dist/a.whl\n"),
    ("dist/*.whl", "other/a.whl"),
    ("dist/*", "dist/"),
    ("dist/*", "dist/."),
    ("dist/*", "dist/.."),
    ("dist/{:.*}", "dist/.."),
    ("dist/{:.*}", "dist/"),
    ("dist/.{:.*}", "dist/.."),
    ("dist/*/x", "dist/../x"),
    ("*.whl", "-x.whl"),
    ("{:.*}.whl", "-x.whl"),
    ("*/x", "-r/x"),
    ("a*b", "ab"),
    ("a.c*", "abcd"),
]


@pytest.mark.parametrize(("token", "argument"), MATCHES)
def test_token_matches_what_it_says(token: str, argument: str) -> None:
    """A token matches every argument that has its shape."""
    parsed = parse_token(token)

    assert token_matches(parsed, argument, INPUTS)


@pytest.mark.parametrize(("token", "argument"), REFUSES)
def test_token_matches_nothing_else(token: str, argument: str) -> None:
    """A token matches no argument that differs from its shape, however little."""
    parsed = parse_token(token)

    assert not token_matches(parsed, argument, INPUTS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "does not close"),
        ("a{b", "does not close"),
        ("{:a", "does not close"),
        (r"{:\}", "does not close"),
        ("}", "without its"),
        ("a}b", "without its"),
        ("{}", "names no input"),
        ("{:[[a]}", "nested set"),
        ("{:}", "empty regular expression"),
        ("{a:}", "empty regular expression"),
        ("{1a}", "must name an input"),
        ("{a.b}", "must name an input"),
        ("{:(}", "does not compile"),
        ("{:a)|(?:b}", "does not compile"),
        ("{:(?u)a}", "does not compile"),
        ("a**", "only alone"),
        ("***", "only alone"),
        ("a{:b/c}", "within one path segment"),
        ("a{:(b)}", "no groups"),
        ("a{:(?i)b}", "no flags"),
    ],
)
def test_token_that_is_none_is_refused(text: str, words: str) -> None:
    """A text that is no token is an error that says what is wrong with it."""
    with pytest.raises(RuleTextError, match=re.escape(words)):
        parse_token(text)


def _obvious(pattern: str, argument: str) -> bool:
    """Match literals and stars within path segments by trying every length."""
    if not pattern:
        return not argument
    if pattern[0] != "*":
        return argument[:1] == pattern[0] and _obvious(pattern[1:], argument[1:])
    segment = argument.partition("/")[0]
    return any(_obvious(pattern[1:], argument[length:]) for length in range(1, len(segment) + 1))


def _obviously_allowed(pattern: str, argument: str) -> bool:
    wild = [part for part, said in zip(argument.split("/"), pattern.split("/"), strict=False) if "*" in said]
    opens_wild = pattern.startswith("*") and argument.startswith("-")
    return _obvious(pattern, argument) and not opens_wild and not {".", ".."} & set(wild)


@given(
    pattern=st.text("ab.-/*", min_size=2, max_size=8).filter(
        lambda text: "**" not in text and text.count("*") > 0 and text != "*"
    ),
    argument=st.text("ab.-/\n", max_size=8),
)
def test_mixed_token_agrees_with_the_obvious_reading(pattern: str, argument: str) -> None:
    """A token with stars inside matches exactly what a slow, obvious matcher says."""
    expected = _obviously_allowed(pattern, argument) and "\n" not in argument

    found = token_matches(parse_token(pattern), argument, {})

    assert found == expected


@given(
    pattern=st.lists(st.sampled_from(["a", "b", ".", "-", "/", "*"]), min_size=2, max_size=8)
    .map("".join)
    .filter(lambda text: "**" not in text and text.count("*") > 0),
    fillings=st.lists(st.text("ab.-", min_size=1, max_size=3), min_size=8, max_size=8),
)
def test_filled_in_token_is_matched(pattern: str, fillings: list[str]) -> None:
    """What comes of filling in a token's stars is matched exactly if the obvious matcher allows it."""
    replacements = iter(fillings)
    argument = "".join(next(replacements) if character == "*" else character for character in pattern)

    found = token_matches(parse_token(pattern), argument, {})

    assert found == _obviously_allowed(pattern, argument)
