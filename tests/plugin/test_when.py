"""Steps that don't apply, workflows that stop early, and plans that are only shown."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from .conftest import Project

FLOW = """
workflow: flow
inputs: {kind: {type: string, default: minor}}
steps:
  - {id: one, run: [touch, ran-one]}
  - id: two
    when: inputs.kind == 'major'
    run: [touch, ran-two]
    outputs: {word: {stdout: '.*', default: nothing}}
  - {id: three, run: [touch, "ran-three-${steps.two.word}-${steps.two.outcome}"]}
finally:
  - {id: tidy, run: [touch, ran-tidy]}
"""


@pytest.fixture(autouse=True)
def flow(project: Project) -> None:
    """A workflow whose second step is for major releases."""
    project.write("wf/flow.workflow.yaml", FLOW)


def ran(project: Project) -> list[str]:
    """Return which steps left a mark."""
    return sorted(path.name.removeprefix("ran-") for path in project.root.glob("ran-*"))


def test_step_that_does_not_apply_is_satisfied_and_did_not_run(project: Project) -> None:
    """With a false condition a step is not applicable: recorded with its reason, its body held back, the rest goes on."""
    session = project.pytest("wf", "--junitxml=report.xml")

    assert session.status == 0, session.text
    assert "[2/4] two ... NOT APPLICABLE" in session.text
    assert "3 passed, 1 not applicable" in session.text
    assert ran(project) == ["one", "three-nothing-not_applicable", "tidy"]
    assert project.outcomes()["two"] == "not_applicable"
    [two] = [record for record in project.of_type("step.finished") if record["step"] == "two"]
    assert "inputs.kind == 'major'" in two["data"]["message"]
    assert "two" not in [record["step"] for record in project.of_type("step.started")]
    suite = ET.parse(project.root / "report.xml").getroot()[0]  # noqa: S314  # written by the test itself
    assert [[child.tag for child in case if child.tag != "properties"] for case in suite] == [[], [], [], []]


def test_step_that_applies_runs(project: Project) -> None:
    """With a true condition it is a step like any other."""
    session = project.pytest("wf", "--workflow-input=kind=major")

    assert session.status == 0, session.text
    assert "two" in ran(project)
    assert project.outcomes()["two"] == "passed"


@pytest.mark.parametrize(("verbosity", "expected"), [("-q", ".N.."), ("-v", "::two NOT APPLICABLE")])
def test_letters_and_words(project: Project, verbosity: str, expected: str) -> None:
    """Quiet shows N, verbose the words."""
    assert expected in project.pytest("wf", verbosity).text


def test_python_step_that_does_not_apply_makes_no_fixture(project: Project) -> None:
    """Neither the body nor a fixture of a step that does not apply runs."""
    project.write(
        "wf/workflow_other.py",
        "import pytest\nfrom pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='other')\n"
        "@pytest.fixture\ndef costly(workflow):\n    (workflow.root / 'ran-fixture').touch()\n"
        "@step\ndef first() -> None:\n    pass\n"
        "@step(when=\"steps.first.outcome == 'failed'\")\ndef rescue(costly, workflow) -> None:\n"
        "    (workflow.root / 'ran-rescue').touch()\n",
    )

    session = project.pytest("wf/workflow_other.py")

    assert session.status == 0, session.text
    assert ran(project) == []
    assert project.outcomes() == {"first": "passed", "rescue": "not_applicable"}


def test_condition_that_can_not_be_judged_fails_the_step(project: Project) -> None:
    """A condition on a value of another kind is a failure: taken for false, it would leave out a step."""
    known_late = FLOW.replace("run: [touch, ran-one]", "run: [touch, ran-one], outputs: {v: {stdout: '.*'}}")
    project.write("wf/flow.workflow.yaml", known_late.replace("inputs.kind == 'major'", "steps.one.v == 3"))

    session = project.pytest("wf")

    assert session.status == 1
    assert "can't be judged" in session.text
    assert ran(project) == ["one", "tidy"]


@pytest.mark.parametrize("condition", ["inputs.kind == 3", "inputs.kind", "steps.one.outcome == 'done'"])
def test_condition_that_can_not_be_meant_is_refused(project: Project, condition: str) -> None:
    """What nobody needs to run for, nothing runs for."""
    project.write("wf/flow.workflow.yaml", FLOW.replace("inputs.kind == 'major'", condition))

    session = project.pytest("wf")

    assert session.status == 4
    assert "can't be meant" in session.text
    assert ran(project) == []
    assert not (project.root / ".workflow-exec").exists()


@pytest.mark.parametrize("option", ["two", "flow:two"])
def test_stopping_early_is_partial_and_exits_0(project: Project, option: str) -> None:
    """Steps behind the named one are deselected, `finally` too, and the run says that it is partial."""
    session = project.pytest("wf", f"--workflow-until={option}")

    assert session.status == 0, session.text
    assert "stopped after two as asked, 2 of 4" in session.text
    assert "2 deselected" in session.text
    assert ran(project) == ["one"]
    assert project.of_type("run.finished")[0]["data"]["result"] == "partial"
    assert list(project.outcomes()) == ["one", "two"]


def test_stopping_early_does_not_hide_a_failure(project: Project) -> None:
    """A step before the named one that fails makes the session red."""
    project.write("wf/flow.workflow.yaml", FLOW.replace("[touch, ran-one]", '["false"]'))

    session = project.pytest("wf", "--workflow-until=two")

    assert session.status == 1
    assert project.of_type("run.finished")[0]["data"]["result"] == "failed"


def test_preflight_covers_what_runs(project: Project) -> None:
    """A gate behind the named step needs no terminal."""
    project.write("wf/flow.workflow.yaml", FLOW.replace("finally:", "  - {id: ask, gate: Go on?}\nfinally:"))

    assert project.pytest("wf", "--workflow-until=three").status == 0
    assert project.pytest("wf").status == 4


@pytest.mark.parametrize("option", ["nothing", "other:two", ":"])
def test_unknown_last_step_is_refused(project: Project, option: str) -> None:
    """An unknown step is exit 4, and nothing runs."""
    session = project.pytest("wf", f"--workflow-until={option}")

    assert session.status == 4
    assert "there is no such step" in session.text
    assert project.untouched


@pytest.mark.parametrize("cut", [["-k", "one"], ["--deselect", "wf/flow.workflow.yaml::one"]])
def test_stopping_early_is_no_way_around_a_cut(project: Project, cut: list[str]) -> None:
    """The steps up to the named one are all needed."""
    session = project.pytest("wf", "--workflow-until=two", *cut)

    assert session.status == 4
    assert project.untouched


def test_plan_is_shown_and_nothing_runs(project: Project) -> None:
    """The plan names every step with what it does, its condition and the plan's digest."""
    session = project.pytest("wf", "--workflow-plan")

    assert session.status == 0, session.text
    assert "[2/4] two (run): ['touch', 'ran-two'], when inputs.kind == 'major'" in session.text
    assert "[4/4] tidy (run): ['touch', 'ran-tidy'], finally" in session.text
    assert project.untouched


def test_plan_for_machines(project: Project) -> None:
    """The same as JSON, with the digest that the run's first record will have."""
    session = project.pytest("wf", "--workflow-plan-json", "-q")
    plan = json.loads(session.text[session.text.index("{") : session.text.rindex("}") + 1])

    assert project.untouched
    project.pytest("wf")
    [flow] = plan["plans"]
    assert flow["digest"] == project.of_type("run.started")[0]["data"]["plan_digest"]
    assert [step["id"] for step in flow["steps"]] == ["one", "two", "three", "tidy"]
