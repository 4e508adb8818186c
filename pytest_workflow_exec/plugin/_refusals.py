"""Refusals of a whole session, where only files are read: an empty JUnit report would look like success."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ._session import WorkflowSession

_NODE = "workflow-exec"


@contextmanager
def refusals_in_reports(session: WorkflowSession) -> Iterator[None]:
    """Let a refusal be one error in the JUnit report, if there is to be one."""
    try:
        yield
    except pytest.UsageError as refusal:
        if session.config.getoption("xmlpath", None):
            report = pytest.CollectReport(nodeid=_NODE, outcome="failed", longrepr=str(refusal), result=None)
            session.config.hook.pytest_collectreport(report=report)
        raise
