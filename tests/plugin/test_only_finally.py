"""`--workflow-finally`: a run that is not to go on cleans up what it began, and starts nothing else."""

from __future__ import annotations

import signal
import time

import pytest

from pytest_workflow_exec.verify import verify_log

from .conftest import PATIENCE_S, Project, code_at, finish

POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo *", "touch *", "sleep *", "false"]\n'
FLOW = """
workflow: flow
steps:
  - {id: one, run: [echo, me], outputs: {name: {stdout: ".+"}}}
  - {id: never, when: "steps.one.name == 'you'", run: [touch, ran-never]}
  - id: part
    steps:
      - {id: two, run: [touch, ran-two]}
      - {id: ask, gate: {question: Go on?, wait: suspend}}
      - {id: three, run: [touch, ran-three]}
    finally:
      - {id: sweep, run: [touch, "ran-sweep-${steps.one.name}"]}
  - id: other
    steps:
      - {id: four, run: [touch, ran-four]}
    finally:
      - {id: mop, run: [touch, ran-mop]}
finally:
  - {id: tidy, when: "steps.part.two.outcome == 'passed'", run: [touch, ran-tidy]}
"""
KILLED = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: [sleep, "600"]}
  - {id: three, run: [touch, ran-three]}
finally:
  - {id: tidy, run: [touch, ran-tidy]}
"""


@pytest.fixture
def flow(project: Project) -> Project:
    """A project whose workflow waits in the middle of a block."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", FLOW.replace("steps.part.two", "steps.part/two"))
    return project


def ran(project: Project) -> set[str]:
    """Return what steps did."""
    return {path.name for path in project.root.glob("ran-*")}


def last_outcomes(project: Project) -> dict[str, str]:
    """Return how each step ended in the last session."""
    found: dict[str, str] = {}
    for record in project.records():
        if record["type"] in ("run.started", "run.resumed"):
            found = {}
        if record["type"] == "step.finished":
            found[record["step"]] = record["data"]["outcome"]
    return found


def test_what_was_begun_is_cleaned_up_and_nothing_else_starts(flow: Project) -> None:
    """What passed is carried, so that `finally` sees it; blocks that were entered clean up, others have nothing to."""
    assert flow.pytest("wf").status == 1
    assert ran(flow) == {"ran-two"}

    session = flow.pytest("wf", "--workflow-resume", "--workflow-finally", "not any more")

    assert session.status == 1, session.text
    assert "is played: not any more" in session.text
    assert ran(flow) == {"ran-two", "ran-sweep-me", "ran-tidy"}
    outcomes = last_outcomes(flow)
    assert {step for step, outcome in outcomes.items() if outcome == "passed"} == {"part/sweep", "tidy"}
    assert {step for step, outcome in outcomes.items() if outcome == "carried"} == {"one", "part/two"}
    assert outcomes["never"] == "not_applicable"
    assert flow.of_type("run.finished")[-1]["data"]["result"] == "interrupted"
    assert flow.of_type("run.resumed")[-1]["data"]["only_finally"] == "not any more"
    [log] = flow.logs()
    verdict = verify_log(log)
    assert (verdict.word, verdict.result) == ("not passed", "interrupted"), verdict.message


