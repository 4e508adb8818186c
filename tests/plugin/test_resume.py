"""Runs that go on: nothing starts anew in silence, what passed is carried, and a person is asked where it matters."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Mapping
from typing import Any

import pytest

from .conftest import Project, code_at, finish

FLOW = """
workflow: flow
inputs: {who: {default: me}}
steps:
  - {id: one, run: [echo, "${inputs.who}"], outputs: {name: {stdout: ".+"}}}
  - {id: two, run: [test, -e, fixed]}
  - {id: three, run: [touch, "ran-${steps.one.name}"]}
finally:
  - {id: tidy, run: [touch, ran-tidy]}
"""
POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo *", "test -e fixed", "touch *", "sleep *", "false"]\n'


@pytest.fixture
def flow(project: Project) -> Project:
    """A project whose workflow fails until a file is there."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", FLOW)
    return project


def sessions(project: Project) -> list[dict[str, str]]:
    """Return how each step of the only run ended, session by session."""
    found: list[dict[str, str]] = []
    for record in project.records():
        if record["type"] in ("run.started", "run.resumed"):
            found.append({})
        if record["type"] == "step.finished":
            assert record["step"] not in found[-1]
            found[-1][record["step"]] = record["data"]["outcome"]
    return found


def last(project: Project) -> Mapping[str, Any]:
    """Return the data of the last `run.finished` of the only run."""
    data: Mapping[str, Any] = project.of_type("run.finished")[-1]["data"]
    return data


def test_nothing_starts_anew_in_silence(flow: Project) -> None:
    """Beside a run that has not passed, a plain start is refused with both ways on, and runs and writes nothing."""
    assert flow.pytest("wf", "--workflow-input", "who=you").status == 1
    [log] = flow.logs()
    before = log.read_bytes()

    refused = flow.pytest("wf")

    assert refused.status == 4, refused.text
    assert f"run {log.parent.name} of workflow 'flow' has not passed (failed)" in refused.text
    assert "--workflow-resume" in refused.text
    assert "--workflow-new" in refused.text
    assert log.read_bytes() == before
    assert flow.logs() == [log]

    flow.write("fixed", "")
    assert flow.pytest("wf", "--workflow-new").status == 0
    assert len(flow.logs()) == 2
    assert log.read_bytes() == before
    # The newest run has passed: an older one is no reason to refuse.
    assert flow.pytest("wf").status == 0


def test_run_goes_on_in_its_log(flow: Project) -> None:
    """What passed is carried, what failed and what waited runs, inputs are those of before, and verify agrees."""
    assert flow.pytest("wf", "--workflow-input", "who=you").status == 1
    flow.write("fixed", "")

    session = flow.pytest("wf", "--workflow-resume", "--junitxml=j.xml")

    assert session.status == 0, session.text
    assert "[1/4] one ... CARRIED" in session.text
    assert "1 step carried, 3 to run" in session.text
    assert "3 passed, 1 carried" in session.text
    assert sessions(flow) == [
        {"one": "passed", "two": "failed", "three": "blocked", "tidy": "passed"},
        {"one": "carried", "two": "passed", "three": "passed", "tidy": "passed"},
    ]
    assert (flow.root / "ran-you").exists()
    assert last(flow)["result"] == "passed"
    assert len(flow.logs()) == 1
    assert "<failure" not in (flow.root / "j.xml").read_text()
    done = flow.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert done.status == 0, done.text


