"""Forms inside a run: what was filled in is judged, recorded, left to later steps, and followed by what uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_workflow_exec.approval import Attestation, Decision, FormField, GateRequest, ManualTask, request_of
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import GateDeniedError, ManualFailedError, OutputError
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.model import Gate, Manual, Outcome
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import Run, answer_reader
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import rechained, records_in

from . import test_suspension as suspension
from .conftest import Project, approved

FLOW = r"""
workflow: flow
steps:
  - id: approve
    gate: {question: Go on?, form: {ticket: {pattern: 'REL-\d+'}, count: {type: integer, default: 3}}}
  - {id: uses, run: [echo, "${steps.approve.ticket}"], idempotent: true}
  - {id: other, run: [echo, other]}
  - {id: last, run: [touch, "${steps.approve.count}"]}
"""
BY_HAND = r"""
workflow: flow
steps:
  - {id: announce, manual: {instruction: Tell them, form: {url: {pattern: 'https://.+'}}}}
  - {id: after, run: [echo, "${steps.announce.url}"]}
"""


def filling(**answers: Json) -> Callable[[GateRequest, float], Decision]:
    """Return an approver that fills this into whatever is asked."""

    def answer(request: GateRequest, timeout_s: float) -> Decision:
        given = approved(request, timeout_s)
        return Decision(
            decision=given.decision,
            reason="",
            approver=given.approver,
            channel=given.channel,
            terminal=given.terminal,
            assurance=1,
            answers=answers,
        )

    return answer


def saying(**answers: Json) -> Callable[[ManualTask, float], Attestation]:
    """Return who did the work and fills this in."""
    who = Actor(kind="human", id="alice")
    return lambda task, timeout_s: Attestation(
        result="done", reason="", notes=(), who=who, terminal="/dev/pts/1", answers=answers
    )


def verdict_of(run: Run) -> Verdict:
    """Return the verdict on a run's log, given its head."""
    return verify_log(run.log_path, expect_head=records_in(run.log_path)[-1]["hash"])


def test_what_was_filled_in_is_recorded_and_used(project: Project) -> None:
    """The request says what is asked for and shows later commands as they are written; its use finds nothing changed."""
    asked: list[GateRequest] = []

    def ask(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return filling(ticket="REL-7", count=3)(request, timeout_s)

    run = project.open(FLOW, approver=ask)
    outcomes = project.go_through(run)

    assert set(outcomes.values()) == {"passed"}
    [request] = asked
    assert [field.name for field in request.form] == ["ticket", "count"]
    assert [each.does for each in request.covers] == [
        "['echo', '${steps.approve.ticket}']",
        "['echo', 'other']",
        "['touch', '${steps.approve.count}']",
    ]
    [decided] = [record for record in project.records(run) if record.type == "gate.decided"]
    assert decided.data["form"] == {"ticket": "REL-7", "count": 3}
    [uses, *_] = [record.data["argv"] for record in project.records(run) if record.type == "command.started"]
    assert uses == ["echo", "REL-7"]
    assert (project.root / "3").exists()
    assert verdict_of(run).exit_code == 0
    [told] = [record for record in project.records(run) if record.type == "gate.requested"]
    assert request_of(told.data["request"], digest=request.digest) == request  # type: ignore[arg-type]  # a request


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"ticket": "REL-7"},
        {"ticket": "no", "count": 3},
        {"ticket": "REL-7", "count": True},
        {"ticket": "REL-7", "count": "3"},
        {"ticket": "REL-7", "count": 2**70},
        {"ticket": "REL-7", "count": 3, "more": "x"},
    ],
)
def test_an_approval_without_its_answers_is_none(project: Project, answers: dict[str, Json]) -> None:
    """Whoever asks may be wrong: an approval that fills in something else than was asked for is a denial."""
    run = project.open(FLOW, approver=filling(**answers))
    gate = run.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    run.start(gate)

    with pytest.raises(GateDeniedError, match="no answer to its form"):
        run.decide(gate, gate.body, words="")

    run.finish("approve", Outcome.DENIED)
    run.close(interrupted=False)
    assert "command.started" not in project.types(run)
    assert verdict_of(run).word == "not passed"


def test_no_answer_becomes_an_option(project: Project) -> None:
    """A value that a person typed can't turn an argument into an option; the command is not started."""
    flow = FLOW.replace(r"{pattern: 'REL-\d+'}", "{}")
    run = project.open(flow, approver=filling(ticket="--all", count=3))
    project.perform(run, "approve")

    with pytest.raises(OutputError, match="becomes the option '--all'"):
        project.perform(run, "uses")

    assert "command.started" not in project.types(run)


def test_work_by_hand_leaves_what_was_filled_in(project: Project) -> None:
    """The task says what is asked for; the attestation holds it, and later steps use it."""
    run = project.open(BY_HAND, attester=saying(url="https://example.org/1"))
    step = run.workflow.step("announce")
    assert isinstance(step.body, Manual)
    run.start(step)
    run.finish("announce", Outcome.PASSED, outputs=run.attest(step, step.body))
    project.perform(run, "after")
    run.close(interrupted=False)

    [record] = [each for each in project.records(run) if each.type == "manual.attested"]
    assert record.data["form"] == {"url": "https://example.org/1"}
    [command] = [each for each in project.records(run) if each.type == "command.started"]
    assert command.data["argv"] == ["echo", "https://example.org/1"]
    assert verdict_of(run).exit_code == 0