def test_nobody_is_asked_about_what_does_not_start(flow: Project) -> None:
    """A step that was killed in the middle would need a person to run again; to clean up behind it needs none."""
    flow.write("wf/flow.workflow.yaml", KILLED)
    process = flow.start("wf")
    until = time.monotonic() + PATIENCE_S
    while not (
        flow.logs()
        and any(record["type"] == "command.started" and record["step"] == "two" for record in flow.records())
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    refused = flow.pytest("wf", "--workflow-resume")
    assert refused.status == 4, refused.text
    assert ran(flow) == {"ran-one"}

    session = flow.pytest("wf", "--workflow-resume", "--workflow-finally", "the host broke")

    assert session.status == 1, session.text
    assert ran(flow) == {"ran-one", "ran-tidy"}
    # What is not known of it stays so: going on for real still asks.
    again = flow.pytest("wf", "--workflow-resume")
    assert (again.status, "was started and has no end" in again.text) == (4, True), again.text
    assert ran(flow) == {"ran-one", "ran-tidy"}


KILLED_AT_THE_END = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
finally:
  - {id: refund, run: [sleep, "600"]}
  - {id: tidy, run: [touch, ran-tidy]}
"""


def test_clean_up_of_unknown_effect_is_not_done_twice_in_silence(flow: Project) -> None:
    """Killed in a step of `finally`, nobody knows what it did: a person says whether it runs again."""
    flow.write("wf/flow.workflow.yaml", KILLED_AT_THE_END)
    process = flow.start("wf")
    until = time.monotonic() + PATIENCE_S
    while not (
        flow.logs()
        and any(record["type"] == "command.started" and record["step"] == "refund" for record in flow.records())
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(flow.records())

    session = flow.pytest("wf", "--workflow-resume", "--workflow-finally", "the host broke")

    assert (session.status, ran(flow)) == (4, {"ran-one"}), session.text
    assert "step 'refund' was started and has no end" in session.text
    assert len(flow.records()) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--workflow-finally", "why"), "add --workflow-resume"),
        (("--workflow-resume", "--workflow-finally", " "), "--workflow-finally needs a reason"),
        (("--workflow-resume", "--workflow-finally", "why", "--workflow-redo", "one"), "exclude each other"),
        (("--workflow-resume", "--workflow-finally", "why", "--workflow-until", "one"), "exclude each other"),
    ],
)
def test_what_makes_no_sense_beside_it_is_refused(flow: Project, options: tuple[str, ...], said: str) -> None:
    """Nothing runs, and the log stays as it is."""
    assert flow.pytest("wf").status == 1
    [log] = flow.logs()
    before = log.read_bytes()

    session = flow.pytest("wf", *options)

    assert (session.status, said in session.text) == (4, True), session.text
    assert log.read_bytes() == before
    assert ran(flow) == {"ran-two"}


REJECTED = """
workflow: flow
steps:
  - {id: ask, gate: {question: Go on?}}
  - {id: one, run: [touch, ran-one]}
finally:
  - {id: tidy, run: [touch, ran-tidy]}
"""


@pytest.fixture
def rejected(flow: Project) -> Project:
    """A project whose newest run was rejected by a person at its gate."""
    flow.write("wf/flow.workflow.yaml", REJECTED)
    child = flow.terminal("wf", "-s")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("not today")
    assert finish(child).status == 1
    return flow


def test_cleaning_up_takes_no_refusal_back(rejected: Project) -> None:
    """A rejected run that only cleans up is as rejected afterwards: it does not go on, and another wants a reason."""
    cleaned = rejected.pytest("wf", "--workflow-resume", "--workflow-finally", "why")
    assert (cleaned.status, ran(rejected)) == (1, {"ran-tidy"}), cleaned.text
    before = len(rejected.records())

    goes_on = rejected.pytest("wf", "--workflow-resume")
    another = rejected.pytest("wf", "--workflow-new")

    assert goes_on.status == 4, goes_on.text
    assert "was denied at gate 'ask': --workflow-redo ask asks again" in goes_on.text
    assert another.status == 4, another.text
    assert "just this plan was rejected in run" in another.text
    assert len(rejected.records()) == before
    assert ran(rejected) == {"ran-tidy"}


def test_rejected_plan_stays_so_where_its_session_was_killed(rejected: Project) -> None:
    """A kill right behind the answer leaves a log without an end, which is no less of a rejection."""
    [log] = rejected.logs()
    lines = log.read_bytes().splitlines(keepends=True)
    [decided] = [number for number, line in enumerate(lines) if b'"type":"gate.decided"' in line]
    log.write_bytes(b"".join(lines[: decided + 1]))

    another = rejected.pytest("wf", "--workflow-new")

    assert another.status == 4, another.text
    assert "just this plan was rejected in run" in another.text
    assert [path.name for path in log.parent.parent.glob("*-*")] == [log.parent.name]


REFUSED = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: ask, gate: Go on?}
  - {id: two, run: [touch, ran-two]}
finally:
  - {id: tidy, run: [touch, ran-tidy]}
"""


def test_a_clean_up_takes_no_refusal_back(flow: Project) -> None:
    """A session that only cleans up comes to no gate: a rejection before it still wants a reason to be asked again."""
    flow.write("wf/flow.workflow.yaml", REFUSED)
    child = flow.terminal("wf", "-s")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("not today")
    assert finish(child).status == 1
    cleaned = flow.pytest("wf", "--workflow-resume", "--workflow-finally", "nothing more today")
    assert cleaned.status == 1, cleaned.text
    assert "pytest wf/flow.workflow.yaml --workflow-resume --workflow-redo ask -s" in cleaned.text
    records = len(flow.records())

    child = flow.terminal("wf", "-s", "--workflow-resume")
    refused = finish(child)

    assert refused.status == 4, refused.text
    assert "was denied at gate 'ask': --workflow-redo ask asks again" in refused.text
    assert "to approve, or reject to stop" not in refused.text
    assert len(flow.records()) == records
    assert "ran-two" not in ran(flow)
    child = flow.terminal("wf", "-s", "--workflow-resume", "--workflow-redo", "ask")
    child.expect("Reason: ")
    child.sendline("it is tomorrow")
    child.sendline(code_at(child))
    assert finish(child).status == 0
    assert "ran-two" in ran(flow)