def test_neither_body_nor_fixture_of_a_carried_step_runs(flow: Project) -> None:
    """A carried Python step costs nothing: its fixtures are not made, its function is not called, its value is there."""
    (flow.root / "wf/flow.workflow.yaml").unlink()
    flow.write(
        "wf/workflow_p.py",
        "import pytest\nfrom pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='p')\n"
        "def mark(workflow, name):\n    with (workflow.root / 'marks').open('a') as file: file.write(name + ' ')\n"
        "@pytest.fixture\ndef costly(workflow):\n    mark(workflow, 'fixture')\n"
        "@step\ndef first(workflow, costly) -> int:\n    mark(workflow, 'first')\n    return 41\n"
        "@step\ndef second(workflow) -> int:\n    mark(workflow, 'second')\n"
        "    assert (workflow.root / 'fixed').exists()\n    return workflow.outputs['first'] + 1\n"
        "@step\ndef third(workflow) -> None:\n    assert workflow.outputs['second'] == 42\n",
    )
    assert flow.pytest("wf").status == 1
    flow.write("fixed", "")

    flow.neighbours = True
    session = flow.pytest("wf", "--workflow-resume", "--reruns", "2", "-v")

    assert session.status == 0, session.text
    assert (flow.root / "marks").read_text() == "fixture first second second "
    assert "::first CARRIED" in session.text
    assert sessions(flow)[-1] == {"first": "carried", "second": "passed", "third": "passed"}
    assert [record["data"]["used"] for record in flow.of_type("step.finished")][-2:] == [["first"], ["second"]]


def test_what_stands_in_place_at_a_carried_step_is_torn_down_behind_it(flow: Project) -> None:
    """A fixture of the file outlives a carried step no longer than any other: the next file finds nothing of it."""
    (flow.root / "wf/flow.workflow.yaml").unlink()
    source = (
        "import pathlib, pytest\nfrom pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='p')\n"
        "MARKS = pathlib.Path(__file__).parents[1] / 'marks'\n"
        "@pytest.fixture(scope='module')\ndef shared():\n    MARKS.write_text('up ')\n    yield\n"
        "    MARKS.write_text(MARKS.read_text() + 'down ')\n"
        "@step(idempotent=True)\ndef first(shared) -> None:\n    assert True\n"
        "@step\ndef second() -> None:\n    pass\n@step\ndef third() -> None:\n    pass\n"
    )
    flow.write("wf/workflow_p.py", source)
    assert flow.pytest("wf", "--workflow-until", "second").status == 0
    flow.write("wf/workflow_p.py", source.replace("assert True", "assert 1"))
    flow.write("wf/test_z.py", "def test_z():\n    assert open('marks').read() == 'up down '\n")

    session = flow.pytest("wf", "--workflow-resume", "--workflow-until", "second")

    assert session.status == 0, session.text
    assert "2 passed, 1 carried" in re.sub(r", 1 deselected", "", session.text)


@pytest.mark.parametrize(
    ("ran", "arguments", "said"),
    [
        (
            False,
            ["--workflow-resume"],
            "there is no run of workflow 'flow' to resume: leave --workflow-resume away to start one",
        ),
        (False, ["--workflow-resume", "--workflow-new"], "exclude each other"),
        (False, ["--workflow-run", "01"], "chooses the run that goes on: add --workflow-resume, or leave it away"),
        (False, ["--workflow-redo", "one"], "runs a step again when a run goes on: add --workflow-resume"),
        (True, ["--workflow-resume", "--workflow-redo", "nothing"], "no such step (known: one, two, three)"),
        (True, ["--workflow-resume", "--workflow-redo", "one"], "asks a person for a reason"),
        (True, ["--workflow-resume", "--workflow-run", "ffff"], "there is no run 'ffff'"),
        (True, ["--workflow-resume", "-k", "two"], "would run without one, three, tidy"),
        (True, ["--workflow-resume", "--workflow-input", "who=other"], "step 'one' has passed before"),
    ],
)
def test_what_cannot_go_on_is_refused(flow: Project, ran: bool, arguments: list[str], said: str) -> None:
    """A wrong or unanswerable wish is refused with exit 4; no step runs and nothing is written."""
    if ran:
        assert flow.pytest("wf").status == 1
        (flow.root / "ran-tidy").unlink()
    before = [log.read_bytes() for log in flow.logs()]

    session = flow.pytest("wf", *arguments)

    assert session.status == 4, session.text
    assert said in session.text
    assert [log.read_bytes() for log in flow.logs()] == before
    assert not list(flow.root.glob("ran-*"))


