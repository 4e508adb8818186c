"""Steps that may not apply: where that would leave a hole, the file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow

from ._samples import places, problems_of, write_workflow

MAYBE = (
    "inputs: {kind: {type: string, default: x}}\n"
    "steps:\n"
    "  - id: a\n"
    "    when: inputs.kind == 'x'\n"
    "    run: [git]\n"
    "    outputs: {v: {stdout: '.'}, w: {stdout: '.', default: none}}\n"
)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("  - {id: b, run: [git, '${steps.a.v}']}\n", [("7:24", "may not apply")]),
        ("  - {id: b, run: [git, '${steps.a.stdout}']}\n", [("7:24", "may not apply")]),
        ("  - {id: b, when: inputs.kind == 'y', run: [git, '${steps.a.v}']}\n", [("7:50", "may not apply")]),
        ("  - {id: b, gate: {question: Go on, show: [a.v]}}\n", [("7:44", "may not apply")]),
        ("  - {id: b, gate: {question: Go on, show: [a]}}\n", [("7:44", "may not apply")]),
        ("  - {id: b, when: steps.a.v == 'x', run: [git]}\n", [("7:19", "may not apply")]),
        (
            "  - {id: b, when: inputs.kind == 'x', gate: Go on}\n  - {id: c, run: [git]}\n",
            [("8:5", "behind gate 'b', which may not apply")],
        ),
        ("  - {id: b, when: inputs.kid == 'x', run: [git]}\n", [("7:19", "did you mean 'kind'")]),
        ("  - {id: b, when: steps.c.outcome == 'x', run: [git]}\n  - {id: c, run: [git]}\n", [("7:19", "comes later")]),
        ("  - {id: b, when: steps.b.outcome == 'x', run: [git]}\n", [("7:19", "its own values")]),
        ("  - {id: b, run: [git], outputs: {x: {stdout: '.', default: y}}}\n", [("7:25", "has no when")]),
        ("finally:\n  - {id: b, gate: Go on}\n", [("8:13", "can't stand in finally")]),
        ("finally:\n  - {id: a, run: [git]}\n", [("8:10", "two steps have the id 'a'")]),
        (
            "  - {id: b, run: [git, '${steps.c.stdout}']}\nfinally:\n  - {id: c, run: [git]}\n",
            [("7:24", "comes later")],
        ),
        ("finally: []\n", [("7:10", "")]),
    ],
)
def test_hole_is_refused(project: Path, step: str, expected: list[tuple[str, str]]) -> None:
    """A value that may be missing, a gate that may not ask and a condition on what is not known are refused."""
    problems = problems_of(project, MAYBE + step)

    assert places(problems) == [place for place, _ in expected], "\n".join(map(str, problems))
    assert all(fragment in problem.message for problem, (_, fragment) in zip(problems, expected, strict=True))


@pytest.mark.parametrize(
    "step",
    [
        "  - {id: b, when: 'inputs.kind==\"x\"', run: [git, '${steps.a.v}']}\n",
        "  - {id: b, run: [git, '${steps.a.w}', '${steps.a.outcome}']}\n",
        "  - {id: b, when: inputs.kind == 'x', gate: Go on}\n  - {id: c, when: inputs.kind == 'x', run: [git]}\n",
        "  - {id: b, when: steps.a.outcome == 'passed', run: [git]}\n",
        "finally:\n  - {id: b, when: steps.a.outcome == 'failed', run: [git]}\n",
    ],
)
def test_no_hole_is_accepted(project: Path, step: str) -> None:
    """The same condition, a default, and a step's outcome are always there when they are needed."""
    path = write_workflow(project, MAYBE + step)

    workflow = read_yaml_workflow(path, root=project)

    assert [step.always for step in workflow.steps][-1] is ("finally" in step)


def test_condition_is_part_of_the_digest(project: Path) -> None:
    """A step with another condition is another step, and so is one that moved to `finally`."""

    def digest(text: str) -> str:
        return read_yaml_workflow(write_workflow(project, text), root=project).steps[-1].digest

    plain = "steps:\n  - {id: a, run: [git]}\n"

    digests = {
        digest(plain + "  - {id: b, run: [git]}\n"),
        digest(plain + "  - {id: b, when: steps.a.exit == 0, run: [git]}\n"),
        digest(plain + "  - {id: b, when: steps.a.exit == 1, run: [git]}\n"),
        digest(plain + "finally:\n  - {id: b, run: [git]}\n"),
    }

    assert len(digests) == 4
