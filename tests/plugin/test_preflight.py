"""All that can be known is said before the first step, with its place and what to do."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET

import pytest

from .conftest import CONFIGURATION, Project

FLOW = """
workflow: flow
inputs:
  version: {type: string, pattern: '\\d+\\.\\d+'}
  count: {type: integer, default: 1}
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: [touch, "ran-${inputs.version}"]}
"""


def test_all_problems_are_listed_together(project: Project) -> None:
    """A run that would fail in several places is refused once, with all of them, and nothing is started."""
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [touch, ran-one]}\n  - {id: bad, run: [rm, x]}\n"
        "  - {id: gone, run: [no-such-program]}\n  - {id: approve, gate: Go on?}\n",
    )
    project.write("workflow-exec.toml", CONFIGURATION.replace('"false"', '"false", "no-such-program"'))

    session = project.pytest("wf")

    assert session.status == 4
    for place, word in ((4, "refuses"), (5, "not found"), (6, "terminal")):
        [line] = [line for line in session.text.splitlines() if f"wf/flow.workflow.yaml:{place}:" in line]
        assert word in line
    assert project.untouched


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--workflow-input version=VALUE"),
        (["version=1"], "version"),
        (["version=1.2", "coutn=3"], "coutn"),
        (["version=1.2", "count=three"], "count"),
        (["version"], "NAME=VALUE"),
        (["version=1.2\n"], "version"),
    ],
)
def test_bad_inputs_are_refused(project: Project, options: list[str], message: str) -> None:
    """A missing, unknown or unfit input is exit 4, and the message names the option to add."""
    project.write("wf/flow.workflow.yaml", FLOW)

    session = project.pytest("wf", *(f"--workflow-input={option}" for option in options))

    assert session.status == 4
    assert message in session.text
    assert "Traceback" not in session.text
    assert project.untouched


@pytest.mark.parametrize("option", ["version=1.2", "flow:version=1.2"])
def test_given_inputs_are_used(project: Project, option: str) -> None:
    """An input reaches its workflow, with and without the workflow's name before it."""
    project.write("wf/flow.workflow.yaml", FLOW)

    session = project.pytest("wf", f"--workflow-input={option}")

    assert session.status == 0, session.text
    assert (project.root / "ran-1.2").exists()
    assert project.of_type("run.started")[0]["data"]["inputs"] == {"version": "1.2", "count": 1}


def test_unqualified_input_with_several_workflows_is_refused(project: Project) -> None:
    """With several workflows, an input says which one it is for."""
    project.write("wf/a.workflow.yaml", FLOW.replace("workflow: flow", "workflow: a"))
    project.write("wf/b.workflow.yaml", FLOW.replace("workflow: flow", "workflow: b"))

    refused = project.pytest("wf", "--workflow-input=version=1.2")
    accepted = project.pytest("wf", "--workflow-input=a:version=1.2", "--workflow-input=b:version=1.3")

    assert refused.status == 4
    assert accepted.status == 0, accepted.text
    assert sorted(path.name for path in project.root.glob("ran-1*")) == ["ran-1.2", "ran-1.3"]


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ("", "no rule allows any command"),
        ('[policy]\nsandbox = "required:landlock"\n', "no rule allows any command"),
        ('[policy]\nsandbox = "required:namespaces"\n', "no rule allows any command"),
        ('[policy]\nsandbox = "off"\n', "sandbox"),
        ('[policy]\nsandbox = "none"\ncommand = ["touch *"]\n', "command"),
        ('[policy]\nsandbox = "none"\ncommandz = ["touch *"]\n', "did you mean"),
        ('[policy]\nsandbox = "none"\ncommands = "touch *"\n', "commands"),
        ('[policy]\nsandbox = "none"\ncommands = ["bash -c *"]\n', "bash"),
        ('[policy]\nsandbox = "none"\ncommands = ["touch *"]\ngated = {assurance = 1}\n', "belongs in a table"),
        ('[policy]\nsandbox = "none"\ncommands = ["touch *"]\nsockets = ["/run/x"]\n', "belongs in a table"),
        ('[policy]\nsandbox = "none"\ncommands = []\n', "refuses"),
        ("[policy\n", "TOML"),
    ],
)
def test_bad_policy_is_refused(project: Project, configuration: str, message: str) -> None:
    """A policy that can't be used, or that allows nothing, is exit 4 before the first step."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, run: [touch, ran-one]}\n")
    project.write("workflow-exec.toml", configuration)

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert message in session.text
    assert "Traceback" not in session.text
    assert project.untouched


def test_project_configured_twice_is_refused(project: Project) -> None:
    """Two configurations of one project can't both be meant."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, run: [touch, ran-one]}\n")
    project.write("pyproject.toml", "[tool.workflow-exec.policy]\nsandbox = 'none'\n")

    session = project.pytest("wf")

    assert session.status == 4
    assert "configured twice" in session.text
    assert project.untouched


