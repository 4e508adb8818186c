"""Where git keeps the repository of a linked working tree: outside the project, so that reading it is granted for git alone."""

from __future__ import annotations

import os

_LINK, _PREFIX = ".git", "gitdir: "
_LONGEST = 4096
# What git reads to look at a repository; no hooks, and nothing of other working trees or submodules.
_OF_REPOSITORY = ("HEAD", "config", "info", "objects", "packed-refs", "refs", "shallow")


def linked_tree(root: str) -> tuple[str, ...]:
    """Return what git has to read of the repository that the project is a linked working tree of; else nothing.

    Each side must name the other, as git writes it: a project can't have a repository by saying so.
    """
    # No path objects: they take ten times as long, and this is asked for each command.
    top = os.path.realpath(root)
    said = _line(f"{top}/{_LINK}")
    if not said.startswith(_PREFIX):
        return ()
    own = _led(top, said.removeprefix(_PREFIX))
    common = _led(own, _line(f"{own}/commondir"))
    folder, name = os.path.split(_line(f"{own}/gitdir"))
    if os.path.split(own)[0] != f"{common}/worktrees" or (_led(own, folder), name) != (top, _LINK):
        return ()
    return (own, *(f"{common}/{name}" for name in _OF_REPOSITORY))


def _led(folder: str, path: str) -> str:
    return os.path.realpath(f"{folder}/{path}" if not path.startswith("/") else path)


def _line(path: str) -> str:
    """Return the only line of a small file; empty if it is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        content = os.read(descriptor, _LONGEST + 1)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    line, newline, rest = os.fsdecode(content).partition("\n")
    return "" if rest or not newline or "\0" in line or len(content) > _LONGEST else line
