"""Folders that programs and the engine's own code are loaded from, in which no command may write."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

_KINDS = ("scripts", "stdlib", "platstdlib", "purelib", "platlib")


def loaded_from(path: Sequence[Path]) -> tuple[str, ...]:
    """Return them, each as written and with links followed.

    Args:
        path: The policy's.
    """
    folders = [str(Path(__file__).parents[1]), *map(str, path)]
    # All of a virtual environment, but not all that lies below the system's prefix: that may be /usr.
    folders += [sys.prefix] if sys.prefix != sys.base_prefix else []
    folders += [sysconfig.get_paths()[kind] for kind in _KINDS]
    return tuple(dict.fromkeys([*map(os.path.normpath, folders), *map(os.path.realpath, folders)]))


def holding(folder: str, places: Iterable[str]) -> str | None:
    """Return the first of some places that a folder is or lies in."""
    return next((place for place in places if folder == place or folder.startswith(f"{place}/")), None)


def held_in(folder: str, places: Iterable[str]) -> frozenset[str]:
    """Return which of some places lie in a folder, as paths from there."""
    return frozenset(place[len(folder) + 1 :] for place in places if place.startswith(f"{folder}/"))
