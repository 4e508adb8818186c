"""Attempts on a gate that wants a signature."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from pytest_workflow_exec.approval import Ballot, moment_text
from pytest_workflow_exec.evidence import hand_in

from ._evidence_attempts import edit_question, not_carried
from ._forge import append, decision, last
from ._gate_attempts import approve, held
from ._result import Result, got_through, not_applicable, not_tried
from ._scratch import SIGNER, Present, Scratch, Session

_SIGNED = ", assurance: 2"
_SUSPENDED = f"{_SIGNED}, wait: suspend"
_MALLORY = "mallory"
_GLASS_CODE = r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to break the glass, or reject to stop: "


def code_without_signature(scratch: Scratch, now: Present) -> Result:
    """A script owns the terminal and types the code, without a signature."""
    del now
    scratch.renew(gate=_SIGNED)
    with scratch.pytest_terminal() as terminal:
        for _ in range(5):
            approve(terminal)
        status = terminal.finish()
    return held(
        scratch,
        status,
        terminal.text,
        "There is no signature that counts",
        "the code alone opens nothing: there is no signature",
    )


def forged_decision(scratch: Scratch, now: Present) -> Result:
    """A signed approval of one run is written into the log of another, for its question and with hashes that fit."""
    del now
    _suspended(scratch)
    _hand_in(scratch, scratch.sign("signer", _challenge(scratch)))
    # A good one first: nothing would be known of bad ones where no signature opens a gate.
    good = scratch.pytest("--workflow-resume")
    if good.status != 0 or scratch.released is None:
        return not_tried(f"a good signature did not open its gate: pytest exited {good.status}")
    (scratch.project / "released.txt").unlink()
    signed = last(scratch.log, "gate.decided")
    scratch.pytest()
    append(scratch.log, decision(last(scratch.log, "gate.requested"), who=SIGNER, like=signed))
    resumed = scratch.pytest("--workflow-resume")
    return held(
        scratch,
        resumed.status,
        resumed.text,
        "did not sign these bytes",
        "a decision whose signature is of other bytes counts for nothing",
    )


def unlisted_key(scratch: Scratch, now: Present) -> Result:
    """A key that nobody listed signs, and the answer is put beside the log by hand."""
    del now
    _suspended(scratch)
    _hand_in(scratch, scratch.sign(_MALLORY, _challenge(scratch)))
    resumed = scratch.pytest("--workflow-resume")
    return held(scratch, resumed.status, resumed.text, "is none of those of", "the pinned list does not have that key")


def swapped_list(scratch: Scratch, now: Present) -> Result:
    """The list of signers gets another key for a listed name, and that key signs."""
    _suspended(scratch)
    listed = now.settings.policy.trusted.signers
    if listed is None:
        return not_applicable(now.no_signatures)
    file = scratch.project / listed.path
    file.write_text(
        file.read_text(encoding="utf-8").replace(scratch.public("signer"), scratch.public(_MALLORY)), encoding="utf-8"
    )
    _hand_in(scratch, scratch.sign(_MALLORY, _challenge(scratch)))
    resumed = scratch.pytest("--workflow-resume")
    return held(
        scratch, resumed.status, resumed.text, "--- the pin", "the pin holds another list: exit 4 with the diff"
    )


def moved_signature(scratch: Scratch, now: Present) -> Result:
    """A good signature of one run is handed in for another one."""
    del now
    _suspended(scratch)
    armor = scratch.sign("signer", _challenge(scratch))
    scratch.pytest("--workflow-new")
    _hand_in(scratch, armor)
    resumed = scratch.pytest("--workflow-resume")
    return held(
        scratch,
        resumed.status,
        resumed.text,
        "did not sign these bytes",
        "it is of other bytes: run, nonce and head are in them",
    )


def edited_question(scratch: Scratch, now: Present) -> Result:
    """The question in the log is made harmless before it is signed, with hashes that fit."""
    del now
    _suspended(scratch)
    edit_question(scratch.log)
    _hand_in(scratch, scratch.sign("signer", _challenge(scratch)))
    resumed = scratch.pytest("--workflow-resume")
    return held(
        scratch,
        resumed.status,
        resumed.text,
        "it is about another request",
        "all of it is made again before it is used: it is asked anew",
    )


def key_in_reach(scratch: Scratch, now: Present) -> Result:
    """A listed key lies in the folder of keys of the run's user, and signs there."""
    _suspended(scratch)
    folder = scratch.root / "home" / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "id_ed25519").write_bytes((scratch.keys / "signer").read_bytes())
    (folder / "id_ed25519.pub").write_bytes((scratch.keys / "signer.pub").read_bytes())
    _hand_in(scratch, scratch.sign("signer", _challenge(scratch)))
    resumed = scratch.pytest("--workflow-resume")
    if scratch.released is None and now.refuses_reachable_keys:
        return held(
            scratch,
            resumed.status,
            resumed.text,
            "SUSPENDED",
            "refuse_reachable_keys: such a key counts as a typed code",
        )
    if resumed.status == 0 and scratch.released is not None:
        if last(scratch.log, "gate.decided")["data"].get("proof", {}).get("key_reachable") is not True:
            return not_tried("a key within the run's reach signed, and nothing says so")
        return got_through(
            "it signs like any other key, and is recorded as key_reachable: refuse_reachable_keys is for that"
        )
    return not_tried(f"a good signature did not open its gate: pytest exited {resumed.status}")


