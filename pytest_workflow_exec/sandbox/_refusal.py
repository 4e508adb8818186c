"""Why no rule allows a command, in words: the rule that came nearest, and the first place where it differs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence

from ._rules import Difference, Rule, difference
from ._tokens import InputValue, Token, has_control

_TABLE = "[tool.workflow-exec.policy] of pyproject.toml ([policy] in workflow-exec.toml)"


def refusal_reason(
    rules: Sequence[Rule],
    argv: Sequence[str | None],
    inputs: Mapping[str, str],
    *,
    show: Callable[[str], str] = str,
) -> str:
    """Return why no rule allows `argv`: the rule that came nearest, and where it differs.

    Args:
        show: Takes secrets out of a text before it is quoted.
    """
    nearest = nearest_words(rules, argv, inputs, show) or "no rule allows any command"
    return f"{nearest}. Add a rule to {_TABLE} if you trust it."


def nearest_words(
    rules: Sequence[Rule], argv: Sequence[str | None], inputs: Mapping[str, str], show: Callable[[str], str]
) -> str:
    """Return which rule came nearest to allowing `argv`, and where it differs; empty without any rule."""
    differences = [(rule, found) for rule in rules if (found := difference(rule, argv, inputs)) is not None]
    if not differences:
        return ""
    rule, nearest = max(differences, key=lambda pair: (pair[1].position, _likeness(pair[0], argv)))
    return f"nearest rule {rule.text!r}: {_described(nearest, argv, inputs, show)}"


def _likeness(rule: Rule, argv: Sequence[str | None]) -> float:
    # Bounded: the comparison takes time with the square of the length.
    text = " ".join(word or "" for word in argv[:20])[:200]
    return difflib.SequenceMatcher(None, rule.text[:200], text).ratio()


def _described(
    found: Difference, argv: Sequence[str | None], inputs: Mapping[str, str], show: Callable[[str], str]
) -> str:
    what = "the program" if found.position == 0 else f"argument {found.position}"
    if found.position >= len(argv):
        said = found.says or (found.token.text if found.token else "")
        return f"{what} is missing, the rule says {_quoted(said, str)}"
    word = argv[found.position]
    given = f"{what} is {'not known yet' if word is None else _quoted(word, show)}"
    if found.says:
        return f"{given}, the rule says {_quoted(found.says, str)}"
    if found.token is None:
        return f"{given}, the rule ends before it"
    return f"{given}, the rule says {found.token.text!r}{_meant(found, found.token, word, inputs, show)}"


def _meant(
    found: Difference, token: Token, word: str | None, inputs: Mapping[str, str], show: Callable[[str], str]
) -> str:
    if token.kind == "any":
        return _ANY
    if token.kind != "exact" and word is not None and has_control(word):
        return _CONTROLS
    return _input_words(found, inputs, show)


def _quoted(text: str, show: Callable[[str], str]) -> str:
    shown = show(text)
    return ascii(shown) if len(shown) <= _QUOTED_CHARACTERS else ascii(shown[:_QUOTED_CHARACTERS]) + "…"


_QUOTED_CHARACTERS = 100
_CONTROLS = " (which stands for no control or invisible characters)"
_ANY = " (any one argument that is not empty, no option, and has no control characters)"


def _input_words(found: Difference, inputs: Mapping[str, str], show: Callable[[str], str]) -> str:
    names = [piece.name for piece in found.token.pieces if isinstance(piece, InputValue)] if found.token else []
    known = [f"input {name!r} is {_quoted(inputs[name], show)}" for name in names if name in inputs]
    missing = [f"this workflow has no input {name!r}{_ONE_TEXT}" for name in names if name not in inputs]
    return f" ({', '.join([*known, *missing])})" if names else ""


_ONE_TEXT = " that is one text, as no list and no secret is"
