"""Included steps run, are carried and are asked about like a workflow's own, and the fragment is named wherever they are."""

from __future__ import annotations

import json

from .conftest import Project, code_at, finish

POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo **", "false", "touch *"]\n'
OUTER = """
workflow: outer
inputs: {version: {default: "1.2.3"}}
steps:
  - include: _prepare.workflow.yaml
    with: {v: "${inputs.version}"}
  - {include: _images.workflow.yaml, id: final, with: {tag: "v${inputs.version}", made: "${steps.checkout.word}"}}
  - {id: last, run: [echo, "${steps.final.image}"]}
"""
PREPARE = """
inputs: {v: {pattern: '\\d+\\.\\d+\\.\\d+'}}
steps:
  - {id: checkout, run: [echo, "${inputs.v}-checked"], outputs: {word: {stdout: '(.+)'}}}
"""
IMAGES = """
inputs: {tag: {}, made: {pattern: '[0-9.]+-checked'}}
outputs: {image: "${steps.push.image}"}
steps:
  - {id: check, call: "helpers:check"}
  - {id: push, idempotent: true, run: [echo, "${inputs.tag}/${inputs.made}"], outputs: {image: {stdout: '(.+)'}}}
finally:
  - {id: clean, run: [touch, ran-clean]}
"""
SECRET = "hunter2-hunter2"  # noqa: S105 - a made-up one


def write(project: Project, *, outer: str = OUTER, prepare: str = PREPARE, images: str = IMAGES) -> None:
    """Write the workflow, its fragments and what they call."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/outer.workflow.yaml", outer)
    project.write("wf/_prepare.workflow.yaml", prepare)
    project.write("wf/_images.workflow.yaml", images)
    project.write("wf/helpers.py", "def check(workflow): ...\n")


def test_included_steps_run_and_are_carried_by_their_own_lines(project: Project) -> None:
    """They run in place under the including file's node ids; a remark in a fragment changes nothing, a command does."""
    outer = OUTER.replace('echo, "${steps.final.image}"', '"false"')
    write(project, outer=outer)

    session = project.pytest("wf", "--junitxml=report.xml")

    assert session.status == 1, session.text
    assert project.outcomes() == {
        "checkout": "passed",
        "final/check": "passed",
        "final/push": "passed",
        "final/clean": "passed",
        "last": "failed",
    }
    assert project.of_type("step.finished")[2]["data"]["outputs"]["image"] == "v1.2.3/1.2.3-checked"
    assert 'classname="wf.outer.workflow.yaml" name="final/push"' in (project.root / "report.xml").read_text()
    [started] = project.of_type("run.started")
    plan = started["data"]["plan"]
    assert [step.get("fragment") for step in plan["steps"]][-2:] == ["wf/_images.workflow.yaml", None]
    assert {"wf/_prepare.workflow.yaml", "wf/_images.workflow.yaml", "wf/helpers.py"} <= plan["sources"].keys()

    write(
        project,
        outer=outer,
        prepare=f"# a remark\n{PREPARE}",
        images=IMAGES.replace("/${inputs.made}", "+${inputs.made}"),
    )
    session = project.pytest("wf", "--workflow-resume")

    assert session.status == 1, session.text
    assert project.outcomes()["checkout"] == "carried"
    assert project.outcomes()["final/check"] == "carried"
    assert "final/push runs again: its definition or source changed" in session.text


def test_plan_names_the_fragment_and_the_run_verifies(project: Project) -> None:
    """The plan says which file a step comes from; the log of a whole run verifies."""
    write(project)

    plan = project.pytest("wf", "--workflow-plan")
    session = project.pytest("wf")

    assert "final/push (run): ['echo', 'v1.2.3/${steps.checkout.word}'], of fragment wf/_images" in plan.text
    assert session.status == 0, session.text
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text


def test_gate_says_which_fragment_the_steps_behind_it_come_from(project: Project) -> None:
    """The question lists the steps of the fragment, with its file, and shows what it declares."""
    write(
        project,
        outer=OUTER.replace("  - {include", "  - {id: go, gate: {question: Go?}}\n  - {include")
        + "  - {id: end, gate: {question: End?, show: [final]}}\n",
    )

    child = project.terminal("wf", "-s")
    child.sendline(code_at(child))
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    first, second = project.of_type("gate.requested")
    push = next(each for each in first["data"]["request"]["covers"] if each["step"] == "final/push")
    assert push["does"] == "['echo', 'v1.2.3/1.2.3-checked'], of fragment wf/_images.workflow.yaml"
    assert [(each["step"], each["key"]) for each in second["data"]["request"]["shown"]] == [("final/push", "image")]


