"""Sessions that end before their time: what is in the log then, and what is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_workflow_exec.cli import main
from pytest_workflow_exec.verify import verify_log

from .conftest import PATIENCE_S, Project

SLOW = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: slow, run: [sleep, "1000"]}
  - {id: three, run: [touch, ran-three]}
"""


@pytest.fixture
def session(project: Project) -> subprocess.Popen[bytes]:
    """A session that is in the middle of its second step's command."""
    project.write("wf/flow.workflow.yaml", SLOW)
    started = subprocess.Popen(
        [sys.executable, "-m", "pytest", "wf"],
        cwd=project.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (project.logs() and b'"command.started","step":"slow"' in project.logs()[0].read_bytes()):
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return started


def sleeping(project: Project) -> list[int]:
    """Return the processes of the project's slow command that still run."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if (
                process.name.isdigit()
                and (process / "cmdline").read_bytes() == b"sleep\x001000\x00"
                and ((process / "cwd").resolve() == project.root)
            ):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def test_killed_session_leaves_a_readable_log(
    project: Project,
    session: subprocess.Popen[bytes],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After SIGKILL in a step, the log reads, names the step that was under way, and nobody cries tampering."""
    session.kill()
    session.wait()

    [log] = project.logs()
    verdict = verify_log(log)
    assert verdict.exit_code in (3, 5)
    started = [record["step"] for record in project.of_type("step.started")]
    ended = [record["step"] for record in project.of_type("step.finished")]
    assert (started, ended) == (["one", "slow"], ["one"])
    assert not (project.root / "ran-three").exists()
    monkeypatch.chdir(project.root)
    assert main(["show", "latest"]) == 0
    assert "slow" in capsys.readouterr().out
    for process in sleeping(project):
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signal_ends_the_command_and_is_written_down(
    project: Project, session: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    """Ctrl-C, SIGTERM and SIGHUP kill the running command, and the log says interrupted and blocked."""
    session.send_signal(number)

    assert session.wait(PATIENCE_S) == 2
    assert project.outcomes() == {"one": "passed", "slow": "interrupted", "three": "blocked"}
    assert project.of_type("run.finished")[0]["data"]["result"] == "interrupted"
    assert sleeping(project) == []


def test_second_session_is_refused_while_the_first_runs(project: Project, session: subprocess.Popen[bytes]) -> None:
    """A second session of the same workflow exits 4, names the holder, and begins no run."""
    second = project.pytest("wf")

    assert second.status == 4
    assert f"process {session.pid}" in second.text
    assert len(project.logs()) == 1
    session.send_signal(signal.SIGINT)
    session.wait(PATIENCE_S)


@pytest.mark.parametrize(
    "harm",
    [
        "import shutil; shutil.rmtree(workflow.root / '.workflow-exec')",
        "log.unlink()",
        "log.rename(log.with_name('x')); log.write_bytes(b'')",
        "log.open('ab').write(b'x')",
        "import os; os.link(log, log.with_name('second'))",
    ],
)
def test_harmed_evidence_ends_the_session(project: Project, harm: str) -> None:
    """A step that deletes, replaces, links or writes into the log is the last one: exit 3, and nothing runs after it."""
    project.write(
        "wf/workflow_flow.py",
        "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='flow')\n"
        "@step\ndef harm(workflow) -> None:\n"
        "    log = workflow.run_directory.parent / 'evidence.jsonl'\n"
        f"    {harm}\n"
        "@step\ndef after(workflow) -> None:\n    (workflow.root / 'ran-after').touch()\n",
    )

    session = project.pytest("wf")

    assert session.status == 3, session.text
    assert "evidence" in session.text
    assert not (project.root / "ran-after").exists()


def test_full_disk_ends_the_session(project: Project) -> None:
    """Evidence that no longer fits ends the session with exit 3, whatever the step does about its own error."""
    project.write(
        "wf/workflow_flow.py",
        "import resource, signal\n"
        "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='flow')\n"
        "@step\ndef fill(workflow, sandbox) -> None:\n"
        "    log = workflow.run_directory.parent / 'evidence.jsonl'\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 100, resource.RLIM_INFINITY))\n"
        "    try:\n        sandbox.run(['touch', 'ran-unlogged'])\n"
        "    except Exception:\n        pass\n"
        "@step\ndef after(workflow) -> None:\n    (workflow.root / 'ran-after').touch()\n",
    )

    session = project.pytest("wf", "-p", "no:cacheprovider")

    assert session.status == 3, session.text
    assert not list(project.root.glob("ran-*"))
    [log] = project.logs()
    assert verify_log(log).exit_code in (3, 5)


def test_read_only_project_is_refused(project: Project) -> None:
    """Where evidence can't be written, no step runs."""
    project.write("wf/flow.workflow.yaml", SLOW)
    (project.root / ".workflow-exec").write_text("in the way")

    session = project.pytest("wf")

    assert session.status in (3, 4)
    assert not list(project.root.glob("ran-*"))
