"""The command line tool with pins in a folder of the test's own: `python -m tests.fleet._pinned_fleet FOLDER ARGUMENT...`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pytest_workflow_exec.cli import _signed_project, _trust, main
from pytest_workflow_exec.fleet import _connections
from pytest_workflow_exec.fleet import _trust as _fleet_trust
from tests.plugin._pinned_tool import places_in

if __name__ == "__main__":
    for module in (_signed_project, _trust, _fleet_trust):
        setattr(module, "pin_places", lambda: places_in(Path(sys.argv[1])))  # noqa: B010  # it is no name of its own
    # A test that waits for the end of a silence waits for a shorter one.
    _connections.SILENCE_S = float(os.environ.get("TEST_FLEET_SILENCE_S", _connections.SILENCE_S))
    sys.exit(main(sys.argv[2:]))
