"""Blocks run case by case, clean up after each that began, and make no failure green."""

from __future__ import annotations

import json
import signal

from .conftest import PATIENCE_S, Project, code_at, finish

ROLLING = """
workflow: rolling
inputs: {{hosts: {{type: list, default: [web1, web2]}}}}
steps:
  - {{id: build, run: [echo, v7]}}
  - id: update
    foreach: {{host: "${{inputs.hosts}}"}}
    steps:
      - {{id: drain, run: [echo, "drain ${{each.host}}"]}}
      - {{id: deploy, {deploy}}}
      - {{id: say, run: [echo, "${{steps.drain.stdout}} ${{steps.build.stdout}}"]}}
    finally:
      - {{id: undrain, run: [touch, "ran-undrain-${{each.host}}"]}}
  - {{id: done, run: [touch, ran-done]}}
finally:
  - {{id: tidy, run: [touch, ran-tidy]}}
"""
WORKS = 'run: [echo, "deploy ${each.host}"]'
FAILS = 'run: ["false"]'


def ran(project: Project) -> list[str]:
    """Return which steps left a mark."""
    return sorted(path.name.removeprefix("ran-") for path in project.root.glob("ran-*"))


def test_all_steps_run_for_one_value_then_for_the_next(project: Project) -> None:
    """A block runs whole for each value, its log verifies, and JUnit and node ids name each step by its id."""
    project.write("wf/rolling.workflow.yaml", ROLLING.format(deploy=WORKS))

    session = project.pytest("wf", "--junitxml=report.xml")

    assert session.status == 0, session.text
    assert list(project.outcomes()) == [
        "build",
        *(f"update[{host}]/{name}" for host in ("web1", "web2") for name in ("drain", "deploy", "say", "undrain")),
        "done",
        "tidy",
    ]
    assert set(project.outcomes().values()) == {"passed"}
    printed = {
        record["step"]: record["data"]["outputs"]["stdout"].strip()
        for record in project.of_type("step.finished")
        if record["step"].endswith("say")
    }
    assert printed == {"update[web1]/say": "drain web1 v7", "update[web2]/say": "drain web2 v7"}
    assert ran(project) == ["done", "tidy", "undrain-web1", "undrain-web2"]
    assert 'classname="wf.rolling.workflow.yaml" name="update[web1]/drain' in (project.root / "report.xml").read_text()
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text


def test_selection_inside_a_block_is_a_cut_plan(project: Project) -> None:
    """A node id, a block's or a step's in it, is refused, and nothing runs; `--workflow-until` may name both."""
    project.write("wf/rolling.workflow.yaml", ROLLING.format(deploy=WORKS))

    for name in ("update", "update[web1]/drain"):
        session = project.pytest(f"wf/rolling.workflow.yaml::{name}")
        assert session.status == 4, session.text
        assert "the plan is cut" in session.text
        assert project.untouched

    plan = project.pytest("wf", "--workflow-plan")
    assert "update[web1]/undrain (run): ['touch', 'ran-undrain-web1'], finally of update[web1]" in plan.text
    session = project.pytest("wf", "--workflow-until", "update[web1]")
    assert session.status == 0, session.text
    assert "stopped after update[web1]/undrain as asked, 5 of 11 steps" in session.text
    assert ran(project) == ["undrain-web1"]


def test_block_cleans_up_after_a_failure_and_the_next_case_is_blocked(project: Project) -> None:
    """After a failing step, also with -x, the `finally` of its case runs, no other case's does, and the run is red."""
    for options in ([], ["-x"]):
        project.write("wf/rolling.workflow.yaml", ROLLING.format(deploy=FAILS))
        session = project.pytest("wf", "--workflow-new", *options)

        assert session.status == 1, session.text
        outcomes = {
            record["step"]: record["data"]["outcome"]
            for record in map(json.loads, project.logs()[-1].read_text().splitlines())
            if record["type"] == "step.finished"
        }
        assert [step for step, outcome in outcomes.items() if outcome == "passed"] == [
            "build",
            "update[web1]/drain",
            "update[web1]/undrain",
            "tidy",
        ]
        assert [step for step, outcome in outcomes.items() if outcome == "failed"] == ["update[web1]/deploy"]
        assert outcomes["update[web2]/undrain"] == outcomes["done"] == "blocked"
        assert ran(project) == ["tidy", "undrain-web1"]
        verified = project.run("workflow-exec", "verify", "latest")
        assert verified.status == 4, verified.text


