"""A run as JUnit XML: one test case for each step, with the outcome that pytest reports for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from ._view import RunView, StepView

_SATISFIED = frozenset({"passed", "carried", "not applicable", "waived"})
_FAILURES = frozenset({"failed", "denied", "suspended"})
_NO_XML = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def written(view: RunView) -> str:
    """Return the document."""
    steps = list(view.steps.values())
    failures = sum(step.outcome in _FAILURES for step in steps)
    errors = sum(step.outcome not in _FAILURES | _SATISFIED for step in steps)
    counts = {"tests": str(len(steps)), "failures": str(failures), "errors": str(errors), "skipped": "0"}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": _text(view.workflow), **counts, **_times(view)})
    _properties(suite, {
        "workflow_exec.run": view.run,
        "workflow_exec.result": view.result or "not finished",
        "workflow_exec.head": view.head.hash if view.head else "",
        "workflow_exec.plan": view.plan_digest,
    })  # fmt: skip
    for step in steps:
        _case(suite, view, step)
    ET.indent(suites)
    document: bytes = ET.tostring(suites, encoding="us-ascii")
    return document.decode("ascii") + "\n"


def _times(view: RunView) -> dict[str, str]:
    total = sum(step.duration_s or 0.0 for step in view.steps.values())
    return {"time": f"{total:.3f}", "timestamp": _text(view.started)}


def _case(suite: ET.Element, view: RunView, step: StepView) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {"classname": _text(view.workflow), "name": _text(step.id), "time": f"{step.duration_s or 0.0:.3f}"},
    )
    decided = [gate for gate in view.gates if gate.step == step.id and gate.decision == "approved"]
    approvers = [gate.approver for gate in decided if not gate.breaks_glass]
    broken = [f"{gate.approver}: {gate.reason}" for gate in decided if gate.breaks_glass]
    properties = {"workflow_exec.outcome": step.outcome, "workflow_exec.kind": step.kind}
    _properties(case, {**properties, **_last("approver", approvers), **_last("break_glass", broken)})
    if step.outcome not in _SATISFIED:
        kind = "failure" if step.outcome in _FAILURES else "error"
        problem = ET.SubElement(case, kind, {"type": _text(step.outcome), "message": _text(_summary(step))})
        problem.text = _text(step.message)


def _last(name: str, values: Sequence[str]) -> dict[str, str]:
    return {f"workflow_exec.{name}": values[-1]} if values else {}


def _summary(step: StepView) -> str:
    return step.message.split("\n", 1)[0] or step.outcome


def _properties(parent: ET.Element, values: dict[str, str | None]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})


def _text(text: str | None) -> str:
    # XML has no way to write most control characters, not even escaped.
    return _NO_XML.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text or "")
