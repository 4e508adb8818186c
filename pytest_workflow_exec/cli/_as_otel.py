"""A run as a trace in OpenTelemetry's JSON: a span for the run, one for each step that ran, one for each command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from pytest_workflow_exec.digests import Json

from ._arguments import DISTRIBUTION, version
from ._view import CommandView, RunView, StepView

_SERVER, _INTERNAL = 2, 1
_OK, _ERROR = 1, 2
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_RESULTS = {
    "passed": "success", "carried": "success", "waived": "success", "not applicable": "skip", "partial": "success",
    "failed": "failure", "denied": "failure", "suspended": "failure", "blocked": "skip", "interrupted": "cancellation",
}  # fmt: skip


def written(view: RunView) -> str:
    """Return the trace."""
    spans = [_run_span(view), *_step_spans(view), *_command_spans(view)]
    scope: dict[str, Json] = {"name": DISTRIBUTION, "version": version()}
    resource: dict[str, Json] = {"attributes": _attributes({"service.name": DISTRIBUTION})}
    traces: dict[str, Json] = {
        "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]
    }
    return json.dumps(traces, indent=2, ensure_ascii=True) + "\n"


def _run_span(view: RunView) -> Json:
    attributes = {
        "cicd.pipeline.name": view.workflow or "",
        "cicd.pipeline.run.id": view.run or "",
        "cicd.pipeline.result": _RESULTS.get(view.result or "", "error"),
        "vcs.ref.head.revision": view.commit or "",
        "workflow_exec.head": view.head.hash if view.head else "",
        "workflow_exec.plan": view.plan_digest or "",
    }
    return _span(
        view, name=f"RUN {view.workflow}", of="run", parent="", kind=_SERVER, start=view.started, end=_end_of(view),
        passed=view.result == "passed", attributes=attributes,
    )  # fmt: skip


def _end_of(view: RunView) -> str | None:
    ends = [step.ended for step in view.steps.values() if step.ended]
    ends += [command.ended for command in view.commands if command.ended]
    return view.finished or max([*ends, *view.sessions[-1:]], default=None)


def _step_spans(view: RunView) -> Iterator[Json]:
    for step in view.steps.values():
        if step.started is None:
            continue
        attributes = {
            "cicd.pipeline.task.name": step.id,
            "cicd.pipeline.task.run.id": f"{view.run}/{step.id}/{step.attempt}",
            "cicd.pipeline.task.run.result": _RESULTS.get(step.outcome, "error"),
            "workflow_exec.kind": step.kind,
            "workflow_exec.outcome": step.outcome,
            **_decision(view, step),
        }
        yield _span(
            view, name=step.id, of=_name_of(step.id, step.attempt), parent="run", kind=_INTERNAL, start=step.started,
            end=step.ended or _end_of(view), passed=_RESULTS.get(step.outcome) == "success", attributes=attributes,
        )  # fmt: skip


def _decision(view: RunView, step: StepView) -> Mapping[str, str]:
    gate = next((gate for gate in reversed(view.gates) if gate.step == step.id), None)
    if gate is None:
        return {}
    return {
        "workflow_exec.gate.decision": gate.word,
        "workflow_exec.gate.approver": gate.approver,
        "workflow_exec.gate.assurance": gate.assurance,
    }


def _command_spans(view: RunView) -> Iterator[Json]:
    shown = {(step.id, step.attempt) for step in view.steps.values()}
    for number, command in enumerate(view.commands):
        if (command.step, command.attempt) in shown:
            yield _command_span(view, number, command)


def _command_span(view: RunView, number: int, command: CommandView) -> Json:
    attributes = {"process.command_args": " ".join(command.argv), "process.exit.code": str(command.exit)}
    return _span(
        view, name=command.argv[0] if command.argv else "", of=f"command {number}",
        parent=_name_of(command.step, command.attempt), kind=_INTERNAL, start=command.started,
        end=command.ended or _end_of(view), passed=command.exit == 0, attributes=attributes,
    )  # fmt: skip


def _span(
    view: RunView,
    *,
    name: str,
    of: str,
    parent: str,
    kind: int,
    start: str | None,
    end: str | None,
    passed: bool,
    attributes: Mapping[str, str],
) -> Json:
    return {
        "traceId": _id(view, "trace", 16),
        "spanId": _id(view, of, 8),
        "parentSpanId": _id(view, parent, 8) if parent else "",
        "name": name,
        "kind": kind,
        "startTimeUnixNano": _nanoseconds(start),
        "endTimeUnixNano": _nanoseconds(end),
        "attributes": _attributes(attributes),
        "status": {"code": _OK if passed else _ERROR},
    }


def _name_of(step: str, attempt: int | None) -> str:
    return f"step {step} {attempt}"


def _id(view: RunView, of: str, size_bytes: int) -> str:
    # Of the run and its head: the same log has the same ids wherever it is written.
    head = view.head.hash if view.head else ""
    return hashlib.sha256(f"{view.run}\n{head}\n{of}".encode()).hexdigest()[: 2 * size_bytes]


def _nanoseconds(stamp: str | None) -> str:
    if stamp is None:
        return "0"
    passed = datetime.fromisoformat(stamp.replace("Z", "+00:00")) - _EPOCH
    return str((passed.days * 86_400 + passed.seconds) * 1_000_000_000 + passed.microseconds * 1_000)


def _attributes(values: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items() if value]
