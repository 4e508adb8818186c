"""`workflow.context` in a real session: what a step is given, and what its evidence says of it."""

from __future__ import annotations

import hashlib

from pytest_workflow_exec.verify import verify_log

from .conftest import Project

FLOW = """
from pytest_workflow_exec import Workflow, step
WORKFLOW = Workflow(name="flow", inputs={"version": {"type": "string"}})

@step
def build(workflow) -> dict:
    return {"wheel": "x.whl"}

@step
def ask(workflow) -> dict:
    context = workflow.context(task_type="release", keywords=["gate"], max_tokens=2000)
    (workflow.root / "prompt.txt").write_text(context.text)
    return {"tokens": context.tokens}
"""


def test_a_step_is_given_files_and_what_the_run_knows(project: Project) -> None:
    """The files that matter come first, then what the run knows; their digests are evidence of the step."""
    project.write("CLAUDE.md", "Root words\n")
    project.write("docs/CLAUDE.md", "---\ntask_types: [release]\n---\nRelease words\n")
    project.write("other/CLAUDE.md", "---\ntask_types: [other]\n---\nOther words\n")
    project.write("wf/workflow_flow.py", FLOW)

    session = project.pytest("wf", "--workflow-input", "version=1.2.3")

    assert session.status == 0, session.text
    prompt = (project.root / "prompt.txt").read_text()
    assert prompt.index("Root words") < prompt.index("Release words") < prompt.index("===== inputs of the run =====")
    assert '"version": "1.2.3"' in prompt
    assert '"wheel": "x.whl"' in prompt
    assert "Other words" not in prompt
    [ended] = [each for each in project.of_type("step.finished") if each["step"] == "ask"]
    [context] = ended["data"]["contexts"]
    assert [(file["path"], file["sha256"]) for file in context["files"]] == [
        (path, hashlib.sha256((project.root / path).read_bytes()).hexdigest())
        for path in ("CLAUDE.md", "docs/CLAUDE.md")
    ]
    assert ended["data"]["used"] == ["build"]
    [log] = project.logs()
    assert verify_log(log, expect_head=session.heads[0]).exit_code == 0


def test_what_is_required_and_missing_fails_the_step(project: Project) -> None:
    """A step that requires a file which is not there fails with a sentence, and nothing behind it runs."""
    project.write("wf/workflow_flow.py", FLOW.replace("max_tokens=2000", 'required=["gone.md"]'))

    session = project.pytest("wf", "--workflow-input", "version=1.2.3")

    assert session.status == 1
    assert "required, but not loaded whole: gone.md" in session.text
    assert not (project.root / "prompt.txt").exists()
    assert project.outcomes()["ask"] == "failed"
