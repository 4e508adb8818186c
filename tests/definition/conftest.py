"""A project with what workflow files refer to."""

from __future__ import annotations

from pathlib import Path

import pytest

from ._samples import make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the root of a project: functions and tests beside the workflows, each leaving a mark if it runs."""
    return make_project(tmp_path / "project")
