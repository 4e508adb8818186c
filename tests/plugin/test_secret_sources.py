"""Secrets from files and from a keyring in a real session: given, masked, recorded by name alone, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Project

VALUE = "correct horse battery"
FLOW = """\
inputs: {api-token: {type: secret}}
steps:
  - {id: first, run: [touch, ran-first]}
  - {id: shown, run: [printenv, TOKEN], env: {TOKEN: "${inputs.api-token}"}}
  - {id: ruled, run: [printenv, RULED]}
"""
POLICY = """\
[policy]
sandbox = "none"
commands = ["printenv TOKEN", "touch *"]

[[policy.command]]
rule = "printenv RULED"
secrets = ["RULED"]

[policy.secrets]
"""
BACKEND = """\
import json, os

from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        with open(os.environ["KEYRING_ASKED"], "a") as asked:
            asked.write(f"{service} {username}\\n")
        if service == "locked":
            raise RuntimeError("nobody is there to unlock it")
        return {"deploy me": "VALUE"}.get(f"{service} {username}")

    def set_password(self, service, username, password):
        raise NotImplementedError
""".replace("VALUE", VALUE)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside of any project, with a file of a token."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "token").write_text(VALUE)
    (folder / "token").chmod(0o600)
    return folder


def left_of(project: Project) -> list[Path]:
    """Return the files of the project that hold the secret's value."""
    return [file for file in project.root.rglob("*") if file.is_file() and VALUE.encode() in file.read_bytes()]


def test_secrets_of_files_reach_commands_and_nothing_else(project: Project, outside: Path) -> None:
    """An input's and a rule's; both are masked in what is printed and written, and recorded by name."""
    source = f'{{file = "{outside / "token"}"}}\n'
    project.write("workflow-exec.toml", f"{POLICY}API_TOKEN = {source}RULED = {source}")
    project.write("wf/flow.workflow.yaml", FLOW)

    session = project.pytest("wf", "--junitxml=junit.xml", "-rA")

    assert session.status == 0, session.text
    assert VALUE not in session.text
    assert not left_of(project)
    outputs = {each["step"]: each["data"]["outputs"]["stdout"] for each in project.of_type("step.finished")}
    assert outputs["shown"].startswith("[secret ")
    assert outputs["ruled"].startswith("[secret ")
    assert [each["data"]["secrets"] for each in project.of_type("command.started")] == [[], [], ["RULED"]]


def test_secret_of_a_file_reaches_python(project: Project, outside: Path) -> None:
    """`workflow.secret` gives it, and masks it from then on."""
    project.write("workflow-exec.toml", f'{POLICY}MINE = {{file = "{outside / "token"}"}}\n')
    project.write(
        "wf/workflow_py.py",
        "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='py')\n"
        f"@step\ndef one(workflow) -> str:\n    assert len(workflow.secret('MINE')) == {len(VALUE)}\n"
        "    return 'is ' + workflow.secret('MINE')\n",
    )

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert not left_of(project)
    assert "is [secret MINE]" in str(project.of_type("step.finished")[0]["data"])


def test_a_file_that_others_can_read_keeps_everything_from_running(project: Project, outside: Path) -> None:
    """Both of its uses are said before the first step, each at its own place."""
    (outside / "token").chmod(0o644)
    source = f'{{file = "{outside / "token"}"}}\n'
    project.write("workflow-exec.toml", f"{POLICY}API_TOKEN = {source}RULED = {source}")
    project.write("wf/flow.workflow.yaml", FLOW)

    first = project.pytest("wf")
    project.environment["API_TOKEN"] = VALUE
    second = project.pytest("wf")

    assert (first.status, second.status) == (4, 4)
    assert "input 'api-token' is a secret, and the secret API_TOKEN stands in the file" in first.text
    assert "others can use, too (mode 0644): chmod 600" in first.text
    assert "step 'ruled': the secret RULED stands in the file" in second.text
    assert project.untouched


def test_a_file_in_the_project_keeps_everything_from_running(project: Project) -> None:
    """Every command reads there."""
    (project.write("token", VALUE)).chmod(0o600)
    source = f'{{file = "{project.root / "token"}"}}\n'
    project.write("workflow-exec.toml", f"{POLICY}API_TOKEN = {source}RULED = {source}")
    project.write("wf/flow.workflow.yaml", FLOW)

    session = project.pytest("wf")

    assert session.status == 4
    assert "lies in the project, where every command reads" in session.text
    assert project.untouched


@pytest.fixture
def keyring(project: Project, outside: Path) -> Path:
    """The log of a keyring that is asked in a session."""
    pytest.importorskip("keyring")
    (outside / "kept_in_a_test.py").write_text(BACKEND)
    project.environment |= {
        "PYTHONPATH": str(outside),
        "PYTHON_KEYRING_BACKEND": "kept_in_a_test.Keyring",
        "KEYRING_ASKED": str(outside / "asked"),
    }
    return outside / "asked"


def test_secrets_of_the_keyring_reach_commands_and_nothing_else(project: Project, keyring: Path) -> None:
    """Each is asked for once."""
    source = '{keyring = "deploy", user = "me"}\n'
    project.write("workflow-exec.toml", f"{POLICY}API_TOKEN = {source}RULED = {source}UNUSED = {source}")
    project.write("wf/flow.workflow.yaml", FLOW)

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert VALUE not in session.text
    assert not left_of(project)
    assert keyring.read_text() == "deploy me\n" * 2


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("other", "which holds none: keyring set other me"),
        ("locked", "can't be read: RuntimeError: nobody is there to unlock it"),
    ],
)
def test_a_keyring_without_the_secret_keeps_everything_from_running(
    project: Project, keyring: Path, service: str, said: str
) -> None:
    """One that does not hold it, or can't be opened."""
    source = f'{{keyring = "{service}", user = "me"}}\n'
    project.write("workflow-exec.toml", f"{POLICY}API_TOKEN = {source}RULED = {source}")
    project.write("wf/flow.workflow.yaml", FLOW)

    session = project.pytest("wf")

    assert session.status == 4
    assert said in session.text
    assert "Traceback" not in session.text
    assert project.untouched


def test_without_the_extra_the_keyring_says_so(project: Project, outside: Path) -> None:
    """A workflow that needs it does not start; one that does not need it runs."""
    (outside / "keyring.py").write_text("raise ImportError('not installed')\n")
    project.environment |= {"PYTHONPATH": str(outside)}
    project.write("workflow-exec.toml", f'{POLICY}RULED = {{keyring = "deploy", user = "me"}}\n')
    project.write("wf/flow.workflow.yaml", "steps: [{id: ruled, run: [printenv, RULED]}]\n")
    project.write("other/other.workflow.yaml", "steps: [{id: one, run: [touch, b]}]\n")

    session, other = project.pytest("wf"), project.pytest("other")

    assert session.status == 4
    assert "pip install 'pytest-workflow-exec[keyring]'" in session.text
    assert other.status == 0, other.text
    assert len(project.logs()) == 1
