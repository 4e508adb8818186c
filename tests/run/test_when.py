"""Whether a condition holds, and when it can't be judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition._conditions import parse_when
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import StepOutputs, Values
from pytest_workflow_exec.run._when import holds

VALUES = Values(
    root=Path(),
    run="",
    run_directory="",
    inputs={"kind": "minor", "count": 3, "dry": False, "hosts": ["a", "b"]},
    input_groups={},
    variables={},
    outputs={"facts": StepOutputs(values={"security": True, "exit": 0}, files={})},
    outcomes={"facts": Outcome.PASSED, "build": Outcome.FAILED},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inputs.kind in ['minor', 'major'] and not steps.facts.security", False),
        ("inputs.kind in ['minor', 'major'] or steps.facts.security", True),
        ("inputs.kind not in ['patch']", True),
        ("inputs.count > 2 and inputs.count <= 3", True),
        ("inputs.count == 3.0", True),
        ("inputs.dry", False),
        ("inputs.dry == false", True),
        ("steps.facts.exit != 0", False),
        ("steps.build.outcome == 'failed'", True),
        ("'b' in inputs.hosts", True),
        ("'c' in inputs.hosts", False),
    ],
)
def test_conditions_are_judged_on_the_runs_values(text: str, expected: bool) -> None:
    """Inputs, values of earlier steps and their outcomes are compared as what they are."""
    assert holds(parse_when(text), VALUES) is expected


@pytest.mark.parametrize(
    "text",
    [
        "inputs.kind",
        "inputs.count",
        "inputs.count == 'three'",
        "inputs.dry == 0",
        "inputs.kind > 'a'",
        "'m' in inputs.kind",
        "steps.facts.other == 1",
        "steps.later.outcome == 'passed'",
    ],
)
def test_what_cannot_be_judged_is_an_error(text: str) -> None:
    """A value that is missing or of another kind is an error: taken for false, it would leave out a step."""
    with pytest.raises(OutputError, match="can't be judged"):
        holds(parse_when(text), VALUES)
