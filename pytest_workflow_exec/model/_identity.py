"""What things are called: steps, runs, and places in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

StepId = str
"""A step's identity everywhere: `[a-z][a-z0-9_-]*`, one case of it `deploy[web1]`; never its position."""

RunId = str
"""A UUID version 7 in its usual spelling: sorting run ids sorts runs by their start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a file; lines and columns count from 1."""

    path: Path
    line: int
    column: int = 1
