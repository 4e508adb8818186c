"""Shapes of records: a line that differs from one that was read strictly in plain values alone needs no parser.

A shape is learned from a record that the strict parser took: the same keys in the same order, and in their places
plain texts, numbers and words. A line that fits it is strict JSON, with no key twice, by construction. Whatever does
not fit, or holds anything but printable ASCII, a Unicode escape or a stored text, goes the long way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import Record

from ._plain import END_BYTES, Plain

_LEARNED_OF_ONE_TYPE = 16
"""So many shapes at most: a log of ever new keys must neither fill the memory nor be tried with all of them."""

_MAX_DEPTH = 4
_MAX_KEYS = 64
_BARE_TEXT = rb'"[\x20\x21\x23-\x5b\x5d-\x7e]*"'
_ESCAPES = rb'(?:\\["\\/bfnrt][\x20\x21\x23-\x5b\x5d-\x7e]*)*'
_TEXT = _BARE_TEXT[:-1] + _ESCAPES + rb'"'
_INTEGER = rb"-?(?:0|[1-9][0-9]{0,17})"
_SCALAR = rb"(?:" + _TEXT + rb"|" + _INTEGER + rb"(?:\.[0-9]{1,17})?(?:e[+-]?[0-9]{1,2})?|true|false|null)"
_BARE_TEXTS = rb"\[(?:" + _BARE_TEXT + rb"(?:," + _BARE_TEXT + rb")*)?\]"
_BEFORE_DATA = (
    rb'"step":(null|' + _TEXT + rb'),"attempt":(null|' + _INTEGER + rb'),'
    rb'"actor":\{"kind":"(?:engine|human|agent|worker)","id":' + _TEXT + rb'\},"data":'
)  # fmt: skip
_PLAIN_TEXTS = re.compile(rb'\[(?:"[^"\\]*"(?:,"[^"\\]*")*)?\]')
_QUOTES_BEFORE_RUN = 7
"""How many quotation marks stand in a line before the run's name."""

_KEY = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_STEP, _ATTEMPT, _FIRST_OF_DATA = 1, 2, 3
_MARKS = frozenset({"probe", "check", "checked", "doubt", "class", "review"})
"""Of steps whose check is asked, or that failed, and of reviews: rare, and every word of them matters."""
_KEPT = frozenset(
    {
        "kind",
        "digest",
        "outcome",
        "argv",
        "outputs",
        "files",
        "used",
        "rule_digest",
        "level",
        "exit",
    }
    | _MARKS  # the story's, and a fold's
)
"""What is asked of the data of records that may be recognized."""

_ALWAYS_READ = ("run.", "gate.", "manual.", "recovery", "redaction", "segment.", "step.invalidated", "retry.", "ai.")
"""Types, or their beginnings, whose records are few and whose every word matters."""


class Fields(Mapping[str, Json]):
    """The data of a recognized record, as far as it is asked for; a value is made of its text when it is."""

    __slots__ = ("_places", "_rest")

    def __init__(self, rest: re.Match[bytes], places: Mapping[str, int]) -> None:
        self._rest, self._places = rest, places

    def __getitem__(self, key: str) -> Json:
        return _value(self._rest[self._places[key]])

    def get(self, key: str, default: Json = None) -> Json:  # type: ignore[override]  # never asked with another default
        """Return the value of that name, or the default.

        Raises:
            KeyError: The value was not kept; what asks for it must be named in this module.
        """
        if key not in _KEPT:
            raise KeyError(key)
        place = self._places.get(key)
        return default if place is None else _value(self._rest[place])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Recognized:
    """A record that fits a shape."""

    __slots__ = ("_places", "_rest", "attempt", "data", "start", "step", "type")

    def __init__(self, start: Plain, rest: re.Match[bytes], places: Mapping[str, int]) -> None:
        """Take what stands before the step, and the rest as it was matched."""
        self.start, self._rest, self._places = start, rest, places
        self.data = Fields(rest, places)
        """What else it says."""
        step, attempt = rest.group(_STEP, _ATTEMPT)
        self.type = start[5].decode()
        self.step = None if step == b"null" else step[1:-1].decode() if b"\\" not in step else json.loads(step)
        self.attempt = None if attempt == b"null" else int(attempt)

    @property
    def seq(self) -> int:
        """Its place in the log."""
        return int(self.start[1])

    @property
    def ts(self) -> str:
        """When it was written."""
        return self.start[2].decode("ascii")

    @property
    def run(self) -> str:
        """The run that it belongs to."""
        return self.start.string.split(b'"', _QUOTES_BEFORE_RUN + 1)[_QUOTES_BEFORE_RUN].decode("utf-8")

    def plain_text_of(self, key: str) -> str | None:
        """Return how a value of the data is written, if that is how its canonical JSON is written, too."""
        place = self._places.get(key)
        # Numbers and escapes have several spellings.
        if place is None or not _PLAIN_TEXTS.fullmatch(raw := self._rest[place]):
            return None
        return raw.decode("ascii")


