"""What a command did, as its step and the evidence see it: bounded, and without known secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pytest_workflow_exec.digests import Json, digest_of_bytes
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.redaction import Redactor

from ._process import KEPT_BYTES, MARGIN_BYTES, Ended, Stream
from ._spawner import Use


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What a command did; every text is without known secrets."""

    argv: tuple[str, ...]
    exit: int | None
    """Its exit status; None if a signal ended it."""
    signal: int | None
    stdout: str
    stderr: str
    truncated: bool
    """Whether it wrote more than is kept."""
    duration_s: float
    cpu_s: float
    """What it took of processors, with all of its processes that the system tells of."""
    stdout_sha256: str
    """SHA-256 of `stdout` as UTF-8, in hex."""
    stderr_sha256: str
    flooded: bool = False
    """Whether it was killed because it wrote more than is read."""
    level: str
    """The kernel confinement that it ran under."""
    rusage: Use = field(default_factory=Use)
    """What it used, with all of its processes that the system tells of."""
    limit: str = ""
    """Which of the policy's limits ended it: `cpu`, `file_size` or `processes`; empty if none did."""


def result_of(*, argv: tuple[str, ...], ended: Ended, redactor: Redactor, level: str) -> CommandResult:
    """Return what a command did.

    Args:
        argv: As it may be shown.
    """
    stdout, stderr = kept_text(ended.stdout, redactor), kept_text(ended.stderr, redactor)
    return CommandResult(
        argv=argv,
        exit=ended.exit,
        signal=ended.signal,
        stdout=stdout,
        stderr=stderr,
        truncated=ended.stdout.seen_bytes > KEPT_BYTES or ended.stderr.seen_bytes > KEPT_BYTES,
        flooded=ended.flooded,
        duration_s=round(ended.duration_s, 6),
        cpu_s=round(ended.use.user_s + ended.use.system_s, 6),
        stdout_sha256=digest_of_bytes(stdout.encode()),
        stderr_sha256=digest_of_bytes(stderr.encode()),
        level=level,
        rusage=Use(
            user_s=round(ended.use.user_s, 6),
            system_s=round(ended.use.system_s, 6),
            max_rss_bytes=ended.use.max_rss_bytes,
        ),
        limit=ended.limit,
    )


def finished_facts(result: CommandResult, ended: Ended, *, error: str) -> Mapping[str, Json]:
    """Return what evidence keeps of a command.

    Args:
        error: Why it did not end by itself; empty if it did, or took too long.
    """
    return {
        "argv": list(result.argv),
        "exit": result.exit,
        "signal": result.signal,
        "timed_out": ended.timed_out,
        "truncated": result.truncated,
        "flooded": result.flooded,
        "duration_s": result.duration_s,
        "cpu_s": result.cpu_s,
        "rusage": {
            "user_s": result.rusage.user_s,
            "system_s": result.rusage.system_s,
            "max_rss_bytes": result.rusage.max_rss_bytes,
        },
        "limit": result.limit,
        "stdout": result.stdout,
        "stderr": result.stderr,
        "stdout_sha256": result.stdout_sha256,
        "stderr_sha256": result.stderr_sha256,
        "swept": ended.sweep.ended,
        "error": error,
    }


def kept_text(stream: Stream, redactor: Redactor) -> str:
    """Return what is kept of a stream, as text without known secrets."""
    text = redactor.text(stream.content.decode("utf-8", errors="replace"))
    if stream.seen_bytes <= KEPT_BYTES:
        return text
    content = text.encode()
    if stream.seen_bytes > len(stream.content):
        # What was read ends anywhere, maybe within a secret, which then is not known as one.
        content = content[:-MARGIN_BYTES]
    return content[:KEPT_BYTES].decode("utf-8", errors="ignore")
