"""The narrowest rule that allows a command, for a person to accept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ._loose import loose_problem
from ._rules import BARE_NAME, parse_tokens
from ._tokens import Anything, InputValue, Matching, Piece, RuleTextError, Text, has_control, parse_token

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@,%+~#!;&<>'\"`")


def narrow_rule(words: Sequence[Sequence[Piece]]) -> str:
    """Return the text of the short rule that allows one command and nothing that differs in what is known of it.

    Args:
        words: The program and its arguments, each as the pieces that are known of it.

    Raises:
        RuleTextError: No short rule can say it; says why.
    """
    if any(not _can_be_given(piece.text) for pieces in words for piece in pieces if isinstance(piece, Text)):
        raise RuleTextError("an argument holds what no command can be given: no UTF-8 text, or a NUL")
    text = " ".join([_program(words[0]), *map(_token, words[1:])] if words else [])
    problem = loose_problem(parse_tokens(text))
    if problem is not None:
        raise RuleTextError(problem)
    return text


def narrow_rule_of(argv: Sequence[str]) -> str:
    """Return the text of the short rule that allows exactly this command.

    Raises:
        RuleTextError: As for `narrow_rule`.
    """
    return narrow_rule([(Text(text=word),) for word in argv])


def _can_be_given(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _program(pieces: Sequence[Piece]) -> str:
    text = _plain_text(pieces)
    if text is None or not (BARE_NAME.fullmatch(text) or text.startswith("/")) or _spelled(text) != text:
        raise RuleTextError("its program is not known, or neither a name nor an absolute path of plain characters")
    return text


def _token(pieces: Sequence[Piece]) -> str:
    text = _plain_text(pieces)
    if text is None:
        return "".join(_piece(piece) for piece in _merged(pieces))
    if text and "**" not in text and _is_exact(text):
        return text
    if has_control(text):
        raise RuleTextError(f"argument {text!a} holds a control character, which only a rule's author can spell out")
    # As the only piece of its token a regular expression may hold a slash.
    return f"{{:{_escaped(text) or '(?:)'}}}"


def _plain_text(pieces: Sequence[Piece]) -> str | None:
    texts = [piece.text for piece in pieces if isinstance(piece, Text)]
    return "".join(texts) if len(texts) == len(pieces) else None


def _is_exact(text: str) -> bool:
    try:
        token = parse_token(text)
    except RuleTextError:
        return False
    return token.kind == "exact" and text.isprintable() and " " not in text


def _merged(pieces: Sequence[Piece]) -> Iterator[Piece]:
    last: Piece | None = None
    for piece in pieces:
        if not (isinstance(piece, Anything) and isinstance(last, Anything)) and piece != Text(text=""):
            yield piece
            last = piece


def _piece(piece: Piece) -> str:
    if isinstance(piece, Text):
        return _spelled(piece.text)
    if isinstance(piece, InputValue):
        return f"{{{piece.name}}}" if piece.regex is None else f"{{{piece.name}:{piece.regex}}}"
    return f"{{:{piece.regex}}}" if isinstance(piece, Matching) else "*"


def _spelled(text: str) -> str:
    """Return a part of a token that stands for itself, what a rule gives a meaning as a regular expression."""
    return "".join(character if _is_exact(character) else f"{{:{_escaped(character)}}}" for character in text)


def _escaped(text: str) -> str:
    return "".join(character if character.isalnum() and character.isascii() else _code(character) for character in text)


def _code(character: str) -> str:
    if character in _PLAIN and character not in ".+":
        return character
    number = ord(character)
    if number < 1 << 8:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"
