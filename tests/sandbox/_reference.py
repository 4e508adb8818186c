"""A slow, obvious matcher of rules, written from the documentation alone: what it refuses nothing may allow."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

INPUTS = {"version": "1.2.3", "kind": "minor", "odd": "a b", "dash": "-x", "path": "a/b", "empty": ""}
"""The inputs of the workflow that rules are asked for."""


def accepts(rule: str, argv: Sequence[str]) -> bool:
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
    value = INPUTS.get(name, "")
    shape = regex if colon else r"[A-Za-z0-9][A-Za-z0-9._+-]*"
    if value and re.fullmatch(shape, value, re.ASCII):
        yield value


def _acts(text: str) -> bool:
    return any(
        unicodedata.category(each) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(each) in _ORDERS for each in text
    )


_ORDERS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


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


def table_accepts(argv: Sequence[str], subcommands: Sequence[str], options: Sequence[str], arguments: str) -> bool:
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
