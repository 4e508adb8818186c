"""The package's own modules, imported as Python imports them.

pytest rewrites the assertions of plugins: for each of their modules it reads the source, hashes it and looks for bytecode
of its own. Nothing here asserts, and a run imports hundreds of modules: that was a sixth of the start of a run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_PREFIX = __name__.partition(".")[0] + "."


class _OwnModules(MetaPathFinder):
    """Finds modules of this package before pytest's finder is asked, and no others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(fullname, path, target) if fullname.startswith(_PREFIX) else None


def import_plainly() -> None:
    """Let what is imported of this package from now on be imported plainly."""
    if not any(isinstance(finder, _OwnModules) for finder in sys.meta_path):
        sys.meta_path.insert(0, _OwnModules())