def other_plan(scratch: Scratch, now: Present) -> Result:
    """A plan is approved in advance by a listed key, and another one is proposed in its place."""
    if not now.runs_python:
        return not_applicable("the policy's path has no venv, so no command can run this interpreter")
    if (problem := _approved_in_advance(scratch)) is not None:
        return not_tried(problem)
    other = _proposing(scratch, "spoil.py")
    return held(
        scratch,
        other.status,
        other.text,
        "is not about what would run now",
        "its commands are in what was signed: another plan is asked about",
    )


def prolonged_plan(scratch: Scratch, now: Present) -> Result:
    """The file of a plan that was approved in advance is edited, so that it holds longer."""
    if not now.runs_python:
        return not_applicable("the policy's path has no venv, so no command can run this interpreter")
    if (problem := _approved_in_advance(scratch)) is not None:
        return not_tried(problem)
    [file] = scratch.project.glob("approved-plans/*/*.json")
    text = file.read_text(encoding="ascii")
    file.write_text(re.sub(r"\d{4}-\d\d-\d\dT00:00:00Z", _moment(days=80), text), encoding="ascii")
    resumed = _proposing(scratch, "push.py")
    return held(
        scratch,
        resumed.status,
        resumed.text,
        "did not sign these bytes",
        "its end is in what was signed: the signature is of other bytes",
    )


def _approved_in_advance(scratch: Scratch) -> str | None:
    """Approve a plan in advance, see that it runs unasked, and return why it does not; None if it does."""
    scratch.renew(
        before="  - {id: diagnose, ai: {prompt: What now?, output: CommandPlan}}\n",
        show="build.archive, diagnose",
        gate=f"{_SUSPENDED}, in_advance: true",
        behind='  - {id: repair, execute: "${steps.diagnose.commands}"}\n',
        files={"push.py": "", "spoil.py": ""},
    )
    _proposing(scratch, "push.py")
    until = _moment(days=1)
    challenge = scratch.tool("challenge", "latest", "approve", "--in-advance", "--until", until).text.encode("ascii")
    signature = scratch.root / "plan.sig"
    signature.write_text(scratch.sign("signer", challenge), encoding="ascii")
    kept = scratch.tool("approve", "latest", "approve", "--in-advance", "--until", until, "--signature", str(signature))
    good = _proposing(scratch, "push.py", "--workflow-new")
    if kept.status != 0 or good.status != 0 or scratch.released is None:
        return f"a good plan in advance did not open its gate: pytest exited {good.status}: {kept.text.strip()[-200:]}"
    (scratch.project / "released.txt").unlink()
    return None


def _proposing(scratch: Scratch, program: str, *arguments: str) -> Session:
    """Run the workflow with a model that proposes one command."""
    answers = {"diagnose": [{"commands": [{"argv": ["python", program], "why": "It helps."}]}]}
    (scratch.project / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    return scratch.pytest("--workflow-ai-answers=answers.json", *arguments)


def _moment(*, days: int) -> str:
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    return moment_text(today + timedelta(days=days + 1))


def broken_glass(scratch: Scratch, now: Present) -> Result:
    """A script that owns the terminal goes past the signatures, with a reason that it makes up."""
    del now
    _suspended(scratch)
    with scratch.pytest_terminal("--workflow-resume", "--workflow-break-glass", "approve") as terminal:
        if (
            terminal.wait_for(r"Reason to break the glass, or reject to stop: |the policy does not grant it").group()[0]
            == "R"
        ):
            terminal.type("because\n")
            terminal.type(f"{terminal.wait_for(_GLASS_CODE).group(1)}\n")
        status = terminal.finish()
    if scratch.released is not None:
        return got_through(
            "the policy grants it to whoever owns the terminal: it is told at once, and worth 0 to verify"
        )
    return held(
        scratch, status, terminal.text, "the policy does not grant it", "the policy lets nobody go past signatures"
    )


def where_signed(attempt: Callable[[Scratch, Present], Result]) -> Callable[[Scratch, Present], Result]:
    """Return an attempt that is made where gates can want signatures, and a good one opens them."""

    def tried(scratch: Scratch, now: Present) -> Result:
        if now.no_signatures:
            return not_applicable(now.no_signatures)
        return attempt(scratch, now)

    return tried


def over_sessions(attempt: Callable[[Scratch, Present], Result]) -> Callable[[Scratch, Present], Result]:
    """Return an attempt that is made where a later session takes in what was signed, without a seal."""

    def tried(scratch: Scratch, now: Present) -> Result:
        if reason := not_carried(now):
            return not_applicable(reason)
        return attempt(scratch, now)

    return where_signed(tried)


def _suspended(scratch: Scratch) -> None:
    scratch.renew(gate=_SUSPENDED)
    scratch.pytest()


def _challenge(scratch: Scratch) -> bytes:
    return scratch.tool("challenge", "latest", "approve").text.encode("ascii")


def _hand_in(scratch: Scratch, armor: str) -> None:
    """Put an answer beside the newest log, past the tool that would judge it first."""
    request = last(scratch.log, "gate.requested")
    ballot = Ballot(
        run=request["run"],
        step=request["step"],
        request=request["data"]["digest"],
        answer="approve",
        reason="",
        principal=SIGNER,
        armor=armor,
    )
    hand_in(scratch.log.parent, ballot.content())
