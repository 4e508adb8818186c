"""The screen of a gate: a frame of facts, then a frame of words whose every line is marked as words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from rich.color import ColorSystem
from rich.style import Style

from ._facts import Fact, FactLine, facts_of
from ._request import AuthorWords, GateRequest
from ._words import cut_mark, escape

FACTS_TITLE = "Facts, by the engine alone"
WORDS_TITLE = "Words of the author or a model, not checked"

_MIN_WIDTH = 20
_LABEL_WIDTH = 16
_WIDE = 60
"""From this width on labels stand beside their values, else above them."""
_MAX_WORDS_CHARS = 4000
_MAX_WORDS_LINES = 60

_Look = Literal["frame", "label", "warning", "value", "words"]
_Line = list[tuple[str, _Look]]

_STYLES: dict[_Look, Style] = {
    "frame": Style(bold=True, color="cyan"),
    "label": Style(bold=True),
    "warning": Style(bold=True, color="yellow"),
    "value": Style(),
    "words": Style(color="magenta"),
}


def render(request: GateRequest, *, width: int, color: bool) -> str:
    """Return the two frames of a gate, ending in a line break; the prompt follows them.

    Args:
        width: Columns of the terminal; less than 20 counts as 20.
        color: False for frames in plain ASCII without colors.

    Raises:
        TypeError: A value of the request is none that JSON has a word for.
        ValueError: A value of the request is NaN or an infinity.
    """
    return frames(facts_of(request), request.author_words, width=width, color=color)


def frames(facts: Iterable[Fact], words: Iterable[AuthorWords], *, width: int, color: bool) -> str:
    """Return a frame of facts and a frame of words, as for `render`."""
    columns = max(width, _MIN_WIDTH)
    lines = [*_facts_frame(facts, columns, color=color), *_words_frame(words, columns, color=color)]
    return "".join(_painted(line, color=color) + "\n" for line in lines)


def _painted(line: _Line, *, color: bool) -> str:
    if not color:
        return "".join(text for text, _ in line)
    return "".join(_STYLES[look].render(text, color_system=ColorSystem.STANDARD) for text, look in line)


def _facts_frame(facts: Iterable[Fact], width: int, *, color: bool) -> Iterator[_Line]:
    yield from _title(FACTS_TITLE, width, color=color)
    for fact in facts:
        yield from _beside(fact, width) if width >= _WIDE else _below(fact, width)


def _beside(fact: Fact, width: int) -> Iterator[_Line]:
    label = fact.label
    for text in _folded_lines(fact.lines, width - _LABEL_WIDTH):
        yield [(label.ljust(_LABEL_WIDTH), "label"), (text, _look(fact))]
        label = ""


def _below(fact: Fact, width: int) -> Iterator[_Line]:
    yield [(fact.label, "label")]
    # Indented, so that no value can stand where a label stands.
    for text in _folded_lines(fact.lines, width - 2):
        yield [("  ", "value"), (text, _look(fact))]


def _look(fact: Fact) -> _Look:
    return "warning" if fact.is_warning else "value"


def _folded_lines(lines: Iterable[FactLine], width: int) -> Iterator[str]:
    for line in lines:
        mark = line.mark
        for piece in fold(line.text, width - len(line.mark)):
            yield mark + piece
            mark = " " * len(line.mark)


def _words_frame(words: Iterable[AuthorWords], width: int, *, color: bool) -> Iterator[_Line]:
    yield from _title(WORDS_TITLE, width, color=color)
    rule, bar = ("─", "│ ") if color else ("-", "| ")
    for each in words:
        yield [(f"{rule}{rule} {each.source}", "frame")]
        for piece in _words_lines(each.text, width - len(bar)):
            yield [(bar, "frame"), (piece, "words")]
    yield [(("═" if color else "=") * width, "frame")]


def _words_lines(text: str, width: int) -> Iterator[str]:
    lines = escape(text, max_chars=_MAX_WORDS_CHARS).rstrip("\n").split("\n")
    pieces = [piece for line in lines for piece in fold(line, width)]
    yield from pieces[:_MAX_WORDS_LINES]
    # A page of empty lines would push the facts out of sight.
    if len(pieces) > _MAX_WORDS_LINES:
        yield cut_mark(len(pieces) - _MAX_WORDS_LINES, unit="lines").strip()


def _title(title: str, width: int, *, color: bool) -> Iterator[_Line]:
    rule = "═" if color else "="
    for piece in fold(title, width - 3):
        text = f"{rule}{rule} {piece.rstrip()} "
        yield [(text + rule * (width - len(text)), "frame")]


def fold(text: str, width: int) -> list[str]:
    """Return `text` in pieces of at most `width` columns; every character of it is in one of them."""
    pieces: list[str] = []
    start = 0
    while True:
        end = _fitting(text, start, width)
        if end == len(text):
            return [*pieces, text[start:]]
        space = text.rfind(" ", start + (end - start) // 2, end)
        end = end if space < 0 else space + 1
        pieces.append(text[start:end])
        start = end


def _fitting(text: str, start: int, width: int) -> int:
    columns = 0
    for position in range(start, len(text)):
        # Terminals differ about the width of many characters. Counted as too wide, a line is short;
        # counted as too narrow, the terminal would continue it where no prefix marks it as words.
        columns += 1 if text[position].isascii() else 2
        if columns > width:
            return position
    return len(text)
