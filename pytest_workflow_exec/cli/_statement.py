"""A verdict for machines: an in-toto statement of the type that SLSA has for summaries of verifications."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import datetime, timezone
from pathlib import Path

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import open_log, segments_of
from pytest_workflow_exec.verify import Asked, Verdict

from ._arguments import DISTRIBUTION, version

STATEMENT = "https://in-toto.io/Statement/v1"
_SUMMARY = "https://slsa.dev/verification_summary/v1"
_HOME = f"https://pypi.org/project/{DISTRIBUTION}"
_CHUNK_BYTES = 1 << 20
OWN_FIELDS = "pytestWorkflowExec"
"""The key in the predicate that holds everything for which the type has no field."""


def statement(verdict: Verdict, log: Path, asked: Asked, *, expect_head: str | None) -> str:
    """Return a verdict as JSON."""
    wanted: dict[str, Json] = {"expect_head": expect_head, **dataclasses.asdict(asked)}
    digest, files = _digests(log)
    passed = verdict.exit_code == 0
    subject: list[Json] = [{"name": verdict.run or log.name, "digest": {"sha256": digest}}] if digest else []
    predicate: dict[str, Json] = {
        "verifier": {"id": _HOME, "version": {DISTRIBUTION: version()}},
        "timeVerified": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resourceUri": f"urn:uuid:{verdict.run}" if verdict.run else log.absolute().as_uri(),
        "policy": {"uri": f"{_HOME}#verify", "digest": {"sha256": digest_of(wanted)}},
        "inputAttestations": files,
        "verificationResult": "PASSED" if passed else "FAILED",
        "verifiedLevels": _levels(verdict) if passed else ["FAILED"],
        OWN_FIELDS: {**facts_of(verdict), "log": str(log), "asked": wanted},
    }
    whole: dict[str, Json] = {"_type": STATEMENT, "subject": subject, "predicateType": _SUMMARY, "predicate": predicate}
    return json.dumps(whole, indent=2)


def facts_of(verdict: Verdict) -> dict[str, Json]:
    """Return everything that a verdict says, as JSON data."""
    return {
        **{field.name: getattr(verdict, field.name) for field in dataclasses.fields(verdict)},
        "steps": dict(verdict.steps),
        "head": dataclasses.asdict(verdict.head) if verdict.head else None,
        "gates": [
            {**dataclasses.asdict(gate), "groups": {name: list(group) for name, group in gate.groups}}
            for gate in verdict.gates
        ],
        "waived": list(verdict.waived),
        "broken_glass": [dataclasses.asdict(each) for each in verdict.broken_glass],
        "policies": list(verdict.policies),
        "warnings": list(verdict.warnings),
        "doubts": list(verdict.doubts),
        "asked_of": {name: list(group) for name, group in verdict.asked_of},
    }


def _levels(verdict: Verdict) -> list[Json]:
    worth = [] if verdict.assurance is None else [f"WORKFLOW_EXEC_ASSURANCE_{verdict.assurance}"]
    return ["WORKFLOW_EXEC_VERIFIED", *worth]


def _digests(log: Path) -> tuple[str | None, list[Json]]:
    """Return the digest of what a log's files hold, one after the other, and each file with its own; None if unread."""
    whole, files = hashlib.sha256(), list[Json]()
    try:
        for path in segments_of(log):
            own = hashlib.sha256()
            with open_log(path) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    own.update(chunk)
                    whole.update(chunk)
            files.append({"uri": path.absolute().as_uri(), "digest": {"sha256": own.hexdigest()}})
    except (LogUnreadableError, OSError):
        return None, []
    return whole.hexdigest(), files
