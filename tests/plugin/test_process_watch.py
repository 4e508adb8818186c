"""Python code of steps that starts processes past the sandbox, in a real session: the step fails, whatever it makes of it."""

from __future__ import annotations

import pytest

from .conftest import CONFIGURATION, Project

_HEAD = "import asyncio, multiprocessing, os, pty, subprocess, threading\n\nfrom pytest_workflow_exec import Workflow, step\n\nWORKFLOW = Workflow(name='flow')\n\n"
_STARTS = {
    "Popen": "subprocess.Popen(['touch', 'ran-it'])",
    "run": "subprocess.run('touch ran-it', shell=True, check=True)",
    "a-path": "subprocess.run([os.path.join('/', 'bin', 'touch'), 'ran-it'], check=True)",
    "system": "os.system('touch ran-it')",
    "popen": "os.popen('touch ran-it').close()",
    "posix_spawn": "os.waitpid(os.posix_spawn('/bin/touch', ['touch', 'ran-it'], {}), 0)",
    "spawnv": "os.spawnv(os.P_WAIT, '/bin/touch', ['touch', 'ran-it'])",
    "exec": "os.execv('/bin/touch', ['touch', 'ran-it'])",
    "fork": "os.fork() or os._exit(os.execv('/bin/touch', ['touch', 'ran-it']))",
    "pty": "pty.spawn(['touch', 'ran-it'])",
    "thread": "[t := threading.Thread(target=os.system, args=['touch ran-it']), t.start(), t.join()]",
    "asyncio": "asyncio.run(asyncio.create_subprocess_exec('touch', 'ran-it'))",
    "fork-process": "multiprocessing.get_context('fork').Process(target=os.mkdir, args=['ran-it']).start()",
    "spawn-process": "multiprocessing.get_context('spawn').Process(target=os.mkdir, args=['ran-it']).start()",
    "forkserver": "multiprocessing.get_context('forkserver').Process(target=os.mkdir, args=['ran-it']).start()",
}


@pytest.mark.parametrize("start", _STARTS.values(), ids=_STARTS)
def test_a_start_past_the_sandbox_fails_the_step_that_swallows_it(project: Project, start: str) -> None:
    """Nothing is started, the step fails with its line, and what comes after is blocked."""
    project.write(
        "wf/workflow_flow.py",
        f"{_HEAD}@step\ndef one():\n    try:\n        {start}\n    except BaseException:\n        pass\n\n"
        "def test_two():\n    open('ran-two', 'w').close()\n",
    )

    session = project.pytest("wf", "-p", "no:threadexception")

    assert session.status == 1, session.text
    assert project.outcomes() == {"one": "failed", "test_two": "blocked"}
    assert not list(project.root.glob("ran-*"))
    [refused] = project.of_type("command.refused")
    line = "thread 'Thread-" if "Thread(" in start else "wf/workflow_flow.py:10"
    assert line in refused["data"]["reason"]
    assert "step 'one' may not start a process other than through the sandbox" in session.text
    assert line in session.text
    [ended, _] = project.of_type("step.finished")
    assert ended["data"]["class"] == "policy"


def test_fixtures_and_called_functions_answer_for_their_processes(project: Project) -> None:
    """A fixture's setup and teardown, of a YAML step too, and the function of a `call:` step."""
    project.write(
        "wf/conftest.py",
        "import subprocess\n\nimport pytest\n\n"
        "@pytest.fixture(autouse=True)\n"
        "def around(request):\n"
        "    if 'early' in request.node.name:\n"
        "        try:\n"
        "            subprocess.run(['touch', 'ran-early'])\n"
        "        except Exception:\n"
        "            pass\n"
        "    yield\n"
        "    if 'late' in request.node.name:\n"
        "        try:\n"
        "            subprocess.run(['touch', 'ran-late'])\n"
        "        except Exception:\n"
        "            pass\n",
    )
    project.write("wf/checks.py", "import os\n\ndef look():\n    os.system('touch ran-call')\n")
    for name, step in {"early": "run: [echo, a]", "late": "run: [echo, a]", "call": 'call: "checks:look"'}.items():
        project.write(f"wf/{name}.workflow.yaml", f"steps:\n  - {{id: {name}, {step}}}\n")

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "3 failed" in session.text, session.text
    assert not list(project.root.glob("ran-*"))
    for place in ("wf/conftest.py:9", "wf/conftest.py:15", "wf/checks.py:4"):
        assert f"at {place}" in session.text