@pytest.mark.parametrize(
    "edit", [(b'"outcome":"failed"', b'"outcome":"passed"'), (b'"type":"run.started"', b'"type":"run.Started"')]
)
def test_broken_log_does_not_go_on(flow: Project, edit: tuple[bytes, bytes]) -> None:
    """A log that was edited, wherever, is no base for anything: exit 4, names verify, and nothing is appended."""
    assert flow.pytest("wf").status == 1
    [log] = flow.logs()
    log.write_bytes(log.read_bytes().replace(*edit))
    before = log.read_bytes()

    session = flow.pytest("wf", "--workflow-resume")

    assert session.status == 4, session.text
    assert f"workflow-exec verify {log.parent.name}" in session.text
    assert log.read_bytes() == before


def test_partial_run_goes_on(flow: Project) -> None:
    """A run that stopped early as asked has not passed: it goes on where it stopped."""
    flow.write("fixed", "")
    assert flow.pytest("wf", "--workflow-until", "two").status == 0
    assert flow.pytest("wf").status == 4

    session = flow.pytest("wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert sessions(flow)[-1] == {"one": "carried", "two": "carried", "three": "passed", "tidy": "passed"}


def test_workers_go_on_with_whole_runs(flow: Project) -> None:
    """A resumed run is given to one worker, which appends to its log."""
    pytest.importorskip("xdist")
    assert flow.pytest("wf").status == 1
    flow.write("fixed", "")

    session = flow.pytest("wf", "--workflow-resume", "-n2")

    assert session.status == 0, session.text
    assert sessions(flow)[-1] == {"one": "carried", "two": "passed", "three": "passed", "tidy": "passed"}
    assert "[flow 1/4] one CARRIED" in session.text


GATED = """
workflow: flow
steps:
  - {id: build, run: [echo, built]}
  - {id: approve, gate: {question: Go?, show: [build]}}
  - {id: publish, run: [touch, ran-publish]}
"""


def test_way_on_after_a_rejection(flow: Project) -> None:
    """A denied run does not go on by itself; --workflow-redo asks why, asks the gate again, and carries the rest."""
    flow.write("wf/flow.workflow.yaml", GATED)
    child = flow.terminal("wf", "-s")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("not today")
    assert finish(child).status == 1

    refused = flow.pytest("wf", "--workflow-resume")
    assert refused.status == 4, refused.text
    assert "was denied at gate 'approve': --workflow-redo approve asks again" in refused.text

    unexplained = flow.terminal("wf", "-s", "--workflow-resume", "--workflow-redo", "approve")
    unexplained.expect("Reason: ")
    unexplained.sendline("")
    assert finish(unexplained).status == 4
    assert len(flow.of_type("run.resumed")) == 0

    child = flow.terminal("wf", "-s", "--workflow-resume", "--workflow-redo", "approve")
    child.expect("Reason: ")
    child.sendline("it is tomorrow")
    code = code_at(child)
    assert "- build" in (child.before or "").split("Carried steps")[1]
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    assert sessions(flow)[-1] == {"build": "carried", "approve": "passed", "publish": "passed"}
    [resumed] = flow.of_type("run.resumed")
    assert (resumed["data"]["redo"]["step"], resumed["data"]["redo"]["reason"]) == ("approve", "it is tomorrow")
    done = flow.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert done.status == 0, done.text


BEFORE_A_GATE = """
workflow: flow
steps:
  - {id: first, run: [touch, ran-first]}
  - {id: build, run: [echo, built]}
  - {id: approve, gate: {question: Go?, show: [build]}}
  - {id: publish, run: [touch, ran-publish]}
"""


@pytest.mark.parametrize("step", ["build", "first"])
def test_what_a_rejected_gate_showed_is_done_better(flow: Project, step: str) -> None:
    """After a rejection, a step before the gate runs again for a reason, and the gate is asked about what it is now."""
    flow.write("wf/flow.workflow.yaml", BEFORE_A_GATE)
    child = flow.terminal("wf", "-s")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("build it again")
    assert finish(child).status == 1
    behind = flow.pytest("wf", "--workflow-resume", "--workflow-redo", "publish")
    assert behind.status == 4, behind.text
    assert "was denied at gate 'approve', which stands before 'publish': --workflow-redo approve asks" in behind.text
    assert len(flow.of_type("run.resumed")) == 0

    child = flow.terminal("wf", "-s", "--workflow-resume", "--workflow-redo", step)
    child.expect("Reason: ")
    child.sendline("built again")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    others = {"first", "build"} - {step}
    assert sessions(flow)[-1] == {
        **dict.fromkeys(others, "carried"),
        step: "passed",
        "approve": "passed",
        "publish": "passed",
    }
    assert [record["data"]["decision"] for record in flow.of_type("gate.decided")] == ["rejected", "approved"]


def test_a_rejected_gate_that_is_gone_lets_nothing_go_on(flow: Project) -> None:
    """Taking the gate out of the file is no answer to its rejection: the run does not go on, and a new one may begin."""
    flow.write("wf/flow.workflow.yaml", GATED)
    child = flow.terminal("wf", "-s")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("not today")
    assert finish(child).status == 1
    flow.write("wf/flow.workflow.yaml", "\n".join(line for line in GATED.splitlines() if "gate:" not in line))

    for more in ((), ("--workflow-redo", "build")):
        refused = flow.pytest("wf", "--workflow-resume", *more)

        assert refused.status == 4, refused.text
        assert "was denied at gate 'approve', which is not in the plan any more: --workflow-new starts" in refused.text
    assert not (flow.root / "ran-publish").exists()
    assert len(flow.of_type("run.resumed")) == 0


def test_killed_step_runs_again_only_if_a_person_says_so(flow: Project) -> None:
    """After kill -9 in a step its effect is unknown: refused without a terminal, asked about on one; `no` runs nothing."""
    flow.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [echo, one]}\n  - {id: slow, run: [sleep, '${inputs.s}']}\n"
        "  - {id: end, run: [touch, ran-end]}\ninputs: {s: {default: '30'}}\n",
    )
    child = flow.terminal("wf")
    child.expect(r"slow \.\.\. ")
    flow.wait_for("command.started", 2)
    child.kill(signal.SIGKILL)
    child.wait()

    refused = flow.pytest("wf", "--workflow-resume")
    assert refused.status == 4, refused.text
    assert "step 'slow' was started and has no end" in refused.text

    child = flow.terminal("wf", "-s", "--workflow-resume", "--workflow-input", "s=0")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("let me look first")
    denied = finish(child)
    assert denied.status == 1, denied.text
    assert last(flow)["result"] == "denied"
    assert len(flow.of_type("step.started")) == 2

    child = flow.terminal("wf", "-s", "--workflow-resume", "--workflow-input", "s=0")
    code = code_at(child)
    assert re.search(r"1\. slow .*what it did is unknown", re.sub(r"\s+", " ", child.before or ""))
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    assert sessions(flow)[-1] == {"one": "carried", "slow": "passed", "end": "passed"}
    done = flow.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert done.status == 0, done.text


