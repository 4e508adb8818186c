"""When existing tests prove something, and when they prove nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import VerifyFailedError
from pytest_workflow_exec.run._verify_tests import ChildReport, check_report, read_report


def test_passed_tests_prove_something() -> None:
    """Tests that all ran and passed are accepted."""
    check_report(ChildReport(collected=("a", "b"), ran={"a": "passed", "b": "passed"}), skips_allowed=False)


@pytest.mark.parametrize(
    ("collected", "ran", "message"),
    [
        (["a"], {"a": "failed"}, "failed"),
        (["a", "b"], {"a": "passed"}, "did not run"),
        (["a", "b"], {"a": "passed", "b": "skipped"}, "skipped"),
        ([], {}, "no test passed"),
        (["a"], {"a": "broken"}, "failed"),
    ],
)
def test_anything_less_proves_nothing(collected: list[str], ran: dict[str, str], message: str) -> None:
    """A failed, missing or skipped test, and no test at all, fail the step."""
    with pytest.raises(VerifyFailedError, match=message):
        check_report(ChildReport(collected=tuple(collected), ran=ran), skips_allowed=False)


def test_skips_count_only_where_they_are_allowed() -> None:
    """With `skips: allow` a skipped test is accepted, but only beside one that passed."""
    check_report(ChildReport(collected=("a", "b"), ran={"a": "passed", "b": "skipped"}), skips_allowed=True)

    with pytest.raises(VerifyFailedError, match="no test passed"):
        check_report(ChildReport(collected=("b",), ran={"b": "skipped"}), skips_allowed=True)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", json.dumps({"collected": 3, "ran": {}})])
def test_report_that_is_none_proves_nothing(tmp_path: Path, content: str | None) -> None:
    """A missing report, or one that can't be understood, fails the step."""
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(VerifyFailedError, match="prove nothing"):
        read_report(path)