def test_it_is_not_tried_again(project: Project) -> None:
    """A step that wants to start a process fails, though it raises what its retry is for and would pass the second time."""
    project.write(
        "wf/workflow_flow.py",
        f"{_HEAD}TIMES = []\n\n@step(retry=2)\n"
        "def one():\n    TIMES.append(1)\n    if len(TIMES) == 1:\n        try:\n            os.system('touch ran-it')\n"
        "        except Exception:\n            pass\n        raise ConnectionError\n",
    )

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert project.outcomes() == {"one": "failed"}
    assert project.of_type("retry.waiting") == []
    assert not list(project.root.glob("ran-*"))


def test_the_engine_s_own_processes_go_on(project: Project) -> None:
    """Commands of every kind, tests of their own and commands from Python are started as ever."""
    project.write(
        "tests_of/test_it.py", "import subprocess\n\ndef test_it():\n    subprocess.run(['true'], check=True)\n"
    )
    project.write(
        "wf/flow.workflow.yaml", "steps:\n  - {id: one, run: [echo, a]}\n  - {id: two, verify: ../tests_of}\n"
    )
    project.write(
        "wf/workflow_py.py", "from pytest_workflow_exec import Workflow, step\n\nWORKFLOW = Workflow(name='py')\n\n"
        "@step\ndef one(sandbox):\n    sandbox.run(['echo', 'a'])\n",
    )  # fmt: skip

    session = project.pytest("wf")

    assert session.status == 0, session.text


def test_a_listener_is_no_step(project: Project) -> None:
    """A hook that hears of the run may start what it likes."""
    project.write(
        "conftest.py",
        "import subprocess\n\ndef pytest_workflow_exec_step_started(step):\n"
        "    subprocess.run(['touch', f'ran-{step}'], check=True)\n",
    )
    project.write("wf/flow.workflow.yaml", "steps:\n  - {id: one, run: [echo, a]}\n")

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert (project.root / "ran-one").exists()


def test_a_policy_may_only_record_them(project: Project) -> None:
    """Then they run, and the log says what was started where, before it was."""
    project.write("workflow-exec.toml", CONFIGURATION.replace("[policy]\n", '[policy]\npython_processes = "record"\n'))
    project.write(
        "wf/workflow_flow.py", f"{_HEAD}@step\ndef one():\n    subprocess.run(['touch', 'ran-it'], check=True)\n"
    )

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert (project.root / "ran-it").exists()
    [note] = project.of_type("note")
    assert note["step"] == "one"
    assert note["data"]["argv"] == ["touch", "ran-it"]
    assert note["data"]["place"] == "wf/workflow_flow.py:9"
    assert project.run("workflow-exec", "verify", "latest").status == 3


def test_nothing_is_watched_where_no_step_runs(project: Project) -> None:
    """Ordinary tests of the same session start processes as ever, before and after steps; a session without workflows has no hook."""
    project.write(
        "test_plain.py",
        "import subprocess, sys\n\ndef test_plain():\n    subprocess.run(['true'], check=True)\n"
        "    assert 'pytest_workflow_exec.sandbox' not in sys.modules or 'wf' in ' '.join(sys.argv)\n",
    )
    project.write("wf/flow.workflow.yaml", "steps:\n  - {id: one, run: [echo, a]}\n")

    for arguments in (["test_plain.py"], ["test_plain.py", "wf"], ["wf", "test_plain.py"]):
        session = project.pytest(*arguments)
        assert session.status == 0, session.text


def test_a_session_that_can_t_be_watched_runs_no_step(project: Project) -> None:
    """Where another audit hook keeps ours out, nothing is claimed and nothing runs."""
    project.write(
        "conftest.py",
        "import sys\n\ndef keep_out(event, arguments):\n    if event == 'sys.addaudithook':\n        raise RuntimeError\n\n"
        "sys.addaudithook(keep_out)\n",
    )
    project.write("wf/flow.workflow.yaml", "steps:\n  - {id: one, run: [touch, ran-it]}\n")

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "another audit hook keeps ours out" in session.text
    assert not (project.root / "ran-it").exists()
