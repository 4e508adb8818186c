"""`workflow-exec runs`: every run that the project holds or that a ledger knows, and what one of them lacks."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence

from pytest_workflow_exec.evidence import KnownRun, Ledgers, list_runs, read_ledgers

from ._find import project
from ._text import escape

_AGREE, _DISAGREE = 0, 1
_SECOND = len("2026-11-22T11:33:35")


def runs(arguments: argparse.Namespace) -> int:
    """Print the runs, newest first; return 0, or 1 if logs and ledgers disagree.

    Raises:
        LogUnreadableError: There is no project here, or its runs can't be listed.
    """
    root = project()
    known, ledgers = list_runs(root), read_ledgers(root)
    if arguments.json:
        sys.stdout.write(_json(known, ledgers) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(known, ledgers))
    return _DISAGREE if ledgers.problems or any(run.problems for run in known) else _AGREE


def _json(known: Sequence[KnownRun], ledgers: Ledgers) -> str:
    listed = [
        {**dataclasses.asdict(run), "directory": None if run.directory is None else str(run.directory)} for run in known
    ]
    return json.dumps({"runs": listed, "problems": list(ledgers.problems)}, indent=2)


def _lines(known: Sequence[KnownRun], ledgers: Ledgers) -> Iterator[str]:
    if not known:
        yield "there are no runs"
    else:
        rows = [("run", "workflow", "started", "result"), *map(_row, known)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for number, row in enumerate(rows):
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            if number:
                yield from (f"  problem: {escape(problem)}" for problem in known[number - 1].problems)
    yield from (f"problem: {escape(problem)}" for problem in ledgers.problems)


def _row(run: KnownRun) -> tuple[str, str, str, str]:
    started = run.started[:_SECOND].replace("T", " ") + " UTC" if run.started else "unknown"
    return run.run, escape(run.workflow or "unknown"), escape(started), escape(_result(run))


def _result(run: KnownRun) -> str:
    if run.result is not None:
        return run.result
    return "unknown" if run.directory is None else "not finished"
