"""Rules of what a `run:` step gives its command besides arguments: a folder, variables, standard input, secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.digests import Json, digest_of_bytes
from pytest_workflow_exec.errors import CommandRefusedError, OutputError
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import known_values, preflight
from pytest_workflow_exec.sandbox import Surroundings, compile_policy
from pytest_workflow_exec.settings import load_settings

from .conftest import Project, approved

POLICY = """
[policy]
sandbox = "none"
commands = ["pwd", "printenv", "cat", "cat *", "mkdir *"]

[[policy.command]]
rule = "true"
secrets = ["API_TOKEN"]
"""
SECRET = "hunter2-hunter2"  # noqa: S105 - stands for one


@pytest.fixture(autouse=True)
def policy(project: Project) -> None:
    """A policy that allows what these steps run."""
    (project.root / "workflow-exec.toml").write_text(POLICY)


def ran(project: Project, keys: str, *, step: str = "run: [pwd]", before: str = "") -> Mapping[str, Json]:
    """Return the outputs of a step with these keys."""
    run = project.open(f"{before}steps:\n  - id: a\n    {step}\n    {keys}\n", environment={"API_TOKEN": SECRET})
    project.perform(run, "a")
    outputs = run.values.outputs["a"].values
    run.close(interrupted=False)
    return outputs


def started(project: Project) -> Mapping[str, Json]:
    """Return the facts of the last command that was started."""
    [*_, record] = [each for each in project.records(project.runs[-1]) if each.type == "command.started"]
    return record.data


def test_command_runs_in_its_folder(project: Project) -> None:
    """A command runs in the folder that its step names, from the project root, and the record says which."""
    (project.root / "docs" / "html").mkdir(parents=True)

    assert ran(project, "cwd: docs/html")["stdout"] == str((project.root / "docs" / "html").resolve())
    assert started(project)["cwd"] == "docs/html"


@pytest.mark.parametrize("form", ['rule = "python say.py"', 'program = "python"\narguments = ["say.py"]'])
def test_what_runs_files_stays_at_the_root_unless_its_rule_names_the_folder(project: Project, form: str) -> None:
    """A rule names a script from the project root: another folder's script of that name is another program."""
    for folder, says in ((project.root, "root"), (project.root / "docs", "docs")):
        folder.mkdir(exist_ok=True)
        (folder / "say.py").write_text(f"print('{says}')")
    policy = f'[policy]\nsandbox = "none"\n[[policy.command]]\n{form}\n'
    flow = "steps:\n  - {id: a, run: [python, say.py], cwd: docs}\n"

    (project.root / "workflow-exec.toml").write_text(policy)
    run = project.open(flow)
    with pytest.raises(CommandRefusedError, match=r"its cwd 'docs': python runs what its arguments name"):
        project.perform(run, "a")
    assert "command.started" not in project.types(run)
    run.finish("a", Outcome.FAILED)
    run.close(interrupted=False)

    (project.root / "workflow-exec.toml").write_text(policy + 'cwd = ["docs"]\n')
    allowed = project.open(flow)
    project.perform(allowed, "a")
    assert allowed.values.outputs["a"].values["stdout"] == "docs"


def test_run_folder_can_be_the_folder(project: Project) -> None:
    """Of the engine's own folder, only the run's working folder is one that a command can run in."""
    work = Path(str(ran(project, "cwd: '${run.dir}'")["stdout"]))

    assert (work.name, work.parent.name) == ("work", project.runs[-1].id)


@pytest.mark.parametrize("cwd", ["nowhere", "link", "file", ".workflow-exec/runs", "../outside", "link/../.."])
def test_folder_elsewhere_is_refused(project: Project, cwd: str) -> None:
    """A folder that is missing, a file, the engine's own, or reached through a link out of the project starts nothing."""
    (project.root / "link").symlink_to("/tmp")  # noqa: S108 - a place outside
    (project.root / "file").touch()
    head = "inputs: {to: {}}\nsteps:\n  - id: a\n    run: [pwd]\n    cwd: '${inputs.to}'\n"
    run = project.open(head, inputs={"to": cwd})

    with pytest.raises((CommandRefusedError, OutputError)):
        project.perform(run, "a")

    assert "command.started" not in project.types(run)


def test_command_receives_variables(project: Project) -> None:
    """Variables hold references' values, beside those that every command receives; the record has their names."""
    printed = str(ran(project, "env: {GREETING: 'hello ${inputs.who}'}", step="run: [printenv]", before=WHO)["stdout"])

    assert "GREETING=hello world" in printed.splitlines()
    assert "PATH=" in printed
    facts = started(project)
    assert facts["set"] == ["GREETING"]
    assert "GREETING" in str(facts["environment"])
    assert "hello world" not in str(facts)


WHO = "inputs: {who: {default: world}}\n"


def test_rule_secret_is_not_replaced(project: Project) -> None:
    """A step can't put its own value where the rule hands out a secret."""
    run = project.open(
        "steps:\n  - id: a\n    run: ['true']\n    env: {API_TOKEN: mine}\n", environment={"API_TOKEN": SECRET}
    )

    with pytest.raises(CommandRefusedError, match="a secret of the rule"):
        project.perform(run, "a")

    assert "command.started" not in project.types(run)


