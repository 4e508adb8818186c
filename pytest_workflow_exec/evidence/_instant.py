"""The time of a record, as records spell it."""

from __future__ import annotations

import time

_NS = 10**9


class _Second:
    """The second that was spelled last: thousands of records are written in one."""

    spelled: tuple[int, str] = (-1, "")


def now_text() -> str:
    """Return the time in UTC, such as `2026-11-22T11:33:35.000017Z`."""
    second, rest_ns = divmod(time.time_ns(), _NS)
    last, text = _Second.spelled
    if second != last:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _Second.spelled = (second, text)
    return f"{text}.{rest_ns // 1000:06d}Z"
