"""The matcher against a slow, obvious one that was written from the documentation alone: nothing may get past it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.errors import CommandRefusedError, PolicyError
from pytest_workflow_exec.sandbox import Policy, compile_policy
from pytest_workflow_exec.settings import PolicySettings, RuleSettings

_INPUTS = {"version": "1.2.3", "kind": "minor", "odd": "a b", "dash": "-x", "path": "a/b", "empty": ""}

# Short rules.


def _accepts(rule: str, argv: Sequence[str]) -> bool:
    """Return whether a short rule allows an argument list, word by word."""
    tokens = rule.split(" ")
    if tokens[-1] == "**":
        fixed, rest = tokens[:-1], argv[len(tokens) - 1 :]
        return len(argv) >= len(fixed) and all(map(_fits, fixed, argv)) and not any(map(_acts, rest))
    return len(argv) == len(tokens) and all(map(_fits, tokens, argv))


def _fits(token: str, argument: str) -> bool:
    pieces = re.findall(r"\*|\{[^}]*\}|[^*{]+", token)
    if not any(piece[0] in "*{" for piece in pieces):
        return argument == token
    open_first = token[0] in "*{" and (len(pieces) > 1 or token[:2] != "{:")
    if _acts(argument) or (argument.startswith("-") and open_first):
        return False
    if len(pieces) == 1:
        return (token[0] == "*" and argument != "") or argument in set(_values(token, argument))
    # A star and a value keep to one segment of a path, which is never '.' or '..'.
    parts, segments = argument.split("/"), _split(pieces)
    return len(parts) == len(segments) and all(map(_fits_segment, segments, parts))


def _fits_segment(segment: Sequence[str], part: str) -> bool:
    is_open = any(piece[0] in "*{" for piece in segment if piece)
    return not (is_open and part in ("", ".", "..")) and _spells(segment, part)


def _split(pieces: Sequence[str]) -> list[list[str]]:
    segments: list[list[str]] = [[]]
    for piece in pieces:
        if piece[0] in "*{":
            segments[-1].append(piece)
            continue
        first, *others = piece.split("/")
        segments[-1].append(first)
        segments += [[other] for other in others]
    return segments


def _spells(pieces: Sequence[str], text: str) -> bool:
    """Return whether pieces spell a text, by trying every way of cutting it."""
    if not pieces:
        return text == ""
    first, *others = pieces
    if first == "" or first[0] not in "*{":
        return text.startswith(first) and _spells(others, text[len(first) :])
    return any(
        ((first == "*" and end > 0) or (first != "*" and text[:end] in set(_values(first, text[:end]))))
        and _spells(others, text[end:])
        for end in range(len(text) + 1)
    )


def _values(braces: str, argument: str) -> Iterator[str]:
    """Give what stands for `{…}`: an input's value if it looks as it has to, or any text that an expression takes."""
    name, colon, regex = braces[1:-1].partition(":")
    if not name:
        if re.fullmatch(regex, argument, re.ASCII):
            yield argument
        return
    value = _INPUTS.get(name, "")
    shape = regex if colon else r"[A-Za-z0-9][A-Za-z0-9._+-]*"
    if value and re.fullmatch(shape, value, re.ASCII):
        yield value


def _acts(text: str) -> bool:
    return any(
        unicodedata.category(each) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(each) in _ORDERS for each in text
    )


_ORDERS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")

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

    if _allows(policy, argv, _INPUTS):
        assert _accepts(rule, argv), (rule, argv)


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
        assert _accepts(rule, argv) is fits
        policy = compile_policy(
            PolicySettings(rules=(RuleSettings(rule=rule),), sandbox="none"), workflow="w", environment={}
        )
        assert _allows(policy, argv, _INPUTS) is fits, (rule, argv)


# Rules in table form: sub-commands, paths in the project, expressions.


def _in_project(word: str) -> bool:
    names = [name.rstrip(". ").casefold() for name in word.split("/")]
    return (
        word != ""
        and not _acts(word)
        and word[0] not in "/~@+-"
        and ":" not in word
        and "=" not in word
        and ".." not in word.split("/")
        and ".git" not in names
        and ".workflow-exec" not in names
    )


def _table_accepts(argv: Sequence[str], subcommands: Sequence[str], options: Sequence[str], arguments: str) -> bool:
    """Return whether there is a way to read an argument list as a table says it; each way is tried."""
    starts = [words.split(" ") for words in subcommands] or [[]]
    return any(
        argv[1 : 1 + len(start)] == start
        and any(_left(left, arguments) for left in _read(argv[1 + len(start) :], options))
        for start in starts
    )


def _read(argv: Sequence[str], options: Sequence[str]) -> Iterator[Sequence[str]]:
    if not argv or not argv[0].startswith("-"):
        yield argv
        return
    for option in options:
        name, valued, _ = option.partition("=")
        if not valued and argv[0] == name:
            yield from _read(argv[1:], options)
        if valued and argv[0] == name and len(argv) > 1 and _in_project(argv[1]):
            yield from _read(argv[2:], options)
        if valued and argv[0].startswith(f"{name}=") and _in_project(argv[0][len(name) + 1 :]):
            yield from _read(argv[1:], options)


def _left(words: Sequence[str], arguments: str) -> bool:
    if any(word.startswith("-") for word in words):
        return False
    if arguments == "workspace":
        return all(map(_in_project, words))
    return all(re.fullmatch(arguments, word, re.ASCII) and not _acts(word) for word in words)


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
        assert _table_accepts(argv, subcommands, options, arguments), argv
