"""What a file says of itself, and what is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_workflow_exec.context._front_matter import FrontMatter, Priority, split_front_matter

WHOLE = """\
keywords: [Workflow, no, 12:30]
task_types: implementation, review
priority: high
max_tokens: 2000
children: [docs]
dependencies: [../shared/CLAUDE.md]
"""


@pytest.mark.parametrize(
    "text",
    [
        f"---\n{WHOLE}---\nbody",
        "---\ncontext:\n" + "".join(f"  {line}\n" for line in WHOLE.splitlines()) + "title: mine\n---\nbody",
        f"---\n{WHOLE}---\nbody".replace("\n", "\r\n"),
    ],
    ids=["top", "nested", "crlf"],
)
def test_every_key_is_read(text: str) -> None:
    """At the top level or under context, every key is read as it is written, whatever YAML makes of such words."""
    front, body, problems = split_front_matter(text)

    assert front == FrontMatter(
        keywords=frozenset({"workflow", "no", "12:30"}),
        task_types=frozenset({"implementation", "review"}),
        priority=Priority.HIGH,
        max_tokens=2000,
        children=("docs",),
        dependencies=("../shared/CLAUDE.md",),
    )
    assert (body, problems) == ("body", ())


def test_none_is_fine() -> None:
    """A file without front matter has only text, a rule in it included."""
    text = "# Title\n---\nmore\n"

    assert split_front_matter(text) == (FrontMatter(), text, ())


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("priority: urgent", "'priority' in its front matter must be one of critical, high, medium, low"),
        ("max_tokens: many", "'max_tokens' in its front matter must be a whole number of at least 1"),
        ("max_tokens: 0", "'max_tokens' in its front matter must be a whole number of at least 1"),
        ("keywords: {a: b}", "'keywords' in its front matter must be a list of texts"),
        ("children: [[a]]", "'children' in its front matter must be a list of texts"),
        ("context: {keyword: [a]}", "unknown key 'keyword' in 'context'; did you mean 'keywords'?"),
        ("context: {zzz: [a]}", "unknown key 'zzz' in 'context' (known: keywords,"),
        ("keywords: [a]\nkeywords: [b]", "has 'keywords' twice; the first counts"),
        ("keywords: [a", "is not valid YAML"),
        ("- a", "is no table of keys"),
        ("x: " + "y" * 20_000, "has more than 16384 characters"),
    ],
)
def test_a_mistake_is_said_and_the_text_stays(source: str, said: str) -> None:
    """What is wrong in front matter is said, and the text below it is loaded all the same."""
    _, body, problems = split_front_matter(f"---\n{source}\n---\nbody")

    assert body == "body"
    assert len(problems) == 1
    assert said in problems[0]


def test_front_matter_without_end_is_text() -> None:
    """Without its closing line everything is text."""
    text = "---\nkeywords: [a]\n"

    assert split_front_matter(text) == (FrontMatter(), text, ("its front matter has no closing ---",))


@given(st.text(max_size=300))
def test_nothing_breaks_the_reader(source: str) -> None:
    """Whatever stands between the lines, the reader gives text and words, never an error."""
    front, _, problems = split_front_matter(f"---\n{source}\n---\nbody")

    assert isinstance(front, FrontMatter)
    assert all(isinstance(problem, str) for problem in problems)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_a_mistake_as_any_other(opening: str) -> None:
    """Nesting without end is said to be wrong."""
    _, body, problems = split_front_matter(f"---\n{opening * 4_000}\n---\nbody")

    assert body == "body"
    assert len(problems) == 1