def test_two_resumes_at_once(flow: Project) -> None:
    """One run has one writer: a second resume is refused and names the first."""
    flow.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [test, -e, fixed]}\n  - {id: slow, run: [sleep, '30']}\n",
    )
    assert flow.pytest("wf").status == 1
    flow.write("fixed", "")
    child = flow.terminal("wf", "--workflow-resume")
    child.expect(r"slow \.\.\. ")

    second = flow.pytest("wf", "--workflow-resume")
    child.sendintr()
    finish(child)

    assert second.status == 4, second.text
    assert f"process {child.pid}" in second.text
    assert len(flow.of_type("run.resumed")) == 1
    assert json.loads(flow.logs()[0].read_bytes().splitlines()[-1])["type"] == "run.finished"


def test_folder_in_which_some_have_passed(flow: Project) -> None:
    """Of a folder with passed workflows nothing is resumed: it is said which passed, and how to name the others."""
    flow.write("wf/flow.workflow.yaml", FLOW.replace("id: two", "id: two, foreach: {n: [1, 2]}"))
    flow.write("wf/other.workflow.yaml", "workflow: other\nsteps:\n  - {id: one, run: [echo, one]}\n")
    assert flow.pytest("wf").status == 1
    before = [log.read_bytes() for log in flow.logs()]

    refused = flow.pytest("wf", "--workflow-resume")
    unnamed = flow.pytest("wf/flow.workflow.yaml", "--workflow-resume", "--workflow-redo", "two")

    assert refused.status == 4, refused.text
    assert "'other' passed and there is nothing to resume there" in refused.text
    assert "pytest wf/flow.workflow.yaml --workflow-resume" in refused.text
    assert unnamed.status == 4, unnamed.text
    assert "it has several cases; name one of them: two[1], two[2]" in unnamed.text
    assert [log.read_bytes() for log in flow.logs()] == before

    flow.write("fixed", "")
    assert flow.pytest("wf/flow.workflow.yaml", "--workflow-resume").status == 0


