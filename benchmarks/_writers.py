"""What is run: suites, workflows and tasks of many steps that do nothing, each written as its tool's users would."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Body = Literal["nothing", "command"]
"""What a step does: nothing, or starting `/bin/true` and waiting for it."""

_CALL = {"nothing": "pass", "command": "subprocess.run(['/bin/true'], check=True)"}


def plain_tests(root: Path, count: int, body: Body = "nothing") -> str:
    """Write tests for pytest, and return their file's path from the root."""
    tests = "".join(f"def test_{number}():\n    {_CALL[body]}\n" for number in range(count))
    return _written(root, "tests/test_many.py", f"import subprocess\n{tests}")


_CHAINING = """\
import hashlib, json, os, time, pytest
DESCRIPTOR, LAST = os.open("log.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND), ["0" * 64]
def note(**said):
    line = json.dumps({**said, "ts": time.time(), "prev": LAST[0]})
    LAST[0] = hashlib.sha256(line.encode()).hexdigest()
    os.write(DESCRIPTOR, f'{line[:-1]}, "hash": "{LAST[0]}"}}\\n'.encode())
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    note(type="started", step=item.nodeid)
    os.fdatasync(DESCRIPTOR)
def pytest_runtest_logreport(report):
    if report.when == "teardown":
        note(type="finished", step=report.nodeid, outcome=report.outcome)
"""


def chained_tests(root: Path, count: int) -> str:
    """Write tests for pytest beside the least that keeps their starts and ends as we do, and return their file's path."""
    _written(root, "tests/conftest.py", _CHAINING)
    return plain_tests(root, count)


def python_steps(root: Path, count: int, *, durability: Literal["power", "process"] = "power") -> str:
    """Write a Python workflow, and return its file's path from the root."""
    head = "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='many')\n"
    steps = "".join(f"@step\ndef step_{number}() -> None:\n    pass\n" for number in range(count))
    _configure(root, f'durability = "{durability}"\n[policy]\nsandbox = "none"\ncommands = []\n')
    return _written(root, "wf/workflow_many.py", head + steps)


def yaml_steps(root: Path, count: int) -> str:
    """Write a YAML workflow whose steps call a function, and return its file's path from the root."""
    steps = "".join(f"  - {{id: step-{number}, call: 'nothing:nothing'}}\n" for number in range(count))
    _configure(root, '[policy]\nsandbox = "none"\ncommands = []\n')
    _written(root, "wf/nothing.py", "def nothing() -> None:\n    pass\n")
    return _written(root, "wf/many.workflow.yaml", f"workflow: many\nsteps:\n{steps}")


def command_steps(root: Path, count: int) -> str:
    """Write a YAML workflow of commands at the default level, and return its file's path from the root."""
    steps = "".join(f"  - {{id: step-{number}, run: ['true']}}\n" for number in range(count))
    _configure(root, '[policy]\ncommands = ["true"]\n')
    return _written(root, "wf/many.workflow.yaml", f"workflow: many\nsteps:\n{steps}")


def commands_in_a_step(root: Path, count: int) -> str:
    """Write a Python workflow of one step that starts commands at the default level, and return its file's path."""
    _configure(root, '[policy]\ncommands = ["true"]\n')
    return _written(
        root,
        "wf/workflow_many.py",
        "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='many')\n"
        f"@step\ndef go(sandbox) -> None:\n    for _ in range({count}):\n        sandbox.run(['true'])\n",
    )


def gate_and_step(root: Path) -> str:
    """Write a workflow of a gate and a step that notes when it began, and return its file's path from the root."""
    _configure(root, '[policy]\nsandbox = "none"\ncommands = []\n')
    return _written(
        root,
        "wf/workflow_pressed.py",
        "import time\nfrom pytest_workflow_exec import Workflow, gate, step\nWORKFLOW = Workflow(name='pressed')\n"
        "@gate\ndef approve(workflow) -> None:\n    '''Go on?'''\n"
        "@step\ndef go_on(workflow) -> None:\n"
        "    (workflow.root / 'began').write_text(str(time.monotonic_ns()))\n",
    )


def bdd_scenario(root: Path, count: int, body: Body) -> str:
    """Write one scenario of many steps for pytest-bdd, and return the test file's path from the root."""
    _written(root, "many.feature", _feature(count))
    return _written(
        root,
        "test_many.py",
        "import subprocess\nfrom pytest_bdd import given, parsers, scenarios\nscenarios('many.feature')\n"
        f"@given(parsers.parse('step {{number:d}}'))\ndef _(number):\n    {_CALL[body]}\n",
    )


def behave_scenario(root: Path, count: int, body: Body) -> str:
    """Write one scenario of many steps for behave, and return the folder of features."""
    _written(root, "features/many.feature", _feature(count))
    _written(
        root,
        "features/steps/many.py",
        f"import subprocess\nfrom behave import given\n@given('step {{number:d}}')\ndef _(context, number):\n    {_CALL[body]}\n",
    )
    return "features"


def robot_task(root: Path, count: int, body: Body) -> str:
    """Write one test of many keywords for Robot Framework, and return its file's path from the root."""
    _written(root, "Many.py", f"import subprocess\ndef do_step(number):\n    {_CALL[body]}\n")
    keywords = "".join(f"    Do Step    {number}\n" for number in range(count))
    head = "*** Settings ***\nLibrary    Many.py\n*** Test Cases ***\nMany\n"
    return _written(root, "many.robot", head + keywords)


def doit_tasks(root: Path, count: int, body: Body) -> str:
    """Write tasks that wait for each other for doit, and return their file's path from the root."""
    return _written(
        root,
        "dodo.py",
        f"import subprocess\ndef do():\n    {_CALL[body]}\n"
        f"def task_step():\n    for number in range({count}):\n"
        "        before = [f'step:{number - 1}'] if number else []\n"
        "        yield {'name': str(number), 'actions': [do], 'task_dep': before}\n",
    )


def pypyr_steps(root: Path, count: int, body: Body) -> str:
    """Write a pipeline for pypyr, and return its name."""
    _written(root, "do_step.py", f"import subprocess\ndef run_step(context):\n    {_CALL[body]}\n")
    _written(root, "many.yaml", "steps:\n" + "  - do_step\n" * count)
    return "many"


def _feature(count: int) -> str:
    steps = "".join(f"    Given step {number}\n" for number in range(count))
    return f"Feature: many\n  Scenario: many\n{steps}"


def _configure(root: Path, text: str) -> None:
    _written(root, "workflow-exec.toml", text)


def _written(root: Path, name: str, text: str) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return name