@pytest.mark.parametrize("answers", [{}, {"url": "ftp://x"}, {"url": "https://x", "more": "y"}])
def test_work_by_hand_without_its_answers_is_not_done(project: Project, answers: dict[str, Json]) -> None:
    """An attestation that does not fill in what was asked for attests nothing."""
    run = project.open(BY_HAND, attester=saying(**answers))
    step = run.workflow.step("announce")
    assert isinstance(step.body, Manual)
    run.start(step)

    with pytest.raises(ManualFailedError, match="no answer to its form"):
        run.attest(step, step.body)

    [record] = [each for each in project.records(run) if each.type == "manual.attested"]
    assert record.data["result"] == "unanswered"


def test_what_uses_an_answer_follows_it(project: Project) -> None:
    """A gate that asks again asks for its fields again, and a step that used one of them runs again, too."""
    before = project.open(FLOW, approver=filling(ticket="REL-7", count=3))
    for step in ("approve", "uses", "other"):
        project.perform(before, step)
    before.start(before.workflow.step("last"))
    before.finish("last", Outcome.FAILED, message="no")
    before.close(interrupted=False)

    run = project.open(FLOW, approver=filling(ticket="REL-8", count=4), after=before)
    outcomes = project.go_through(run)

    assert outcomes == {"approve": "passed", "uses": "passed", "other": "carried", "last": "passed"}
    assert [record.data["argv"] for record in project.records(run) if record.type == "command.started"][-2:] == [
        ["echo", "REL-8"],
        ["touch", "4"],
    ]
    again = {
        record.step: record.data["reasons"] for record in project.records(run) if record.type == "step.invalidated"
    }
    assert again["uses"] == ["step 'approve', whose outputs it uses, runs again"]
    assert verdict_of(run).exit_code == 0


def test_an_answer_given_elsewhere_is_used(project: Project) -> None:
    """What was filled in while the run was suspended is an output of its gate; what does not fit asks again."""
    (project.root / "seed").write_text("seed")
    flow = FLOW.replace("question: Go on?", "question: Go on?, wait: suspend")
    for answers, asks_again in (({"ticket": "REL-7", "count": 3}, False), ({"ticket": "x", "count": 3}, True)):
        run = suspension.suspended(project, flow)
        suspension.decide(run, answers=answers)
        later = project.open(flow, after=run, approver=suspension.never)
        if asks_again:
            with pytest.raises(Exception, match="what was filled in"):
                project.perform(later, "approve")
            continue
        project.go_through(later)
        assert (project.root / "3").exists()
        assert verdict_of(later).exit_code == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("REL-x", "does not match"),
        ("REL-7\x1b[2J", "control character"),
        ("REL-supersecret", "holds a secret"),
    ],
)
def test_an_answer_is_judged_as_an_input_is(text: str, problem: str) -> None:
    """Patterns, control characters and known secrets are refused in words that continue the field's name."""
    read = answer_reader(Redactor({"TOKEN": "supersecret"}))
    field = FormField(name="ticket", pattern=r"REL-\d+" if "x" in text else None)

    with pytest.raises(ValueError, match=problem):
        read(field, text)


def _other_answer(records: list[dict[str, Any]]) -> None:
    _of(records, "gate.decided")["form"]["ticket"] = "REL-8"


def _no_answer(records: list[dict[str, Any]]) -> None:
    del _of(records, "gate.decided")["form"]


def _more_answers(records: list[dict[str, Any]]) -> None:
    _of(records, "gate.decided")["form"]["more"] = "x"


def _other_output(records: list[dict[str, Any]]) -> None:
    [end] = [each["data"] for each in records if (each["type"], each["step"]) == ("step.finished", "approve")]
    end["outputs"]["ticket"] = "REL-8"


def _of(records: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    [found] = [each["data"] for each in records if each["type"] == kind]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("change", [_other_answer, _no_answer, _more_answers, _other_output])
def test_a_log_with_other_answers_contradicts_itself(
    project: Project, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    """An approval fills in just what was asked for, and its gate left just that."""
    run = project.open(FLOW, approver=filling(ticket="REL-7", count=3))
    project.go_through(run)
    records = records_in(run.log_path)

    change(records)
    run.log_path.write_bytes(rechained(records))

    assert verdict_of(run).word == "broken"


@pytest.mark.parametrize("answers", [{"url": "https://y"}, {}, {"url": "https://x", "more": "y"}])
def test_a_log_with_other_answers_of_work_by_hand_contradicts_itself(
    project: Project, answers: Mapping[str, Json]
) -> None:
    """Work by hand left just what was filled in."""
    run = project.open(BY_HAND, attester=saying(url="https://x"))
    step = run.workflow.step("announce")
    assert isinstance(step.body, Manual)
    run.start(step)
    run.finish("announce", Outcome.PASSED, outputs=run.attest(step, step.body))
    project.perform(run, "after")
    run.close(interrupted=False)
    records = records_in(run.log_path)
    _of(records, "manual.attested")["form"] = answers

    run.log_path.write_bytes(rechained(records))

    assert verdict_of(run).word == "broken"
