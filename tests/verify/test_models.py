"""Stories of models and plans that can't be true, told by logs whose every hash fits and whose head is known."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import perform_execute
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.ai.test_flow import FLOW, GATED, PLAN, Model, ask
from tests.evidence._logs import rechained, records_in
from tests.run.conftest import Project

from .test_story import Change, Records, at, doubled, moved, saying, without


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The records of a run that asked, was approved and executed a plan, as the engine itself wrote them."""
    root = tmp_path_factory.mktemp("project")
    (root / "workflow-exec.toml").write_text(GATED)
    project = Project(root)
    run = project.open(FLOW)
    ask(run, Model(PLAN))
    project.perform(run, "go")
    planned: Any = run.workflow.step("do")
    run.start(planned)
    run.finish("do", Outcome.PASSED, outputs=perform_execute(run, planned, planned.body))
    run.close(interrupted=False)
    return records_in(run.log_path)


def told(folder: Path, records: Records) -> Verdict:
    """Return the verdict on a log of those records, given the head that it ends in."""
    path = folder / "evidence.jsonl"
    path.write_bytes(rechained(records))
    return verify_log(path, expect_head=records_in(path)[-1]["hash"])


def of_plan(index: int, **data: object) -> Change:
    """Change both records of one command of the plan."""

    def change(records: Records) -> None:
        places = [place for place, each in enumerate(records) if each["type"].startswith("command.")]
        for place in places[2 * index : 2 * index + 2]:
            records[place]["data"].update(data)

    return change


def drop_second(records: Records) -> None:
    """Leave out the second command of the plan."""
    places = [place for place, each in enumerate(records) if each["type"].startswith("command.")]
    del records[places[2] : places[3] + 1]


def swap(records: Records) -> None:
    """Run the commands in the other order."""
    places = [place for place, each in enumerate(records) if each["type"].startswith("command.")]
    first, second = records[places[0] : places[1] + 1], records[places[2] : places[3] + 1]
    records[places[0] : places[3] + 1] = [*second, *first]


def asking_gate(records: Records) -> None:
    """Let the gate ask a model, and hear an answer."""
    request = copy.deepcopy(records[at(records, "ai.request", "ask")])
    records.insert(at(records, "gate.requested", "go"), {**request, "step": "go"})


def test_honest_story_is_verified(tmp_path: Path, honest: Records) -> None:
    """What the engine wrote is believed."""
    assert told(tmp_path, honest).exit_code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("ai.request", "ask"), "but no record says that it was asked just that"),
        (without("ai.response", "ask"), "passed, but no record says that an answer was accepted"),
        (doubled("ai.request", "ask"), "asks a model again, but no record says what came of its question"),
        (doubled("ai.response", "ask"), "but no record says that it was asked just that"),
        (moved("ai.response", "ask", behind=("step.finished", "ask")), "no record says that an answer was accepted"),
        (moved("ai.request", "ask", behind=("step.finished", "ask")), "no record says that it was asked just that"),
        (saying("ai.request", "ask", prompt="Something else?"), "but to another question than it was asked"),
        (saying("ai.request", "ask", number=2), "and its question is not number 1"),
        (saying("ai.response", "ask", source="certainly"), "does not say where the answer came from"),
        (saying("ai.response", "ask", outcome="failed"), "no record says that an answer was accepted"),
        (saying("ai.response", "ask", outputs_sha256="0" * 64), "left something else than the answer"),
        (saying("step.finished", "ask", outputs={"commands": []}), "left something else than the answer"),
        (asking_gate, "asks a model, but that attempt is not under way|is a gate step, and asks a model"),
        (of_plan(0, argv=["touch", "other"]), "which no gate showed at that place of its plan"),
        (of_plan(1, argv=["echo", "two", "three"]), "which no gate showed at that place of its plan"),
        (swap, "which no gate showed at that place of its plan"),
        (drop_second, "passed, but ran 1 of the 2 commands that a gate showed"),
    ],
)
def test_story_that_contradicts_itself_is_broken(tmp_path: Path, honest: Records, change: Change, said: str) -> None:
    """Whoever wrote it anew with right hashes is told what can't be true."""
    records = copy.deepcopy(honest)
    change(records)

    verdict = told(tmp_path, records)

    assert verdict.exit_code == 1, verdict
    assert any(each in str(verdict) for each in said.split("|")), verdict
