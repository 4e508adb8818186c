"""Loaded into the child pytest of a `verify:` step: writes down what was collected and what became of it."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable

import pytest

_VARIABLE = "WORKFLOW_EXEC_CHILD_REPORT"
_RANKS = {"passed": 0, "skipped": 1, "failed": 2}
_PHASES = frozenset({"setup", "call", "teardown"})


class _Reporter:
    def __init__(self, path: str) -> None:
        self._path = path
        self._collected: dict[str, None] = {}
        self._seen: dict[str, str] = {}
        self._phases: dict[str, set[str]] = {}

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        # At its birth: whatever drops or deselects it later does not make it uncollected.
        self._collect([item.nodeid])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        self._collect(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        # A module that skips itself, or can't be imported, holds tests that nobody saw.
        if report.outcome != "passed":
            self._collect([report.nodeid])
            self._note(report.nodeid, report.outcome)
            self._phases[report.nodeid] = set(_PHASES)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.passed and call.excinfo is not None and not hasattr(report, "wasxfail"):
            # It raised, and something made the report a passed one.
            self._note(report.nodeid, "failed")
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report.nodeid, "skipped" if hasattr(report, "wasxfail") else report.outcome)
        self._phases.setdefault(report.nodeid, set()).add(report.when or "")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        ran = {test: outcome for test, outcome in self._seen.items() if self._ended(test, outcome)}
        report = {"collected": list(self._collected), "ran": ran}
        with open(self._path, "x", encoding="utf-8") as file:  # noqa: PTH123  # no import that the tests would not make
            json.dump(report, file)

    def _ended(self, test: str, outcome: str) -> bool:
        # A test that was broken off has seen its setup pass and nothing more; one whose body was left
        # out, as with --setup-only, has no call. A skip or an error in setup needs none.
        needed = _PHASES if outcome == "passed" else {"setup", "teardown"}
        return needed <= self._phases.get(test, set())

    def _note(self, test: str, outcome: str) -> None:
        # The worst of all: a subtest or a teardown can fail after the test passed.
        worst = max(self._seen.get(test, "passed"), outcome, key=lambda each: _RANKS.get(each, _RANKS["failed"]))
        self._seen[test] = worst

    def _collect(self, ids: Iterable[str]) -> None:
        self._collected.update(dict.fromkeys(ids))


def pytest_configure(config: pytest.Config) -> None:
    """Report from here on, unless this is a worker: its controller reports for it."""
    # Taken out, so that the tests and what they start do not find it by chance.
    path = os.environ.pop(_VARIABLE, None)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Reporter(path), "workflow_exec_child_report")
