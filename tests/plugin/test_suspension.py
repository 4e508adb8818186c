"""Suspended workflows, as people meet them: `wait: suspend`, `pending`, `approve`, `reject`, `--workflow-resume`."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from pytest_workflow_exec.evidence import read_ledgers, runs_directory

from .conftest import Project, code_at, finish

_FLOW = """
workflow: release
steps:
  - {id: build, run: [echo, built]}
  - id: approve
    gate: {question: Publish it?, show: [build], wait: suspend}
  - {id: publish, run: [touch, published]}
finally:
  - {id: tidy, run: [touch, tidied]}
"""


@pytest.fixture
def suspended(project: Project) -> str:
    """A project whose workflow waits at its gate; the run's id."""
    project.write("wf/release.workflow.yaml", _FLOW)
    done = project.pytest("wf")
    assert done.status == 1, done.text
    assert "[2/4] approve ... SUSPENDED" in done.text
    assert "BLOCKED wf/release.workflow.yaml::tidy - waits for approve (suspended)" in done.text
    [run] = runs_directory(project.root).iterdir()
    assert f"          workflow-exec approve {run.name} approve\n" in done.text
    return run.name


def _log(project: Project) -> str:
    [log] = runs_directory(project.root).glob("*/evidence.jsonl")
    return log.read_text()