class _Shape:
    """One shape of a type's records."""

    __slots__ = ("any", "bare", "places")

    def __init__(self, pattern: bytes, keys: list[str]) -> None:
        self.any = re.compile(pattern).fullmatch
        self.bare = re.compile(pattern.replace(_ESCAPES, b"")).fullmatch
        """For lines without any escape, which are most, and known faster."""
        self.places = {key: place for place, key in enumerate(keys, start=_FIRST_OF_DATA)}


class Shapes:
    """The shapes learned from a log so far, by type."""

    def __init__(self) -> None:
        self._learned: dict[bytes, list[_Shape]] = {}

    def recognize(self, raw: bytes, start: Plain) -> Recognized | None:
        """Return what a line tells, or None if it fits no shape.

        Args:
            start: Its beginning.
        """
        shapes = self._learned.get(start[5])
        if shapes is None:
            return None
        bare = b"\\" not in raw
        for shape in shapes:
            rest = (shape.bare if bare else shape.any)(raw, start.end(), len(raw) - END_BYTES)
            if rest is not None:
                if shape is not shapes[0]:
                    # The next record of the type will mostly be of the same shape.
                    shapes.remove(shape)
                    shapes.insert(0, shape)
                return Recognized(start, rest, shape.places)
        return None

    def learn(self, record: Record, raw: bytes) -> None:
        """Take the shape of a record that was read strictly, unless it has none that could be relied on."""
        if record.type.startswith(_ALWAYS_READ) or not raw.isascii() or record.data.keys() & _MARKS:
            return
        shapes = self._learned.setdefault(record.type.encode("ascii"), [])
        if len(shapes) >= _LEARNED_OF_ONE_TYPE:
            return
        pattern = _of_mapping(record.data, 0, captured=True)
        if pattern is not None:
            shapes.append(_Shape(_BEFORE_DATA + pattern, [key for key in record.data if key in _KEPT]))


def _of_mapping(mapping: Mapping[str, Json], depth: int, *, captured: bool = False) -> bytes | None:
    if depth > _MAX_DEPTH or len(mapping) > _MAX_KEYS or "blob" in mapping:
        return None
    members = []
    for key, value in mapping.items():
        pattern = _of_value(value, depth + 1) if _KEY.fullmatch(key) else None
        if pattern is None:
            return None
        value_pattern = rb"(" + pattern + rb")" if captured and key in _KEPT else pattern
        members.append(rb'"' + re.escape(key.encode("ascii")) + rb'":' + value_pattern)
    return rb"\{" + rb",".join(members) + rb"\}"


def _of_value(value: Json, depth: int) -> bytes | None:
    if isinstance(value, Mapping):
        return _of_mapping(value, depth)
    if isinstance(value, list):
        return _BARE_TEXTS if all(isinstance(item, str) for item in value) else None
    return _SCALAR


_EMPTY: Mapping[bytes, Callable[[], Json]] = {b"{}": dict, b"[]": list}


def _value(raw: bytes) -> Json:
    if raw.startswith(b'"') and b"\\" not in raw:
        return raw[1:-1].decode("ascii")
    if raw in _EMPTY:
        return _EMPTY[raw]()
    return cast("Json", json.loads(raw))
