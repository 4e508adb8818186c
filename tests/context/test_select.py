"""Which files matter: the way down, what was asked for, and what those files name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_workflow_exec.context import ContextError

from .conftest import Tree, paths


def test_the_way_from_the_root_is_loaded_root_first(tree: Tree) -> None:
    """Every file from the root down to the work is loaded, in this order, and none beside it."""
    for path in ("a/b/CLAUDE.md", "CLAUDE.md", "a/CLAUDE.md", "a/other/CLAUDE.md"):
        tree.write(path, path)

    context = tree.load("a/b")

    assert paths(context) == ["CLAUDE.md", "a/CLAUDE.md", "a/b/CLAUDE.md"]
    assert context.text.index("===== CLAUDE.md") < context.text.index("===== a/b/CLAUDE.md")
    assert context.warnings == ()


@pytest.mark.parametrize("place", ["task_types: [release]", "context:\n  task_types: [release]", "task_types: release"])
def test_task_type_selects_files_anywhere(tree: Tree, place: str) -> None:
    """A file whose front matter, at the top or under context, names the task type is loaded from anywhere."""
    tree.write("docs/CLAUDE.md", f"---\n{place}\n---\nabout releases")
    tree.write("other/CLAUDE.md", "---\ntask_types: [review]\n---\n")
    tree.write("silent/CLAUDE.md", "nothing")

    context = tree.load(task_type="Release")

    assert paths(context) == ["docs/CLAUDE.md"]
    assert context.files[0].reason == "is about task type 'Release'"
    assert {each.path: each.reason for each in context.omitted} == {
        "other/CLAUDE.md": "nothing that it is about was asked for",
        "silent/CLAUDE.md": "is not on the way and says nothing of itself",
    }
    assert paths(tree.load()) == []


def test_keywords_select_whatever_their_case(tree: Tree) -> None:
    """One keyword in common is enough, in any case."""
    tree.write("docs/CLAUDE.md", "x", keywords="[Gate, audit]")

    assert paths(tree.load(keywords=("nothing", "GATE"))) == ["docs/CLAUDE.md"]
    assert paths(tree.load(keywords=("gat",))) == []


def test_children_are_loaded_unless_they_are_about_something_else(tree: Tree) -> None:
    """A child folder or file is loaded if nothing was asked, if it says nothing of itself, or if it fits."""
    tree.write("CLAUDE.md", "root", children="[docs, notes/style.md, about]")
    tree.write("docs/CLAUDE.md", "docs", keywords="[docs]")
    tree.write("notes/style.md", "style")
    tree.write("about/CLAUDE.md", "about", keywords="[gate]")

    assert paths(tree.load()) == ["CLAUDE.md", "about/CLAUDE.md", "docs/CLAUDE.md", "notes/style.md"]
    asked = tree.load(keywords=("gate",))
    assert paths(asked) == ["CLAUDE.md", "about/CLAUDE.md", "notes/style.md"]
    assert [(each.path, each.reason) for each in asked.omitted] == [
        ("docs/CLAUDE.md", "child of CLAUDE.md: nothing that it is about was asked for")
    ]


def test_dependencies_are_loaded_whatever_they_are_about(tree: Tree) -> None:
    """What a loaded file depends on is loaded: from beside the file, else from the root."""
    tree.write("a/CLAUDE.md", "a", dependencies="[near, far]")
    tree.write("a/near/CLAUDE.md", "near", keywords="[other]")
    tree.write("far/CLAUDE.md", "far", keywords="[other]", dependencies="[../deep/more.md]")
    tree.write("deep/more.md", "more")

    context = tree.load("a", keywords=("asked",))

    assert paths(context) == ["a/CLAUDE.md", "deep/more.md", "far/CLAUDE.md", "a/near/CLAUDE.md"]
    assert {file.path: file.reason for file in context.files}["deep/more.md"] == "dependency of far/CLAUDE.md"


def test_imports_are_loaded_outside_of_code_only(tree: Tree) -> None:
    """`@path` in a text imports a file; in code, and without a slash or an ending, it is text."""
    for name in ("one.md", "two.md", "fenced.md", "span.md", "indented.md", "three.md"):
        tree.write(f"docs/{name}", name)
    tree.write(
        "docs/CLAUDE.md",
        "See @one.md, and (@two.md). Ask @alice or a@three.md.\n\n"
        "```sh\n@fenced.md\n```\n`@span.md`\n\n    @indented.md\n\n- @docs/three.md.\n",
    )

    context = tree.load("docs")

    assert paths(context) == ["docs/CLAUDE.md", "docs/one.md", "docs/three.md", "docs/two.md"]
    assert context.warnings == ()


def test_imports_end_after_five_hops(tree: Tree) -> None:
    """The fifth import after one another is loaded, and said to import more."""
    tree.write("CLAUDE.md", "@i1.md")
    for number in range(1, 8):
        tree.write(f"i{number}.md", f"@i{number + 1}.md")

    context = tree.load()

    assert paths(context) == ["CLAUDE.md", *(f"i{number}.md" for number in range(1, 6))]
    assert context.warnings == ("i5.md: its imports were not followed: it is 5 imports away",)


def test_cycles_are_said_and_end(tree: Tree) -> None:
    """Files that name each other are each loaded once, and the circle is named."""
    tree.write("CLAUDE.md", "root", dependencies="[a]")
    tree.write("a/CLAUDE.md", "a", dependencies="[../b]")
    tree.write("b/CLAUDE.md", "b", dependencies="[../a]")

    context = tree.load()

    assert paths(context) == ["CLAUDE.md", "a/CLAUDE.md", "b/CLAUDE.md"]
    assert context.warnings == ("they name each other: a/CLAUDE.md -> b/CLAUDE.md -> a/CLAUDE.md",)


def test_two_that_need_one_are_no_cycle(tree: Tree) -> None:
    """A file that two others name is loaded once, without a word."""
    tree.write("CLAUDE.md", "root", dependencies="[a, b]")
    tree.write("a/CLAUDE.md", "a", dependencies="[../shared.md]")
    tree.write("b/CLAUDE.md", "b", dependencies="[../shared.md]")
    tree.write("shared.md", "shared")

    context = tree.load()

    assert paths(context) == ["CLAUDE.md", "shared.md", "a/CLAUDE.md", "b/CLAUDE.md"]
    assert context.warnings == ()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("gone.md", "is missing"),
        ("../outside.md", "leads out of the project"),
        ("/etc/passwd", "leads out of the project"),
        ("~/x.md", "leads out of the project"),
        ("link-out.md", "leads out of the project"),
        ("link-folder", "leads out of the project"),
        ("big.md", "has more than 262144 bytes"),
        ("latin.md", "is not UTF-8: byte 1"),
        ("queue", "is no ordinary file"),
    ],
)
def test_what_can_not_be_loaded_is_said(tree: Tree, tmp_path: Path, target: str, said: str) -> None:
    """A target that is missing, outside, too large, no text or no file is a warning with its name, and nothing of it loads."""
    outside = tmp_path / "outside.md"
    outside.write_text("SECRET")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "CLAUDE.md").write_text("SECRET")
    (tree.root / "link-out.md").symlink_to(outside)
    (tree.root / "link-folder").symlink_to(tmp_path / "folder")
    tree.write("big.md", "x" * 300_000)
    (tree.root / "latin.md").write_bytes(b"\xe4\xff")
    os.mkfifo(tree.root / "queue")
    tree.write("CLAUDE.md", "root", dependencies=f"['{target}']")

    context = tree.load()

    assert paths(context) == ["CLAUDE.md"]
    assert len(context.warnings) == 1
    assert target.removeprefix("~").strip("./") in context.warnings[0]
    assert said.replace("byte 1", "byte 0") in context.warnings[0]
    assert "SECRET" not in context.text
    with pytest.raises(ContextError, match="required, but not loaded whole"):
        tree.load(required=(target,))


def test_own_file_that_is_a_link_out_is_not_loaded(tree: Tree, tmp_path: Path) -> None:
    """A CLAUDE.md that is itself a link out of the project is a warning."""
    (tmp_path / "outside.md").write_text("---\nkeywords: [k]\n---\nSECRET")
    (tree.root / "docs").mkdir()
    (tree.root / "docs" / "CLAUDE.md").symlink_to(tmp_path / "outside.md")

    for context in (tree.load("docs"), tree.load(keywords=("k",))):
        assert paths(context) == []
        assert context.warnings == ("docs/CLAUDE.md is a link that leads out of the project",)


def test_a_link_inside_the_project_is_followed(tree: Tree) -> None:
    """A link that stays inside is the file that it leads to, loaded once."""
    tree.write("real/CLAUDE.md", "real")
    (tree.root / "docs").symlink_to(tree.root / "real")
    tree.write("CLAUDE.md", "root", dependencies="[docs, real]")

    assert paths(tree.load()) == ["CLAUDE.md", "real/CLAUDE.md"]


def test_environments_and_hidden_folders_are_passed_by(tree: Tree) -> None:
    """Files of others, in virtual environments, hidden folders and node_modules, are not looked at."""
    for folder in (".hidden", "node_modules/x", "env/lib"):
        tree.write(f"{folder}/CLAUDE.md", "x", keywords="[k]")
    tree.write("env/pyvenv.cfg", "")

    context = tree.load(keywords=("k",))

    assert (paths(context), context.omitted) == ([], ())


def test_a_place_outside_the_project_is_refused(tree: Tree, tmp_path: Path) -> None:
    """Work outside the project has no context."""
    with pytest.raises(ContextError, match="lies outside the project"):
        tree.load(str(tmp_path))
