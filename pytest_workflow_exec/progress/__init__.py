"""What a person watching a run sees of each step."""

from pytest_workflow_exec.progress._live import Live, Screen
from pytest_workflow_exec.progress._plain import OutcomeStyle, opening, outcome_style, spent

__all__ = ["Live", "OutcomeStyle", "Screen", "opening", "outcome_style", "spent"]
