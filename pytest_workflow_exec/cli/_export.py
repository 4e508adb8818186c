"""`workflow-exec export`: a run's evidence for other tools; the same log gives the same bytes every time."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import read_log
from pytest_workflow_exec.verify import verify_log

from ._find import log_of
from ._view import RunView

_MODULES = {"in-toto": "._as_in_toto", "junit": "._as_junit", "otel-json": "._as_otel", "csv": "._as_csv"}
_BROKEN = frozenset({"broken", "unreadable"})


class ExportError(WorkflowExecError):
    """A run can't be written for other tools."""


def export(arguments: argparse.Namespace) -> int:
    """Write a run in another format, or as a bundle; return 0.

    Raises:
        ExportError: Its log is broken or empty, or the file can't be written.
        BundleError: It can't be made a bundle.
        LogUnreadableError: There is no such run.
    """
    if arguments.bundle is not None:
        if arguments.output is not None:
            raise ExportError("--bundle names the file itself: leave --output out")
        from ._bundle import bundle

        return bundle(log_of(arguments.run), arguments.bundle)
    log, view = log_of(arguments.run), RunView()
    verdict = verify_log(log)
    if verdict.word in _BROKEN:
        raise ExportError(f"nothing is made of a log that is {verdict.word}: {verdict.message}")
    view.take(read_log(log))
    if view.run is None:
        raise ExportError(f"{log} holds no run: it ended before its first record")
    written: Callable[[RunView], str] = importlib.import_module(_MODULES[arguments.format], __package__).written
    _put(written(view), arguments.output)
    return 0


def _put(text: str, path: Path | None) -> None:
    if path is None:
        # The same bytes everywhere, whatever the terminal's own encoding is.
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
        return
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise ExportError(f"{path} can't be written: {error.strerror}") from error