def test_a_decision_at_another_terminal_lets_the_run_go_on(project: Project, suspended: str) -> None:
    """`pending` names the gate, `approve` shows what was asked and wants its code, and the run then passes its gate."""
    [waiting] = json.loads(project.run("workflow-exec", "pending", "--json").text)
    assert (waiting["run"], waiting["step"], waiting["question"]) == (suspended, "approve", "Publish it?")
    child = project.terminal_of("workflow-exec", "approve", suspended, "approve")
    child.expect(r"publish \(run\): ")
    child.expect(r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to approve, or reject to stop: ")
    assert isinstance(child.match, re.Match)
    child.sendline(child.match.group(1))
    child.expect("approved: the head of the log is now")
    child.wait()
    assert child.exitstatus == 0

    done = project.pytest("wf", "--workflow-resume", "-n0")

    assert done.status == 0, done.text
    assert "[2/4] approve ... PASSED" in done.text
    assert (project.root / "published").exists()
    assert (project.root / "tidied").exists()
    assert project.run("workflow-exec", "pending").text == "nothing waits\n"
    verdict = project.run("workflow-exec", "verify", "latest", "--expect-head", done.heads[-1], "--min-assurance", "1")
    assert verdict.status == 0, verdict.text


def test_nothing_but_an_answer_at_a_terminal_decides(project: Project, suspended: str) -> None:
    """Without a terminal, with an answer in a pipe, or broken off, nothing is recorded, and a resume waits again."""
    before = _log(project)
    piped = project.run("workflow-exec", "approve", suspended, "approve")
    child = project.terminal_of("workflow-exec", "approve", suspended, "approve")
    child.expect("or reject to stop: ")
    child.sendintr()
    child.wait()
    wrong_step = project.run("workflow-exec", "approve", suspended, "build")
    untouched = _log(project) == before

    again = project.pytest("wf", "--workflow-resume")

    assert piped.status == 1
    assert "nothing was decided: standard input is no terminal" in piped.text
    assert child.exitstatus == 130
    assert wrong_step.status == 2
    assert "does not wait at a gate 'build' (it waits at: approve)" in wrong_step.text
    assert untouched
    assert again.status == 1
    assert "[2/4] approve ... SUSPENDED" in again.text
    assert not (project.root / "published").exists()


def test_a_rejection_ends_the_run(project: Project, suspended: str) -> None:
    """`reject` wants a reason, is final, and keeps a resume from starting; a second decision is refused."""
    empty = project.run("workflow-exec", "reject", suspended, "approve", "--reason", " ")
    rejected = project.run("workflow-exec", "reject", suspended, "approve", "--reason", "not today")
    second = project.run("workflow-exec", "reject", suspended, "approve", "--reason", "really")
    before = _log(project)

    done = project.pytest("wf", "--workflow-resume")

    assert empty.status == 2
    assert rejected.status == 0, rejected.text
    assert second.status == 2
    assert re.search("gate 'approve' was rejected by .* already", second.text)
    assert done.status == 4
    assert "was denied at gate 'approve': --workflow-redo approve asks again" in done.text
    assert _log(project) == before
    assert not (project.root / "published").exists()


def test_workers_suspend(project: Project) -> None:
    """With several workers a gate that waits elsewhere needs no terminal, and the run ends suspended."""
    project.write("wf/release.workflow.yaml", _FLOW)
    project.write("wf/other.workflow.yaml", "workflow: other\nsteps: [{id: one, run: [echo, x]}]\n")

    done = project.pytest("wf", "-n2")

    assert done.status == 1, done.text
    assert "[release 2/4] approve SUSPENDED" in done.text
    assert "workflow other: passed, 1 of 1 step" in done.text
    assert "gate approve waits for a decision (approve, or reject):" in done.text
    assert not (project.root / "tidied").exists()


def test_a_rejected_plan_is_run_again_only_for_a_reason(project: Project, suspended: str) -> None:
    """A new run of just that plan wants a person's reason and holds it; another plan, or a run after that one, does not."""
    project.run("workflow-exec", "reject", suspended, "approve", "--reason", "not today")
    refused = project.pytest("wf", "--workflow-new")
    child = project.terminal("wf", "--workflow-new", "-s")
    child.expect("just this plan of workflow release was rejected in run")
    child.expect("Reason: ")
    child.sendline("")
    child.expect("nobody said why it is run; nothing was run")
    child.wait()
    untouched = [log.parent.name for log in project.logs()] == [suspended]
    child = project.terminal("wf", "--workflow-new", "-s")
    child.expect("Reason: ")
    child.sendline("agreed since")
    session = finish(child)

    third = project.pytest("wf", "--workflow-new")
    project.write("wf/release.workflow.yaml", _FLOW.replace("built", "built2"))
    other = project.pytest("wf", "--workflow-new")

    assert refused.status == 4
    assert f"just this plan was rejected in run {suspended}, so a person must say why it is run" in refused.text
    assert untouched
    assert session.status == 1
    second = json.loads(project.logs()[1].read_bytes().splitlines()[0])["data"]["after_rejection"]
    assert (second["runs"], second["reason"]) == ([suspended], "agreed since")
    assert [run.status for run in (third, other)] == [1, 1], third.text + other.text


def test_rejection_says_how_it_is_asked_again(project: Project, suspended: str) -> None:
    """Behind a rejection a resumed run is refused; what the tool says is the way that there is."""
    rejected = project.run("workflow-exec", "reject", suspended, "approve", "--reason", "no")

    assert rejected.status == 0, rejected.text
    assert rejected.text.endswith(
        "pytest with --workflow-resume --workflow-redo approve asks again, and for a reason\n"
    )
    assert project.pytest("wf", "--workflow-resume").status == 4


def test_decision_in_a_copy_that_was_put_back_is_asked_again(project: Project, suspended: str) -> None:
    """A run's folder from before its approval was used can be put back; the user's ledger knows that more came of it."""
    child = project.terminal_of("workflow-exec", "approve", suspended, "approve")
    child.sendline(code_at(child))
    assert finish(child).status == 0
    state, copy = project.root / ".workflow-exec", project.root.parent / "copy"
    shutil.copytree(state, copy, symlinks=True)
    assert project.pytest("wf", "--workflow-resume").status == 0
    for name in ("published", "tidied"):
        (project.root / name).unlink()
    shutil.rmtree(state)
    shutil.copytree(copy, state, symlinks=True)

    again = project.pytest("wf", "--workflow-resume")

    assert again.status == 1, again.text
    assert "approve runs again: no decision in its log counts: a ledger knows later records" in again.text
    assert "[2/4] approve ... SUSPENDED" in again.text
    assert not (project.root / "published").exists()


_FAILING = """
workflow: release
steps:
  - {id: approve, gate: Publish it?}
  - {id: publish, run: [false], idempotent: true}
"""


@pytest.mark.parametrize("cut", [True, False])
def test_used_decision_is_none_in_a_log_that_was_cut(project: Project, *, cut: bool) -> None:
    """Cut back to before the use of an approval, a log lets nothing start that was not asked about anew."""
    project.write("wf/release.workflow.yaml", _FAILING)
    child = project.terminal("wf", "-s")
    child.sendline(code_at(child))
    assert finish(child).status == 1
    [log] = project.logs()
    if cut:
        lines = log.read_bytes().splitlines(keepends=True)
        use = next(number for number, line in enumerate(lines) if b'"type":"gate.used"' in line)
        log.write_bytes(b"".join(lines[:use]))

    child = project.terminal("wf", "-s", "--workflow-resume")
    code_at(child)
    child.sendeof()
    session = finish(child)

    assert session.status == 1, session.text
    assert [record["step"] for record in project.of_type("command.started")] == ([] if cut else ["publish"])


@pytest.mark.parametrize("spared", [True, False])
def test_decision_counts_while_one_ledger_can_be_read(project: Project, suspended: str, *, spared: bool) -> None:
    """Where no ledger can say how long the log was, nobody knows whether its decision was used; one that is whole suffices."""
    child = project.terminal_of("workflow-exec", "approve", suspended, "approve")
    child.sendline(code_at(child))
    assert finish(child).status == 0
    ledgers = read_ledgers(project.root)
    for ledger in (ledgers.project, *(() if spared else (ledgers.user,))):
        ledger.path.write_bytes(ledger.path.read_bytes().replace(b"started", b"stbrted"))

    session = project.pytest("wf", "--workflow-resume")

    assert session.status == (0 if spared else 1), session.text
    assert (project.root / "published").exists() == spared
    assert spared or "no decision in its log counts: whether it was cut can't be told: the ledger" in session.text
