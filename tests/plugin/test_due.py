"""`workflow-exec due`: what can go on is listed, and goes on if that is asked for; nothing else does."""

from __future__ import annotations

import json
import time

from .conftest import Project, code_at, finish

_GATED = """
workflow: gated
steps:
  - {id: approve, gate: {question: Go on?, wait: suspend, expires: 1h}}
  - {id: last, run: [touch, ran-gated]}
"""
_PAUSED = """
workflow: {name}
steps:
  - {{id: soak, pause: {{{pause}, wait: suspend}}}}
  - {{id: last, run: [touch, "ran-{name}"]}}
"""


def _due(project: Project) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(project.run("workflow-exec", "due", "--json").text)
    return listed


def test_what_was_approved_or_paused_long_enough_goes_on(project: Project) -> None:
    """A gate that waits and a pause that lasts are not due; approved and over, both are, and `--resume` runs them."""
    project.write("wf/gated.workflow.yaml", _GATED)
    project.write("wf/long.workflow.yaml", _PAUSED.format(name="long", pause="for: 7d"))
    project.write("wf/short.workflow.yaml", _PAUSED.format(name="short", pause="for: 1s"))
    project.pytest("wf/gated.workflow.yaml", "wf/long.workflow.yaml", "wf/short.workflow.yaml")
    while not (early := _due(project)):
        time.sleep(0.2)
    gated = next(log.parent.name for log in project.logs() if b'"workflow":"gated"' in log.read_bytes())
    child = project.terminal_of("workflow-exec", "approve", gated, "approve")
    child.sendline(code_at(child))
    finish(child)
    listed = _due(project)
    done = project.run("workflow-exec", "due", "--resume")
    after = project.run("workflow-exec", "due")

    assert [(each["workflow"], each["step"], each["status"]) for each in early] == [("short", "soak", None)]
    assert {each["workflow"]: each["step"] for each in listed} == {"gated": "approve", "short": "soak"}
    assert done.status == 0, done.text
    assert (project.root / "ran-gated").exists()
    assert (project.root / "ran-short").exists()
    assert not (project.root / "ran-long").exists()
    assert after.text == "nothing is due\n"


def test_what_nobody_may_go_on_with_is_not_due(project: Project) -> None:
    """A rejected gate, an older run and a broken log let nothing run; the broken one is an error."""
    project.write("wf/gated.workflow.yaml", _GATED)
    project.pytest("wf")
    project.run("workflow-exec", "reject", "latest", "approve", "--reason", "no")
    rejected = project.run("workflow-exec", "due", "--resume")
    # Another plan: the one that was rejected would need a reason that a person types.
    project.write("wf/gated.workflow.yaml", f"{_GATED}\nvars: {{changed: since}}\n")
    project.pytest("wf", "--workflow-new")
    child = project.terminal_of("workflow-exec", "approve", "latest", "approve")
    child.sendline(code_at(child))
    finish(child)
    [_, log] = project.logs()
    log.write_bytes(log.read_bytes().replace(b'"reason":""', b'"reason":"x"'))
    broken = project.run("workflow-exec", "due", "--resume")

    assert (rejected.status, rejected.text) == (0, "nothing is due\n")
    assert broken.status == 1
    assert not (project.root / "ran-gated").exists()


def test_the_worst_status_is_the_answer(project: Project) -> None:
    """A question that expired is asked again: the run is suspended again, which is no success, and nothing ran behind."""
    project.write("wf/flow.workflow.yaml", _GATED.replace("expires: 1h", "expires: 1s"))
    project.pytest("wf")
    while not (listed := _due(project)):
        time.sleep(0.2)

    done = project.run("workflow-exec", "due", "--resume", "--json")

    assert "its question expired at" in str(listed[0]["reason"])
    assert done.status == 1
    assert '"status": 1' in done.text
    assert not (project.root / "ran-gated").exists()


def test_process_that_ends_itself_is_no_success(project: Project) -> None:
    """A step that ends pytest with 0 in the middle of the run is told by the log, and the status is 1."""
    project.write("wf/checks.py", "import os\n\n\ndef leave():\n    os._exit(0)\n")
    project.write("wf/flow.workflow.yaml", _PAUSED.format(name="flow", pause="for: 1s"))
    flow = (project.root / "wf/flow.workflow.yaml").read_text(encoding="utf-8")
    project.write("wf/flow.workflow.yaml", f"{flow}  - {{id: leave, call: 'checks:leave'}}\n")
    project.pytest("wf")
    while not _due(project):
        time.sleep(0.2)

    done = project.run("workflow-exec", "due", "--resume")

    assert done.status == 1, done.text
    assert "did not pass, though pytest exited with 0" in done.text
