"""What a person watching a run sees of each step."""

from pytest_workflow_exec.progress._live import Live, Screen
from pytest_workflow_exec.progress._plain import OutcomeStyle, opening, outcome_style, spent
from pytest_workflow_exec.progress._summary import SummaryRun, SummaryStep, summary

__all__ = [
    "Live",
    "OutcomeStyle",
    "Screen",
    "SummaryRun",
    "SummaryStep",
    "opening",
    "outcome_style",
    "spent",
    "summary",
]