def test_rules_of_one_workflow_allow_nothing_in_another(project: Project) -> None:
    """A rule below `workflows.NAME` is for that workflow alone."""
    project.write("wf/a.workflow.yaml", "workflow: a\nsteps:\n  - {id: one, run: [touch, ran-a]}\n")
    project.write("wf/b.workflow.yaml", "workflow: b\nsteps:\n  - {id: one, run: [touch, ran-b]}\n")
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\n[policy.workflows.a]\ncommands = ["touch *"]\n')

    refused = project.pytest("wf/b.workflow.yaml")
    accepted = project.pytest("wf/a.workflow.yaml")

    assert (refused.status, accepted.status) == (4, 0)
    assert not (project.root / "ran-b").exists()


def test_python_timeout_without_the_timeout_plugin_is_refused(project: Project) -> None:
    """A timeout that nothing here can hold is not silently ignored."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, call: 'checks:one', timeout: 1s}\n")
    project.write("wf/checks.py", "def one(workflow):\n    (workflow.root / 'ran-one').touch()\n")

    session = project.pytest("wf", "-p", "no:timeout")

    assert session.status == 4
    assert "pytest-timeout" in session.text
    assert project.untouched


def test_secrets_reach_only_the_commands_of_their_rule_and_no_log(project: Project) -> None:
    """A rule's secret is given to its command, and its value stands nowhere in the run's directory or on the screen."""
    secret = "hunter2-hunter2"  # noqa: S105  # the test's own
    project.environment["RELEASE_TOKEN"] = secret
    project.write(
        "workflow-exec.toml",
        '[policy]\nsandbox = "none"\n[[policy.command]]\nrule = "printenv RELEASE_TOKEN"\nsecrets = ["RELEASE_TOKEN"]\n'
        '[[policy.command]]\nrule = "printenv"\n',
    )
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: with-secret, run: [printenv, RELEASE_TOKEN]}\n"
        "  - {id: without, run: [printenv], expect: {stdout: {not_matches: TOKEN}}}\n",
    )

    session = project.pytest("wf", "-rA")

    assert session.status == 0, session.text
    assert secret not in session.text
    for path in (project.root / ".workflow-exec").rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()
    assert "[secret RELEASE_TOKEN]" in project.of_type("command.finished")[0]["data"]["stdout"]


def test_missing_secret_is_found_before_the_first_step(project: Project) -> None:
    """A secret that a later command needs and that is not set is exit 4, and the first step does not run."""
    project.write(
        "workflow-exec.toml",
        '[policy]\nsandbox = "none"\ncommands = ["touch *"]\n[[policy.command]]\nrule = "printenv TOKEN_X"\n'
        'secrets = ["TOKEN_X"]\n',
    )
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [touch, ran-one]}\n  - {id: two, run: [printenv, TOKEN_X]}\n",
    )

    session = project.pytest("wf")

    assert session.status == 4
    assert "TOKEN_X" in session.text
    assert project.untouched


@pytest.mark.parametrize("arguments", [["-k", "one"], []], ids=["cut", "preflight"])
def test_refused_session_is_an_error_in_junit(project: Project, arguments: list[str]) -> None:
    """Who reads only the JUnit report sees one error, not an empty success."""
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [touch, ran-one]}\n  - {id: two, run: [rm, x]}\n",
    )

    session = project.pytest("wf", "--junitxml=report.xml", *arguments)

    assert session.status == 4
    suite = ET.parse(project.root / "report.xml").getroot()[0]  # noqa: S314  # written by the test itself
    assert (suite.get("errors"), suite.get("tests")) == ("1", "1")
    assert project.untouched


def test_secret_in_an_exception_is_masked(project: Project) -> None:
    """A known secret is taken out of tracebacks, captured output and JUnit, also where Python code shows it."""
    secret = "hunter2-hunter2"  # noqa: S105  # the test's own
    project.environment["RELEASE_TOKEN"] = secret
    project.write(
        "workflow-exec.toml",
        '[policy]\nsandbox = "none"\n[[policy.command]]\nrule = "printenv RELEASE_TOKEN"\nsecrets = ["RELEASE_TOKEN"]\n',
    )
    project.write(
        "wf/workflow_flow.py",
        "import os\nfrom pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='flow')\n"
        "@step\ndef leak() -> None:\n    print('printed', os.environ['RELEASE_TOKEN'])\n"
        "    raise RuntimeError(os.environ['RELEASE_TOKEN'])\n",
    )

    session = project.pytest("wf", "--junitxml=report.xml", "-o", "junit_logging=all", "--showlocals")

    assert session.status == 1
    assert secret not in session.text
    assert "[secret RELEASE_TOKEN]" in session.text
    assert secret not in (project.root / "report.xml").read_text()


@pytest.mark.parametrize("printed", ["$RELEASE_TOKEN", "\\377"])
def test_altered_output_is_no_value(project: Project, printed: str) -> None:
    """What was masked, or was no text, can't become an argument of a later command."""
    project.environment["RELEASE_TOKEN"] = "hunter2-hunter2"  # noqa: S105  # the test's own
    project.write(
        "workflow-exec.toml",
        '[policy]\nsandbox = "none"\ncommands = ["touch *"]\n[[policy.command]]\nrule = "python show.py"\n'
        'secrets = ["RELEASE_TOKEN"]\n',
    )
    value = "os.environ['RELEASE_TOKEN'].encode()" if "TOKEN" in printed else "bytes([97, 255])"
    project.write("show.py", f"import os, sys\nsys.stdout.buffer.write({value})\n")
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [python, show.py]}\n"
        "  - {id: two, run: [touch, 'ran-${steps.one.stdout}']}\n",
    )

    session = project.pytest("wf")

    assert session.status == 1
    assert "a later step can't use it" in session.text
    assert not list(project.root.glob("ran-*"))


