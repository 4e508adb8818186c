"""`workflow-exec doctor`: each setting's origin, each trouble with its fix, and nothing touched."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.cli._doctor import doctor
from pytest_workflow_exec.cli._doctor_machine import sandbox_finding
from pytest_workflow_exec.cli._machine import Machine, namespaces_words, way_to_confine
from pytest_workflow_exec.evidence import find_pin, write_pin
from pytest_workflow_exec.settings import PolicySettings, SandboxMode, load_settings, settings_schema

from ._tool import ROOT, workflow_exec
from ._trusts import places_in

FAR = "f0000000-0000-7000-8000-000000000000"
"""A run that begins in the far future."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a first workflow, and a home of its own beside it."""
    root = tmp_path / "site"
    (tmp_path / "home").mkdir()
    workflow_exec("init", root, cwd=tmp_path)
    return root


def examined(root: Path, **environment: str) -> tuple[int, dict[str, Any]]:
    """Return how the doctor exits, and what it says as JSON."""
    home = root.parent / "home"
    done = workflow_exec("doctor", "--json", cwd=root, **{"HOME": str(home), **environment})
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def about(data: dict[str, Any], what: str) -> dict[str, str]:
    """Return the one finding about something."""
    [found] = [finding for finding in data["findings"] if finding["about"] == what]
    return dict(found)


def test_first_project_is_fine(project: Path) -> None:
    """What `init` writes needs no attention, and looking at it changes nothing, neither there nor at home."""
    before = sorted(project.parent.rglob("*"))

    status, data = examined(project)

    assert (status, data["fine"]) == (0, True), data
    assert about(data, "workflows")["says"] == "hello"
    assert sorted(project.parent.rglob("*")) == before


def test_every_setting_has_its_origin(project: Path) -> None:
    """All settings that there are are listed, those of the file with their line, the others as defaults."""
    (project / "workflow-exec.toml").write_text('durability = "process"\n\n[policy]\ncommands = []\nsandbox = "none"\n')
    schema: Any = settings_schema()

    _, data = examined(project)

    listed = {each["key"]: each for each in data["settings"]}
    policy = {f"policy.{key}" for key in schema["$defs"]["Policy"]["properties"]}
    assert listed.keys() == policy | (schema["properties"].keys() - {"policy"})
    origins = {key: (each["value"], each["from"], each["line"]) for key, each in listed.items()}
    assert origins["durability"] == ("process", "file", 1)
    assert origins["policy.sandbox"] == ("none", "file", 5)
    assert origins["policy.carry"] == ("any", "default", None)
    assert listed["durability"]["file"] == str(project / "workflow-exec.toml")


def test_a_variable_is_the_origin_of_what_it_says(project: Path) -> None:
    """What the environment says goes before the file, and its name is shown, also of what stands for an option."""
    (project / "workflow-exec.toml").write_text('durability = "process"\n[policy]\nsandbox = "none"\n')

    status, data = examined(project, WORKFLOW_EXEC_DURABILITY="power", WORKFLOW_EXEC_SUMMARY="out.md")

    listed = {each["key"]: (each["value"], each["from"], each["variable"]) for each in data["settings"]}
    assert status == 0, data
    assert listed["durability"] == ("power", "variable", "WORKFLOW_EXEC_DURABILITY")
    assert listed["--workflow-summary"] == ("out.md", "variable", "WORKFLOW_EXEC_SUMMARY")
    assert listed["filesystem"] == ("local", "default", None)


def test_variables_that_say_nothing_need_attention(project: Path) -> None:
    """An unknown one, or one that would loosen something, is named, and the settings are shown as the file has them."""
    status, data = examined(project, WORKFLOW_EXEC_DURABILTY="power", WORKFLOW_EXEC_SANDBOX="none")

    assert status == 1
    assert "did you mean WORKFLOW_EXEC_DURABILITY" in about(data, "variables")["says"]
    assert "WORKFLOW_EXEC_SANDBOX says nothing: policy" in about(data, "variables")["says"]
    assert {each["from"] for each in data["settings"]} <= {"file", "default"}


def test_settings_in_pyproject_have_their_line(tmp_path: Path) -> None:
    """The same holds for the table in a pyproject.toml, and for people."""
    (tmp_path / "home").mkdir()
    root = tmp_path / "site"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "a"\n\n[tool.workflow-exec]\nretention = "30d"\n')

    done = workflow_exec("doctor", cwd=root, HOME=str(tmp_path / "home"))

    assert 'retention                     "30d"' in done.stdout
    assert "pyproject.toml:5" in done.stdout


