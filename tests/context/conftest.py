"""A project with CLAUDE.md files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.context import Context, Query, load_context


class Tree:
    """A project whose files a test writes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str = "", **front: object) -> Path:
        """Write a file, with front matter if there is any."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        keys = "".join(f"{key}: {value}\n" for key, value in front.items())
        place.write_text((f"---\n{keys}---\n" if front else "") + text, encoding="utf-8")
        return place

    def load(self, at: str = ".", **query: object) -> Context:
        """Return the context of work in a folder."""
        return load_context(self.root, self.root / at, Query(**query))  # type: ignore[arg-type]  # of a test's own


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty project."""
    root = tmp_path / "project"
    root.mkdir()
    return Tree(root)


def paths(context: Context) -> list[str]:
    """Return what was loaded."""
    return [file.path for file in context.files]
