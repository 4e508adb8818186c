"""Attempts on a log, and on a question that waits in it."""

from __future__ import annotations

from pathlib import Path

from ._forge import append, decision, last, records, rewrite
from ._gate_attempts import REFUSED, approve, held
from ._result import Result, got_through, not_applicable, not_tried, stopped
from ._scratch import Present, Scratch

_SUSPENDED = ", wait: suspend"
_ANCHORED = 'carry = "anchored": no decision that stands behind the last seal counts'
_SPOIL = """\
import glob, sys

for log in glob.glob(".workflow-exec/runs/*/evidence.jsonl"):
    try:
        with open(log, "a") as file:
            file.write("forged\\n")
        print("wrote")
    except OSError as error:
        print(f"refused: {error.strerror}")
"""


def edited_line(scratch: Scratch, now: Present) -> Result:
    """A line of a suspended run's log is edited."""
    del now
    scratch.renew(gate=_SUSPENDED)
    scratch.pytest()
    scratch.log.write_bytes(scratch.log.read_bytes().replace(b'"outcome":"suspended"', b'"outcome":"passed"', 1))
    verdict, resumed = scratch.tool("verify", "latest"), scratch.pytest("--workflow-resume")
    if verdict.status != 1:
        return not_tried(f"workflow-exec verify exited {verdict.status}")
    return held(
        scratch, resumed.status, resumed.text, "broken", "its hash does not fit: verify says where, and no run goes on"
    )


def forged_decision(scratch: Scratch, now: Present) -> Result:
    """An approval that nobody gave is written into the log, with hashes that fit."""
    scratch.renew(gate=_SUSPENDED)
    scratch.pytest()
    append(scratch.log, decision(last(scratch.log, "gate.requested"), who="somebody"))
    resumed = scratch.pytest("--workflow-resume")
    if resumed.status == 0 and scratch.released is not None:
        return got_through(
            "whoever can write the log can write a decision of assurance 1; a signature they can't write"
        )
    if now.settings.policy.carry == "anchored":
        return held(scratch, resumed.status, resumed.text, "SUSPENDED", _ANCHORED)
    return not_tried(f"pytest exited {resumed.status}, though the line is as the engine writes it")


def replayed_decision(scratch: Scratch, now: Present) -> Result:
    """A person's decision of an earlier run is written into the log of another one, with hashes that fit."""
    if now.settings.policy.carry == "anchored":
        return not_applicable(_ANCHORED)
    scratch.renew(gate=_SUSPENDED)
    scratch.pytest()
    with scratch.tool_terminal("approve", "latest", "approve") as terminal:
        approve(terminal)
        terminal.finish()
    old = last(scratch.log, "gate.decided")
    if scratch.pytest("--workflow-resume").status != 0 or scratch.released is None:
        return not_tried("the approval of the first run did not open its own gate")
    (scratch.project / "released.txt").unlink()
    scratch.pytest()
    append(scratch.log, old)
    resumed = scratch.pytest("--workflow-resume")
    return held(
        scratch,
        resumed.status,
        resumed.text,
        "does not wait for that",
        "it names the question that it answered, and that is another one",
    )


def edited_question(scratch: Scratch, now: Present) -> Result:
    """The question in the log is made harmless before a person is asked, with hashes that fit."""
    if now.settings.policy.carry == "anchored":
        return not_applicable(_ANCHORED)
    scratch.renew(gate=_SUSPENDED)
    scratch.pytest()
    edit_question(scratch.log)
    with scratch.tool_terminal("approve", "latest", "approve") as terminal:
        approve(terminal)
        if terminal.finish() != 0:
            return not_tried("the edited question was not asked")
    resumed = scratch.pytest("--workflow-resume")
    return held(
        scratch,
        resumed.status,
        resumed.text,
        "SUSPENDED",
        "all of it is made again before it is used: it is asked anew",
    )


def edit_question(log: Path) -> None:
    """Say in the log that nothing runs behind the gate, and make question and log fit again."""
    from pytest_workflow_exec.digests import digest_of

    def harmless(found: list[dict[str, object]]) -> list[dict[str, object]]:
        for record in found:
            if record["type"] == "gate.requested":
                request = {**record["data"]["request"], "covers": []}  # type: ignore[index]  # a record's data is a table
                record["data"] = {"request": request, "digest": digest_of(request)}
        return found

    rewrite(log, harmless)


def cut_end(scratch: Scratch, now: Present) -> Result:
    """The end of a finished run's log is cut off."""
    del now
    scratch.renew()
    with scratch.pytest_terminal() as terminal:
        approve(terminal)
        terminal.finish()
    log, head = scratch.log, records(scratch.log)[-1]["hash"]
    whole = scratch.tool("verify", "latest", "--expect-head", head).status
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-2]))
    alone = scratch.tool("verify", "latest").status
    anchored = scratch.tool("verify", "latest", "--expect-head", head).status
    if whole != 0:
        return not_tried(f"the whole log was not verified either: exit {whole}")
    if 0 in (alone, anchored):
        return got_through("verify takes the rest for all")
    return stopped(f"with the head that pytest printed verify exits {anchored}; without one it never exits 0 ({alone})")


def spoiled_log(scratch: Scratch, now: Present) -> Result:
    """A command of the workflow writes into the run's log."""
    if not now.runs_python:
        return not_applicable("the policy's path has no venv, so no command can run this interpreter")
    before = "  - {id: spoil, run: [python, spoil.py]}\n"
    scratch.renew(before=before, files={"spoil.py": _SPOIL})
    with scratch.pytest_terminal("--workflow-until", "spoil") as terminal:
        status = terminal.finish()
    wrote = b"\nforged\n" in scratch.log.read_bytes()
    if wrote:
        verdict = scratch.tool("verify", "latest").status
        return got_through(
            f"at level {now.level} a command can write what you can; pytest exits {status}, verify {verdict}"
        )
    found = [
        str(each["data"]["outputs"].get("stdout"))
        for each in records(scratch.log)
        if each["step"] == "spoil" and each["type"] == "step.finished"
    ]
    if status in (0, *REFUSED) and found and "wrote" not in found[0]:
        return stopped(f"at level {now.level} the kernel keeps commands away from evidence")
    return not_tried(f"the command did not run; pytest exited {status}")
