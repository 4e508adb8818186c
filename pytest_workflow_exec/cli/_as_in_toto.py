"""A run as in-toto statements, one a line: a link for each step, and one on the run that names the digests of them all."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pytest_workflow_exec.digests import Json

from ._arguments import DISTRIBUTION, version
from ._statement import STATEMENT
from ._view import CommandView, RunView, StepView

_LINK = "https://in-toto.io/attestation/link/v0.3"
_RUN = f"https://pypi.org/project/{DISTRIBUTION}/workflow-run/v1"
_HEAD = "workflowExecHead"
"""What the digest of a subject is called that is a log's head, and no digest of a file."""


def written(view: RunView) -> str:
    """Return the statements, unsigned: whoever signs them puts each into an envelope."""
    ran: dict[tuple[str, int | None], list[CommandView]] = defaultdict(list)
    for command in view.commands:
        ran[command.step, command.attempt].append(command)
    started = [step for step in view.steps.values() if step.started is not None]
    links = [_line(_link(view, step, ran.get((step.id, step.attempt), []))) for step in started]
    return "".join(f"{line}\n" for line in [*links, _line(_run(view, links))])


def _link(view: RunView, step: StepView, commands: Sequence[CommandView]) -> Mapping[str, Json]:
    files: list[Json] = [{"name": path, "digest": {"sha256": digest}} for path, digest in sorted(step.files.items())]
    return _statement(files or [_log(view)], _LINK, {
        "name": step.id,
        "command": list(commands[0].argv) if len(commands) == 1 else [],
        "materials": [],
        "byproducts": {
            "outcome": step.outcome, "attempt": step.attempt, "started": step.started, "ended": step.ended,
            "commands": [{"argv": list(command.argv), "exit": command.exit} for command in commands],
        },
        "environment": {"workflow": view.workflow, "run": view.run, "step_digest": step.digest},
    })  # fmt: skip


def _run(view: RunView, links: list[str]) -> Mapping[str, Json]:
    commit: list[Json] = [{"name": "commit", "digest": {"gitCommit": view.commit}}] if view.commit else []
    return _statement([_log(view), *commit], _RUN, {
        "run": view.run,
        "workflow": view.workflow,
        "planDigest": {"sha256": view.plan_digest},
        "result": view.result,
        "startedAt": view.started,
        "finishedAt": view.finished,
        "head": {"seq": view.head.seq, "hash": view.head.hash} if view.head else None,
        "steps": list(_steps(view)),
        "approvals": [
            {
                "step": gate.step, "decision": gate.decision, "approver": gate.approver, "channel": gate.channel,
                "assurance": gate.assurance, "decidedAt": gate.decided,
            }
            for gate in view.gates
        ],
        # A bundle is not authenticated as a whole: by these, one that was left out is missed.
        "statements": [{"sha256": hashlib.sha256(line.encode()).hexdigest()} for line in links],
        "exporter": {DISTRIBUTION: version()},
    })  # fmt: skip


def _steps(view: RunView) -> Iterator[Json]:
    for step in view.steps.values():
        yield {"id": step.id, "kind": step.kind, "outcome": step.outcome, "digest": {"sha256": step.digest}}


def _log(view: RunView) -> Mapping[str, Json]:
    return {"name": f"urn:uuid:{view.run}", "digest": {_HEAD: view.head.hash if view.head else ""}}


def _statement(subject: list[Json], predicate_type: str, predicate: Mapping[str, Json]) -> Mapping[str, Json]:
    return {"_type": STATEMENT, "subject": subject, "predicateType": predicate_type, "predicate": predicate}


def _line(statement: Mapping[str, Json]) -> str:
    return json.dumps(statement, ensure_ascii=True, separators=(",", ":"))
