"""`retry:` and `@step(retry=...)`: how often a step is tried again, and after which errors."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.model import Retry

from ._samples import read

_FLOW = """
defaults: {retry: {attempts: 5, wait: 2s}}
steps:
  - {id: plain, run: [git]}
  - {id: short, run: [git], retry: 3}
  - {id: long, verify: ../smoke, retry: {attempts: 4, for: [transient, business], never: [permission], max_wait: 5m}}
  - {id: once, run: [git], retry: 1}
  - {id: gate, gate: Go on?}
"""


def test_a_step_says_how_often_it_is_tried(project: Path) -> None:
    """A number is that many attempts in all, for transient errors; defaults count where a step says nothing."""
    workflow = read(project, _FLOW)

    assert [step.retry for step in workflow.steps] == [
        Retry(attempts=5, wait_s=2.0),
        Retry(attempts=3, classes=("transient",), wait_s=1.0, max_wait_s=60.0),
        Retry(attempts=4, classes=("transient", "business"), max_wait_s=300.0),
        None,
        None,
    ]
    planned = workflow.plan["steps"]
    assert isinstance(planned, list)
    assert planned[2]["retry"] == {"attempts": 4, "for": ["transient", "business"]}
    assert "retry" not in planned[3]


def test_the_definition_of_a_step_holds_how_often_it_is_tried(project: Path) -> None:
    """Another number of attempts is another step; a step that says nothing is the one that it was."""
    digests = [
        read(project, f"steps:\n  - {{id: a, run: [git]{more}}}\n").steps[0].digest
        for more in ("", ", retry: 1", ", retry: 2", ", retry: 3")
    ]

    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
