"""`workflow-exec verify`: the verdict on a run's evidence, in a few lines or as JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import Head
from pytest_workflow_exec.verify import Asked, BrokenGlass, GateFacts, Verdict, held_to, verify_log

from ._arguments import version
from ._find import log_of
from ._statement import facts_of, statement
from ._text import escape
from ._wanted import WantedError, wanted_approvers, wanted_glass, wanted_plan, wanted_policy

_SHORT_DIGEST = 12
_NEVER_RECORDED = frozenset({"broken", "unreadable"})


def verify(arguments: argparse.Namespace) -> int:
    """Print the verdict on a log and return its exit code.

    Raises:
        WorkflowExecError: There is no such run, what is asked for can't be read, or the verdict can't be recorded.
    """
    asks = (arguments.plan, arguments.policy, arguments.min_assurance, arguments.signers, arguments.revoked)
    if arguments.chain_only and any(each is not None for each in asks):
        raise WantedError(
            "--chain-only reads no plan, policy, approval or seal: leave it out, or what is asked of them"
        )
    if arguments.revoked is not None and arguments.signers is None:
        raise WantedError("--revoked is for the keys of --signers: give both")
    log = log_of(arguments.run)
    policy = wanted_policy(arguments.policy)
    found = verify_log(
        log,
        expect_head=arguments.expect_head,
        chain_only=arguments.chain_only,
        signers=arguments.signers,
        revoked=arguments.revoked,
    )
    plan = wanted_plan(arguments.plan, workflow=found.workflow)
    asked = Asked(
        plan=plan,
        policy=policy,
        approvers=wanted_approvers(arguments.policy),
        glass_granted=wanted_glass(arguments.policy, workflow=found.workflow),
        min_assurance=arguments.min_assurance,
    )
    verdict = held_to(found, asked)
    if arguments.json:
        sys.stdout.write(statement(verdict, log, asked, expect_head=arguments.expect_head) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(verdict, log)) + "\n")
    if arguments.record:
        recorded = _record(verdict, log, asked, expect_head=arguments.expect_head)
        sys.stderr.write(f"recorded: the head of the log is now {recorded.seq} {recorded.hash}\n")
    return verdict.exit_code


def _record(verdict: Verdict, log: Path, asked: Asked, *, expect_head: str | None) -> Head:
    from ._append import appended, somebody

    if verdict.run is None or verdict.word in _NEVER_RECORDED:
        raise LogUnreadableError(f"the verdict is not recorded: nothing is appended to a log that is {verdict.word}")
    facts = {
        **facts_of(verdict),
        "asked": {"expect_head": expect_head, "plan": asked.plan, "policy": asked.policy,
                  "min_assurance": asked.min_assurance},
        "verifier": version(),
    }  # fmt: skip
    return appended(log, Event(type="verification", actor=somebody(), data=facts), run=verdict.run)


def _lines(verdict: Verdict, log: Path) -> list[str]:
    facts = [
        ("run", verdict.run),
        ("workflow", _workflow(verdict)),
        ("log", str(log)),
        ("files", str(verdict.segments) if verdict.segments > 1 else None),
        ("records", _records(verdict)),
        ("head", _head(verdict)),
        ("sessions", str(verdict.sessions) if verdict.sessions > 1 else None),
        ("steps", ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in verdict.steps.items())),
        ("waived", ", ".join(verdict.waived)),
        *[("glass", _glass(broken)) for broken in verdict.broken_glass],
        *[("gate", _gate(gate)) for gate in verdict.gates],
        *[("doubt", doubt) for doubt in verdict.doubts],
        *[("warning", warning) for warning in verdict.warnings],
    ]
    shown = [f"{name:<10}{escape(value)}" for name, value in facts if value]
    return [*shown, f"VERDICT {verdict.word}: {escape(verdict.message)}"]


def _workflow(verdict: Verdict) -> str | None:
    if verdict.workflow is None or verdict.plan_digest is None:
        return verdict.workflow
    return f"{verdict.workflow}, plan {verdict.plan_digest[:_SHORT_DIGEST]}"


def _records(verdict: Verdict) -> str | None:
    if verdict.head is None:
        return None
    chain = "chain broken after them" if verdict.word == "broken" and verdict.line else "chain OK"
    blobs = f", {verdict.blobs} stored texts" if verdict.blobs else ""
    blobs += f", {verdict.recoveries} recovered from" if verdict.recoveries else ""
    torn = f", then {verdict.torn_bytes} bytes of a torn record" if verdict.torn_bytes else ""
    return f"{verdict.records} (seq 0-{verdict.head.seq}){blobs}, {chain}{torn}"


def _head(verdict: Verdict) -> str | None:
    if verdict.head is None:
        return None
    return f"{verdict.head.seq} {verdict.head.hash}, {'anchored' if verdict.anchored else 'not anchored'}"


def _glass(broken: BrokenGlass) -> str:
    reviewed = "not reviewed" if broken.reviewed_by is None else f"reviewed by {broken.reviewed_by}: {broken.review}"
    return f"{broken.step}: BROKEN by {broken.by}: {broken.reason}; {reviewed}"


def _gate(gate: GateFacts) -> str:
    proven = "" if gate.proven is None else f", proven {gate.proven}"
    word = "GLASS BROKEN" if gate.breaks_glass else gate.decision
    return f"{gate.step}: {word} by {gate.approver} ({gate.channel}, assurance {gate.assurance}{proven})"
