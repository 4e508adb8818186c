"""JSON without its traps: one value per key, no NaN, no infinities."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import NoReturn, cast

from pytest_workflow_exec.digests import Json

encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False).encode
"""Return a checked value as compact JSON."""


class StrictJsonError(ValueError):
    """A text is not JSON, or JSON that two readers could understand differently."""


def parse(text: str) -> Json:
    """Return the value of a JSON text.

    Raises:
        StrictJsonError: It is no JSON, has a key twice, a number that is none, or is nested too deeply.
    """
    try:
        return cast("Json", _decoder.decode(text))
    except RecursionError as error:
        raise StrictJsonError("it is nested too deeply") from error
    except StrictJsonError:
        raise
    except ValueError as error:
        raise StrictJsonError(f"it is no JSON ({error})") from error


def _unique(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise StrictJsonError("it has a key twice")
    return mapping


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise StrictJsonError("it holds a number that is too large")
    return number


def _no_constant(text: str) -> NoReturn:
    raise StrictJsonError(f"it holds {text}")


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
