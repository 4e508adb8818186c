"""What a person watching a run sees of each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_exports import exporter

if TYPE_CHECKING:
    from pytest_workflow_exec.progress._live import Live, Screen
    from pytest_workflow_exec.progress._plain import OutcomeStyle, opening, outcome_style, spent
    from pytest_workflow_exec.progress._several import Several
    from pytest_workflow_exec.progress._summary import SummaryRun, SummaryStep, summary

__all__ = [
    "Live",
    "OutcomeStyle",
    "Screen",
    "Several",
    "SummaryRun",
    "SummaryStep",
    "opening",
    "outcome_style",
    "spent",
    "summary",
]

__getattr__ = exporter(
    __name__,
    {
        "_live": "Live Screen",
        "_plain": "OutcomeStyle opening outcome_style spent",
        "_several": "Several",
        "_summary": "SummaryRun SummaryStep summary",
    },
)
