"""Workflows beside pytest-xdist: whole ones are spread over workers, steps never."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import pytest

from benchmarks.many_workflows import write_workflows
from pytest_workflow_exec.ai.testing import FakeClaude
from pytest_workflow_exec.verify import verify_log

from .conftest import Project, finish

pytest.importorskip("xdist")

PYTHON = "import os, signal\nfrom pathlib import Path\nfrom pytest_workflow_exec import Workflow, step\n"


def flow(name: str, *steps: str) -> str:
    """Return a YAML workflow of commands."""
    lines = [f"  - {{id: s{number}, run: [{command}]}}" for number, command in enumerate(steps, start=1)]
    return "\n".join([f"workflow: {name}", "steps:", *lines, "finally:", "  - {id: tidy, run: [touch, ran-tidy]}", ""])


def runs(project: Project) -> dict[str, list[Mapping[str, Any]]]:
    """Return the records of each run, by its workflow."""
    found = {}
    for log in project.logs():
        records = [json.loads(line) for line in log.read_bytes().splitlines()]
        found[records[0]["data"]["workflow"]] = records
    assert len(found) == len(project.logs())
    return found


def outcomes(records: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return how each step of a run ended."""
    ends = [record for record in records if record["type"] == "step.finished"]
    assert len({end["step"] for end in ends}) == len(ends)
    return {end["step"]: end["data"]["outcome"] for end in ends}


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup"])
def test_workflows_are_spread_whole(project: Project, dist: str) -> None:
    """Whatever `--dist` says, each workflow is run once, whole and in order; ordinary tests run beside them."""
    for name in ("a", "b", "c"):
        project.write(f"wf/{name}.workflow.yaml", flow(name, f"touch, ran-{name}1", f"touch, ran-{name}2"))
    project.write("tests/test_x.py", "import pytest\n@pytest.mark.parametrize('i', range(4))\ndef test_x(i): pass\n")

    session = project.pytest("wf", "tests", "-n2", f"--dist={dist}")

    assert session.status == 0, session.text
    for name in ("a", "b", "c"):
        numbers = re.findall(rf"^.*\[{name} (\d)/3\] \w+ PASSED", session.text, flags=re.MULTILINE)
        assert numbers == ["1", "2", "3"], session.text
        assert outcomes(runs(project)[name]) == {"s1": "passed", "s2": "passed", "tidy": "passed"}
        assert f"workflow {name}: passed, 3 of 3 steps" in session.text
    assert "13 passed" in session.text
    assert len(session.heads) == 3


def test_failure_blocks_only_its_own_workflow(project: Project) -> None:
    """A failing step blocks the rest of its workflow, whose `finally` runs; --maxfail counts it once."""
    project.write("wf/a.workflow.yaml", flow("a", '"false"', "touch, ran-a2", "touch, ran-a3"))
    project.write("wf/b.workflow.yaml", flow("b", "touch, ran-b1", "touch, ran-b2"))

    session = project.pytest("wf", "-n2", "--maxfail=2", "--junitxml=j.xml")

    assert session.status == 1, session.text
    assert outcomes(runs(project)["a"]) == {"s1": "failed", "s2": "blocked", "s3": "blocked", "tidy": "passed"}
    assert set(outcomes(runs(project)["b"]).values()) == {"passed"}
    assert not (project.root / "ran-a2").exists()
    assert "BLOCKED wf/a.workflow.yaml::s2 - waits for s1 (failed)" in session.text
    assert "1 failed, 4 passed, 2 blocked" in session.text
    assert (project.root / "j.xml").read_text().count("<error") == 2


