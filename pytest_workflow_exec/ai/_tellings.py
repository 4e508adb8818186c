"""What a person who waits for a model hears, not more often than it can be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ._backend import AiNews
from ._failure import plain
from ._loop import Caller

_EVERY_S = 0.5


class Tell:
    """Takes news in the loop and gives it on in the thread that asked."""

    def __init__(self, tell: Callable[[AiNews], None], caller: Caller) -> None:
        self._tell, self._caller = tell, caller
        self._told_at = 0.0

    def say(self, news: AiNews) -> None:
        """Give news on."""
        self._caller.post(partial(self._tell, news))

    def written(self, characters: int) -> None:
        """Say now and then how much the model has written."""
        now = time.monotonic()
        if now - self._told_at >= _EVERY_S:
            self._told_at = now
            self.say(AiNews(text=f"answering, {characters} characters so far"))


def progress_words(seconds: float, tokens: int, cost_usd: float) -> str:
    """Return how long a model has been busy, what it has written and what it has cost, as far as that is known."""
    parts = [f"{seconds:.0f} s"]
    parts += [f"{tokens} tokens"] if tokens else []
    parts += [f"${cost_usd:.4f}"] if cost_usd else []
    return ", ".join(parts)


def retry_words(data: Mapping[str, Any]) -> str:
    """Return the words for a request that the program tries again."""
    tries = int(data.get("max_retries") or 0) + 1
    wait_s = float(data.get("retry_delay_ms") or 0) / 1000
    why = {"overloaded": "API overloaded", "rate_limit": "too many requests"}.get(
        str(data.get("error")), "API unreachable or failing"
    )
    status = data.get("error_status")
    told = f" (HTTP {plain(str(status))})" if status is not None else ""
    return f"{why}{told}, attempt {int(data.get('attempt') or 0) + 1} of {tries} in {wait_s:.1f} s"
