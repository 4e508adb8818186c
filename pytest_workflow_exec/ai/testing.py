"""For tests of workflows with AI steps: a model that says what the test scripted, behind the real SDK and CLI."""

from __future__ import annotations

from ._fake_api import FakeClaude

__all__ = ["FakeClaude"]
