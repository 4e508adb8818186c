"""How many tokens a text has: an estimate that needs no model."""

from __future__ import annotations

_CHARACTERS_A_TOKEN = 4


def tokens_of(text: str) -> int:
    """Return about how many tokens a text has: one for four ASCII characters, one for each other character.

    English prose and code come out a little too high, scripts without spaces about right, so that a budget holds.
    """
    ascii_only = len(text.encode("ascii", errors="ignore"))
    return -(-ascii_only // _CHARACTERS_A_TOKEN) + len(text) - ascii_only
