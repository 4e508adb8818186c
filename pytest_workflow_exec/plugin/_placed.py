"""Items of files that hold many: where such a file is, is found out once."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

_FILES: pytest.StashKey[dict[Path, str]] = pytest.StashKey()
"""On the collector of the items: what their locations call the files that they stand in."""


class PlacedFunction(pytest.Function):
    """An item of a file that holds many."""

    @functools.cached_property
    def location(self) -> tuple[str, int | None, str]:
        """Its file, its line from 0, and its name, as pytest's hooks are told them."""
        path, line, name = self.reportinfo()
        files = self._files()
        key = Path(path)
        if key not in files:
            files[key] = super().location[0]
        return files[key], line, name

    def _files(self) -> dict[Path, str]:
        stash = self.parent.stash if self.parent is not None else self.stash
        return stash.setdefault(_FILES, {})