def test_check_and_undoing_of_a_python_workflow(flow: Project) -> None:
    """After kill -9, neither body nor fixture of a step runs whose check finds its effect; what was undone runs again."""
    flow.write("workflow-exec.toml", POLICY.replace('"false"', '"test -e *"'))
    flow.write(
        "wf/workflow_py.py",
        "import pathlib\nimport time\n\nimport pytest\nfrom pytest_workflow_exec import Workflow, each, step\n\n"
        "WORKFLOW = Workflow(name='py')\n\n"
        "@pytest.fixture\ndef costly(workflow):\n    (workflow.root / 'costs').open('a').write('x')\n\n"
        "@step\ndef deploy(sandbox):\n    sandbox.run(['echo', 'deploy'])\n\n"
        "@each(host=['a', 'b'])\n@step(check=['test', '-e', 'made-${each.host}'])\n"
        "def make(workflow, costly, host):\n    (workflow.root / f'made-{host}').touch()\n"
        "    time.sleep(60 if host == 'b' else 0)\n\n"
        "def test_end(workflow):\n    assert (workflow.root / 'fixed').exists()\n\n"
        "@step(always=True, undoes=['deploy'])\ndef rollback(workflow):\n"
        "    assert not (workflow.root / 'fixed').exists()\n",
    )
    child = flow.start("wf/workflow_py.py")
    flow.wait_for("step.started", 3)
    deadline = time.monotonic() + 20
    while not (flow.root / "made-b").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.kill()
    child.wait()

    session = flow.pytest("wf/workflow_py.py", "--workflow-resume", "--junitxml=j.xml")

    assert session.status == 1, session.text
    assert "make[b] its check tells whether it runs again" in session.text
    assert re.search(r"make\[b\] \.\.\. PASSED", session.text), session.text
    assert (flow.root / "costs").read_text() == "xx"
    assert sessions(flow)[-1] == {
        "deploy": "carried",
        "make[a]": "carried",
        "make[b]": "passed",
        "test_end": "failed",
        "rollback": "passed",
    }
    assert last(flow)["not_satisfied"] == ["deploy", "test_end"]

    again = flow.pytest("wf/workflow_py.py", "--workflow-resume")
    assert again.status == 1, again.text
    assert "deploy runs again: undone by rollback" in again.text
    verdict = flow.run("workflow-exec", "verify", "latest", "--expect-head", again.heads[-1])
    assert (verdict.status, "not passed" in verdict.text) == (4, True), verdict.text


def test_check_that_cannot_tell(flow: Project) -> None:
    """A step whose check is in doubt runs nothing and is red; without a terminal, the next session is refused."""
    flow.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: slow, run: [sleep, '60'], check: {run: [test, -e, fixed], "
        "expect: {stdout: {contains: x}}}}\nfinally:\n  - {id: tidy, run: [touch, ran-tidy]}\n",
    )
    child = flow.start("wf")
    flow.wait_for("command.started")
    child.kill()
    child.wait()

    session = flow.pytest("wf", "--workflow-resume")

    assert session.status == 1, session.text
    assert "slow ... INTERRUPTED" in session.text
    assert "check could not tell whether its effect is there" in " ".join(session.text.split()), session.text
    assert sessions(flow)[-1] == {"slow": "interrupted", "tidy": "passed"}
    assert [record["data"].get("check") for record in flow.of_type("command.started")] == [None, True, None]

    refused = flow.pytest("wf", "--workflow-resume")
    assert refused.status == 4, refused.text
    assert "step 'slow' was started and has no end" in refused.text
    assert len(flow.of_type("run.resumed")) == 1
