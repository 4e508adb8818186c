"""A log that the engine's own writer wrote: `python -m benchmarks.programs.write_log FOLDER RECORDS`.

It is of a run whose only step runs commands, as records of 0.65 to 1 kB. Its folder and its head are noted in FOLDER/run.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, create_run_directory, new_run_id
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor

_DIGEST = "0123456789abcdef" * 4
_STARTED: Mapping[str, Json] = {
    "argv": ["git", "status", "--porcelain"], "program": "/usr/bin/git", "program_sha256": _DIGEST,
    "rule": "git status --porcelain", "rule_digest": _DIGEST, "cwd": ".",
    "environment": ["GIT_CONFIG_COUNT", "GIT_TERMINAL_PROMPT", "HOME", "LANG", "LC_ALL", "PATH", "TMPDIR"],
    "secrets": [], "level": "none", "timeout_s": None,
}  # fmt: skip


def main() -> None:
    """Write the log."""
    root, records = Path(sys.argv[1]), int(sys.argv[2])
    run = new_run_id()
    evidence = EvidenceLog.create(create_run_directory(root, run), run, redactor=Redactor({}), durability="process")
    with contextlib.closing(evidence) as log:
        for event in _happened(records):
            log.append(event)
        (root / "run").write_text(f"{evidence.path.parent} {log.head.hash}", encoding="utf-8")
    print(f"{records} records written")


def _happened(records: int) -> Iterator[Event]:
    plan: Mapping[str, Json] = {"steps": [{"id": "poll", "kind": "run", "name": "poll", "digest": _DIGEST}]}
    yield events.run_started(
        {"workflow": "benchmark", "plan": plan, "plan_digest": digest_of(plan), "policy": {"digest": _DIGEST}}
    )
    yield events.step_started("poll", attempt=1, kind="run", digest=_DIGEST)
    for number in range((records - 4) // 2):
        yield events.command_started("poll", attempt=1, facts=_STARTED)
        yield events.command_finished("poll", attempt=1, facts=_finished(number))
    yield events.step_finished("poll", attempt=1, outcome=Outcome.PASSED, duration_s=1.5, outputs={}, files={})
    yield events.run_finished(result="passed", counts={"passed": 1}, not_satisfied=[])


def _finished(number: int) -> Mapping[str, Json]:
    text = f" M src/module_{number}.py\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {
        "argv": _STARTED["argv"], "exit": 0, "signal": None, "timed_out": False, "truncated": False, "flooded": False,
        "duration_s": number % 1000 / 1000, "cpu_s": 0.001, "stdout": text, "stderr": "", "stdout_sha256": digest,
        "stderr_sha256": _DIGEST, "swept": 0, "error": "",
    }  # fmt: skip


if __name__ == "__main__":
    main()