def _no_project(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def _unknown_key(root: Path) -> None:
    (root / "workflow-exec.toml").write_text("[polcy]\n")


def _bad_rule(root: Path) -> None:
    (root / "workflow-exec.toml").write_text('[policy]\ncommands = ["git  status"]\n')


def _broken_workflow(root: Path) -> None:
    (root / "workflows" / "bad.workflow.yaml").write_text("steps: []\n")


def _approvers_without_keys(root: Path) -> None:
    (root / "workflow-exec.toml").write_text('[policy.approvers]\npmc = ["a@example.org"]\n')


def _bad_signers(root: Path) -> None:
    (root / "workflow-signers").write_text("nonsense\n")


def _of_the_future(root: Path) -> None:
    (root / ".workflow-exec" / "runs" / FAR).mkdir(parents=True)


def _anchored(root: Path) -> None:
    (root / "workflow-exec.toml").write_text('[policy]\ncommands = []\ncarry = "anchored"\n')


@pytest.mark.parametrize(
    ("make", "what", "says", "fix"),
    [
        (_no_project, "project", "no folder", "workflow-exec init"),
        (_unknown_key, "configuration", "polcy", "docs/configuration.md"),
        (_bad_rule, "policy", "git  status", "put the rule right"),
        (_broken_workflow, "workflows", "bad", "workflow-exec list"),
        (_approvers_without_keys, "signers", "1 groups", "workflow-signers"),
        (_approvers_without_keys, "pin", "none", "workflow-exec trust"),
        (_anchored, "pin", "none", "workflow-exec trust"),
        (_bad_signers, "signers", "workflow-signers", "put the line"),
        (_of_the_future, "clock", "before the newest run", "set the clock"),
    ],
)
def test_what_is_wrong_is_said_with_its_fix(
    project: Path, make: Callable[[Path], None], what: str, says: str, fix: str
) -> None:
    """Each trouble of a project is one finding that says what to do, and the exit code is 1."""
    make(project)

    status, data = examined(project)

    found = about(data, what)
    assert (status, data["fine"], found["state"]) == (1, False, "attention")
    assert says in found["says"]
    assert fix in found["fix"]
    assert all(each["fix"] for each in data["findings"] if each["state"] == "attention")


@pytest.mark.parametrize(
    ("environment", "what", "fix"),
    [
        ({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, "loading", "unset it"),
        ({"PYTEST_ADDOPTS": "-q -p no:workflow_exec"}, "loading", "take -p no:workflow_exec out"),
        ({"XDG_STATE_HOME": "/dev/null"}, "state", "XDG_STATE_HOME"),
    ],
)
def test_environment_in_the_way_is_found(project: Path, environment: dict[str, str], what: str, fix: str) -> None:
    """What the environment does to workflows is said, too."""
    status, data = examined(project, **environment)

    assert (status, about(data, what)["state"]) == (1, "attention")
    assert fix in about(data, what)["fix"]


def test_state_of_the_user_says_where_it_comes_from(project: Path, tmp_path: Path) -> None:
    """A variable of the environment is named where it decides."""
    _, by_default = examined(project)
    _, by_variable = examined(project, XDG_STATE_HOME=str(tmp_path / "mine"))

    assert about(by_default, "state")["says"].endswith("(default)")
    assert about(by_variable, "state")["says"] == f"{tmp_path}/mine/workflow-exec (environment XDG_STATE_HOME)"
    assert not (tmp_path / "mine").exists()


def test_missing_git_matters_in_a_repository(project: Path, tmp_path: Path) -> None:
    """Without git a project in a repository has no commit in its evidence; elsewhere that is only noted."""
    _, outside = examined(project, PATH=str(tmp_path))
    (project / ".git").mkdir()
    status, inside = examined(project, PATH=str(tmp_path))

    assert about(outside, "git")["state"] == "note"
    assert (status, about(inside, "git")["state"]) == (1, "attention")


def test_pin_that_differs_needs_attention(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pin is shown while it holds, and a difference says how to see and mend it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "state").mkdir()
    places = places_in(tmp_path)
    assert places.user is not None
    write_pin(project, places.user, load_settings(project).policy.trusted)
    monkeypatch.chdir(project)

    assert _printed(places, capsys)[1]["state"] == "ok"

    (project / "workflow-exec.toml").write_text('[policy]\ncommands = ["rm *"]\n')
    status, found = _printed(places, capsys)

    assert (status, found["state"]) == (1, "attention")
    assert "workflow-exec trust --show" in found["fix"]
    assert find_pin(project, places) is not None


def _printed(places: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    from pytest_workflow_exec.cli._arguments import parser

    status = doctor(parser().parse_args(["doctor", "--json"]), places=places)
    return status, about(json.loads(capsys.readouterr().out), "pin")


def test_nothing_is_imported_to_look_at_it(project: Path, tmp_path: Path) -> None:
    """Neither pytest nor the AI extra is imported: whether they are there is seen from outside."""
    fake = tmp_path / "fake" / "claude_agent_sdk"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    code = (
        "import sys; from pytest_workflow_exec.cli import main; main(['doctor']);"
        "sys.exit(bool({'pytest', '_pytest', 'claude_agent_sdk'} & sys.modules.keys()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "PYTHONPATH": f"{ROOT}:{fake.parent}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "AI" in done.stdout
    assert "claude-agent-sdk" in done.stdout
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (Machine(system="darwin"), "Linux virtual machine"),
        (Machine(system="freebsd14"), "run workflows on Linux"),
        (Machine(system="linux", kernel="5.15.0-91-generic"), "use Linux 6.2 or newer"),
        (Machine(system="linux", kernel="6.8.0", modules=("lockdown", "yama")), "lsm=landlock,lockdown,yama"),
        (Machine(system="linux", kernel="6.8.0", container="Docker", modules=("landlock",)), "seccomp profile"),
        (Machine(system="linux", kernel="6.8.0", container="Podman"), "Podman runs this container"),
        (Machine(system="linux", kernel="6.8.0", modules=("landlock",)), "docs/sandbox.md"),
        (Machine(system="linux", kernel="strange"), "docs/sandbox.md"),
    ],
)
def test_way_to_confinement_is_that_of_the_machine(machine: Machine, said: str) -> None:
    """What would let commands be confined depends on what stands against it, and there is always another way."""
    words = way_to_confine(machine)

    assert said in words
    assert 'sandbox = "available"' in words


OLD = Machine(system="linux", kernel="5.15.0")


@pytest.mark.parametrize(
    ("mode", "level", "problem", "offered", "state", "said"),
    [
        (None, "landlock", "", "landlock", "ok", "the default of this platform: level landlock"),
        ("required:landlock", "none", "there is none", "none", "attention", "there is none"),
        ("required:landlock", "none", "", "none", "attention", "can't be confined here: too old"),
        ("required:landlock", "none", "", "landlock", "ok", "would run at level landlock"),
        ("available", "none", "", "none", "note", "can't be confined here: too old"),
        ("available", "landlock", "", "landlock", "ok", "as the policy says: level landlock"),
        ("none", "none", "", "landlock", "note", "could run at level landlock here"),
        ("none", "none", "", "none", "note", "could not be confined here"),
    ],
)
def test_confinement_is_judged_by_what_the_policy_wants(
    *, mode: SandboxMode | None, level: str, problem: str, offered: str, state: str, said: str
) -> None:
    """It needs attention where the policy demands what there is not, and then the way is that of the machine."""
    policy = PolicySettings(sandbox=mode)

    found = sandbox_finding(policy, level=level, problem=problem, offered=offered, lacking="too old", machine=OLD)

    assert found.state == state
    assert said in found.says
    assert ("use Linux 6.2 or newer" in found.fix) == (offered == "none" and mode != "none")


def test_namespaces_are_explained_where_they_are_restricted() -> None:
    """Ubuntu's restriction is named, with its switch; elsewhere nothing is said of it."""
    ubuntu = Machine(system="linux", kernel="6.8.0", restricts_namespaces=True)

    assert "kernel.apparmor_restrict_unprivileged_userns = 1" in namespaces_words(ubuntu)
    assert namespaces_words(Machine(system="linux", kernel="6.8.0")) == ""


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (Machine(system="linux", restricts_namespaces=True), "kernel.apparmor_restrict_unprivileged_userns=0"),
        (Machine(system="linux", container="Docker"), "systempaths=unconfined"),
        (Machine(system="linux"), "docs/sandbox.md"),
    ],
)
def test_way_to_namespaces_is_that_of_the_machine(machine: Machine, words: str) -> None:
    """Where commands are confined but have no namespaces, what is said is about namespaces."""
    policy = PolicySettings(sandbox="required:namespaces")

    finding = sandbox_finding(
        policy, level="none", problem="not here", offered="landlock", lacking="not here", machine=machine
    )

    assert "not here" in finding.says
    assert words in str(finding)
    assert 'sandbox = "required:landlock"' in str(finding)
