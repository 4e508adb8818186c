"""The CLAUDE.md files of a project: which ones matter for a piece of work, and how much of them fits."""

from __future__ import annotations

from ._context import Context, Cut, Loaded, Omitted, Query
from ._load import ContextError, load_context
from ._sections import Section, sections_within
from ._tokens import tokens_of

__all__ = [
    "Context",
    "ContextError",
    "Cut",
    "Loaded",
    "Omitted",
    "Query",
    "Section",
    "load_context",
    "sections_within",
    "tokens_of",
]
