"""A context is made once while nothing changes, and anew for every change."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable

import pytest

from .conftest import Tree, paths


def _settle() -> None:
    # Files of this very moment are never trusted to be the same: their times could stand still.
    time.sleep(0.06)


def test_the_same_files_give_the_same_context(tree: Tree) -> None:
    """Nothing is read again while nothing changed."""
    tree.write("CLAUDE.md", "one", keywords="[k]")
    _settle()

    assert tree.load(keywords=("k",)) is tree.load(keywords=("k",))


def test_young_files_are_never_trusted(tree: Tree) -> None:
    """A file that was just written may be written again within one tick of the clock: it is read again."""
    file = tree.write("CLAUDE.md", "one")
    facts = file.stat()
    assert "one" in tree.load().text

    file.write_text("two")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    assert "two" in tree.load().text


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree.write("CLAUDE.md", "new", children="[docs]"),
        lambda tree: tree.write("docs/CLAUDE.md", "new", keywords="[k]"),
        lambda tree: tree.write("more/CLAUDE.md", "new", keywords="[k]"),
        lambda tree: tree.write("docs/inner/CLAUDE.md", "new", keywords="[k]"),
        lambda tree: tree.write("late.md", "new"),
        lambda tree: shutil.rmtree(tree.root / "docs"),
        lambda tree: (tree.root / "docs").rename(tree.root / "moved"),
        lambda tree: (tree.root / "CLAUDE.md").unlink(),
    ],
    ids=["root", "child", "added", "deeper", "dependency", "removed", "moved", "gone"],
)
def test_every_change_is_seen(tree: Tree, change: Callable[[Tree], object]) -> None:
    """An edit, a new file, a removed or moved folder, and a target that was missing are all seen."""
    tree.write("CLAUDE.md", "root", dependencies="[late.md]", children="[docs]")
    tree.write("docs/CLAUDE.md", "docs", keywords="[k]")
    _settle()
    before = tree.load(keywords=("k",))

    change(tree)

    assert tree.load(keywords=("k",)) != before


def test_a_link_that_turns_is_seen(tree: Tree) -> None:
    """A link on the way to a target that leads elsewhere afterwards is followed anew."""
    tree.write("one/notes.md", "first")
    tree.write("two/notes.md", "second")
    (tree.root / "now").symlink_to("one")
    tree.write("CLAUDE.md", "root", dependencies="[now/notes.md]")
    _settle()
    assert paths(tree.load()) == ["CLAUDE.md", "one/notes.md"]

    (tree.root / "now").unlink()
    (tree.root / "now").symlink_to("two")

    assert paths(tree.load()) == ["CLAUDE.md", "two/notes.md"]
