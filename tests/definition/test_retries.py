"""`retry:` and `@step(retry=...)`: how often a step is tried again, and after which errors."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.model import Poll, Retry, looks_in

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


def test_a_step_says_how_often_it_looks(project: Path) -> None:
    """A time alone is how long it waits in between; a step that looks again takes no retry from the defaults."""
    flow = """
defaults: {retry: 3}
steps:
  - {id: short, run: [git], poll: 5m}
  - {id: long, run: [git], poll: {every: 10s, timeout: 1m, fail_on: {exit: 3}}}
"""
    short, long = read(project, flow).steps

    assert (short.retry, long.retry) == (None, None)
    assert short.poll == Poll(every_s=300.0, timeout_s=86400.0)
    assert long.poll is not None
    assert long.poll.fail_on is not None
    assert [matcher.operands[0].text for matcher in long.poll.fail_on.exit] == ["3"]
    assert (short.repeatable, looks_in(10.0, 60.0)) == (True, 7)
