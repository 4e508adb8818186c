"""Counts with their nouns."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.counted import counted, was


@pytest.mark.parametrize(("count", "said"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (11, "11 steps")])
def test_a_noun_follows_its_count(count: int, said: str) -> None:
    """One is one, everything else is several."""
    assert counted(count, "step") == said


@pytest.mark.parametrize(("count", "said"), [(0, "were"), (1, "was"), (2, "were")])
def test_a_verb_follows_its_count(count: int, said: str) -> None:
    """One was, several were."""
    assert was(count) == said
