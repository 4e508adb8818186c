"""What fits: by importance, cut between sections, and never without a word."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.context import Query, sections_within, tokens_of
from pytest_workflow_exec.context._markdown import sections_of

from .conftest import Tree, paths


def test_a_token_is_four_ascii_characters_or_one_other() -> None:
    """The estimate is the documented one."""
    assert [tokens_of(text) for text in ("", "abcd", "abcde", "日本", "abcd日")] == [0, 1, 2, 2, 2]


def test_priority_decides_what_stays(tree: Tree) -> None:
    """Of files that do not all fit, the most important stay, and the others are named."""
    for name, priority in (("a", "low"), ("b", "critical"), ("c", "medium"), ("d", "high")):
        tree.write(f"{name}/CLAUDE.md", "x" * 400, keywords="[k]", priority=priority)

    context = tree.load(keywords=("k",), max_tokens=230)

    assert paths(context) == ["b/CLAUDE.md", "d/CLAUDE.md"]
    assert context.tokens <= 230
    assert [each.path for each in context.omitted] == ["c/CLAUDE.md", "a/CLAUDE.md"]
    assert all("it needs about 107 tokens and" in each.reason for each in context.omitted)
    assert [warning.split(" ")[0] for warning in context.warnings] == ["c/CLAUDE.md", "a/CLAUDE.md"]


def test_what_an_important_file_needs_is_as_important(tree: Tree) -> None:
    """A dependency stays as long as the file that needs it."""
    tree.write("CLAUDE.md", "x" * 100, priority="critical", dependencies="[needed.md]")
    tree.write("needed.md", "x" * 100, priority="low")
    tree.write("a/CLAUDE.md", "x" * 100, priority="high")

    assert paths(tree.load("a", max_tokens=70)) == ["CLAUDE.md", "needed.md"]


def test_a_long_file_ends_behind_a_section(tree: Tree) -> None:
    """A file that does not fit is cut in front of a heading, never in code, and says what is missing."""
    tree.write("CLAUDE.md", "# One\n" + "a" * 200 + "\n```\n# no heading\n```\n# Two\n" + "b" * 200 + "\n# Three\nc\n")

    context = tree.load(max_tokens=100)

    [file] = context.files
    assert file.cut is not None
    assert (file.cut.sections, file.cut.of_sections) == (2, 3)
    assert "# no heading" in file.text
    assert "bbb" not in file.text
    assert "[cut to fit: the last 2 of 3 sections of CLAUDE.md, about 55 tokens, are left out]" in file.text
    assert context.warnings == ("CLAUDE.md is cut: 2 of 3 sections",)
    assert context.tokens <= 100


def test_own_limit_of_a_file_holds(tree: Tree) -> None:
    """A file's own max_tokens cuts it, however much is left; a required file is never cut."""
    tree.write("CLAUDE.md", "# One\n" + "a" * 100 + "\n# Two\n" + "b" * 400, max_tokens=80)

    assert "bbb" not in tree.load().text
    assert "bbb" in tree.load(required=("CLAUDE.md",)).text


def test_no_budget_is_no_query() -> None:
    """A budget in which nothing could fit is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        Query(max_tokens=0)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["low", "high", "critical"]), st.integers(0, 900))), st.integers(1, 700))
def test_the_budget_always_holds(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, int]], most: int
) -> None:
    """Whatever there is, no more is loaded than was allowed, and every file is either loaded or named."""
    tree = Tree(tmp_path_factory.mktemp("project"))
    for number, (priority, size) in enumerate(files):
        tree.write(f"d{number}/CLAUDE.md", "# A\n" + "x" * size + "\n# B\ny\n", keywords="[k]", priority=priority)

    context = tree.load(keywords=("k",), max_tokens=most)

    assert context.tokens <= most
    assert tokens_of(context.text) <= most + len(context.files)
    assert sorted([*paths(context), *(each.path for each in context.omitted)]) == sorted(
        f"d{number}/CLAUDE.md" for number in range(len(files))
    )


@given(st.text(alphabet="# ab\n`~\t"))
def test_sections_joined_are_the_text(text: str) -> None:
    """Cutting a text into sections loses nothing of it."""
    assert "".join(sections_of(text)) == text


def test_sections_of_a_run_share_their_budget() -> None:
    """Each text gets its share, what is too long is cut between lines, and what does not fit at all is left out."""
    found = sections_within({"inputs": "a: 1", "outputs": "line of words\n" * 100}, 100)

    assert [(each.name, each.cut) for each in found] == [("inputs", False), ("outputs", True)]
    assert sum(each.tokens for each in found) <= 100
    assert "lines of outputs]" in found[1].text
    assert sections_within({"inputs": "a" * 100}, 10) == ()
