"""What other tools are told of a run: properties in JUnit files, and a summary in Markdown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from .conftest import Project

FLOW = """
workflow: flow
steps:
  - {id: one, run: [echo, hi]}
  - {id: two, when: "steps.one.exit != 0", run: [echo, hi]}
  - {id: three, call: "m:fails"}
  - {id: four, run: [touch, ran-four]}
"""
MODULE = """
def fails():
    raise PermissionError("<script>|`x`\\n# no heading")
"""


def _properties(project: Project) -> dict[str, dict[str, str]]:
    root = ET.parse(project.root / "junit.xml").getroot()  # noqa: S314  # pytest wrote it just now
    return {
        case.attrib["name"]: {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
        for case in root.iter("testcase")
    }


def test_junit_names_run_step_outcome_and_class(project: Project) -> None:
    """Each test case says which step of which run it is, how it ended and where its evidence stood."""
    project.write("wf/m.py", MODULE)
    project.write("wf/flow.workflow.yaml", FLOW)

    done = project.pytest("wf", "--junitxml=junit.xml")

    cases = _properties(project)
    run = project.logs()[0].parent.name
    assert done.status == 1
    assert {name: case["workflow_exec.outcome"] for name, case in cases.items()} == {
        "one": "passed",
        "two": "not_applicable",
        "three": "failed",
        "four": "blocked",
    }
    assert {case["workflow_exec.run"] for case in cases.values()} == {run}
    assert cases["three"]["workflow_exec.class"] == "permission"
    assert "workflow_exec.class" not in cases["one"]
    assert cases["three"]["workflow_exec.step"] == "three"
    seq, head = cases["one"]["workflow_exec.head"].split()
    assert project.records()[int(seq)]["hash"] == head


def test_a_summary_is_written_where_it_is_wanted(project: Project) -> None:
    """The file holds a table of the steps and the closing lines, and nothing of it is markup of somebody else."""
    project.write("wf/m.py", MODULE)
    project.write("wf/flow.workflow.yaml", FLOW)
    project.write("job.md", "before\n")
    project.environment["GITHUB_STEP_SUMMARY"] = str(project.root / "job.md")

    done = project.pytest("wf", "--workflow-summary=out/summary.md")

    text = (project.root / "out" / "summary.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert done.status == 1
    assert lines[0] == "### ❌ workflow flow\\: NOT passed (three failed), 2 of 4 steps not satisfied\\: three, four"
    rows = [re.sub(r"\d+\.\ds", "0.0s", line) for line in lines if line.startswith("| ")]
    assert rows[1:] == [
        "| one | ✅ PASSED | 0.0s | 1 |  |",
        "| two | ⚪ NOT APPLICABLE | 0.0s | 1 |  |",
        "| three | ❌ FAILED | 0.0s | 1 | PermissionError\\: &lt;script&gt;\\|\\`x\\` |",
        "| four | ⛔ BLOCKED | 0.0s | 1 | waits for three (failed) |",
    ]
    assert f"evidence head {done.text.splitlines()[-1].split()[2]} {done.heads[-1]}" in lines
    assert (project.root / "job.md").read_text(encoding="utf-8") == "before\n" + text
    assert done.text.splitlines()[-1].startswith("evidence head ")


def test_a_summary_of_several_workers_knows_all_steps(project: Project) -> None:
    """With pytest-xdist the controller writes one for all workflows."""
    for name in ("a", "b"):
        project.write(
            f"wf/{name}.workflow.yaml", f"workflow: {name}\nsteps:\n  - {{id: {name}-one, run: [echo, hi]}}\n"
        )

    done = project.pytest("wf", "-n2", "--workflow-summary=summary.md")

    text = (project.root / "summary.md").read_text(encoding="utf-8")
    assert done.status == 0, done.text
    assert text.count("### ✅ workflow ") == 2
    assert "| a\\-one | ✅ PASSED |" in text
    assert "| b\\-one | ✅ PASSED |" in text


def test_a_refused_run_has_a_summary_that_says_so(project: Project) -> None:
    """Where nothing was run, the summary does not look like success."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, run: [rm, -rf, x]}\n")

    done = project.pytest("wf", "--workflow-summary=summary.md")

    assert done.status == 4
    assert "### ❌ workflow flow: nothing was run" in (project.root / "summary.md").read_text().replace("\\:", ":")


def test_a_summary_that_cant_be_written_changes_nothing(project: Project) -> None:
    """It is said before the last lines, and the status is that of the run."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, run: [echo, hi]}\n")
    project.write("taken", "")

    done = project.pytest("wf", "--workflow-summary=taken/summary.md")

    assert done.status == 0
    assert "warning: the summary can't be written to" in done.text
    assert done.text.splitlines()[-1].startswith("evidence head ")


def test_looking_writes_no_summary(project: Project) -> None:
    """A plan that is only shown leaves no file."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, run: [echo, hi]}\n")

    done = project.pytest("wf", "--workflow-plan", "--workflow-summary=summary.md")

    assert done.status == 0
    assert not (project.root / "summary.md").exists()
