"""`workflow-exec list`: which workflows the project holds, without importing anything of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_workflow_exec.definition import Listed, list_workflows
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.settings import find_project

from ._find import project
from ._text import escape


def list_(arguments: argparse.Namespace) -> int:
    """Print the workflows of the project; return 0, or 1 if a file of one can't be used.

    Raises:
        LogUnreadableError: There is no project here.
        SettingsError: A configuration file in the project can't be read.
    """
    root = project()
    found = [each for each in list_workflows(root) if find_project(each.path.parent) == root]
    if arguments.json:
        sys.stdout.write(json.dumps([_data(each, root) for each in found], indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(found, root))
    return int(any(each.problem for each in found))


def _data(each: Listed, root: Path) -> Json:
    path = each.path.relative_to(root).as_posix()
    return {"workflow": each.name, "steps": each.steps, "file": path, "problem": each.problem or None}


def _lines(found: Sequence[Listed], root: Path) -> Iterator[str]:
    if not found:
        yield "there are no workflows"
        return
    rows = [("workflow", "steps", "file"), *(_row(each, root) for each in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if number and found[number - 1].problem:
            yield f"  problem: {escape(found[number - 1].problem)}"


def _row(each: Listed, root: Path) -> tuple[str, str, str]:
    steps = "?" if each.steps is None else str(each.steps)
    return escape(each.name), steps, escape(each.path.relative_to(root).as_posix())
