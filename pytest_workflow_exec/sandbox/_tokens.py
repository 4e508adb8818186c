"""The tokens of a rule: how each is read from its text, and which arguments it matches."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pytest_workflow_exec.bounded_matching import full_match
from pytest_workflow_exec.errors import CommandRefusedError, EndlessMatchError
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

INPUT_VALUE = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""What a value must look like to stand for `{name}`, whatever the workflow declares."""

_INPUT_NAME = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_-]*")
_GLOBAL_FLAGS = lazy_pattern(r"\(\?[aiLmsux]+\)")

# Line and paragraph separators and the bidirectional controls too: each makes an argument look
# like something else on an approver's screen or in a log.
_CONTROL = lazy_pattern("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class RuleTextError(Exception):
    """A rule's text is no rule; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Characters that stand for themselves."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """`*`: one argument, or inside a token a part of one path segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputValue:
    """`{name}` or `{name:regex}`: the value of an input."""

    name: str
    regex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """`{:regex}`: whatever the regular expression fully matches."""

    regex: str


Piece = Text | Anything | InputValue | Matching

TokenKind = Literal["exact", "input", "mixed", "regex", "any", "rest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token of a rule."""

    text: str
    """As its author wrote it."""
    kind: TokenKind
    segments: tuple[tuple[Piece, ...], ...] = ()
    """Its pieces; for `mixed` split at each slash, else one segment."""

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Its pieces in order, without the slashes between segments."""
        return tuple(piece for segment in self.segments for piece in segment)


def has_control(text: str) -> bool:
    """Return whether `text` holds a character that can change how a terminal or a log shows it."""
    return _CONTROL.search(text) is not None


def parse_token(text: str) -> Token:
    """Return the token that `text` spells.

    Raises:
        RuleTextError: It is no token: a brace that does not close, a regular expression that does not compile.
    """
    if text == "**":
        return Token(text=text, kind="rest")
    pieces = tuple(_pieces(text))
    _refuse_doubled_star(pieces)
    if len(pieces) == 1:
        return Token(text=text, kind=_KIND_ALONE[type(pieces[0])], segments=(pieces,))
    _check_mixed(pieces)
    return Token(text=text, kind="mixed", segments=tuple(_segments(pieces)))


def token_matches(token: Token, argument: str, inputs: Mapping[str, str]) -> bool:
    """Return whether a token other than `**` matches one argument."""
    if token.kind == "exact":
        return argument == token.text
    if has_control(argument):
        return False
    if token.kind == "mixed":
        return _mixed_matches(token, argument, inputs)
    return _alone_matches(token.pieces[0], argument, inputs)


def token_is_possible(token: Token, inputs: Mapping[str, str]) -> bool:
    """Return whether a token matches anything at all in a workflow with these inputs."""
    return all(_usable_value(piece, inputs) is not None for piece in token.pieces if isinstance(piece, InputValue))


_KIND_ALONE: dict[type[Piece], TokenKind] = {
    Text: "exact",
    Anything: "any",
    InputValue: "input",
    Matching: "regex",
}


def _pieces(text: str) -> Iterator[Piece]:
    position = 0
    while position < len(text):
        character = text[position]
        if character == "*":
            yield Anything()
            position += 1
        elif character == "{":
            end = _closing_brace(text, position)
            yield _braced(text[position + 1 : end])
            position = end + 1
        elif character == "}":
            raise RuleTextError(f"token {text!r} has a '}}' without its '{{'")
        else:
            end = next((at for at in range(position, len(text)) if text[at] in "*{}"), len(text))
            yield Text(text=text[position:end])
            position = end


def _closing_brace(text: str, opening: int) -> int:
    depth, position = 0, opening
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "{":
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    raise RuleTextError(f"token {text!r} has a '{{' that does not close (a space ends a token; write \\x20 for one)")


def _braced(content: str) -> Piece:
    name, colon, regex = content.partition(":")
    if name and not _INPUT_NAME.fullmatch(name):
        raise RuleTextError(f"'{{{content}}}' must name an input: {{name}}, {{name:regex}} or {{:regex}}")
    if not colon:
        if not name:
            raise RuleTextError("'{}' names no input: write {name}, {name:regex} or {:regex}")
        return InputValue(name=name)
    check_regex(regex, f"'{{{content}}}'")
    return InputValue(name=name, regex=regex) if name else Matching(regex=regex)


def check_regex(regex: str, where: str) -> None:
    """Return if a text is a regular expression.

    Raises:
        RuleTextError: It is none, or doubtful; names `where` it stands.
    """
    if not regex:
        raise RuleTextError(f"{where} has an empty regular expression")
    try:
        # What Python warns of it will read in another way some day: whether the policy loads must not depend on who listens.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(regex, re.ASCII)
    except (re.error, OverflowError, RecursionError, ValueError, Warning) as error:
        raise RuleTextError(f"the regular expression {regex!r} does not compile: {error}") from error


def _refuse_doubled_star(pieces: Sequence[Piece]) -> None:
    for left, right in itertools.pairwise(pieces):
        if isinstance(left, Anything) and isinstance(right, Anything):
            raise RuleTextError("'**' stands for the rest of the arguments: only alone, and only as the last token")


def _check_mixed(pieces: Sequence[Piece]) -> None:
    for piece in pieces:
        regex = piece.regex if isinstance(piece, (InputValue, Matching)) else None
        if regex is None:
            continue
        if "/" in regex:
            raise RuleTextError(f"{regex!r} holds a '/', but inside a token it matches within one path segment")
        if re.compile(regex, re.ASCII).groups or _GLOBAL_FLAGS.search(regex):
            raise RuleTextError(f"{regex!r} may hold no groups (use '(?:…)') and no flags inside a token")


def _segments(pieces: Sequence[Piece]) -> Iterator[tuple[Piece, ...]]:
    segment: list[Piece] = []
    for piece in pieces:
        if not isinstance(piece, Text):
            segment.append(piece)
            continue
        first, *others = piece.text.split("/")
        segment.append(Text(text=first))
        for other in others:
            yield tuple(segment)
            segment = [Text(text=other)]
    yield tuple(segment)


def matches_whole(regex: str, argument: str) -> bool:
    """Return whether an argument is what the regular expression of a rule describes.

    Raises:
        CommandRefusedError: It is not known, as the comparison came to no end.
    """
    try:
        return full_match(regex, argument, re.ASCII) is not None
    except EndlessMatchError as error:
        # Not "no match": the rule may be the one that asks for a gate.
        raise CommandRefusedError(argv=(argument,), reason=str(error)) from error


def _alone_matches(piece: Piece, argument: str, inputs: Mapping[str, str]) -> bool:
    if isinstance(piece, Matching):
        return matches_whole(piece.regex, argument)
    if isinstance(piece, InputValue):
        return argument == _usable_value(piece, inputs) and not argument.startswith("-")
    return argument != "" and not argument.startswith("-")


def _mixed_matches(token: Token, argument: str, inputs: Mapping[str, str]) -> bool:
    opening = next(iter(piece for piece in token.segments[0] if piece != Text(text="")), Text(text="/"))
    if argument.startswith("-") and not isinstance(opening, Text):
        return False
    parts = argument.split("/")
    return len(parts) == len(token.segments) and all(
        _segment_matches(segment, part, inputs) for segment, part in zip(token.segments, parts, strict=True)
    )


def _segment_matches(segment: Sequence[Piece], part: str, inputs: Mapping[str, str]) -> bool:
    if all(isinstance(piece, Text) for piece in segment):
        return part == "".join(piece.text for piece in segment if isinstance(piece, Text))
    if part in {"", ".", ".."}:
        return False
    patterns = [_pattern(piece, inputs) for piece in segment]
    known = [pattern for pattern in patterns if pattern is not None]
    return len(known) == len(patterns) and matches_whole("".join(known), part)


def _pattern(piece: Piece, inputs: Mapping[str, str]) -> str | None:
    if isinstance(piece, Text):
        return re.escape(piece.text)
    if isinstance(piece, Anything):
        return "[^/]+"
    if isinstance(piece, Matching):
        return f"(?:{piece.regex})"
    value = _usable_value(piece, inputs)
    return None if value is None else re.escape(value)


def _usable_value(piece: InputValue, inputs: Mapping[str, str]) -> str | None:
    value = inputs.get(piece.name)
    if value is None or has_control(value):
        return None
    usable = INPUT_VALUE.fullmatch(value) if piece.regex is None else matches_whole(piece.regex, value)
    return value if usable and value else None