def test_first_failure_stops_a_worker_after_its_finally(project: Project) -> None:
    """With -x the worker ends its workflow in order: what was not reached is blocked, `finally` runs, red."""
    project.write("wf/a.workflow.yaml", flow("a", "touch, ran-a1", '"false"', "touch, ran-a3"))

    session = project.pytest("wf", "-n1", "-x")

    assert session.status != 0
    assert outcomes(runs(project)["a"]) == {"s1": "passed", "s2": "failed", "s3": "blocked", "tidy": "passed"}
    assert "INTERNALERROR" not in session.text
    assert not (project.root / "ran-a3").exists()


@pytest.mark.parametrize("more", [(), ("--reruns", "2"), ("--max-worker-restart=0",)])
def test_crash_leaves_an_unknown_effect_and_no_second_try(project: Project, more: tuple[str, ...]) -> None:
    """A worker that dies in a step: the step is never run again, the rest is blocked, other workflows go on."""
    project.write(
        "wf/workflow_dies.py",
        PYTHON + "WORKFLOW = Workflow(name='dies')\n@step\ndef first() -> None: pass\n"
        "@step\ndef dies(workflow) -> None:\n    with (workflow.root / 'tries').open('a') as file: file.write('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "@step\ndef later(workflow) -> None: (workflow.root / 'ran-later').touch()\n",
    )
    project.write("wf/b.workflow.yaml", flow("b", "sleep, '0.2'", "touch, ran-b2"))
    project.neighbours = bool(more)

    session = project.pytest("wf", "-n2", *more)

    assert session.status == 1, session.text
    assert (project.root / "tries").read_text() == "x"
    assert not (project.root / "ran-later").exists()
    assert outcomes(runs(project)["dies"]) == {"first": "passed"}
    assert runs(project)["dies"][-1]["type"] == "step.started"
    assert set(outcomes(runs(project)["b"]).values()) == {"passed"}
    assert "what it did is unknown" in session.text
    assert "BLOCKED wf/workflow_dies.py::later - waits for dies (effect unknown)" in session.text
    assert "workflow dies: NOT passed, it has no end" in session.text


def test_exit_with_zero_is_not_green(project: Project) -> None:
    """`pytest.exit(returncode=0)` in a step of a worker is red and names what is missing."""
    project.write(
        "wf/workflow_exits.py",
        "import pytest\n" + PYTHON + "WORKFLOW = Workflow(name='exits')\n@step\ndef first() -> None: pass\n"
        "@step\ndef stops() -> None: pytest.exit('enough', returncode=0)\n"
        "@step\ndef later(workflow) -> None: (workflow.root / 'ran-later').touch()\n",
    )

    session = project.pytest("wf", "-n1")

    assert session.status == 1, session.text
    assert outcomes(runs(project)["exits"]) == {"first": "passed", "stops": "interrupted", "later": "blocked"}
    assert "not satisfied: stops, later" in session.text


GATED = "workflow: g\nsteps:\n  - {id: s1, run: [touch, ran-g1]}\n  - {id: ok, gate: {question: Go?}}\n"


@pytest.mark.parametrize(
    ("files", "arguments", "said"),
    [
        ({"g.workflow.yaml": GATED}, ["wf"], "add -n0"),
        ({"a.workflow.yaml": "workflow: a\nsteps: 3\n"}, ["wf"], "can't be used"),
        ({}, ["wf", "--dist=each"], "--dist each"),
        ({}, ["wf", "-k", "s1"], "would run without s2, tidy"),
        ({}, ["wf/ok.workflow.yaml::s2"], "would run without s1, tidy"),
        ({}, ["wf", "--setup-only"], "--setup-only"),
        ({}, ["wf", "--workflow-until", "nothing"], "no such step"),
        ({"workflow_x.py": "raise RuntimeError('no')\n"}, ["wf", "--continue-on-collection-errors"], "can't be used"),
        ({"test_broken.py": "raise RuntimeError('no')\n"}, ["wf", "--junitxml=j.xml"], "could not be collected"),
    ],
)
def test_what_can_be_known_is_refused_before_a_step(
    project: Project, files: Mapping[str, str], arguments: list[str], said: str
) -> None:
    """The controller refuses with exit 4, before any step of any workflow has run and any run was begun."""
    project.write("wf/ok.workflow.yaml", flow("ok", "touch, ran-ok1", "touch, ran-ok2"))
    for name, text in files.items():
        project.write(f"wf/{name}", text)

    session = (
        project.pytest("-n2", *[argument for argument in arguments if argument != "-nno"])
        if ("-nno" not in arguments)
        else project.pytest(*arguments[:-1])
    )

    assert session.status == 4, session.text
    assert said in session.text
    assert project.logs() == []
    assert not list(project.root.glob("ran-*"))
    if "--junitxml=j.xml" in arguments:
        assert "<error" in (project.root / "j.xml").read_text()


