"""Forms of gates, as people meet them: at the gate, at a suspended one, and in Python."""

from __future__ import annotations

from .conftest import Project, code_at, finish

_FLOW = r"""
workflow: release
steps:
  - id: approve
    gate: {question: Publish it?, wait: suspend, form: {ticket: {pattern: 'REL-\d+'}}}
  - {id: publish, run: [touch, "${steps.approve.ticket}"]}
"""
_PYTHON = '''
from pydantic import BaseModel, Field
from pytest_workflow_exec import Workflow, gate, step

WORKFLOW = Workflow(name="audit")


class Ticket(BaseModel):
    ticket: str = Field(pattern="REL-[0-9]+")
    count: int = 2


@gate(form=Ticket)
def approve() -> None:
    """Go on?"""


@step
def publish(workflow, sandbox) -> None:
    """Publish it."""
    filled = workflow.outputs["approve"]
    sandbox.run(["touch", f"{filled['ticket']}-{filled['count'] + 1}"])
'''


def test_a_form_is_filled_in_at_the_gate(project: Project) -> None:
    """What the approver typed is what the steps behind the gate see, in Python, too."""
    project.write("wf/workflow_audit.py", _PYTHON)
    child = project.terminal("wf", "-s")
    child.sendline(code_at(child))
    child.expect("ticket = ")
    child.sendline("REL-7")
    child.expect("count = ")
    child.sendline("")
    done = finish(child)

    assert done.status == 0, done.text
    assert (project.root / "REL-7-3").exists()
    verdict = project.run("workflow-exec", "verify", "latest", "--expect-head", done.heads[-1])
    assert verdict.status == 0, verdict.text


def test_a_form_is_filled_in_at_another_terminal(project: Project) -> None:
    """`workflow-exec approve` asks for the fields of a suspended gate; without them nothing is decided."""
    project.write("wf/release.workflow.yaml", _FLOW)
    project.pytest("wf")
    child = project.terminal_of("workflow-exec", "approve", "latest", "approve")
    child.sendline(code_at(child))
    child.expect("ticket = ")
    child.sendeof()
    undecided = finish(child)
    before = project.of_type("gate.decided")
    child = project.terminal_of("workflow-exec", "approve", "latest", "approve")
    child.sendline(code_at(child))
    child.expect("ticket = ")
    child.sendline("REL-7")
    decided = finish(child)
    done = project.pytest("wf", "--workflow-resume")

    assert (undecided.status, before) == (1, [])
    assert "nothing was decided: end of input at field 'ticket'" in undecided.text
    assert decided.status == 0, decided.text
    assert done.status == 0, done.text
    assert (project.root / "REL-7").exists()
    verdict = project.run("workflow-exec", "verify", "latest", "--expect-head", done.heads[-1])
    assert verdict.status == 0, verdict.text
