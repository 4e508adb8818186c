"""The engine's own question before a run goes on: may steps run again that may have had their effect?"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pytest_workflow_exec import events
from pytest_workflow_exec.errors import GateDeniedError
from pytest_workflow_exec.model import Workflow
from pytest_workflow_exec.run._carry import Resumption
from pytest_workflow_exec.run._facts import starter
from pytest_workflow_exec.run._gate import changed_facts, does
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._pin import changed_trust, pin_text, signers_text
from pytest_workflow_exec.run._questions import Approver
from pytest_workflow_exec.run._repository import repository_of
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import Policy

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Covered, GateRequest

_PATIENCE_S = 3600.0
_UNKNOWN = "it was started before and has no end: what it did is unknown"
_NAME = "resume"


def ask_consent(
    workflow: Workflow,
    resumption: Resumption,
    *,
    values: Values,
    policy: Policy,
    journal: Journal,
    approver: Approver,
) -> None:
    """Return if a person agrees that the steps run again.

    Raises:
        GateDeniedError: Nobody did.
        EvidenceError: The question or the answer can't be written.
    """
    request = _request(workflow, resumption, values=values, policy=policy, journal=journal)
    attempt = resumption.session
    journal.record(events.gate_requested(None, attempt=attempt, request=request.to_data(), digest=request.digest))
    journal.barrier()
    decision = approver(request, _PATIENCE_S)
    journal.record(decision.about(None, attempt=request.attempt, digest=request.digest))
    journal.barrier()
    if decision.decision != "approved":
        raise GateDeniedError(step=_NAME, decision=decision.decision, reason=decision.reason)
    now = _request(workflow, resumption, values=values, policy=policy, journal=journal)
    if changed := [*changed_facts(request, now), *changed_trust(workflow, policy)]:
        reason = f"after it was approved, {' and '.join(changed)} changed; go on again, and decide on what is there now"
        raise GateDeniedError(step=_NAME, decision="denied", reason=reason)
    journal.record(events.gate_used(None, attempt=attempt, digest=request.digest, used_by=None))
    journal.barrier()


def _request(
    workflow: Workflow, resumption: Resumption, *, values: Values, policy: Policy, journal: Journal
) -> GateRequest:
    from pytest_workflow_exec.approval import GateRequest

    repository, issued, head = repository_of(workflow.root), datetime.now(timezone.utc), journal.make_room()
    return GateRequest(
        run=resumption.run,
        workflow=workflow.name,
        plan_digest=workflow.digest,
        step=_NAME,
        attempt=resumption.session,
        meaning="run these steps again",
        refs=(),
        inputs=values.inputs,
        starter=starter(),
        covers=tuple(_again(workflow, resumption, values)),
        on_reject=(),
        shown=(),
        commit=repository.commit,
        dirty=repository.dirty,
        changes=repository.changes,
        policy_digest=policy.digest,
        pin=pin_text(policy),
        signers=signers_text(policy),
        level=policy.level,
        carried=tuple(resumption.carried),
        evidence_seq=head.seq,
        evidence_head=head.hash,
        nonce=secrets.token_hex(16),
        issued=issued.isoformat(timespec="seconds").replace("+00:00", "Z"),
        expires=(issued + timedelta(days=1)).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def _again(workflow: Workflow, resumption: Resumption, values: Values) -> list[Covered]:
    from pytest_workflow_exec.approval import Covered

    covered = []
    for name in resumption.confirm:
        step = workflow.step(name)
        passed = ["it passed before", *resumption.again.get(name, ())]
        unknown = [_UNKNOWN, *((resumption.unchecked[name],) if name in resumption.unchecked else ())]
        reasons = unknown if name in resumption.unknown else passed
        covered.append(Covered(step=name, kind=step.kind, does=f"{does(step, values)}; {'; '.join(reasons)}"))
    for name, how in resumption.gone.items():
        says = f"nothing under this name: {how} before and is not in the plan any more; another step may do it again"
        covered.append(Covered(step=name, kind="gone", does=says))
    return covered