@pytest.mark.parametrize(
    ("env", "stdin", "reason"),
    [
        ({"A": 5}, None, "must both be texts"),
        ({5: "A"}, None, "must both be texts"),
        ({"A": "a\0b"}, None, "no variable can hold"),
        ({"A": "\ud800"}, None, "no variable can hold"),
        ({"PYTHONPATH": "x"}, None, "its value chooses what code runs"),
        ({}, b"bytes", "its stdin is a bytes, not a text"),
        ({}, "\ud800", "half a surrogate pair"),
    ],
)
def test_what_no_command_can_be_given_is_refused(
    project: Project, env: Mapping[str, str], stdin: str | None, reason: str
) -> None:
    """Whatever a Python step hands over, what is no text or no variable starts nothing, and the refusal is recorded."""
    run = project.open("steps:\n  - id: a\n    run: [pwd]\n")
    run.start(run.workflow.step("a"))

    with pytest.raises(CommandRefusedError, match=reason):
        run.run_command("a", ["pwd"], surroundings=Surroundings(env=env, stdin=stdin))

    assert project.types(run)[-1] == "command.refused"


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("env: {API_TOKEN: mine}", "its env sets API_TOKEN, which is a secret of the rule 'true'"),
        ("cwd: '${inputs.to}'", "which is no folder below the project"),
        ("stdin: '${inputs.long}'", "its stdin is 1100000 bytes long"),
    ],
)
def test_what_is_known_to_be_refused_is_said_before_the_run(project: Project, keys: str, reason: str) -> None:
    """A folder, a variable and an input that can't be given are problems before the first step, if they are known."""
    file = project.root / "flow.workflow.yaml"
    file.write_text(f"inputs: {{to: {{}}, long: {{}}}}\nsteps:\n  - id: a\n    run: ['true']\n    {keys}\n")
    workflow = read_yaml_workflow(file, root=project.root)

    [problem] = preflight(
        workflow,
        steps=workflow.steps,
        values=known_values(workflow, {"to": "a/../..", "long": "x" * 1_100_000}, {}),
        policy=compile_policy(load_settings(project.root).policy, workflow=workflow.name, environment={}),
        texts={},
        environment={"API_TOKEN": SECRET},
        terminal_problem=lambda: None,
        python_timeouts=True,
    )

    assert reason in problem.message


def test_command_reads_standard_input(project: Project) -> None:
    """A command reads exactly the text; the record has its digest and size, not the text."""
    outputs = ran(project, 'stdin: "one ${inputs.who}\\ntwo\\n"', step="run: [cat]", before=WHO)

    assert outputs["stdout"] == "one world\ntwo"
    content = b"one world\ntwo\n"
    assert started(project)["stdin"] == {"sha256": digest_of_bytes(content), "size_bytes": len(content)}


def test_command_that_does_not_read_is_not_waited_for(project: Project) -> None:
    """A long standard input that nobody reads keeps nothing waiting, and one without end or with too much is refused."""
    assert ran(project, f"stdin: {'x' * 300_000}", step="run: [pwd]")["exit"] == 0
    run = project.open(
        f"vars: {{a: {'x' * 600_000}}}\nsteps:\n  - id: a\n    run: [cat]\n    stdin: '${{vars.a}}${{vars.a}}'\n"
    )

    with pytest.raises(CommandRefusedError, match="1048576 are allowed"):
        project.perform(run, "a")


def test_secret_reaches_the_command_and_nothing_else(project: Project) -> None:
    """A secret input is what its variable holds in env and stdin, and in no record; `secret` stands for it."""
    before = "inputs: {api-token: {type: secret}}\n"
    keys = "env: {TOKEN: '${inputs.api-token}'}\n    stdin: 'key=${inputs.api-token}'"

    assert ran(project, keys, step="run: [cat]", before=before)["stdout"] == "key=[secret API_TOKEN]"

    assert (started(project)["stdin"], started(project)["set"]) == ("secret", ["TOKEN"])
    log = project.runs[-1].log_path
    assert SECRET not in log.read_text()
    assert not [file for file in log.parent.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert project.records(project.runs[-1])[0].data["inputs"] == {"api-token": "secret"}


def test_gate_shows_what_a_command_is_given(project: Project) -> None:
    """At a gate stand a command's folder and variables in full, its input by digest, and secrets by name."""
    (project.root / "docs").mkdir()
    seen: list[str] = []

    def looking(request: GateRequest, timeout_s: float) -> Decision:
        seen.extend(each.does for each in request.covers)
        return approved(request, timeout_s)

    run = project.open(
        "inputs: {t: {type: secret, default: {env: API_TOKEN}}}\nsteps:\n  - id: ask\n    gate: Go?\n  - id: a\n"
        "    run: [cat]\n    cwd: docs\n    env: {A: b, T: '${inputs.t}'}\n    stdin: some text\n",
        environment={"API_TOKEN": SECRET},
        approver=looking,
    )

    project.perform(run, "ask")

    digest = digest_of_bytes(b"some text")
    assert seen == [f"['cat'], in 'docs', with A='b', with T='${{inputs.t}}', reading 9 bytes, sha256 {digest}"]
