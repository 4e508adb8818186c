"""The screen of a gate: a frame of facts, then a frame of words whose every line is marked as words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from rich.color import ColorSystem
from rich.style import Style

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._facts import Cut, Fact, FactLine, facts_on_screen
from ._request import AuthorWords, GateRequest
from ._words import cut_mark, escape

FACTS_TITLE = "Facts, by the engine alone"
WORDS_TITLE = "Words of the author or a model, not checked"

_MIN_WIDTH = 20
_LABEL_WIDTH = 16
_WIDE = 60
"""From this width on labels stand beside their values, else above them."""
_MAX_WORDS_LINES = 30

_Look = Literal["frame", "label", "warning", "value", "words"]
_Line = list[tuple[str, _Look]]

_STYLES: dict[_Look, Style] = {
    "frame": Style(bold=True, color="cyan"),
    "label": Style(bold=True),
    "warning": Style(bold=True, color="yellow"),
    "value": Style(),
    "words": Style(color="magenta"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What is shown of a question, and what of it is shortened."""

    text: str
    """The frames, ending in a line break; the prompt follows them."""
    cuts: tuple[Cut, ...]
    """What can be read whole, by its number from 1."""


def render(request: GateRequest, *, width: int, color: bool) -> str:
    """Return the two frames of a gate, ending in a line break; the prompt follows them.

    Args:
        width: Columns of the terminal; less than 20 counts as 20.
        color: False for frames in plain ASCII without colors.

    Raises:
        TypeError: A value of the request is none that JSON has a word for.
        ValueError: A value of the request is NaN or an infinity.
    """
    return frames(facts_on_screen(request), request.author_words, width=width, color=color).text


def frames(
    facts: Iterable[Fact], words: Iterable[AuthorWords], *, width: int, color: bool, whole: bool = False
) -> Screen:
    """Return a frame of facts and a frame of words, as for `render`.

    Args:
        facts: What the engine states.
        words: What nobody checked.
        width: Columns of the terminal.
        color: Whether it has colors.
        whole: Whether nothing is shortened.
    """
    columns = max(width, _MIN_WIDTH)
    cuts = _Cuts(whole=whole)
    lines = [*_facts_frame(facts, columns, cuts, color=color), *_words_frame(words, columns, cuts, color=color)]
    if cuts.found:
        lines += [[(piece, "label")] for piece in fold(_hint(len(cuts.found)), columns)]
    return Screen(text="".join(_painted(line, color=color) + "\n" for line in lines), cuts=tuple(cuts.found))


def _hint(count: int) -> str:
    each = {1: "show 1", 2: "show 1 or show 2"}.get(count, f"show 1 ... show {count}")
    return f"Not everything fits: type more to read all of it page by page, or {each} for what was cut."


class _Cuts:
    """What is shortened on one screen, in its order."""

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole
        self.found: list[Cut] = []

    def marked(self, cut: Cut) -> str:
        self.found.append(cut)
        return cut_mark(cut.missing, unit=cut.unit, number=len(self.found))

    def pieces(self, line: FactLine, width: int) -> Iterator[str]:
        if line.cut is None or not self.whole:
            mark = "" if line.cut is None else self.marked(line.cut)
            yield from fold(line.text + mark + line.behind, width)
            return
        yield from fold(f"{line.cut.title}{line.behind}:", width)
        text = escape(line.cut.text, max_chars=len(line.cut.text))
        yield from (f"| {piece}" for piece in folded(text, width - 2))


def _painted(line: _Line, *, color: bool) -> str:
    if not color:
        return "".join(text for text, _ in line)
    return "".join(_STYLES[look].render(text, color_system=ColorSystem.STANDARD) for text, look in line)


def _facts_frame(facts: Iterable[Fact], width: int, cuts: _Cuts, *, color: bool) -> Iterator[_Line]:
    yield from _title(FACTS_TITLE, width, color=color)
    for fact in facts:
        yield from _beside(fact, width, cuts) if width >= _WIDE else _below(fact, width, cuts)


def _beside(fact: Fact, width: int, cuts: _Cuts) -> Iterator[_Line]:
    label = fact.label
    for text in _folded_lines(fact.lines, width - _LABEL_WIDTH, cuts):
        yield [(label.ljust(_LABEL_WIDTH), "label"), (text, _look(fact))]
        label = ""


def _below(fact: Fact, width: int, cuts: _Cuts) -> Iterator[_Line]:
    yield [(fact.label, "label")]
    # Indented, so that no value can stand where a label stands.
    for text in _folded_lines(fact.lines, width - 2, cuts):
        yield [("  ", "value"), (text, _look(fact))]


def _look(fact: Fact) -> _Look:
    return "warning" if fact.is_warning else "value"


def _folded_lines(lines: Iterable[FactLine], width: int, cuts: _Cuts) -> Iterator[str]:
    for line in lines:
        mark = line.mark
        for piece in cuts.pieces(line, width - len(line.mark)):
            yield mark + piece
            mark = " " * len(line.mark)


def _words_frame(words: Iterable[AuthorWords], width: int, cuts: _Cuts, *, color: bool) -> Iterator[_Line]:
    yield from _title(WORDS_TITLE, width, color=color)
    rule, bar = ("─", "│ ") if color else ("-", "| ")
    for each in words:
        yield [(f"{rule}{rule} {each.source}", "frame")]
        for piece in _words_lines(each, width - len(bar), cuts):
            yield [(bar, "frame"), (piece, "words")]
    yield [(("═" if color else "=") * width, "frame")]


def _words_lines(words: AuthorWords, width: int, cuts: _Cuts) -> Iterator[str]:
    pieces = folded(escape(words.text, max_chars=len(words.text)), width)
    # A page of empty lines would push the facts out of sight.
    missing = 0 if cuts.whole else len(pieces) - _MAX_WORDS_LINES
    yield from pieces[:_MAX_WORDS_LINES] if missing > 0 else pieces
    if missing > 0:
        cut = Cut(title=words.source, text=words.text, missing=missing, unit="lines")
        yield from fold(cuts.marked(cut).strip(), width)


def cut_lines(cut: Cut, width: int, *, color: bool) -> list[str]:
    """Return all of what was shortened, in lines for a terminal: each marked as none of the engine's."""
    bar = "│ " if color else "| "
    look: _Look = "words"
    title = [_painted([(piece, "label")], color=color) for piece in fold(f"{cut.title}:", width)]
    text = escape(cut.text, max_chars=len(cut.text))
    return title + [_painted([(bar, "frame"), (piece, look)], color=color) for piece in folded(text, width - len(bar))]


def folded(text: str, width: int) -> list[str]:
    """Return the lines of an escaped text, folded."""
    return [piece for line in text.rstrip("\n").split("\n") for piece in fold(line, width)]


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
