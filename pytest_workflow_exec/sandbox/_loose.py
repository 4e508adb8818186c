"""Rules for interpreters and wrappers that leave open what is run, which would allow everything."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ._names import Runner, runner_of
from ._tokens import InputValue, Text, Token

_CODE_OPTION = re.compile(r"-c|-e|-E|-S|-x|-ex|--command|--eval|--split-string|-exec|-execdir|-ok|-okdir|-")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")


def loose_problem(tokens: Sequence[Token]) -> str | None:
    """Return why a rule leaves open what an interpreter or wrapper runs, or None if it does not."""
    runner = runner_of(tokens[0].text)
    if runner is None:
        return None
    problem = _problem(runner, tokens)
    if problem is not None or runner.kind == "interpreter":
        return problem
    # `env -i timeout 5 *`: every word of a wrapper's rule may be the next wrapper.
    rest = tokens[1:]
    inner = (loose_problem(rest[at:]) for at, token in enumerate(rest) if token.kind == "exact")
    return next((problem for problem in inner if problem is not None), None)


def _problem(runner: Runner, tokens: Sequence[Token]) -> str | None:
    program, words = tokens[0].text, tokens[1:]
    name = f"{program!r} is {'an' if runner.kind == 'interpreter' else 'a'} {runner.kind}"
    if not words:
        return f"{name}: without arguments it runs what it reads; name what it may run"
    if words[-1].kind == "rest":
        return f"{name}: '**' would let it run anything"
    open_token = _open_before_program(runner, words) or _open_code(runner, words)
    if open_token is not None:
        return (
            f"{name}: {open_token.text!r} stands where it may find what it runs; every token up to there "
            f"must be exact, without '*' and '{{…}}'"
        )
    if any(token.text == "-" for token in words[:1]):
        return f"{name}: with '-' it runs what it reads; name what it may run"
    return None


def _open_before_program(runner: Runner, words: Sequence[Token]) -> Token | None:
    """Return the first token that is not exact before, or where, the program to run is named."""
    position, words_before = 0, runner.words_before
    while position < len(words):
        token = words[position]
        if token.kind != "exact":
            return token
        word = token.text
        if runner.code.fullmatch(word):
            return _open_at(words, position + 1)
        if word.startswith(("-", "+")):
            takes_value = not (runner.flags.fullmatch(word) or (word.startswith("--") and "=" in word))
            if takes_value and (found := _open_at(words, position + 1)) is not None:
                return found
            position += 2 if takes_value else 1
        elif _ASSIGNMENT.fullmatch(word) and runner.kind == "wrapper":
            position += 1
        elif words_before > 0:
            words_before -= 1
            position += 1
        else:
            return None
    return None


def _open_at(words: Sequence[Token], position: int) -> Token | None:
    return words[position] if position < len(words) and words[position].kind != "exact" else None


def _open_code(runner: Runner, words: Sequence[Token]) -> Token | None:
    """Return the first open token of a wrapper that something will read as code again."""
    if runner.kind == "interpreter":
        return None
    for position, token in enumerate(words):
        follows_code = position > 0 and _CODE_OPTION.fullmatch(words[position - 1].text)
        if token.kind != "exact" and (follows_code or (runner.joined and not _is_plain(token))):
            return token
    return None


def _is_plain(token: Token) -> bool:
    # A plain {name} holds no character that a shell gives a meaning.
    return all(
        isinstance(piece, Text) or (isinstance(piece, InputValue) and piece.regex is None) for piece in token.pieces
    )
