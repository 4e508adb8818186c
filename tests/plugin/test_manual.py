"""Work done by hand, at a real terminal."""

from __future__ import annotations

import json
import signal

import pexpect
import pytest

from pytest_workflow_exec.evidence import runs_directory

from .conftest import Project

_FLOW = """
workflow: release
steps:
  - {id: announce, manual: {instruction: "Write\\x1b[2J the announcement", checklist: [on the list, on the site]}}
  - {id: after, run: [touch, "done-by"]}
"""


def _attested(project: Project) -> list[dict[str, object]]:
    [log] = runs_directory(project.root).glob("*/evidence.jsonl")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    return [record["data"] for record in records if record["type"] == "manual.attested"]


def test_a_person_says_that_it_was_done(project: Project) -> None:
    """The instruction is shown as the author's words, harmless; `note` adds a remark, and only `done` lets the run go on."""
    project.write("wf/release.workflow.yaml", _FLOW.replace("\\\\x1b", "\\x1b"))
    child = project.terminal("wf", "-s")
    child.expect("Work by hand")
    child.expect("the announcement")
    child.expect("2. on the site")
    child.expect("Type done, failed or note: ")
    child.sendline("yes")
    child.expect("That is none of the three.")
    child.expect("Type done, failed or note: ")
    child.sendline("note")
    child.expect("Note: ")
    child.sendline("late")
    child.expect("Type done, failed or note: ")
    child.sendline("Done")
    child.expect("evidence head")
    child.wait()

    assert child.exitstatus == 0
    [attested] = _attested(project)
    assert (attested["result"], attested["notes"]) == ("done", ["late"])
    assert (project.root / "done-by").exists()


def test_work_that_failed_or_nobody_attested_stops_the_run(project: Project) -> None:
    """`failed` asks why; the end of input and five answers that are none attest nothing; nothing runs behind them."""
    project.write("wf/release.workflow.yaml", _FLOW)
    for answers, result in ((["failed", "no mail"], "failed"), (["\x04"], "unanswered"), (["?"] * 5, "unanswered")):
        child = project.terminal("wf", "-s", "--workflow-new")
        for answer in answers:
            child.expect("Type done, failed or note: |Reason: ")
            child.send(answer if answer == "\x04" else f"{answer}\r")
        child.expect("evidence head")
        child.wait()
        newest = max(runs_directory(project.root).iterdir())
        said = [line for line in (newest / "evidence.jsonl").read_text().splitlines() if '"manual.attested"' in line]
        assert child.exitstatus == 1
        assert f'"result":"{result}"' in said[0]

    assert not (project.root / "done-by").exists()


_CHECKED = """
workflow: release
steps:
  - id: announce
    manual: Write the file
    check: {check}
  - {id: after, run: [touch, "done-by"]}
"""


@pytest.mark.parametrize("check", ["{run: [ls, written]}", "{verify: seen}"])
@pytest.mark.parametrize("written", [True, False], ids=["there", "missing"])
def test_a_check_looks_behind_a_persons_word(project: Project, check: str, written: bool) -> None:
    """What was said to be done counts if the check finds it; else the step fails, and nothing runs behind it."""
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["touch *", "ls written"]\n')
    project.write("wf/release.workflow.yaml", _CHECKED.replace("{check}", check))
    project.write("wf/seen/test_it.py", f"from pathlib import Path\ndef test_it(): assert Path({str(project.root)!r}, 'written').exists()\n")  # fmt: skip
    child = project.terminal("wf", "-s")
    child.expect("Type done, failed or note: ")
    if written:
        (project.root / "written").touch()
    child.sendline("done")
    child.expect("evidence head")
    child.expect(pexpect.EOF)
    child.wait()

    assert child.exitstatus == (0 if written else 1)
    assert project.outcomes() == {
        "announce": "passed" if written else "failed", "after": "passed" if written else "blocked"
    }  # fmt: skip
    assert (project.root / "done-by").exists() is written
    [asked] = [each for each in project.of_type("command.started") if each["step"] == "announce"]
    assert asked["data"]["check"] is True
    verdict = project.run("workflow-exec", "verify", "latest")
    assert ("bounded" in verdict.text) is written, verdict.text
    assert "broken" not in verdict.text
    if not written:
        [ended] = [each for each in project.of_type("step.finished") if each["step"] == "announce"]
        assert "was said to be done, but its check says otherwise" in ended["data"]["message"]


def test_a_check_that_can_not_run_lets_no_work_by_hand_pass(project: Project) -> None:
    """One that the policy refuses is refused before the first step."""
    project.write("wf/release.workflow.yaml", _CHECKED.replace("{check}", "{run: [ls, written]}"))

    child = project.terminal("wf", "-s")
    child.expect(pexpect.EOF)
    child.wait()

    assert child.exitstatus == 4
    assert project.untouched


def test_work_by_hand_is_never_passed_by_its_check_alone(project: Project) -> None:
    """A session that was killed while a person was asked asks again; the check is asked behind the answer."""
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["touch *", "ls written"]\n')
    project.write("wf/release.workflow.yaml", _CHECKED.replace("{check}", "{run: [ls, written]}"))
    (project.root / "written").touch()
    child = project.terminal("wf", "-s")
    child.expect("Type done, failed or note: ")
    child.kill(signal.SIGKILL)
    child.wait()

    child = project.terminal("wf", "-s", "--workflow-resume")
    child.expect(r"Type ([A-Z0-9-]+) to approve, or reject to stop: ")
    assert child.match is not None
    child.sendline(child.match.group(1))  # type: ignore[union-attr]  # a pattern matched, no EOF
    child.expect("Type done, failed or note: ")
    assert not (project.root / "done-by").exists()
    child.sendline("done")
    child.expect("evidence head")
    child.expect(pexpect.EOF)
    child.wait()

    assert child.exitstatus == 0
    assert "bounded" in project.run("workflow-exec", "verify", "latest").text


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_test_timeouts_pause_while_a_step_waits(project: Project, method: str) -> None:
    """A timeout for tests counts neither against a person nor against a pause."""
    project.write(
        "wf/release.workflow.yaml",
        "workflow: release\nsteps:\n  - {id: soak, pause: 2s}\n  - {id: announce, manual: Do it}\n",
    )
    child = project.terminal("wf", "-s", "--timeout=1", f"--timeout-method={method}")
    child.expect("Type done, failed or note: ")
    # Longer than the timeout: if it counted, the session would be over by now.
    with pytest.raises(pexpect.TIMEOUT):
        child.expect(pexpect.EOF, timeout=2)
    child.sendline("done")
    child.expect("evidence head")
    child.wait()

    assert child.exitstatus == 0


def test_without_a_terminal_nothing_is_run(project: Project) -> None:
    """A run that will need a person is refused before its first step, also on workers."""
    project.write("wf/release.workflow.yaml", _FLOW)

    alone = project.pytest("wf", "-s")
    spread = project.pytest("wf", "-n2")

    for done in (alone, spread):
        assert done.status == 4
        assert "step 'announce' is done by hand and needs a person at a terminal" in done.text
    assert not (project.root / ".workflow-exec" / "runs").exists()
