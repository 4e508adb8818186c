"""Tests of `verify:` steps under the policy's confinement: what it says of them, no more, and on record."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.sandbox import offered_level

from .conftest import Project

pytestmark = pytest.mark.skipif(offered_level().level == "none", reason="nothing can be confined here")

_FLOW = "steps:\n  - {id: tests, verify: ../checks}\n"


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not the project's."""
    return tmp_path_factory.mktemp("outside")


def _run(project: Project, body: str, *, verify: str = "", sandbox: str = "required:landlock") -> int:
    project.write("workflow-exec.toml", f'[policy]\nsandbox = "{sandbox}"\n\n[policy.verify]\n{verify}\n')
    # Beside pytest-xdist it opens a socket in every session.
    project.write("pytest.ini", "[pytest]\naddopts = -p no:rerunfailures\n")
    project.write("wf/flow.workflow.yaml", _FLOW)
    project.write(
        "checks/test_it.py", f"import os, pathlib, socket, subprocess, sys\n\ndef test_it(tmp_path):\n    {body}\n"
    )
    session = project.pytest("wf")
    project.text = session.text  # type: ignore[attr-defined]  # for messages of tests
    return session.status


def test_tests_run_at_the_policy_s_level_without_any_rule(project: Project) -> None:
    """They read the project, write in their temporary folder, and the log says at which level they ran."""
    status = _run(project, "(tmp_path / 'a').write_text(pathlib.Path('workflow-exec.toml').read_text())")

    assert status == 0, project.text  # type: ignore[attr-defined]
    [started] = project.of_type("command.started")
    assert started["data"]["level"] == offered_level().level
    assert started["data"]["rule"] == "verify"
    assert started["data"]["rule_digest"]


@pytest.mark.parametrize(
    "body",
    [
        "pathlib.Path('ran-write').write_text('x')",
        "(pathlib.Path({outside!r}) / 'new').write_text('x')",
        "pathlib.Path({outside!r}, 'kept').read_text()",
        "subprocess.run(['true'], check=True)",
        "socket.create_connection(('127.0.0.1', 9), timeout=1)",
        "socket.socket()",
        "os.kill(os.getppid(), 0)",
        "os.openpty()",
    ],
)
def test_what_the_policy_does_not_grant_fails_in_them(project: Project, outside: Path, body: str) -> None:
    """Writing, reading elsewhere, programs, sockets, signals and terminals: the step fails."""
    (outside / "kept").write_text("kept")

    assert _run(project, body.format(outside=str(outside))) == 1

    assert project.outcomes() == {"tests": "failed"}
    assert "PermissionError" in project.text or "OSError" in project.text  # type: ignore[attr-defined]
    assert not list(project.root.glob("ran-*"))
    assert [path.name for path in outside.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("body", "verify"),
    [
        ("pathlib.Path('made/ran-write').write_text('x')", 'write = ["made"]'),
        ("pathlib.Path({outside!r}, 'kept').read_text()", 'read = ["{outside}"]'),
        ("subprocess.run(['true'], check=True)", 'exec = ["true"]'),
        ("subprocess.run([sys.executable, '-c', ''], check=True)", 'exec = ["python"]'),
        ("os.openpty()", 'needs = ["pty"]'),
        (
            "with socket.create_server(('127.0.0.1', 0)) as s: socket.create_connection(s.getsockname()).close()",
            'needs = ["loopback"]',
        ),
        ("assert os.environ['ONE'] == 'x'", 'env = ["ONE"]'),
    ],
)
def test_what_the_policy_grants_works_in_them(project: Project, outside: Path, body: str, verify: str) -> None:
    """Each right of `[policy.verify]` gives what it says."""
    (outside / "kept").write_text("kept")
    project.environment["ONE"] = "x"

    status = _run(project, body.format(outside=str(outside)), verify=verify.format(outside=outside))

    assert status == 0, project.text  # type: ignore[attr-defined]


def test_tests_can_t_touch_the_evidence(project: Project) -> None:
    """The log is neither written nor replaced by them, wherever they look for it."""
    status = _run(
        project,
        "logs = list(pathlib.Path('.workflow-exec/runs').glob('*/evidence.jsonl'))\n"
        "    for log in logs:\n        log.open('ab')",
    )

    assert status in (0, 1)
    if status == 1:
        assert "PermissionError" in project.text  # type: ignore[attr-defined]
    assert project.run("workflow-exec", "verify", "latest", "--chain-only").status in (0, 3)


def test_rights_that_can_t_be_granted_keep_the_workflow_from_starting(project: Project) -> None:
    """A folder that holds something protected, and a need that there is none of: exit 4, nothing ran."""
    (project.root / "made").mkdir()
    (project.root / "made" / "conftest.py").write_text("")

    assert _run(project, "pass", verify='write = ["made"]') == 4
    assert "which is protected" in project.text  # type: ignore[attr-defined]
    assert project.untouched
    assert _run(project, "pass", verify='needs = ["root"]') == 4
    assert "policy.verify.needs" in project.text  # type: ignore[attr-defined]
    assert project.untouched


def test_a_gate_shows_what_tests_behind_it_may_do(project: Project) -> None:
    """The rights stand beside the step in the question."""
    project.write("workflow-exec.toml", '[policy]\n[policy.verify]\nexec = "any"\nneeds = ["pty"]\n')
    project.write("checks/test_it.py", "def test_it():\n    pass\n")
    project.write(
        "wf/flow.workflow.yaml",
        "steps:\n  - {id: go, gate: {question: Go on?, wait: suspend}}\n  - {id: tests, verify: ../checks}\n",
    )

    assert project.pytest("wf").status == 1

    [asked] = project.of_type("gate.requested")
    [covered] = asked["data"]["request"]["covers"]
    assert covered["does"] == "tests in checks; its tests may: exec any; needs pty"


def test_a_resumed_run_carries_tests_while_their_rights_are_the_same(project: Project) -> None:
    """Rights that changed run them again; nothing else does."""
    assert _run(project, "pass", verify='needs = ["pty"]') == 0
    flow = "steps:\n  - {id: tests, verify: ../checks}\n  - {id: last, call: 'fails:fails'}\n"
    project.write("wf/fails.py", "def fails():\n    raise AssertionError\n")
    project.write("wf/flow.workflow.yaml", flow)
    assert project.pytest("wf", "--workflow-new").status == 1

    same = project.pytest("wf", "--workflow-resume")
    policy = (project.root / "workflow-exec.toml").read_text()
    project.write("workflow-exec.toml", policy.replace('"pty"', '"loopback"'))
    other = project.pytest("wf", "--workflow-resume")

    assert "tests ... CARRIED" in same.text, same.text
    assert "tests ... PASSED" in other.text, other.text


def test_plugin_that_needs_a_socket_is_named_with_the_ways_out(project: Project) -> None:
    """pytest-rerunfailures beside pytest-xdist can't start without a socket: the step fails and says what to do."""
    project.write("workflow-exec.toml", '[policy]\nsandbox = "required:landlock"\n')
    project.write("wf/flow.workflow.yaml", _FLOW)
    project.write("checks/test_it.py", "def test_it():\n    pass\n")

    session = project.pytest("wf")

    assert session.status == 1
    said = " ".join(session.text.split())
    assert "pytest-rerunfailures beside pytest-xdist opens a socket in every session" in said
    assert 'needs = ["loopback"]' in said
