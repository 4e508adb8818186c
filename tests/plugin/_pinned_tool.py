"""The command line tool with pins in a folder of the test's own: `python -m tests.plugin._pinned_tool FOLDER ARGUMENT...`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pytest_workflow_exec.cli import _signed_project, _trust, main
from pytest_workflow_exec.evidence import PinPlace, PinPlaces


def places_in(folder: Path) -> PinPlaces:
    """Return the places that `test_pins.PLACES` gives a session, too."""
    uid = os.geteuid()
    return PinPlaces(
        machine=PinPlace(base=folder / "etc", below=("pins",), owner=uid, for_machine=True),
        user=PinPlace(base=folder, below=("pins",), owner=uid, for_machine=False),
    )


if __name__ == "__main__":
    for module in (_signed_project, _trust):
        setattr(module, "pin_places", lambda: places_in(Path(sys.argv[1])))  # noqa: B010  # it is no name of its own
    sys.exit(main(sys.argv[2:]))