@pytest.mark.parametrize("make", ["os.mkfifo(path)", "path.mkdir()", "path.symlink_to('/dev/null')"])
def test_lock_that_is_no_file_is_refused(project: Project, make: str) -> None:
    """Something else in the lock's place is an error in plain words, and nothing runs."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, run: [touch, ran-one]}\n")
    path = project.root / ".workflow-exec" / "flow.lock"
    path.parent.mkdir(mode=0o700)
    exec(make, {"os": os, "path": path})  # noqa: S102  # the cases above

    session = project.pytest("wf")

    assert session.status == 3
    assert "flow.lock" in session.text
    assert "INTERNALERROR" not in session.text
    assert not list(project.root.glob("ran-*"))


@pytest.mark.parametrize(
    ("until", "reason"),
    [
        ("tomorrow", "waits until 'tomorrow', which is no time"),
        ("2026-02-30T00:00:00Z", "which is no time"),
        ("2030-01-01T00:00:00", "which has no zone"),
        ("0001-01-01T00:00:00+14:00", "which is no time"),
        ("${inputs.day}T12:00:00Z", "waits until 'mondayT12:00:00Z', which is no time"),
    ],
)
def test_a_pause_until_no_moment_is_refused_before_the_first_step(project: Project, until: str, reason: str) -> None:
    """A moment that can't be read is said before anything runs, also where it comes from an input."""
    steps = f'  - {{id: one, run: [touch, ran-one]}}\n  - {{id: wait, pause: {{until: "{until}"}}}}\n'
    project.write("wf/flow.workflow.yaml", f"workflow: flow\ninputs: {{day: {{default: monday}}}}\nsteps:\n{steps}")

    session = project.pytest("wf")

    assert session.status == 4, session.text
    [line] = [line for line in session.text.splitlines() if "wf/flow.workflow.yaml:5:" in line]
    assert reason in line
    assert project.untouched
