"""The command line tool: reads evidence, needs neither pytest nor the project's own code."""

from __future__ import annotations

from ._main import main

__all__ = ["main"]