def test_discovery_and_plans_need_no_worker(project: Project) -> None:
    """Looking runs nothing: --workflow-plan shows the plan, --setup-plan and --collect-only make no directory."""
    project.write("wf/ok.workflow.yaml", flow("ok", "touch, ran-ok1"))

    plan = project.pytest("wf", "-n2", "--workflow-plan")
    looks = [project.pytest("wf", "-n2", option) for option in ("--collect-only", "--setup-plan")]

    assert plan.status == 0
    assert "[1/2] s1 (run): ['touch', 'ran-ok1']" in plan.text
    assert [look.status for look in looks] == [0, 0], looks
    assert project.untouched


def test_workflow_can_stop_early_in_a_worker(project: Project) -> None:
    """--workflow-until deselects the later steps, and the partial run is green and said."""
    project.write("wf/ok.workflow.yaml", flow("ok", "touch, ran-ok1", "touch, ran-ok2"))

    session = project.pytest("wf", "-n2", "--workflow-until", "s1")

    assert session.status == 0, session.text
    assert "stopped after s1 as asked, 1 of 3 steps" in session.text
    assert outcomes(runs(project)["ok"]) == {"s1": "passed"}


def test_running_workflow_is_not_begun_by_a_worker(project: Project) -> None:
    """A workflow that another session runs is refused with its holder, before anything starts."""
    project.write("wf/slow.workflow.yaml", flow("slow", "sleep, '30'"))
    first = project.terminal("wf")
    first.expect(r"s1 \.\.\. ")

    second = project.pytest("wf", "-n2")
    first.sendintr()
    ended = finish(first)

    assert second.status == 4, second.text
    assert f"process {first.pid}" in second.text
    assert ended.status == 2
    assert len(project.logs()) == 1


@pytest.mark.parametrize("how", ["terminal", signal.SIGTERM, signal.SIGINT])
def test_interrupt_reaches_the_workers(project: Project, how: str | signal.Signals) -> None:
    """Ctrl-C or a signal to the controller: the step ends as interrupted, `finally` runs, the log has its end."""
    project.write("wf/slow.workflow.yaml", flow("slow", "sleep, '30'", "touch, ran-2"))
    child = project.terminal("wf", "-n2", "-v")
    child.expect(r"slow\.workflow\.yaml::s1")
    project.wait_for("command.started")

    if isinstance(how, str):
        child.sendintr()
    else:
        child.kill(how)
    session = finish(child)

    assert session.status == 2, session.text
    assert outcomes(runs(project)["slow"]) == {"s1": "interrupted", "s2": "blocked", "tidy": "passed"}
    assert runs(project)["slow"][-1]["type"] == "run.finished"
    assert not (project.root / "ran-2").exists()
    assert "NOT passed (s1 interrupted)" in session.text


