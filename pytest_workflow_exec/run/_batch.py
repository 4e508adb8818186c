"""How far a step's code has come with many things of one kind."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import final


@final
class Batch:
    """What `workflow.progress(total, label)` gives: count with `advance`, best in a `with` block."""

    def __init__(self, total: int, label: str, *, tell: Callable[[Batch], None]) -> None:
        """Begin with nothing done.

        Args:
            tell: Is told of each change; it looks at the batch.
        """
        self.total, self.label = total, label
        self.done = 0
        self.closed = False
        self._tell = tell
        tell(self)

    def advance(self, count: int = 1) -> None:
        """Take note that so many more are done.

        Raises:
            ValueError: `count` is negative.
        """
        if count < 0:
            message = f"a batch only goes on: {count} is negative"
            raise ValueError(message)
        self.done = min(self.done + count, self.total)
        self._tell(self)

    def close(self) -> None:
        """Stop showing it; the end of its step does that, too."""
        self.closed = True
        self._tell(self)

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
