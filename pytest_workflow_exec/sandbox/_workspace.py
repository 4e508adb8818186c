"""Paths in the project as arguments: judged as they are written, without looking at any file."""

from __future__ import annotations

from ._tokens import has_control

_KEPT = frozenset({".git", ".workflow-exec"})


def workspace_problem(word: str, *, dashed: bool = False) -> str | None:
    """Return why an argument is no plain path in the project, or None if it is one.

    Args:
        dashed: Whether it may begin with a dash, because options have ended before it.
    """
    if word == "" or has_control(word):
        return "must not be empty or hold control characters"
    if word.startswith("/"):
        return "must be relative to the project"
    if word[0] in "~@+" or word == "-" or (word[0] == "-" and not dashed):
        return "must not begin with '~', '@', '+' or '-': programs read more than a name in it"
    if ":" in word or "=" in word:
        return "must not hold ':' or '=': programs read more than a name in it"
    return _problem_of_names(word.split("/"))


def _problem_of_names(names: list[str]) -> str | None:
    if ".." in names:
        return "must not lead out of the project"
    if any(name.rstrip(". ").casefold() in _KEPT for name in names):
        return "must not lie in .git or .workflow-exec"
    return None
