"""What the closing lines tell of a session of a run besides its verdict: how long it took, and who decided what."""

from __future__ import annotations

import time
from collections.abc import Callable

from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.progress import spent

_MAX_REASON = 300


class Minutes:
    """Listens to the records of a session of a run."""

    def __init__(self, listener: Callable[[Record], None]) -> None:
        """Begin now.

        Args:
            listener: Is told of each record, too.
        """
        self._began_s, self._listener = time.monotonic(), listener
        self._decisions: list[str] = []

    def __call__(self, record: Record) -> None:
        """Take note of a record."""
        if record.type == "gate.decided":
            self._decisions.append(_decision(record))
        self._listener(record)

    @property
    def lines(self) -> list[str]:
        """What they say, line by line."""
        return [f"time      {spent(time.monotonic() - self._began_s)}", *self._decisions]


def _decision(record: Record) -> str:
    from pytest_workflow_exec.approval import escape_line

    data = record.data
    reason = escape_line(str(data.get("reason") or ""), max_chars=_MAX_REASON)
    who = escape_line(str(data.get("approver") or "nobody"))
    channel = f"{data['channel']}{' in advance' if data.get('in_advance') else ''}"
    word = "GLASS BROKEN" if data["channel"] == "break-glass" and data["decision"] == "approved" else data["decision"]
    said = f"{word} by {who} ({channel}, assurance {data['assurance']})"
    what = "the run as it goes on" if record.step is None else record.step
    return f"gate      {what}: {said}" + (f": {reason}" if reason else "")
