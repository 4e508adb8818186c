"""What is installed is loaded from where it is installed, whatever commands put into folders that Python looks into first.

A command may be allowed to write in a folder of `sys.path`, such as one of pytest's `pythonpath`. A file that has the name of
a module which this process has not loaded yet would run here, with all rights, and before the next gate.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_IMPORTLIB = ("<frozen importlib", os.path.join(os.path.dirname(os.__file__), "importlib") + os.sep)  # noqa: PTH118, PTH120


class _Guard:
    """Finds the modules that a folder of a project would hide, before the finders that look there first."""

    def __init__(self) -> None:
        self._roots: list[str] = []
        self._there: set[str] = set()
        package = os.path.realpath(Path(__file__).parents[1])
        environment = [os.path.realpath(sys.prefix)] if sys.prefix != sys.base_prefix else []
        self._installed = [package, os.path.dirname(os.path.realpath(os.__file__)), *environment]  # noqa: PTH120
        self._split: tuple[Sequence[str], Sequence[str], Sequence[str]] = ((), (), ())

    def protect(self, root: Path) -> None:
        real = os.path.realpath(root)
        if real in self._roots:
            return
        self._roots.append(real)
        self._split = ((), (), ())
        inside, _ = self._folders()
        # What the project has now is its own, whatever its name.
        self._there |= {name.partition(".")[0] for folder in inside for name in _names_in(folder)}
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None:
            return None
        inside, outside = self._folders()
        if not inside or PathFinder.find_spec(fullname, inside, target) is None:
            return None
        was_there, by_project = fullname in self._there, self._is_inside(_importer())
        if was_there and by_project:
            return None
        found = PathFinder.find_spec(fullname, outside, target)
        if found is None and not was_there and not by_project:
            # What is installed looks for more than it needs, such as optional packages.
            raise ModuleNotFoundError(f"{fullname!r} appeared in the project meanwhile", name=fullname)
        return found

    def _folders(self) -> tuple[Sequence[str], Sequence[str]]:
        """Return the folders that Python looks into, those in which commands may write first."""
        if self._split[0] != sys.path:
            inside = [each for each in sys.path if self._is_inside(os.path.realpath(each))]
            self._split = ([*sys.path], inside, [each for each in sys.path if each not in inside])
        return self._split[1], self._split[2]

    def _is_inside(self, file: str) -> bool:
        return _lies_in(file, self._roots) and not _lies_in(file, self._installed)


def _lies_in(file: str, folders: Sequence[str]) -> bool:
    return any(file == folder or file.startswith(os.path.join(folder, "")) for folder in folders)  # noqa: PTH118


def _names_in(folder: str) -> Iterator[str]:
    try:
        yield from os.listdir(folder or ".")  # noqa: PTH208
    except OSError:
        return


def _importer() -> str:
    """Return the file of the code that imports something now."""
    frame = sys._getframe(2)  # noqa: SLF001  # who imports is nowhere else
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_IMPORTLIB):
        frame = frame.f_back
    return os.path.realpath(frame.f_code.co_filename)


_GUARD = _Guard()


def guard_imports(root: Path) -> None:
    """Let no module that is installed be hidden from now on by what appears in a project, nor ever from installed code.

    Args:
        root: The project, in which commands may be allowed to write.
    """
    _GUARD.protect(root)
