"""Steps that may not apply: where that would leave a hole, the file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError

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
        (
            "  - {id: b, when: steps.c.outcome == 'passed', run: [git]}\n  - {id: c, run: [git]}\n",
            [("7:19", "comes later")],
        ),
        ("  - {id: b, when: steps.b.outcome == 'passed', run: [git]}\n", [("7:19", "its own values")]),
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


TYPED = (
    "inputs:\n"
    "  n: {type: integer, default: 3}\n"
    "  sure: {type: boolean, default: true}\n"
    "  kind: {type: enum, values: [minor, major], default: minor}\n"
    "  hosts: {type: list, default: [web1]}\n"
    "  version: {pattern: '(?P<series>\\d+)\\.\\d+', default: '1.2'}\n"
    "steps:\n"
    "  - {id: a, run: [git], outputs: {v: {stdout: '.'}}}\n"
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("inputs.n == '3'", "inputs.n is a number, and '3' a text"),
        ("inputs.n in [1, '3']", "inputs.n is a number, and '3' a text"),
        ("inputs.n != true", "inputs.n is a number, and True true or false"),
        ("inputs.sure == 'true'", "inputs.sure is true or false, and 'true' a text"),
        ("inputs.kind == 'mayor'", "inputs.kind is never 'mayor' (did you mean 'major'?)"),
        ("inputs.kind in ['minor', 'patch']", "inputs.kind is never 'patch'"),
        ("inputs.kind not in ['patch']", "inputs.kind is never 'patch'"),
        ("not ('patch' != inputs.kind)", "inputs.kind is never 'patch'"),
        ("inputs.kind", "inputs.kind is a text, neither true nor false; compare it with something"),
        ("inputs.sure and inputs.n", "inputs.n is a number, neither true nor false"),
        ("inputs.version > '1.0'", "inputs.version is a text; only numbers have an order here"),
        ("inputs.version.series == 1", "inputs.version.series is a text, and 1 a number"),
        ("'web1' in inputs.kind", "inputs.kind is a text, and no list to look into"),
        ("inputs.n in inputs.hosts", "inputs.n is a number, and inputs.hosts a list of texts"),
        ("inputs.hosts == 'web1'", "inputs.hosts is a list, and 'web1' a text"),
        ("steps.a.exit == '0'", "steps.a.exit is a number, and '0' a text"),
        ("steps.a.outcome == 'pass'", "steps.a.outcome is never 'pass' (did you mean 'passed'?)"),
        ("steps.a.outcome != 'skipped'", "steps.a.outcome is never 'skipped'"),
        ("steps.a.outcome == inputs.kind", "is never"),
    ],
)
def test_comparison_that_can_not_be_meant_is_refused(project: Path, condition: str, expected: str) -> None:
    """It would leave out its step, or never, whatever the values are."""
    problems = problems_of(project, TYPED + f'  - {{id: b, when: "{condition}", run: [git]}}\n')

    assert places(problems) == ["9:5"], "\n".join(map(str, problems))
    assert expected in problems[0].message


@pytest.mark.parametrize(
    "condition",
    [
        "inputs.n == 3 or inputs.n < 2.5",
        "inputs.sure and not inputs.sure",
        "inputs.kind in ['minor', 'major'] and inputs.kind != 'major'",
        "'web1' in inputs.hosts and inputs.kind in inputs.hosts",
        "inputs.version.series == '1'",
        "steps.a.v == 3 or steps.a.v == '3' or steps.a.v",
        "steps.a.exit == 0 and steps.a.outcome in ['passed', 'waived']",
    ],
)
def test_comparison_of_what_can_be_the_same_is_accepted(project: Path, condition: str) -> None:
    """So is one of values whose types nobody knows before the run."""
    path = write_workflow(project, TYPED + f'  - {{id: b, when: "{condition}", run: [git]}}\n')

    assert len(read_yaml_workflow(path, root=project).steps) == 2


def test_comparison_is_told_once_for_all_cases(project: Path) -> None:
    """Each case has a condition of its own, and they are one mistake; one of an included file is told there."""
    project.joinpath("wf").mkdir(exist_ok=True)
    text = TYPED + "  - {id: b, foreach: {h: [x, y]}, when: \"inputs.n == '3'\", run: [git]}\n"

    assert places(problems_of(project, text)) == ["9:5"]


@pytest.mark.parametrize("condition", ["inputs.x == 'true'", "inputs.version == 1", "inputs.version.series == 1"])
def test_comparison_in_a_fragment_is_judged_by_its_own_inputs(project: Path, condition: str) -> None:
    """Whatever the including file calls so, and wherever the value comes from."""
    flow = "inputs: {x: {default: y}, n: {type: integer, default: 3}}\nsteps:\n  - {include: _f.workflow.yaml, id: f}\n"
    fragment = (
        "inputs:\n"
        "  x: {type: boolean, default: true}\n"
        "  version: {pattern: '(?P<series>\\d+)\\.\\d+', default: '1.2'}\n"
        "steps:\n"
        "  - {id: good, when: inputs.x and inputs.version.series == '1', run: [git]}\n"
    )
    path = write_workflow(project, flow)
    path.with_name("_f.workflow.yaml").write_text(fragment, encoding="utf-8")
    assert len(read_yaml_workflow(path, root=project).steps) == 1

    path.with_name("_f.workflow.yaml").write_text(f'{fragment}  - {{id: b, when: "{condition}", run: [git]}}\n')

    with pytest.raises(DefinitionError) as caught:
        read_yaml_workflow(path, root=project)
    assert [(each.path and each.path.name, each.line) for each in caught.value.problems] == [("_f.workflow.yaml", 6)]
