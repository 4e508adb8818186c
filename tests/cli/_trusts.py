"""`workflow-exec trust` with pins in folders of the test's own: `python -m tests.cli._trusts PLACES ARGUMENT...`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pytest_workflow_exec.cli._arguments import parser
from pytest_workflow_exec.cli._trust import trust
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import PinPlace, PinPlaces


def places_in(folder: Path) -> PinPlaces:
    """Return places for pins in a folder that stand for those of a machine and of a user."""
    uid = os.geteuid()
    return PinPlaces(
        machine=PinPlace(base=folder / "etc", below=("workflow-exec", "pins"), owner=uid, for_machine=True),
        user=PinPlace(base=folder / "state", below=("workflow-exec",), owner=uid, for_machine=False),
    )


if __name__ == "__main__":
    try:
        sys.exit(trust(parser().parse_args(["trust", *sys.argv[2:]]), places=places_in(Path(sys.argv[1]))))
    except WorkflowExecError as error:
        sys.exit(f"error: {error}")
