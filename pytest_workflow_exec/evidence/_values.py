"""What may stand in a record: plain JSON, with every known secret already taken out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import ValueRefusedError
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.strict_json import encode

from ._blobs import MAX_BLOB_BYTES, REFERENCE_KEYS, is_reference, spilled

_MAX_DEPTH, _PLAIN_DEPTH = 64, 4
_INTEGERS = range(-(2**63), 2**63)
_SHOWN_CHARACTERS = 200
_SHORT_CHARACTERS = 1 << 10

_Place: TypeAlias = "str | tuple[_Place, str, str | int]"
"""Where a value stands: a name, or the place around it, how it stands in there, and its own key or number.

Spelled out only for a refusal: nearly every value is kept.
"""


class Cleaner:
    """Turns the data of an event into plain JSON values without secrets."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self._redact = redactor, redactor.text

    def data(self, data: Mapping[str, Json]) -> dict[str, Json]:
        """Return a redacted copy made of dicts, lists, texts and numbers only.

        Raises:
            ValueRefusedError: It holds something that JSON has no unambiguous word for.
        """
        return self._mapping(data, "data", 0)

    def text(self, text: str, where: _Place) -> str:
        """Return a redacted text.

        Raises:
            ValueRefusedError: It holds half a character, which UTF-8 has no bytes for, or is too long.
        """
        redacted = self._redact(text)
        if type(redacted) is str and len(redacted) <= _SHORT_CHARACTERS and redacted.isascii():
            return redacted
        redacted = str.__str__(redacted)
        refuse_too_long(redacted, _spelled(where))
        return redacted

    def value(self, value: object, where: str) -> Json:
        """Return a redacted copy of one value in the data.

        Args:
            where: Its place, such as `outputs.wheel`: how deep it stands counts.

        Raises:
            ValueRefusedError: It holds something that JSON has no unambiguous word for.
        """
        return self._value(value, where, len(where.removeprefix("data.").split(".")))

    def _value(self, value: object, where: _Place, depth: int) -> Json:
        if isinstance(value, str):
            return self.text(value, where)
        if value is None or value is True or value is False:
            return value
        if isinstance(value, (int, float)):
            return _number(value, where)
        if depth >= _MAX_DEPTH:
            raise _refusal(where, f"it is nested deeper than {_MAX_DEPTH} levels")
        if isinstance(value, Mapping):
            return self._mapping(value, where, depth)
        if isinstance(value, (list, tuple)):
            return self._items(value, where, depth)
        raise _refusal(where, f"a value of type {type(value).__name__} is no JSON")

    def _mapping(self, mapping: Mapping[str, Json], where: _Place, depth: int) -> dict[str, Json]:
        if not self._redactor.knows_any and (plain := _plain(mapping)) is not None:
            return plain
        cleaned: dict[str, Json] = {}
        for key, value in mapping.items():
            name = self._key(key, where)
            place = (where, ".", name)
            if name in cleaned:
                raise _refusal(place, "two of its keys are the same once secrets are taken out")
            cleaned[name] = self._value(value, place, depth + 1)
        if is_reference(cleaned):
            raise _refusal(where, "the keys blob, size_bytes and stored together mean a stored text. Rename one.")
        return cleaned

    def _items(self, items: Sequence[object], where: _Place, depth: int) -> list[Json]:
        return [self._value(item, (where, "[]", index), depth + 1) for index, item in enumerate(items)]

    def _key(self, key: object, where: _Place) -> str:
        if isinstance(key, str):
            return self.text(key, where)
        raise _refusal(where, f"it has a key of type {type(key).__name__}; keys must be texts")


def _plain(mapping: Mapping[str, Json], depth: int = 0) -> dict[str, Json] | None:
    """Return a copy of what most records hold, short texts and little else; None for anything to be looked at closely.

    Of exactly these types, ASCII, finite and within bounds, there is nothing that could be refused or spelled in
    two ways. A stored text's reference has three keys.
    """
    if mapping.keys() == REFERENCE_KEYS or depth > _PLAIN_DEPTH:
        return None
    copied: dict[str, Json] = {}
    for key, value in mapping.items():
        kind = type(value)
        if type(key) is not str or not _is_short(key):
            return None
        if kind is list:
            # Of texts, as arguments and names of variables are.
            if not _are_short_texts(value):  # type: ignore[arg-type]  # a list
                return None
            copied[key] = value.copy()  # type: ignore[union-attr]  # a list
            continue
        if kind is dict:
            inner = _plain(value, depth + 1)  # type: ignore[arg-type]  # a dict
            if inner is None:
                return None
            copied[key] = inner
            continue
        harmless = _HARMLESS.get(kind)
        if harmless is None or not harmless(value):
            return None
        copied[key] = value
    return copied


def _is_short(text: str) -> bool:
    return len(text) <= _SHORT_CHARACTERS and text.isascii()


def _are_short_texts(items: list[Any]) -> bool:
    # All at once: a record of a command names some thirty variables.
    if set(map(type, items)) != {str}:
        return not items
    whole = "".join(items)
    return whole.isascii() and (len(whole) <= _SHORT_CHARACTERS or max(map(len, items)) <= _SHORT_CHARACTERS)


_HARMLESS: Mapping[type, Callable[[Any], bool]] = {
    str: _is_short,
    int: _INTEGERS.__contains__,
    float: math.isfinite,
    bool: lambda _: True,
    type(None): lambda _: True,
}


def refuse_unkeepable(value: Json, where: str) -> None:
    """Return if a log keeps the value: what is refused here is what `EvidenceLog.append` would refuse.

    Args:
        where: The value's place in a record's data, such as `outputs.wheel`; the error names it.

    Raises:
        ValueRefusedError: It can't be kept; says where and why.
    """
    refuse_too_long(encode(spilled(Cleaner(Redactor({})).value(value, where), [])), where)


def refuse_too_long(text: str, where: str) -> None:
    """Return if a text fits into a blob.

    Raises:
        ValueRefusedError: It is too long, or holds half a character.
    """
    size_bytes = len(text) if text.isascii() else _encoded_bytes(text, where)
    if size_bytes > MAX_BLOB_BYTES:
        raise _refusal(where, f"it has {size_bytes} bytes, and {MAX_BLOB_BYTES} are the most. Keep it in a file.")


def _encoded_bytes(text: str, where: str) -> int:
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise _refusal(where, "its text holds a lone surrogate, which is no character") from None


def _number(value: float, where: _Place) -> int | float:
    if isinstance(value, int):
        if value in _INTEGERS:
            return int(value)
        raise _refusal(where, "an integer must fit in 64 bits. Keep it as text.")
    if math.isfinite(value):
        return float(value)
    raise _refusal(where, "JSON has no NaN and no infinities. Keep it as text.")


def _refusal(where: _Place, reason: str) -> ValueRefusedError:
    # The place is made of the value's own keys: a key must not move the cursor of whoever reads the message.
    shown = _spelled(where)
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "..."
    return ValueRefusedError(where=ascii(shown)[1:-1], reason=reason)


def _spelled(place: _Place) -> str:
    if isinstance(place, str):
        return place
    around, how, name = place
    return f"{_spelled(around)}[{name}]" if how == "[]" else f"{_spelled(around)}.{name}"
