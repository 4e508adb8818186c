"""Where the plugin's state sits: one typed key for each kind of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_workflow_exec.definition import EachLists

    from ._planned import PlannedItem
    from ._session import WorkflowSession

SESSION: pytest.StashKey[WorkflowSession] = pytest.StashKey()
"""On the config: the workflows of this session."""

PLANNED: pytest.StashKey[PlannedItem] = pytest.StashKey()
"""On an item: which step of which workflow it is."""

LISTS: pytest.StashKey[EachLists] = pytest.StashKey()
"""On a Python workflow's module: the lists behind its `@each`."""
