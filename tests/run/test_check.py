"""Checks: a step of unknown effect is asked by its own check first, and only a doubt needs a person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import CheckInDoubtError, GateDeniedError
from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Run, perform_check
from pytest_workflow_exec.verify import verify_log

from .conftest import Project, no_call
from .test_carry import refusing

POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo *", "touch *", "test -e *", "sleep *", "cat *", "ls *"]\n'
FLOW = """
workflow: flow
inputs: {name: {default: effect}}
steps:
  - {id: one, run: [echo, one], outputs: {said: {stdout: ".+"}}}
  - {id: make, run: [touch, "${inputs.name}"], check: {run: [test, -e, "${inputs.name}"]}}
  - {id: end, run: [echo, end]}
"""


def struck(project: Project, flow: str = FLOW) -> Run:
    """Return a run whose process was killed in the step `make`."""
    (project.root / "workflow-exec.toml").write_text(POLICY)
    run = project.open(flow, approver=refusing)
    project.perform(run, "one")
    run.start(run.workflow.step("make"))
    run._journal.close()
    run._lock.release()
    return run


def of_make(project: Project, run: Run) -> list[Record]:
    """Return what the log says of the second attempt at the step."""
    return [record for record in project.records(run) if record.step == "make" and record.attempt == 2]


def test_effect_that_is_there(project: Project) -> None:
    """Nobody is asked and no body runs: the check's own command is all that the attempt did, and verify agrees."""
    before = struck(project)
    (project.root / "effect").touch()

    run = project.open(FLOW, after=before, approver=refusing)
    outcomes = project.go_through(run)

    assert outcomes == {"one": "carried", "make": "passed", "end": "passed"}
    started, asked, answered, ended = of_make(project, run)
    assert started.data["probe"] is True
    assert (asked.data["argv"], asked.data["check"]) == (["test", "-e", "effect"], True)
    assert (answered.data["exit"], answered.data["check"]) == (0, True)
    assert ended.data["checked"] is True
    assert verify_log(run.log_path).result == "passed"
    assert verify_log(run.log_path).word == "bounded"


def test_effect_that_is_not_there(project: Project) -> None:
    """The step runs, in the same attempt and without a person: it was shown that nothing was done."""
    run = project.open(FLOW, after=struck(project), approver=refusing)
    outcomes = project.go_through(run)

    assert outcomes["make"] == "passed"
    assert [record.data["argv"] for record in of_make(project, run) if record.type == "command.started"] == [
        ["test", "-e", "effect"],
        ["touch", "effect"],
    ]
    assert "checked" not in of_make(project, run)[-1].data
    assert verify_log(run.log_path).result == "passed"


@pytest.mark.parametrize(
    "check",
    [
        "run: [nothing-like-it]",
        "run: [cat, missing], expect: {stdout: {contains: x}}",
        "run: [sleep, '30']",
        "verify: tests",
    ],
    ids=["refused", "failed where its output counts", "timed out", "tests that prove nothing"],
)
def test_check_in_doubt(project: Project, check: str) -> None:
    """A check that can't tell runs nothing; the effect stays unknown, and the next session asks a person."""
    (project.root / "tests").mkdir()
    (project.root / "tests/test_it.py").write_text("import pytest\n\ndef test_it():\n    pytest.skip()\n")
    flow = FLOW.replace('run: [test, -e, "${inputs.name}"]', check).replace("check: {", "timeout: 5s, check: {")
    run = project.open(flow, after=struck(project, flow), approver=refusing)
    step = run.workflow.step("make")
    run.carry(run.workflow.step("one"))
    run.start(step)

    with pytest.raises(CheckInDoubtError, match="Nothing of it was run"):
        perform_check(run, step, call=no_call)
    run.finish("make", Outcome.INTERRUPTED, message="in doubt")
    run.close(interrupted=False)

    assert not (project.root / "effect").exists()
    assert of_make(project, run)[-1].data["doubt"] is True
    assert verify_log(run.log_path).result == "failed"
    with pytest.raises(GateDeniedError):
        project.open(flow, after=run, approver=refusing)
    again = project.open(flow, after=run)
    assert project.go_through(again)["make"] == "passed"
    assert verify_log(again.log_path).result == "passed"


@pytest.mark.parametrize(
    "edit",
    [
        lambda flow: flow.replace("run: [touch,", "run: [touch, -a,"),
        lambda flow: flow.replace("default: effect", "default: other"),
        lambda flow: flow.replace("[echo, end]", "[echo, '${steps.make.stdout}']"),
    ],
    ids=["definition", "input", "output that is lost"],
)
def test_check_that_proves_nothing(project: Project, edit: Callable[[str], str]) -> None:
    """Of another effect than the one that is unknown, and where its outputs are needed, a person decides as before."""
    before = struck(project)

    with pytest.raises(GateDeniedError):
        project.open(edit(FLOW), after=before, approver=refusing)
    assert [record.step for record in project.records(before) if record.type == "step.started"] == ["one", "make"]


def test_outputs_that_are_files_are_collected_again(project: Project) -> None:
    """A step that is satisfied by its check has the files that it left, with their digests."""
    flow = FLOW.replace("check: {", "outputs: {file: {glob: effect}}, check: {").replace(
        "[echo, end]", '[cat, "${steps.make.file}"]'
    )
    before = struck(project, flow)
    (project.root / "effect").write_text("content")

    run = project.open(flow, after=before, approver=refusing)
    project.go_through(run)

    ended = of_make(project, run)[-1]
    assert (ended.data["checked"], ended.data["outputs"]) == (True, {"file": "effect"})
    [last] = [record for record in project.records(run) if record.type == "command.finished" and record.step == "end"]
    assert last.data["stdout"] == "content"


@pytest.mark.parametrize("body", ["assert True", "assert False"])
def test_tests_as_a_check(project: Project, body: str) -> None:
    """Tests that pass say that the effect is there, tests that fail that it is not."""
    (project.root / "tests").mkdir()
    (project.root / "tests/test_it.py").write_text(f"def test_it():\n    {body}\n")
    flow = FLOW.replace('run: [test, -e, "${inputs.name}"]', "verify: tests")

    run = project.open(flow, after=struck(project, flow), approver=refusing)
    project.go_through(run)

    assert Path(project.root / "effect").exists() is ("False" in body)
    assert verify_log(run.log_path).result == "passed"
