"""Reading one file of the project: inside it, bounded, and only once while it stays the same."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import OrderedDict
from functools import cached_property

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._front_matter import FrontMatter, split_front_matter
from ._markdown import imports_of, sections_of
from ._observed import Identity, Observed, identity_of, is_settled

NAME = "CLAUDE.md"
MAX_BYTES = 262_144
_CACHED_FILES = 8_192


class UnusableFileError(Exception):
    """A file can't be used; the text says why."""


@dataclass(frozen=True, kw_only=True)
class ContextFile:
    """A file as it was read."""

    path: str
    """From the project's root, with `/`."""
    sha256: str
    front: FrontMatter
    body: str
    problems: tuple[str, ...]

    @cached_property
    def sections(self) -> tuple[str, ...]:
        """Its text, cut in front of each heading."""
        return sections_of(self.body)

    @cached_property
    def imports(self) -> tuple[str, ...]:
        """The paths that its text imports."""
        return imports_of(self.body)


_cache: OrderedDict[tuple[str, str], tuple[Identity, ContextFile]] = OrderedDict()
_lock = threading.Lock()


def read_file(root: str, path: str, observed: Observed) -> ContextFile:
    """Return a file of the project.

    Args:
        root: The project, without links in it.
        path: From there.
        observed: Notes where was looked.

    Raises:
        UnusableFileError: It is missing, unreadable, no ordinary file, too large, or not UTF-8.
    """
    place = os.path.join(root, path)  # noqa: PTH118  # a thousand files in milliseconds: no Path for each
    facts = observed.note(place)
    if facts is None:
        raise UnusableFileError("is missing")
    if stat.S_ISLNK(facts.st_mode):
        facts = _behind(root, place, observed)
    identity = identity_of(facts)
    with _lock:
        known = _cache.get((root, path))
        if known is not None and known[0] == identity:
            _cache.move_to_end((root, path))
            return known[1]
    identity, content = _content(place)
    with _lock:
        file = known[1] if known is not None and known[1].sha256 == _digest(content) else _parsed(path, content)
        if is_settled(identity):
            _cache[root, path] = (identity, file)
            while len(_cache) > _CACHED_FILES:
                _cache.popitem(last=False)
    return file


def _behind(root: str, link: str, observed: Observed) -> os.stat_result:
    place = os.path.realpath(link)
    if os.path.commonpath([root, place]) != root:
        raise UnusableFileError("is a link that leads out of the project")
    facts = observed.note(place)
    if facts is None:
        raise UnusableFileError("is a link to nothing")
    return facts


def _content(place: str) -> tuple[Identity, bytes]:
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnusableFileError(_why(error)) from error
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise UnusableFileError("is no ordinary file")
        try:
            content = file.read(MAX_BYTES + 1) or b""
        except OSError as error:
            raise UnusableFileError(_why(error)) from error
    if len(content) > MAX_BYTES:
        raise UnusableFileError(f"has more than {MAX_BYTES} bytes")
    return identity_of(facts), content


def _parsed(path: str, content: bytes) -> ContextFile:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"is not UTF-8: byte {error.start}") from error
    front, body, problems = split_front_matter(text)
    return ContextFile(path=path, sha256=_digest(content), front=front, body=body, problems=problems)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _why(error: OSError) -> str:
    return "is missing" if isinstance(error, FileNotFoundError) else f"can't be read: {error.strerror or error}"
