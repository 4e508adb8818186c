"""Which files matter for a piece of work, and why: the way down to it, what it asks for, and what those files name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import field

from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._context import Omitted, Query
from ._files import ContextFile, UnusableFileError, read_file
from ._front_matter import FrontMatter
from ._observed import Observed
from ._tree import OutsideError, all_files, resolve, way_to

_MAX_HOPS = 64
_MAX_IMPORT_HOPS = 5
_UNASKED = "nothing that it is about was asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A file that matters."""

    file: ContextFile
    reason: str
    priority: int
    """Its own, or that of a file that needs it, if that is higher."""
    on_the_way: bool = False
    required: bool = False
    matches: int = 0
    """How much of what was asked for it is about."""


@dataclass(slots=True)
class Selection:
    """The files of a project that matter for one query."""

    root: str
    query: Query
    chosen: dict[str, Chosen] = field(default_factory=dict)
    omitted: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    unusable: set[str] = field(default_factory=set)
    """Required paths that can't be loaded."""
    observed: Observed = field(default_factory=Observed)
    _followed: set[str] = field(default_factory=set)

    def left_out(self) -> tuple[Omitted, ...]:
        """Return the files that were looked at and do not matter."""
        return tuple(
            Omitted(path=path, reason=reason)
            for path, reason in sorted(self.omitted.items())
            if path not in self.chosen
        )

    def take_required(self) -> None:
        """Choose what must be there."""
        for text in self.query.required:
            path = self._resolved("", text, f"required: {text}")
            if path is None or self._choose(path, "required", required=True) is None:
                self.unusable.add(text)

    def take_way(self, at: str) -> None:
        """Choose what lies on the way from the root to a folder.

        Raises:
            OutsideError: The folder does not lie in the project.
        """
        for path in way_to(self.root, at):
            self._choose(path, "on the way from the root", on_the_way=True, must_exist=False)

    def take_asked(self) -> None:
        """Choose what is about what was asked for."""
        if not self.query.asks:
            return
        for path in all_files(self.root, self.warnings, self.observed):
            if path in self.chosen:
                continue
            file = self._read(path, path)
            if file is None:
                continue
            about = _about(file.front, self.query)
            if about:
                self._add(file, f"is about {', '.join(about)}")
            else:
                self.omitted[path] = _UNASKED if file.front.speaks else "is not on the way and says nothing of itself"

    def follow(self) -> None:
        """Choose what the chosen files name: their children that matter, what they depend on and what they import."""
        for path in list(self.chosen):
            self._follow(path, (path,), 0)
        self._raise_priorities()

    def _follow(self, path: str, way: tuple[str, ...], hops: int) -> None:
        if path in self._followed:
            return
        self._followed.add(path)
        file = self.chosen[path].file
        if len(way) > _MAX_HOPS:
            self.warnings.append(f"{path}: what it names was not followed: it is {_MAX_HOPS} steps away")
            return
        for text in file.front.dependencies:
            self._next(file, text, "dependency", way, 0)
        for text in file.front.children:
            self._next(file, text, "child", way, 0)
        for text in file.imports:
            if hops == _MAX_IMPORT_HOPS:
                self.warnings.append(f"{path}: its imports were not followed: it is {hops} imports away")
                return
            self._next(file, text, "import", way, hops + 1)

    def _next(self, file: ContextFile, text: str, kind: str, way: tuple[str, ...], hops: int) -> None:
        path = self._resolved(file.path, text, f"{file.path}: its {kind} {text!r}")
        if path is None:
            return
        if path in way:
            self.warnings.append(f"they name each other: {' -> '.join([*way[way.index(path) :], path])}")
            return
        if path not in self.chosen:
            found = self._read(path, f"{file.path}: its {kind} {path}")
            if found is None or (kind == "child" and not self._wanted(found, file)):
                return
            self._add(found, f"{kind} of {file.path}")
        self._follow(path, (*way, path), hops)

    def _wanted(self, child: ContextFile, parent: ContextFile) -> bool:
        if not self.query.asks or not child.front.speaks or _about(child.front, self.query):
            return True
        self.omitted[child.path] = f"child of {parent.path}: {_UNASKED}"
        return False

    def _choose(
        self, path: str, reason: str, *, on_the_way: bool = False, required: bool = False, must_exist: bool = True
    ) -> Chosen | None:
        if path in self.chosen:
            known = self.chosen[path]
            self.chosen[path] = replace(known, on_the_way=known.on_the_way or on_the_way)
            return known
        file = self._read(path, path, must_exist=must_exist)
        return None if file is None else self._add(file, reason, on_the_way=on_the_way, required=required)

    def _add(self, file: ContextFile, reason: str, *, on_the_way: bool = False, required: bool = False) -> Chosen:
        self.warnings.extend(f"{file.path}: {problem}" for problem in file.problems)
        self.chosen[file.path] = Chosen(
            file=file,
            reason=reason,
            priority=file.front.priority,
            on_the_way=on_the_way,
            required=required,
            matches=len(_about(file.front, self.query)),
        )
        return self.chosen[file.path]

    def _read(self, path: str, named: str, *, must_exist: bool = True) -> ContextFile | None:
        try:
            return read_file(self.root, path, self.observed)
        except UnusableFileError as error:
            if must_exist or str(error) != "is missing":
                self.warnings.append(f"{named} {error}")
            return None

    def _resolved(self, beside: str, text: str, named: str) -> str | None:
        try:
            path = resolve(self.root, beside, text, self.observed)
        except OutsideError as error:
            self.warnings.append(f"{named} {error}")
            return None
        except (OSError, ValueError) as error:
            self.warnings.append(f"{named} can't be found: {error}")
            return None
        if path is None:
            self.warnings.append(f"{named} is missing")
        return path

    def _raise_priorities(self) -> None:
        # What a file needs is worth what the file is worth; cycles end it as nothing rises any more.
        rises = True
        while rises:
            rises = False
            for chosen in list(self.chosen.values()):
                for path in self._needed_by(chosen.file):
                    if path in self.chosen and self.chosen[path].priority < chosen.priority:
                        self.chosen[path] = replace(self.chosen[path], priority=chosen.priority)
                        rises = True

    def _needed_by(self, file: ContextFile) -> Iterable[str]:
        for text in (*file.front.dependencies, *file.imports):
            # What can't be found was said when it was followed.
            with contextlib.suppress(OutsideError, OSError, ValueError):
                path = resolve(self.root, file.path, text, self.observed)
                if path is not None:
                    yield path


def _about(front: FrontMatter, query: Query) -> list[str]:
    """Return what of a query a file is about, as a person calls it."""
    found = []
    if query.task_type is not None and query.task_type.casefold() in front.task_types:
        found.append(f"task type {query.task_type!r}")
    if front.keywords:
        found += [
            f"keyword {word!r}" for word in dict.fromkeys(query.keywords) if word.strip().casefold() in front.keywords
        ]
    return found
