"""What takes the known secrets of a run out of texts and values."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lazy_patterns import lazy_pattern

from ._abridged import abridged
from ._spellings import MIN_SECRET_BYTES, base64_part, bytes_of, escaped, hexadecimal
from ._unbroken import Span, unbroken

__all__ = ["MIN_SECRET_BYTES", "REDACTED", "Redactor", "holds_mask"]

REDACTED = "[secret redacted]"
"""What stands for a stored text that a person took out later: a mask, so that nothing is done with it as a value."""

_MASK = lazy_pattern(r"\[secret [\w.:-]+\]")
_NO_NAME = lazy_pattern(r"[^\w.:-]")


class Redactor:
    """Replaces the values of known secrets, also where they are encoded or broken over lines."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Know these secrets, by name."""
        self._known: tuple[_Secret, ...] = ()
        self._values: dict[str, str] = {}
        self._lock = threading.Lock()
        for name, value in secrets.items():
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Know one secret more, from now on; a value of less than `MIN_SECRET_BYTES` is not masked."""
        with self._lock:
            if value in self._values or len(bytes_of(value)) < MIN_SECRET_BYTES:
                return
            self._values[value] = name
            self._known = (*self._known, _Secret.of(name, value))

    @property
    def knows_any(self) -> bool:
        """Whether there is a secret to be masked."""
        return bool(self._known)

    def text(self, text: str) -> str:
        """Return `text` with every known secret replaced by its name."""
        if not self._known:
            return text
        known = [secret for secret in self._known if len(text) >= secret.characters]
        if not known:
            return text
        found = list(_found(text, known))
        return _masked(text, found) if found else text

    def report(self, text: str) -> str:
        """Return a report's text with every known secret replaced, also where the report shows only its ends."""
        text = self.text(text)
        found = [_Found(span, secret.name) for secret in self._known for span in abridged(text, secret.value)]
        return _masked(text, found) if found else text

    def value(self, value: Json) -> Json:
        """Return a JSON value with every known secret in its texts and keys replaced."""
        if not self._known:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value


def holds_mask(text: str) -> bool:
    """Return whether `text` holds a mask as a `Redactor` writes it, such as `[secret TOKEN]`.

    Such a text is not the one that was there: nothing may be done with it as if it were.
    """
    return _MASK.search(text) is not None


class _Secret(NamedTuple):
    """A secret and the patterns of all its spellings."""

    name: str
    value: str
    characters: int
    """No text with fewer characters holds it."""
    whole: tuple[re.Pattern[str], ...]
    across_lines: tuple[re.Pattern[str], ...]
    """For texts without their line breaks."""

    @classmethod
    def of(cls, name: str, value: str) -> _Secret:
        encoded = tuple(re.compile(pattern(value)) for pattern in (hexadecimal, base64_part))
        return cls(
            name=name,
            value=value,
            characters=len(value),
            whole=(re.compile(escaped(value)), *encoded),
            across_lines=(re.compile(escaped(value, across_lines=True)), *encoded),
        )


class _Found(NamedTuple):
    span: Span
    name: str


def _found(text: str, known: Iterable[_Secret]) -> Iterator[_Found]:
    without_breaks = list(unbroken(text))
    for secret in known:
        for pattern in secret.whole:
            for match in pattern.finditer(text):
                yield _Found(Span(*match.span()), secret.name)
        for view in without_breaks:
            for pattern in secret.across_lines:
                for match in pattern.finditer(view.text):
                    yield _Found(view.original(*match.span()), secret.name)


def _masked(text: str, found: list[_Found]) -> str:
    pieces, kept = [], 0
    for span, name in _apart(found):
        pieces += [text[kept : span.start], _mask(name)]
        kept = span.end
    return "".join([*pieces, text[kept:]])


def _apart(found: list[_Found]) -> Iterator[_Found]:
    """Give one finding for each part of the text, named after the longest secret in it."""
    ordered = sorted(found, key=lambda each: (each.span.start, -each.span.end))
    span, name, longest = ordered[0].span, ordered[0].name, ordered[0].span
    for each in ordered[1:]:
        if each.span.start >= span.end:
            yield _Found(span, name)
            span, name, longest = each.span, each.name, each.span
            continue
        span = Span(span.start, max(span.end, each.span.end))
        if each.span.end - each.span.start > longest.end - longest.start:
            name, longest = each.name, each.span
    yield _Found(span, name)


def _mask(name: str) -> str:
    # Of few characters, so that every mask is known again as one, whatever its secret is called.
    return f"[secret {_NO_NAME.sub('_', name) or '_'}]"
