"""`when:`: a small language of its own, with names, constants, comparisons, `and`, `or`, `not`, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import cast

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import (
    Comparator,
    Comparison,
    Condition,
    Constant,
    Junction,
    Negation,
    Operand,
    Reference,
    Truth,
    When,
)

from ._names import quoted
from ._templates import TemplateError, read_reference

_TOKEN = lazy_pattern(
    r"""\s*(?:
        (?P<text>'[^'\n]*'|"[^"\n]*")
      | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_.-]))
      | (?P<name>[A-Za-z_][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+(?:\[[A-Za-z0-9._+%~-]+\])?)*)
      | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    )""",
    re.VERBOSE | re.ASCII,
)
_COMPARATORS = ("==", "!=", "<", "<=", ">", ">=", "in")
_WORDS = frozenset({"and", "or", "not", "in"})
_TRUTHS = {"true": True, "false": False}
_NAMES = "names are inputs.x or steps.id.key"
_HINTS = {
    "=": "two values are compared with ==",
    "$": f"{_NAMES}, without ${{ and }}",
    "+-*/%": "there is no arithmetic: let a step work it out",
    "&|!": "say and, or, not",
}
"""What is meant instead of a sign that a condition can't have."""
_MAX_CHARACTERS = 1000
_MAX_DEPTH = 20


class ConditionError(ValueError):
    """A text is no condition."""


def parse_when(text: str, *, steps: AbstractSet[str] = frozenset()) -> When:
    """Return the condition that a text says.

    Args:
        text: The text.
        steps: The ids of the workflow's steps: those that hold dots are read as one name.

    Raises:
        ConditionError: It says none: an unknown sign, a word too many or too few, too long or too deep.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ConditionError(f"is longer than {_MAX_CHARACTERS} characters")
    if not text.strip():
        raise ConditionError("is empty; write a condition such as inputs.kind == 'minor'")
    parser = _Parser(list(_tokens(text)), steps)
    condition = parser.condition(0)
    parser.expect_end()
    return When(text=text.strip(), condition=condition)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].lstrip()
            hint = next((said for signs, said in _HINTS.items() if rest[0] in signs), _NAMES)
            raise ConditionError(f"{quoted(rest[:20])} is no part of a condition; {hint}")
        token = _Token(kind=match.lastgroup, text=match.group(match.lastgroup))
        position = match.end()
        if token.kind == "name" and token.text not in _WORDS and text[position : position + 1] == "(":
            raise ConditionError(
                f"{quoted(token.text + '(')} would be a function; a condition has none: let a step work it out"
            )
        yield token


class _Parser:
    def __init__(self, tokens: list[_Token], steps: AbstractSet[str]) -> None:
        self._tokens, self._position, self._steps = tokens, 0, steps

    def condition(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise ConditionError(f"is nested deeper than {_MAX_DEPTH} levels")
        return self._junction("or", lambda: self._junction("and", lambda: self._negation(depth)))

    def expect_end(self) -> None:
        if (token := self._peek()) is not None:
            raise ConditionError(f"{quoted(token.text)} is too much; join conditions with and, or")

    def _junction(self, word: str, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._take_word(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Junction(word="and" if word == "and" else "or", parts=tuple(parts))

    def _negation(self, depth: int) -> Condition:
        count = 0
        while self._take_word("not"):
            count += 1
        condition = self._comparison(depth)
        return Negation(part=condition) if count % 2 else condition

    def _comparison(self, depth: int) -> Condition:
        if self._take_sign("("):
            condition = self.condition(depth + 1)
            if not self._take_sign(")"):
                raise ConditionError("a '(' is not closed")
            return condition
        left = self._operand()
        comparator = self._comparator()
        if comparator is None:
            return Truth(operand=left)
        return Comparison(left=left, comparator=comparator, right=self._operand())

    def _comparator(self) -> Comparator | None:
        token = self._peek()
        if token is None:
            return None
        if token.text == "not" and token.kind == "name":
            self._position += 1
            if not self._take_word("in"):
                raise ConditionError("'not' stands between two values; write 'not in', or put 'not' before")
            return "not in"
        if token.text in _COMPARATORS and token.kind in ("sign", "name"):
            self._position += 1
            return cast("Comparator", token.text)
        return None

    def _operand(self) -> Operand:
        if self._take_sign("["):
            return self._list()
        token = self._next()
        if token.kind == "name" and token.text not in _TRUTHS:
            return _name(token.text, self._steps)
        return _constant(token)

    def _list(self) -> tuple[Constant, ...]:
        items: list[Constant] = []
        while not self._take_sign("]"):
            items.append(_constant(self._next()))
            following = self._peek()
            if not self._take_sign(",") and (following is None or following.text != "]"):
                raise ConditionError("a list needs ',' between its values and ']' at its end")
        return tuple(items)

    def _peek(self) -> _Token | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _next(self) -> _Token:
        token = self._peek()
        if token is None:
            raise ConditionError("ends too early; a value is missing")
        self._position += 1
        return token

    def _take_word(self, word: str) -> bool:
        return self._take("name", word)

    def _take_sign(self, sign: str) -> bool:
        return self._take("sign", sign)

    def _take(self, kind: str, text: str) -> bool:
        token = self._peek()
        if token is None or token.kind != kind or token.text != text:
            return False
        self._position += 1
        return True


def _constant(token: _Token) -> Constant:
    if token.kind == "text":
        return token.text[1:-1]
    if token.kind == "number":
        return float(token.text) if "." in token.text else int(token.text)
    if token.text in _TRUTHS:
        return _TRUTHS[token.text]
    raise ConditionError(f"{quoted(token.text)} is no value; put quotes around a text")


def _name(text: str, steps: AbstractSet[str]) -> Reference:
    if text in _WORDS:
        raise ConditionError(f"{quoted(text)} stands where a value is missing")
    if "." not in text:
        raise ConditionError(f"{quoted(text)} is no value; put quotes around a text, or write inputs.{text}")
    try:
        return read_reference(text, steps=steps)
    except TemplateError as error:
        raise ConditionError(str(error)) from error
