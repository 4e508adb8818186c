"""`workflow-exec verify`: the verdict on a run's evidence, in a few lines or as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from pytest_workflow_exec.verify import GateFacts, Verdict, verify_log

from ._text import escape

_SHORT_DIGEST = 12


def verify(log: Path, *, expect_head: str | None, chain_only: bool, as_json: bool) -> int:
    """Print the verdict on a log and return its exit code."""
    verdict = verify_log(log, expect_head=expect_head, chain_only=chain_only)
    sys.stdout.write((_json(verdict, log) if as_json else "\n".join(_lines(verdict, log))) + "\n")
    return verdict.exit_code


def _json(verdict: Verdict, log: Path) -> str:
    facts = {
        **{field.name: getattr(verdict, field.name) for field in dataclasses.fields(verdict)},
        "log": str(log),
        "steps": dict(verdict.steps),
        "head": dataclasses.asdict(verdict.head) if verdict.head else None,
        "gates": [dataclasses.asdict(gate) for gate in verdict.gates],
    }
    return json.dumps(facts, indent=2)


def _lines(verdict: Verdict, log: Path) -> list[str]:
    facts = [
        ("run", verdict.run),
        ("workflow", _workflow(verdict)),
        ("log", str(log)),
        ("records", _records(verdict)),
        ("head", _head(verdict)),
        ("steps", ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in verdict.steps.items())),
        *[("gate", _gate(gate)) for gate in verdict.gates],
        *[("warning", warning) for warning in verdict.warnings],
    ]
    shown = [f"{name:<10}{escape(value)}" for name, value in facts if value]
    return [*shown, f"VERDICT {verdict.word}: {escape(verdict.message)}"]


def _workflow(verdict: Verdict) -> str | None:
    if verdict.workflow is None or verdict.plan_digest is None:
        return verdict.workflow
    return f"{verdict.workflow}, plan {verdict.plan_digest[:_SHORT_DIGEST]}"


def _records(verdict: Verdict) -> str | None:
    if verdict.head is None:
        return None
    chain = "chain broken after them" if verdict.word == "broken" and verdict.line else "chain OK"
    blobs = f", {verdict.blobs} stored texts" if verdict.blobs else ""
    torn = f", then {verdict.torn_bytes} bytes of a torn record" if verdict.torn_bytes else ""
    return f"{verdict.records} (seq 0-{verdict.head.seq}){blobs}, {chain}{torn}"


def _head(verdict: Verdict) -> str | None:
    if verdict.head is None:
        return None
    return f"{verdict.head.seq} {verdict.head.hash}, {'anchored' if verdict.anchored else 'not anchored'}"


def _gate(gate: GateFacts) -> str:
    return f"{gate.step}: {gate.decision} by {gate.approver} ({gate.channel}, assurance {gate.assurance})"