def test_block_of_which_nothing_began_cleans_up_nothing(project: Project) -> None:
    """A failure before a block blocks its `finally`, too; the workflow's own runs."""
    project.write("wf/rolling.workflow.yaml", ROLLING.format(deploy=WORKS).replace("[echo, v7]", '["false"]'))

    session = project.pytest("wf")

    assert session.status == 1
    assert ran(project) == ["tidy"]
    assert project.outcomes()["update[web1]/undrain"] == "blocked"


def test_block_that_does_not_apply_is_satisfied_with_its_finally(project: Project) -> None:
    """The condition of a block holds for all its steps, those that clean up included."""
    text = ROLLING.format(deploy=WORKS).replace(
        "    steps:\n      - {id: drain", "    when: each.host == 'web2'\n    steps:\n      - {id: drain"
    )
    project.write("wf/rolling.workflow.yaml", text)

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert [step for step, outcome in project.outcomes().items() if outcome == "not_applicable"] == [
        f"update[web1]/{name}" for name in ("drain", "deploy", "say", "undrain")
    ]
    assert ran(project) == ["done", "tidy", "undrain-web2"]


def test_block_cleans_up_after_an_interruption(project: Project) -> None:
    """After Ctrl-C the case that began is cleaned up, and no other."""
    project.write("wf/rolling.workflow.yaml", ROLLING.format(deploy='run: [sleep, "1000"]'))
    session = project.start("wf")
    project.wait_for("command.started", 3)
    session.send_signal(signal.SIGINT)

    assert session.wait(PATIENCE_S) == 2
    assert ran(project) == ["tidy", "undrain-web1"]
    assert project.outcomes()["update[web1]/deploy"] == "interrupted"
    verified = project.run("workflow-exec", "verify", "latest")
    assert verified.status == 4, verified.text


def test_done_cases_are_carried_and_the_one_left_is_cleaned_up_again(project: Project) -> None:
    """Going on, what cleaned up after a case that is done is carried; where anything is left to run, it runs again."""
    project.write("wf/rolling.workflow.yaml", ROLLING.format(deploy='run: [touch, "made-${each.host}/x"]'))
    (project.root / "made-web1").mkdir()
    assert project.pytest("wf").status == 1
    assert project.outcomes()["update[web2]/deploy"] == "failed"
    (project.root / "made-web2").mkdir()
    for path in project.root.glob("ran-*"):
        path.unlink()

    resumed = project.pytest("wf", "--workflow-resume")

    assert resumed.status == 0, resumed.text
    assert "update[web2]/undrain runs again: it stands in finally of update[web2], of which something" in resumed.text
    assert ran(project) == ["done", "tidy", "undrain-web2"]
    carried = [step for step, outcome in project.outcomes().items() if outcome == "carried"]
    assert carried == [
        "build",
        *(f"update[web1]/{name}" for name in ("drain", "deploy", "say", "undrain")),
        "update[web2]/drain",
    ]
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", resumed.heads[-1])
    assert verified.status == 0, verified.text


def test_gate_in_a_block_covers_up_to_the_next_one_across_blocks(project: Project) -> None:
    """It shows what runs up to the next gate and what cleans up between; rejected, its own case is cleaned up."""
    project.write("wf/rolling.workflow.yaml", ROLLING.format(deploy="gate: 'Deploy ${each.host}?'"))
    child = project.terminal("wf", "-s")
    code = code_at(child)
    shown = child.before or ""
    approve, reject = shown.split("If you approve")[1].split("If you reject")
    assert all(word in approve for word in ("update[web1]/say", "update[web1]/undrain", "update[web2]/drain"))
    assert "update[web2]/say" not in approve
    assert "update[web1]/undrain" in reject
    assert "tidy" in reject
    assert "update[web2]/undrain" not in reject.split("Outputs shown")[0]
    child.sendline(code)
    code_at(child)
    child.sendline("reject")
    child.sendline("no")
    session = finish(child)

    assert session.status == 1, session.text
    assert project.outcomes()["update[web2]/deploy"] == "denied"
    assert ran(project) == ["tidy", "undrain-web1", "undrain-web2"]
    [used] = project.of_type("gate.used")
    assert used["step"] == "update[web1]/deploy"
    verified = project.run("workflow-exec", "verify", "latest")
    assert verified.status == 4, verified.text
