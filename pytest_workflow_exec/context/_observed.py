"""What an answer rests on: every place of the file system that was looked at, and what was there."""

from __future__ import annotations

import os
import time

_SETTLED_NS = 50_000_000
"""How long ago a file must have changed for its times to tell it from its next version: clocks of file systems tick."""

Identity = tuple[int, int, int, int, int]


def identity_of(facts: os.stat_result) -> Identity:
    """Return what changes whenever a file or folder does."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


def is_settled(identity: Identity) -> bool:
    """Return whether it is so old that any change from now on gives another."""
    return max(identity[3:]) < time.time_ns() - _SETTLED_NS


class Observed:
    """The places that were looked at."""

    def __init__(self) -> None:
        """Begin with none."""
        self._places: dict[str, Identity | None] = {}

    def note(self, place: str) -> os.stat_result | None:
        """Return what is at a place, links not followed; None if nothing is, or nobody may know.

        What was seen is noted.
        """
        try:
            facts = os.lstat(place)
        except OSError:
            self._places[place] = None
            return None
        self._places[place] = identity_of(facts)
        return facts

    @property
    def settled(self) -> bool:
        """Whether any change to what was seen can be told from now on."""
        return all(identity is None or is_settled(identity) for identity in self._places.values())

    def unchanged(self) -> bool:
        """Return whether at every place there is what was there."""
        lstat = os.lstat
        for place, identity in self._places.items():
            try:
                now = lstat(place)
            except OSError:
                if identity is not None:
                    return False
                continue
            if (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns) != identity:
                return False
        return True
