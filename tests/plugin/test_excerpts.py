"""Bad files: each problem is shown with its line, and a caret where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.errors import Problem
from pytest_workflow_exec.plugin._excerpts import excerpt

from .conftest import Project


def test_each_problem_is_shown_in_its_line(project: Project) -> None:
    """In the workflow and in a fragment; nothing runs."""
    project.write(
        "wf/bad.workflow.yaml", "steps:\n  - {id: a, run: [touch, ran-a], timeout: 5}\n  - include: _f.workflow.yaml\n"
    )
    project.write("wf/_f.workflow.yaml", "steps:\n  - {id: b, rum: [touch, ran-b]}\n")

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert (
        "  wf/bad.workflow.yaml:2:43: '5' is no duration: write it like 90s, 5m, 1h30m or 7d\n"
        "      2 |   - {id: a, run: [touch, ran-a], timeout: 5}\n"
        "        |                                           ^\n"
    ) in session.text
    assert ("      2 |   - {id: b, rum: [touch, ran-b]}\n        |             ^\n") in session.text
    assert project.untouched


@pytest.mark.parametrize(
    ("content", "line", "column", "shown"),
    [
        (b"a: b\r\nc: \xc3\xa9d\r\n", 2, 5, ["2 | c: \u00e9d", "  |     ^"]),
        ("\ufeffa: \u4f60\x1b[2Jx\u202ey".encode(), 1, 8, ["1 | a: ??[2Jx?y", "  |        ^"]),
        (b"\ta", 1, 2, ["1 |  a", "  |  ^"]),
        (b"a", 1, 99, ["1 | a", "  |  ^"]),
        (b"x" * 500, 1, 300, ["1 | ..." + "x" * 100 + "...", "  | " + " " * 63 + "^"]),
        (b"a\n\nb", 2, 1, []),
        (b"a", 9, 1, []),
        (b"\xff", 1, 1, []),
    ],
    ids=["no ASCII", "does something", "tab", "behind the end", "long", "empty line", "no such line", "no text"],
)
def test_line_is_shown_as_it_can_be(tmp_path: Path, content: bytes, line: int, column: int, shown: list[str]) -> None:
    """Whatever stands in it does nothing to a terminal, and the caret stands below its place."""
    (tmp_path / "file").write_bytes(content)

    assert list(excerpt(Problem(message="x", path=tmp_path / "file", line=line, column=column))) == shown


def test_what_has_no_place_has_no_line(tmp_path: Path) -> None:
    """A file that is gone, a problem of the whole file."""
    assert list(excerpt(Problem(message="x", path=tmp_path / "gone", line=1, column=1))) == []
    assert list(excerpt(Problem(message="x", path=tmp_path, line=1, column=1))) == []
    assert list(excerpt(Problem(message="x", path=tmp_path / "gone"))) == []