def test_plan_that_changes_between_check_and_start_is_refused(project: Project) -> None:
    """A worker begins only the plan that was checked: a file that changed in between is never run."""
    project.write("wf/a.workflow.yaml", flow("a", "touch, ran-a1"))
    project.write(
        "conftest.py",
        "from pathlib import Path\ndef pytest_configure(config):\n    if hasattr(config, 'workerinput'):\n"
        "        file = Path('wf/a.workflow.yaml')\n        file.write_text(file.read_text().replace('ran-a1', 'ran-b1'))\n",
    )

    session = project.pytest("wf", "-n1")

    assert session.status == 1, session.text
    assert "changed since it was checked" in session.text
    assert "BLOCKED wf/a.workflow.yaml::tidy - waits for s1 (could not begin)" in session.text
    assert not list(project.root.glob("ran-*"))
    assert project.logs() == []


def test_the_worker_writes_the_log(project: Project) -> None:
    """The process that runs a workflow's steps is the one that wrote its log and held its lock."""
    project.write(
        "wf/workflow_pid.py",
        PYTHON + "WORKFLOW = Workflow(name='pid')\n@step\ndef tell(workflow) -> dict[str, str]:\n"
        "    [lock] = workflow.root.glob('.workflow-exec/**/pid.lock')\n"
        "    return {'lock': lock.read_text(), 'pid': str(os.getpid())}\n",
    )

    session = project.pytest("wf", "-n1")
    [end] = [record for record in runs(project)["pid"] if record["type"] == "step.finished"]

    assert session.status == 0, session.text
    assert f"process {end['data']['outputs']['pid']}" in end["data"]["outputs"]["lock"]


def test_other_machines_are_refused(project: Project) -> None:
    """A workflow runs only here: what a worker elsewhere did could not be seen."""
    project.write("wf/ok.workflow.yaml", flow("ok", "touch, ran-ok1"))

    session = project.pytest("wf", "--dist=load", "--tx=socket=localhost:1")

    assert session.status == 4, session.text
    assert "only on this machine" in session.text
    assert project.untouched


@pytest.mark.skipif(find_spec("claude_agent_sdk") is None, reason="needs the extra `ai`")
@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_workflows_share_one_budget(project: Project, fake_claude: FakeClaude, workers: tuple[str, ...]) -> None:
    """One after the other: the first is answered, the second costs more than was left, and for the third nobody is asked."""
    fake_claude.answers({"a": "x"}, {"a": "x"}, {"a": "x"})
    for name in ("one", "two", "three"):
        project.write(
            f"wf/{name}.workflow.yaml",
            f"workflow: {name}\nsteps:\n  - {{id: ask, ai: {{prompt: What?, output: {{a: {{}}}}}}}}\n"
            f"  - {{id: use, run: [touch, ran-{name}]}}\n",
        )

    session = project.pytest("wf", "--workflow-ai=live", "--workflow-ai-budget=0.0003", *workers)

    assert session.status == 1, session.text
    assert (len(fake_claude.requests), len(list(project.root.glob("ran-*")))) == (2, 1), session.text
    records = [record for each in runs(project).values() for record in each]
    said = [record["data"] for record in records if record["type"] == "ai.response"]
    assert sorted(each["outcome"] for each in said) == ["accepted", "failed"]
    assert "by other runs of this session); nothing was asked" in " ".join(session.text.split())


def test_many_workflows_suspend_and_pass_side_by_side(project: Project) -> None:
    """Each has its own log, those that wait are listed, and one page shows all of them."""
    pytest.importorskip("jinja2")
    write_workflows(project.root, 10)

    session = project.pytest("workflows", "-n3", "--workflow-new")

    assert session.status == 1, session.text
    assert session.text.count(": passed, 5 of 5 steps") == 8
    waiting = json.loads(project.run("workflow-exec", "pending", "--json").text)
    assert sorted(each["workflow"] for each in waiting) == ["flow-0", "flow-5"]
    assert len(project.logs()) == 10
    assert sorted(verify_log(log).word for log in project.logs()) == ["bounded"] * 8 + ["not passed"] * 2
    page = project.root / "all.html"
    assert project.run("workflow-exec", "report", "--all", "--html", str(page)).status == 0
    assert all(f"flow-{number}" in page.read_text() for number in range(10))