def test_value_that_the_fragment_does_not_allow_ends_the_step_before_its_command(project: Project) -> None:
    """What only the run knows is judged by the fragment's own declaration, before anything uses it."""
    write(project, images=IMAGES.replace("[0-9.]+-checked", "[0-9.]+-signed"))

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert (
        "${inputs.made}: the input of wf/_images.workflow.yaml is '1.2.3-checked', which does not match" in session.text
    )
    assert project.outcomes()["final/push"] == "failed"
    assert [record["step"] for record in project.of_type("command.started")] == ["checkout", "final/clean"]


def test_value_that_is_known_is_judged_before_the_first_step(project: Project) -> None:
    """An input that the fragment would refuse is a preflight error, and nothing runs."""
    write(project)

    session = project.pytest("wf", "--workflow-input", "version=next")

    assert session.status == 4, session.text
    assert "step 'checkout': ${inputs.v}: the input of wf/_prepare.workflow.yaml is 'next'" in session.text
    assert project.untouched


def test_bad_fragment_lets_no_workflow_run(project: Project) -> None:
    """A mistake in a fragment is exit 4 with its place, also beside another workflow; a fragment alone is exit 4."""
    write(project, images=IMAGES.replace("run: [touch", "rum: [touch"))
    project.write("wf/other.workflow.yaml", "steps: [{id: one, run: [touch, ran-other]}]\n")

    session = project.pytest("wf")
    alone = project.pytest("wf/_prepare.workflow.yaml")

    assert (session.status, alone.status) == (4, 4)
    assert (
        "wf/_images.workflow.yaml:8:17: unknown key 'rum' (did you mean 'run'?) (included by wf/outer" in session.text
    )
    assert "is a fragment: other workflows include it; it can't run alone" in alone.text
    assert project.untouched


def test_secret_is_handed_over_by_name_and_reaches_commands_only(project: Project) -> None:
    """A fragment that declares a secret gets one of the workflow's, for the environment of its commands."""
    project.environment["TOKEN"] = SECRET
    write(
        project,
        outer=OUTER.replace("inputs: {", "inputs: {token: {type: secret}, ").replace(
            "with: {tag", "with: {key: '${inputs.token}', tag"
        ),
        images=IMAGES.replace("inputs: {", "inputs: {key: {type: secret}, ").replace(
            'call: "helpers:check"', "run: [printenv, KEY], env: {KEY: '${inputs.key}'}"
        ),
    )
    project.write("workflow-exec.toml", POLICY.replace('"false"', '"false", "printenv KEY"'))

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert SECRET not in json.dumps(project.records())
    check = next(record for record in project.of_type("step.finished") if record["step"] == "final/check")
    assert "[secret" in check["data"]["outputs"]["stdout"]


def test_fragments_in_finally_run_whatever_became_of_the_rest(project: Project) -> None:
    """Those of a workflow at its end, those of a block behind each of its cases, and none of them makes a failure green."""
    project.write("workflow-exec.toml", POLICY)
    project.write(
        "wf/outer.workflow.yaml",
        "steps:\n  - id: on\n    foreach: {host: [a, b]}\n    steps: [{id: do, run: [touch, '${each.host}']}]\n"
        "    finally: [{include: _clean.workflow.yaml, id: tidy, with: {name: 'ran-${each.host}'}}]\n"
        "  - {id: fails, run: ['false']}\n  - {id: never, run: [touch, ran-never]}\n"
        "finally:\n  - {include: _clean.workflow.yaml, with: {name: ran-end}}\n",
    )
    project.write(
        "wf/_clean.workflow.yaml", "inputs: {name: {}}\nsteps: [{id: sweep, run: [touch, '${inputs.name}']}]\n"
    )

    session = project.pytest("wf")
    again = project.pytest("wf", "--workflow-resume")

    assert (session.status, again.status) == (1, 1), session.text
    assert sorted(path.name for path in project.root.glob("ran-*")) == ["ran-a", "ran-b", "ran-end"]
    assert project.outcomes() == {
        "on[a]/do": "carried",
        "on[a]/tidy/sweep": "carried",
        "on[b]/do": "carried",
        "on[b]/tidy/sweep": "carried",
        "fails": "failed",
        "never": "blocked",
        "sweep": "passed",
    }
    assert "not passed" in project.run("workflow-exec", "verify", "latest").text
