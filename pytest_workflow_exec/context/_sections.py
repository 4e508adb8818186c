"""What is known only while a run is under way, beside the files: labelled, and cut before they are."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._tokens import tokens_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A text that belongs to a context and comes from no file."""

    name: str
    text: str
    """With its label, as far as it fits."""
    tokens: int
    """Estimated."""
    cut: bool


def sections_within(texts: Mapping[str, str], max_tokens: int) -> tuple[Section, ...]:
    """Return texts under their labels, each within an equal share of what the ones before it left.

    One that is too long ends behind a line of it, and says so.
    """
    sections, left = [], max_tokens
    for position, (name, text) in enumerate(texts.items()):
        share = left // (len(texts) - position)
        section = _within(name, text, share)
        if section is not None:
            sections.append(section)
            left -= section.tokens
    return tuple(sections)


def _within(name: str, text: str, most: int) -> Section | None:
    whole = f"===== {name} =====\n{text.strip()}\n"
    if tokens_of(whole) <= most:
        return Section(name=name, text=whole, tokens=tokens_of(whole), cut=False)
    lines = text.strip().splitlines(keepends=True)
    fits, too_many = -1, len(lines)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if tokens_of(_cut(name, lines, middle)) <= most:
            fits = middle
        else:
            too_many = middle
    if fits < 0:
        return None
    shortened = _cut(name, lines, fits)
    return Section(name=name, text=shortened, tokens=tokens_of(shortened), cut=True)


def _cut(name: str, lines: list[str], count: int) -> str:
    kept = "".join(lines[:count])
    return f"===== {name} =====\n{kept}[cut to fit: the last {len(lines) - count} of {len(lines)} lines of {name}]\n"
