"""A field of a form, and what may be filled into it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import InputType

from ._words import escape_line


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field, as whoever fills it in is told of it."""

    name: str
    type: InputType = "string"
    description: str = ""
    """Words of the author."""
    pattern: str | None = None
    """A full match."""
    values: tuple[str, ...] = ()
    """The choices of an `enum`."""
    default: Json = None
    """What an empty answer means; None if it means nothing."""

    def to_data(self) -> Mapping[str, Json]:
        """Return it as evidence keeps it."""
        return {
            "name": self.name,
            "type": self.type,
            "description": self.description,
            "pattern": self.pattern,
            "values": list(self.values),
            "default": self.default,
        }


def allowed(field: FormField) -> str:
    """Return what may be answered, in one line of words and already harmless."""
    what = _KINDS.get(field.type) or "one of " + ", ".join(map(escape_line, field.values))
    if field.pattern is not None:
        what += f" that matches {escape_line(field.pattern)} as a whole"
    return what if field.default is None else f"{what}; empty for {escape_line(_default_text(field.default))}"


def _default_text(default: Json) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, list):
        return ", ".join(map(str, default)) or "no texts"
    return str(default) or "an empty text"


_KINDS: Mapping[str, str] = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "texts with commas between them",
}
