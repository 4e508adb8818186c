"""An approval whose facts changed before its use: it is not used, and the person is asked anew, told what changed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.errors import ApprovalLapsedError, GateDeniedError
from pytest_workflow_exec.model import Command, Outcome
from pytest_workflow_exec.run import Run, perform_command
from pytest_workflow_exec.verify import verify_log

from .conftest import Project, approved, history_in

GATED = """
workflow: flow
steps:
  - id: make
    run: [cp, seed, made]
    outputs: {file: {glob: made}}
  - id: approve
    gate: {question: "Go on?", show: [make]FORM}
  - {id: first, run: [touch, first]}
  - {id: second, run: [touch, second]}
"""
PLAIN = GATED.replace("FORM", "")
FILLED = GATED.replace("FORM", ', form: {ticket: {pattern: "REL-[0-9]+"}}')
WAIVED = """
workflow: flow
steps:
  - {id: tests, run: [touch, made], waive: Go on all the same?}
  - {id: last, run: [touch, last]}
"""


@dataclass
class Person:
    """Somebody who answers, and before that does something."""

    project: Project
    says: list[str]
    """What they say, question by question; the last for all that follow."""
    does: Callable[[int], object] = lambda number: None
    """What happens after each of their answers."""
    asked: list[GateRequest] = field(default_factory=list)
    held: int = 0
    """In how many of the questions everything else held still."""
    holding_now: bool = False

    def __call__(self, request: GateRequest, timeout_s: float) -> Decision:
        """Answer."""
        self.asked.append(request)
        self.held += self.holding_now
        word: Any = self.says[min(len(self.asked), len(self.says)) - 1]
        answers = {"ticket": "REL-1"} if request.fields_to_fill else {}
        self.does(len(self.asked))
        decision = replace(approved(request, timeout_s), decision=word, answers=answers if word == "approved" else {})
        return decision if word == "approved" else replace(decision, reason="not so")

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold still meanwhile."""
        self.holding_now = True
        yield
        self.holding_now = False

    def touch(self, number: int) -> None:
        """Change a file of the working tree."""
        (self.project.root / "seed").write_text(f"other {number}")


@pytest.fixture(autouse=True)
def repository(project: Project) -> None:
    """A clean checkout."""
    (project.root / "seed").write_text("seed")
    (project.root / ".gitignore").write_text(".workflow-exec\nmade\nfirst\nsecond\nlast\nflow.workflow.yaml\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], cwd=project.root, check=True)


def to_the_first(project: Project, person: Person, flow: str = PLAIN) -> Run:
    """Return a run whose gate passed, with a file changed since."""
    run = project.open(flow, approver=person)
    project.perform(run, "make")
    project.perform(run, "approve")
    person.touch(0)
    return run


def gate_records(project: Project, run: Run) -> list[tuple[str, str]]:
    """Return the records of gates, each with the beginning of its digest's name in the order of appearance."""
    names: dict[str, str] = {}
    found = [record for record in project.records(run) if record.type.startswith("gate.")]
    return [(each.type, names.setdefault(str(each.data["digest"]), "ABCDEFGH"[len(names)])) for each in found]


def test_a_person_is_asked_anew_and_told_what_changed(project: Project) -> None:
    """What was approved is not used; the new question says old and new, is used instead, and verifies."""
    person = Person(project, ["approved"])
    run = to_the_first(project, person)

    first = run.workflow.step("first")
    run.start(first, holding=person.holding)
    assert isinstance(first.body, Command)
    run.finish("first", Outcome.PASSED, outputs=perform_command(run, first, first.body))
    project.perform(run, "second")
    run.close(interrupted=False)

    before, after = person.asked
    assert person.held == 1
    assert before.again is None
    assert after.again is not None
    assert (after.again.of, after.again.approver, after.again.used_by) == (before.digest, "alice", "first")
    assert [(each.fact, each.before, each.after) for each in after.again.changes] == [
        ("changes", before.changes, after.changes),
        ("dirty", False, True),
    ]
    assert after.code != before.code
    assert gate_records(project, run) == [
        ("gate.requested", "A"),
        ("gate.decided", "A"),
        ("gate.requested", "B"),
        ("gate.decided", "B"),
        ("gate.used", "B"),
    ]
    verdict = verify_log(run.log_path, expect_head=run.head.hash)
    assert (verdict.exit_code, verdict.message) == (0, verdict.message)
    assert not history_in(run.log_path).open_gates


@pytest.mark.parametrize("word", ["rejected", "denied", "expired"])
def test_without_a_new_approval_nothing_runs(project: Project, word: str) -> None:
    """The approval that does not hold lets nothing start once the new question was not approved."""
    person = Person(project, ["approved", word])
    run = to_the_first(project, person)
    step = run.workflow.step("first")

    with pytest.raises(GateDeniedError, match="asked again before step 'first'"):
        run.start(step)
    with pytest.raises(GateDeniedError, match="no decision of this run"):
        run.start(step)
    run.finish("first", Outcome.DENIED)
    run.close(interrupted=False)

    types = project.types(run)
    assert "gate.used" not in types
    assert [record.step for record in project.records(run) if record.type == "step.started"] == ["make", "approve"]
    assert not (project.root / "first").exists()
    history = history_in(run.log_path)
    assert history.denied == "approve"
    assert (history.rejected is not None) is (word == "rejected")
    assert verify_log(run.log_path).word == "not passed"


def test_it_is_asked_five_times_at_most(project: Project) -> None:
    """What is another thing each time that it is to be used is given up, and nothing runs."""
    person = Person(project, ["approved"])
    person.does = person.touch
    run = to_the_first(project, person)

    with pytest.raises(ApprovalLapsedError, match="a file of the working tree"):
        run.start(run.workflow.step("first"))

    run.close(interrupted=False)
    assert len(person.asked) == 5
    assert "gate.used" not in project.types(run)
    assert not (project.root / "first").exists()
    assert verify_log(run.log_path).word == "not passed"


def test_what_was_filled_in_stays(project: Project) -> None:
    """A form is filled in once: the new question shows what was, and steps behind the gate see just that."""
    person = Person(project, ["approved"])
    run = to_the_first(project, person, FILLED)

    project.perform(run, "first")
    project.perform(run, "second")
    run.close(interrupted=False)

    _, again = person.asked
    assert again.again is not None
    assert (again.again.answers, again.fields_to_fill) == ({"ticket": "REL-1"}, ())
    assert again.form
    assert run.values.outputs["approve"].values["ticket"] == "REL-1"
    assert verify_log(run.log_path, expect_head=run.head.hash).exit_code == 0


def test_a_waiver_is_asked_for_anew(project: Project) -> None:
    """Also what is decided of one failure alone: the second answer counts, and the first is not used."""
    person = Person(project, ["approved"])
    person.does = lambda number: person.touch(number) if number == 1 else None
    run = project.open(WAIVED, approver=person)
    run.start(run.workflow.step("tests"))

    assert run.waive(run.workflow.step("tests"), failure="red") == "alice"
    run.finish("tests", Outcome.WAIVED, message="red")
    project.perform(run, "last")
    run.close(interrupted=False)

    assert [each.again is None for each in person.asked] == [True, False]
    assert gate_records(project, run)[-1] == ("gate.used", "B")
    assert verify_log(run.log_path, expect_head=run.head.hash).exit_code == 0
