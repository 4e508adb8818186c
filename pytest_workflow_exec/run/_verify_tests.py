"""A `verify:` step: existing tests in a pytest of their own, and whether all that was collected ran and passed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.counted import counted, was
from pytest_workflow_exec.errors import VerifyFailedError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Verify

REPORT_VARIABLE = "WORKFLOW_EXEC_CHILD_REPORT"
"""Tells the reporter in the child pytest where to write."""

_REPORTER = "pytest_workflow_exec.plugin._child_report"
_NAMED = 5
_PASSED = "passed"
_SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReport:
    """What the child pytest says it did."""

    collected: tuple[str, ...]
    ran: Mapping[str, str]
    """`passed`, `failed` or `skipped` by test; an expected failure counts as skipped."""


def child_command(verify: Verify) -> list[str]:
    """Return the command of the child pytest: this interpreter, without this plugin, with the reporter."""
    return [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:workflow_exec",
        "-p",
        _REPORTER,
        "-p",
        "no:cacheprovider",
        str(verify.path),
    ]


def held_back(output: str) -> str | None:
    """Return what confinement kept a pytest from that did not get far enough to report; None if it is not known.

    Args:
        output: What it printed.
    """
    if "pytest_rerunfailures" not in output or "PermissionError" not in output:
        return None
    return (
        "pytest-rerunfailures beside pytest-xdist opens a socket in every session, and these tests may open none. Say "
        '-p no:rerunfailures in the addopts of the tests, or needs = ["loopback"] in [tool.workflow-exec.policy.verify].'
    )


def read_report(path: Path) -> ChildReport:
    """Return what the reporter wrote.

    Raises:
        VerifyFailedError: It wrote nothing, or nothing that can be understood: then nothing is proven.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return ChildReport(collected=tuple(data["collected"]), ran=dict(data["ran"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = "the tests left no report of what they did, so they prove nothing"
        raise VerifyFailedError(message) from error


def check_report(report: ChildReport, *, skips_allowed: bool, failures_expected: bool = False) -> None:
    """Return if what was collected is what ran, something passed, nothing failed, and nothing was skipped.

    Args:
        report: What the reporter wrote.
        skips_allowed: Whether a skipped test is accepted.
        failures_expected: Whether the step expects an exit status of its own, which then speaks for failed tests.

    Raises:
        VerifyFailedError: Says which of these does not hold.
    """
    missing = [test for test in report.collected if test not in report.ran]
    skipped = [test for test, outcome in report.ran.items() if outcome == _SKIPPED]
    failed = [test for test, outcome in report.ran.items() if outcome not in (_PASSED, _SKIPPED)]
    for tests, what in (
        ([] if failures_expected else failed, "failed"),
        (missing, f"{was(len(missing))} collected and did not run (deselected, or dropped by a plugin)"),
    ):
        if tests:
            raise VerifyFailedError(f"{counted(len(tests), 'test')} {what}: {_some(tests)}")
    if skipped and not skips_allowed:
        message = (
            f"{counted(len(skipped), 'test')} {was(len(skipped))} skipped, which proves nothing: {_some(skipped)} ("
        )
        message += "skips: allow beside verify: accepts it)"
        raise VerifyFailedError(message)
    if _PASSED not in report.ran.values():
        message = "no test passed, so nothing is proven"
        raise VerifyFailedError(message)


def _some(tests: list[str]) -> str:
    more = len(tests) - _NAMED
    return ", ".join(tests[:_NAMED]) + (f" and {more} more" if more > 0 else "")
