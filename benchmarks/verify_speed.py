"""How fast a log is verified, beside the obvious plain way of reading it: `json.loads` and SHA-256 of each line.

    python -m benchmarks.verify_speed [RECORDS]

Each way runs in a process of its own and is measured by the processor time that it took, three times, of which the
best counts. The ratio is what can be compared between machines. The log is one that the engine's own writer wrote:
a run whose only step runs commands, as records of 0.65 to 1 kB.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, create_run_directory, new_run_id, open_log, segments_of
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.verify import verify_log

_RECORDS = 1_000_000
_ROUNDS = 3
_MIB = 1 << 20
_DIGEST = "0123456789abcdef" * 4
_STARTED: Mapping[str, Json] = {
    "argv": ["git", "status", "--porcelain"], "program": "/usr/bin/git", "program_sha256": _DIGEST,
    "rule": "git status --porcelain", "rule_digest": _DIGEST, "cwd": ".",
    "environment": ["GIT_CONFIG_COUNT", "GIT_TERMINAL_PROMPT", "HOME", "LANG", "LC_ALL", "PATH", "TMPDIR"],
    "secrets": [], "level": "none", "timeout_s": None,
}  # fmt: skip


def main() -> None:
    """Write a log, measure each way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="?", type=int, default=_RECORDS, help="how many records the log has")
    parser.add_argument("--measure", choices=_WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--log", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        _report(_WAYS[arguments.measure], arguments.log)
        return
    with tempfile.TemporaryDirectory() as folder:
        log = _written(Path(folder), arguments.records)
        size_bytes = sum(path.stat().st_size for path in segments_of(log))
        print(f"{arguments.records} records, {size_bytes / arguments.records:.0f} bytes each")
        print(f"{'way':<12}{'records/s':>12}{'ratio':>8}{'peak MiB':>10}")
        plain = 0.0
        for way in _WAYS:
            best = min((_measured(way, log) for _ in range(_ROUNDS)), key=lambda measured: measured["cpu_s"])
            rate = arguments.records / best["cpu_s"]
            plain = plain or rate
            print(f"{way:<12}{rate:>12,.0f}{rate / plain:>8.2f}{best['peak_mib']:>10.1f}")


def _plain(log: Path) -> None:
    for path in segments_of(log):
        with open_log(path) as file:
            for line in file:
                json.loads(line)
                hashlib.sha256(line).hexdigest()


def _chain_only(log: Path) -> None:
    verdict = verify_log(log, chain_only=True)
    _demand(verdict.exit_code == 3, verdict.message)  # noqa: PLR2004  # bounded: the best that it can be


def _full(log: Path) -> None:
    verdict = verify_log(log, expect_head=_head(log))
    _demand(verdict.exit_code == 0, verdict.message)


_WAYS: Mapping[str, Callable[[Path], None]] = {"plain": _plain, "chain-only": _chain_only, "full": _full}


def _report(way: Callable[[Path], None], log: Path) -> None:
    before = time.process_time()
    way(log)
    cpu_s = time.process_time() - before
    # Kilobytes, but on macOS bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"cpu_s": cpu_s, "peak_mib": peak / _MIB}))


def _measured(way: str, log: Path) -> Mapping[str, float]:
    command = [sys.executable, "-m", "benchmarks.verify_speed", "--measure", way, "--log", str(log)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # our own module
    measured: Mapping[str, float] = json.loads(done.stdout)
    return measured


def _written(root: Path, records: int) -> Path:
    run = new_run_id()
    evidence = EvidenceLog.create(create_run_directory(root, run), run, redactor=Redactor({}), durability="process")
    with contextlib.closing(evidence) as log:
        for event in _happened(records):
            log.append(event)
    return evidence.path


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


def _head(log: Path) -> str:
    last = segments_of(log)[-1]
    with open_log(last) as file:
        file.seek(max(last.stat().st_size - 128, 0))
        return file.read().split(b'"hash":"')[-1][:64].decode("ascii")


def _demand(holds: bool, message: str) -> None:  # noqa: FBT001  # a condition
    if not holds:
        raise SystemExit(f"the log of this benchmark is not what it should be: {message}")


if __name__ == "__main__":
    main()
