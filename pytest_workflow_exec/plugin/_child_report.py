"""Loaded into the child pytest of a `verify:` step: writes down what was collected and what became of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

import pytest

_VARIABLE = "WORKFLOW_EXEC_CHILD_REPORT"
_RANKS = {"passed": 0, "skipped": 1, "failed": 2}


class _Reporter:
    def __init__(self, path: str) -> None:
        self._path = path
        self._collected: dict[str, None] = {}
        self._seen: dict[str, str] = {}
        self._ended: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collect(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        self._collect(ids)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The worst of all its reports: a subtest or a teardown can fail after the test passed.
        outcome = "skipped" if hasattr(report, "wasxfail") else report.outcome
        self._seen[report.nodeid] = max(
            self._seen.get(report.nodeid, "passed"), outcome, key=lambda each: _RANKS.get(each, _RANKS["failed"])
        )
        if report.when == "teardown":
            self._ended.add(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        # A test that was broken off, by an exit of the session, has seen its setup pass and nothing more.
        ran = {test: outcome for test, outcome in self._seen.items() if test in self._ended}
        report = {"collected": list(self._collected), "ran": ran}
        with open(self._path, "x", encoding="utf-8") as file:  # noqa: PTH123  # no import that the tests would not make
            json.dump(report, file)

    def _collect(self, ids: Iterable[str]) -> None:
        self._collected.update(dict.fromkeys(ids))


def pytest_configure(config: pytest.Config) -> None:
    """Report from here on, unless this is a worker: its controller reports for it."""
    path = os.environ.get(_VARIABLE)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Reporter(path), "workflow_exec_child_report")
