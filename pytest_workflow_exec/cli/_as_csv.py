"""A run as a table for spreadsheets: one row for each step."""

from __future__ import annotations

import csv
import io

from ._view import RunView, StepView

_COLUMNS = (
    "run", "workflow", "result", "head", "step", "kind", "outcome", "attempt", "started", "ended", "duration_s",
    "decision", "approver", "assurance", "message",
)  # fmt: skip


def written(view: RunView) -> str:
    """Return the table, its first row with the names of the columns."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for step in view.steps.values():
        table.writerow(_harmless(value) for value in _row(view, step))
    return text.getvalue()


def _row(view: RunView, step: StepView) -> tuple[object, ...]:
    gate = next((gate for gate in reversed(view.gates) if gate.step == step.id), None)
    decision = (gate.word, gate.approver, gate.assurance) if gate is not None else ("", "", "")
    return (
        view.run, view.workflow, view.result or "not finished", view.head.hash if view.head else "", step.id, step.kind,
        step.outcome, step.attempt, step.started, step.ended, step.duration_s, *decision, step.message,
    )  # fmt: skip


def _harmless(value: object) -> str:
    # A spreadsheet computes what begins like a formula, and messages hold what commands printed.
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
