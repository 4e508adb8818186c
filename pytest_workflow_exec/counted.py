"""Counts as people read them."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 step`, `3 steps`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def was(count: int) -> str:
    """Return the verb behind a count: `was` behind one, `were` behind all else."""
    return "was" if count == 1 else "were"
