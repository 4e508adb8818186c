"""What a line of an allowed signers file says of its key beside whose it is."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._patterns import PatternList, patterns_in
from ._wire import MalformedError

_OPTION = lazy_pattern(r'(?P<name>[A-Za-z-]+)(?:=(?P<value>"(?:[^"\\]|\\"|\\(?!"))*"|[^",]*))?', re.ASCII)
_TIME = lazy_pattern(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z|UTC)?", re.ASCII | re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST_ZONE = timedelta(hours=12)
"""Where a date begins last, so much after UTC."""
_FIRST_ZONE = timedelta(hours=14)
"""Where it begins first, so much before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """When and for what a key counts."""

    namespaces: PatternList | None = None
    valid_after: datetime | None = None
    valid_before: datetime | None = None
    verify_required: bool = False
    """Whether the token must have checked who used it."""


def options_in(text: str) -> Options:
    """Return the options that a text spells.

    Raises:
        MalformedError: It has one that is unknown, refused, twice there or not as it must be.
    """
    options, seen, at = Options(), set[str](), 0
    while True:
        found = _OPTION.match(text, at)
        if found is None:
            raise MalformedError(f"{text[at:]!r} is no option")
        name = found["name"].lower()
        if name in seen:
            raise MalformedError(f"the option {name!r} is there twice")
        seen.add(name)
        options = _with(options, name, found["value"])
        at = found.end()
        if at == len(text):
            break
        if text[at] != ",":
            raise MalformedError(f"{text[at:]!r} follows the option {name!r}")
        at += 1
    if options.valid_after and options.valid_before and options.valid_before <= options.valid_after:
        raise MalformedError("valid-before is not after valid-after: the key is never valid")
    return options


def _with(options: Options, name: str, value: str | None) -> Options:
    match name:
        case "namespaces":
            return replace(options, namespaces=patterns_in(_unquoted(name, value)))
        case "valid-after":
            return replace(options, valid_after=_time(name, _unquoted(name, value), _LAST_ZONE))
        case "valid-before":
            return replace(options, valid_before=_time(name, _unquoted(name, value), -_FIRST_ZONE))
        case "verify-required" if value is None:
            return replace(options, verify_required=True)
        case "cert-authority":
            raise MalformedError("cert-authority is refused: certificates do not count. List each signer's own key.")
    raise MalformedError(
        f"the option {name!r} is not known: it can be namespaces, valid-after, valid-before or verify-required"
    )


def _unquoted(name: str, value: str | None) -> str:
    if value is None or not value.startswith('"'):
        raise MalformedError(f'the option {name!r} needs a value in quotes: {name}="…"')
    return value[1:-1].replace('\\"', '"')


def _time(name: str, text: str, doubt: timedelta) -> datetime:
    found = _TIME.fullmatch(text)
    if found is None:
        raise _no_time(name)
    try:
        *parts, zone = found.groups()
        year, month, day, hour, minute, second = (int(part or 0) for part in parts)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
        # Without a zone it is another moment on each machine: it counts only when it counts on all of them.
        # Read in the local zone instead, it would be moved by whoever sets TZ.
        moment += timedelta(0) if zone else doubt
    except (ValueError, OverflowError) as error:
        raise _no_time(name) from error
    if moment <= _EPOCH:
        raise MalformedError(f"{name} is before 1970")
    return moment


def _no_time(name: str) -> MalformedError:
    return MalformedError(f"{name} is no time: write YYYYMMDDZ or YYYYMMDDHHMMSSZ")
