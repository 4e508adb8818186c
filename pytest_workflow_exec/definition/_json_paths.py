"""Paths into JSON, as RFC 9535 says, and nothing that its libraries add."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

if TYPE_CHECKING:
    from jsonpath import JSONPath

_MAX_CHARACTERS = 1000


class JsonPathError(ValueError):
    """A text is no path into JSON, or can't be followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPath:
    """One path."""

    text: str
    _path: JSONPath

    @property
    def is_singular(self) -> bool:
        """Whether it leads to one value at most, whatever it is looked for in."""
        return self._path.singular_query()

    def find(self, value: Json) -> list[Json]:
        """Return what it leads to, in the order of the document.

        Raises:
            JsonPathError: It can't be followed to its end.
        """
        from jsonpath import JSONPathError

        try:
            return cast("list[Json]", self._path.findall(cast("dict[str, object]", value)))
        except (JSONPathError, RecursionError, ValueError) as error:
            raise JsonPathError(f"{self.text} can't be followed: {_first_line(error)}") from error


@functools.lru_cache(maxsize=256)
def parse_json_path(text: str) -> JsonPath:
    """Return the path that a text says.

    Raises:
        JsonPathError: It says none.
    """
    # Where nothing asks for JSON, nobody pays for the library.
    from jsonpath import JSONPathEnvironment, JSONPathError

    if not text.strip():
        raise JsonPathError("is empty; write a path into JSON, such as $.items[0].name (RFC 9535)")
    if len(text) > _MAX_CHARACTERS:
        raise JsonPathError(f"is longer than {_MAX_CHARACTERS} characters")
    try:
        path = JSONPathEnvironment(strict=True).compile(text)
    except (JSONPathError, RecursionError, ValueError) as error:
        raise JsonPathError(
            f"is no path into JSON, such as $.items[0].name (RFC 9535): {_first_line(error)}"
        ) from error
    return JsonPath(text=text, _path=cast("JSONPath", path))


def _first_line(error: Exception) -> str:
    try:
        words = str(error)
    except ValueError:
        # The library looks for the place in the text, and an empty one has none.
        words = str(error.args[0]) if error.args else ""
    return next(iter(words.strip().splitlines()), type(error).__name__)
