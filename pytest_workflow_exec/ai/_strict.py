"""JSON of others without its traps: one value per key, no NaN, no infinities."""

from __future__ import annotations

import json
import math
from typing import NoReturn, cast

from pytest_workflow_exec.digests import Json


class NotJsonError(ValueError):
    """A text is no JSON, or JSON that two readers could understand differently."""


def parse(text: str) -> Json:
    """Return the value of a JSON text.

    Raises:
        NotJsonError: It is none, has a key twice, holds what is no number, or is nested too deeply.
    """
    try:
        return cast("Json", _decoder.decode(text))
    except NotJsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise NotJsonError("it is no JSON, or nested too deeply") from error


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise NotJsonError("a key stands in it twice")
    return mapping


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotJsonError("it holds a number that is too large")
    return number


def _no_constant(text: str) -> NoReturn:
    raise NotJsonError(f"it holds {text}")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
