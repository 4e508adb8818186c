"""A run on a disk that becomes full, and room again after it: `python -m tests.faults._full_disk FOLDER`."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, read_log
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import Run, StepOutputs
from pytest_workflow_exec.verify import verify_log

from ._operations import STEPS, project_at

_CHUNK = b"\0" * 4096
_LONG = StepOutputs(values={"stdout": "x" * 6_000}, files={})
"""Short enough for a record, and longer than the rest of the log's last page."""


def _fill(path: Path) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(file, _CHUNK)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(file)


def _refusal(run: Run) -> str:
    try:
        run.finish("build", Outcome.PASSED, outputs=_LONG)
    except EvidenceError as error:
        return str(error)
    return ""


def main(root: Path) -> None:
    """Say what came of the run, what its log was worth, and how it went on."""
    run = project_at(root).open(STEPS)
    run.start(run.workflow.step("build"))
    kept = run.head.seq
    _fill(root / "filler")
    refused, again = _refusal(run), _refusal(run)
    torn = verify_log(run.log_path)
    (root / "filler").unlink()
    after_room = _refusal(run)
    run_log = run.log_path.read_bytes()
    with contextlib.suppress(EvidenceError):
        run.close(interrupted=True)
    with contextlib.closing(EvidenceLog.reopen(run.log_path.parent, run.id, redactor=Redactor({}))) as log:
        log.append(Event(type="note", data={"text": "there is room again"}))
        log.barrier()
    print(
        json.dumps(
            {
                "refused": refused,
                "again": again,
                "after_room": after_room,
                "verdict": torn.word,
                "torn_bytes": torn.torn_bytes,
                "kept": kept,
                "untouched": run.log_path.read_bytes().startswith(run_log),
                "types": [record.type for record in read_log(run.log_path)],
                "verdict_after": verify_log(run.log_path).word,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
