"""`workflow-exec fleet logs`: the evidence of a run, as the database has it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from pytest_workflow_exec.fleet import (
    Database,
    FleetError,
    log_pieces,
    name_of_run,
    standing_of,
    submission_named,
    write_log,
)

from ._opened import opened

_PAUSE_S = 0.5


def logs(arguments: argparse.Namespace) -> int:
    """Print the log's lines, or write them into a folder; return 0.

    Raises:
        FleetError: There is no such run, it has not begun, or the folder is there.
    """
    with opened(arguments) as database:
        submission = submission_named(database, arguments.run)
        run = name_of_run(database, submission)
        if arguments.to is not None:
            return _write(database, run, arguments.to)
        _print(database, submission, run, follow=arguments.follow)
    return 0


def _write(database: Database, run: str, folder: Path) -> int:
    place = folder / run
    try:
        place.mkdir(mode=0o700, parents=True)
        log = write_log(database, run, place)
    except FileExistsError as error:
        raise FleetError(f"{place} is there already, and is kept") from error
    except OSError as error:
        raise FleetError(f"{place} can't be written: {error.strerror}") from error
    sys.stdout.write(f"{log}\nworkflow-exec verify {place} says whether it can be believed\n")
    return 0


def _print(database: Database, submission: str, run: str, *, follow: bool) -> None:
    behind = -1
    while True:
        with database.transaction() as transaction:
            standing = standing_of(transaction, submission)
        for last, lines in log_pieces(database, run, behind=behind):
            sys.stdout.buffer.write(lines)
            behind = last
        sys.stdout.flush()
        if not follow or standing is None or standing.end is not None:
            return
        time.sleep(_PAUSE_S)
