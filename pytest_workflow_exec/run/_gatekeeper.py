"""Gates of one run: asking, remembering what was approved, and checking it again before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, cast

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.errors import ApprovalLapsedError, CommandRefusedError, GateDeniedError, GateSuspendedError
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import Execute, Gate, Step, StepId, Template, Waive, Workflow
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run._answers import answers_of
from pytest_workflow_exec.run._approval import Approval, asked_again, expired, too_late
from pytest_workflow_exec.run._command_plan import covered_plan, plan_of
from pytest_workflow_exec.run._covering import gates_of
from pytest_workflow_exec.run._form import answers_problem
from pytest_workflow_exec.run._gate import build_request, changed_facts, changed_since, lists_command, reasons_of
from pytest_workflow_exec.run._history import OpenGate
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._pin import changed_trust
from pytest_workflow_exec.run._questions import Approver, Questions
from pytest_workflow_exec.run._shown import ShownFiles
from pytest_workflow_exec.run._values import StepOutputs, Values
from pytest_workflow_exec.sandbox import Gated, Policy

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import GateRequest, SignedStart
    from pytest_workflow_exec.run._signed_gate import SignedGates

_QUESTIONS = 5
"""So often a person is asked about one thing, if it is another each time that their approval is to be used."""
_QUESTION = "Is this what the conversation came to?"
_CONFIRMING = Gate(question=Template(text=_QUESTION, parts=(_QUESTION,)), meaning="confirm the conclusion")

Holding: TypeAlias = "Callable[[], AbstractContextManager[None]]"
"""Lets nothing count or draw as long as a person is asked."""


class Gatekeeper:
    """Opens a gate only for a person's decision, and lets that decision be used only for what was shown."""

    def __init__(
        self,
        workflow: Workflow,
        *,
        values: Values,
        left: Mapping[StepId, StepOutputs],
        files: ShownFiles,
        policy: Policy,
        journal: Journal,
        approver: Approver,
        carried: tuple[StepId, ...] = (),
        answered: Mapping[StepId, OpenGate] | None = None,
        signed: SignedGates | None = None,
        start: SignedStart | None = None,
        redactor: Redactor | None = None,
        texts: Mapping[str, str] = MappingProxyType({}),
        broken_glass: Mapping[StepId, str] = MappingProxyType({}),
    ) -> None:
        """Begin without an approval.

        Args:
            left: What the steps left that have ended.
            files: Keeps what is shown.
            answered: The gates that were approved while the run was suspended, or wait for signatures.
            signed: Takes in signatures; None if no gate can want any.
            start: Who signed the start of the run; None if nobody did.
            redactor: Masks what is written: what is signed must be what evidence holds.
            texts: The inputs as a rule's `{name}` compares them.
            broken_glass: The carried gates that were gone past, and who did it, and why.
        """
        self._texts = texts
        self._signed, self._start = signed, start
        self._redactor = Redactor({}) if redactor is None else redactor
        self._answered = {} if answered is None else answered
        self._workflow, self._values, self._policy, self._carried = workflow, values, policy, carried
        self._left, self._files = left, files
        self._journal, self._questions = journal, Questions(journal, approver)
        self._gates = gates_of(workflow)
        self._approval: Approval | None = None
        self._broken_glass = dict(broken_glass)

    @property
    def broken_glass(self) -> Mapping[StepId, str]:
        """The gates that were gone past without the signatures that they want, and who did it, and why."""
        return self._broken_glass

    def ask(self, step: Step, gate: Gate, *, attempt: int, words: str) -> StepOutputs:
        """Ask a person, and return only if the answer is yes.

        Args:
            words: What the `@gate` function returned; empty for YAML gates.

        Raises:
            GateDeniedError: Anything but an approval.
            GateSuspendedError: It is to be answered elsewhere.
            OutputError: An output to be shown is not there, or its file changed.
            EvidenceError: The question or the answer can't be written.
        """
        self._journal.make_room()
        request = self._request(step, attempt=attempt, words=words)
        if request.rules is not None:
            return self._ask_signers(step, gate, request, attempt=attempt)
        changed: list[str] = []
        if step.id in self._answered:
            answered = self._answered[step.id]
            changed = [*expired(answered), *changed_since(answered.request, request)]
            if answers_problem(request.form, answered.answers) is not None:
                changed.append("what was filled in")
            if not changed:
                self._approval = Approval(
                    request=request,
                    attempt=answered.attempt,
                    digest=answered.digest,
                    approver=answered.approver,
                    answers=answered.answers,
                    words=words,
                )
                return StepOutputs(values={"approver": answered.approver, **answered.answers}, files={})
        self._questions.write(step.id, request)
        if gate.suspends:
            raise GateSuspendedError(step=step.id, changed=changed)
        decision = self._questions.ask(request, gate.timeout_s)
        if decision.decision == "expired" and gate.on_timeout == "suspend":
            raise GateSuspendedError(step=step.id)
        self._questions.decide(step.id, request, decision)
        if decision.decision != "approved":
            raise GateDeniedError(step=step.id, decision=decision.decision, reason=decision.reason)
        self._approval = Approval(
            request=request,
            attempt=attempt,
            digest=request.digest,
            approver=decision.approver.id,
            answers=decision.answers,
            words=words,
        )
        return StepOutputs(values={"approver": decision.approver.id, **decision.answers}, files={})

    def waive(self, step: Step, waive: Waive, *, attempt: int, failure: str) -> str:
        """Ask a person whether the failure of a step is accepted, and return who did, for just that.

        Args:
            failure: How it failed.

        Raises:
            GateDeniedError: Anything but an approval.
            ApprovalLapsedError: What it was given for changed meanwhile.
            OutputError: A value in the question is not there.
            EvidenceError: The question or the answer can't be written.
        """
        asking = replace(step, body=waive.as_gate())

        def request() -> GateRequest:
            return self._request(asking, attempt=attempt, words="", failure=failure)

        return self._used_once(step, waive.as_gate(), request, attempt=attempt)

    def confirm(self, step: Step, outputs: Mapping[str, Json], *, attempt: int) -> str:
        """Ask a person whether a conversation came to this, and return who said so, for just that.

        Raises:
            GateDeniedError: Anything but an approval.
            ApprovalLapsedError: What it was given for changed meanwhile.
            EvidenceError: The question or the answer can't be written.
        """
        body = replace(_CONFIRMING, show=tuple((step.id, key) for key in outputs))
        asking, concluded = replace(step, body=body), {step.id: StepOutputs(values=outputs, files={})}
        digest = digest_of(self._redactor.value(dict(outputs)))

        def request() -> GateRequest:
            return self._request(asking, attempt=attempt, words="", conclusion=digest, concluded=concluded)

        return self._used_once(step, _CONFIRMING, request, attempt=attempt)

    def _used_once(self, step: Step, gate: Gate, request: Callable[[], GateRequest], *, attempt: int) -> str:
        """Ask what is to be decided of the step under way alone, and use the approval at once, for just that."""
        self._journal.make_room()
        asked = request()
        for left in reversed(range(_QUESTIONS)):
            who = self._agreed(step, gate, asked)
            changed, changed_for_good = changed_facts(asked, request()), changed_trust(self._workflow, self._policy)
            if not changed and not changed_for_good:
                break
            self._journal.make_room()
            given = Approval(request=asked, attempt=attempt, digest=asked.digest, approver=who)
            again = asked_again(given, request(), used_by=step.id)
            if changed_for_good or not left or again is None or asked.rules is not None:
                raise ApprovalLapsedError(gate=step.id, changed=[*changed, *changed_for_good])
            asked = again
        self._journal.record(events.gate_used(step.id, attempt=attempt, digest=asked.digest, used_by=step.id))
        self._journal.barrier()
        return who

    def _agreed(self, step: Step, gate: Gate, request: GateRequest) -> str:
        """Return who agreed to a question about the step under way, once it and the answer are durable."""
        if request.rules is None:
            decision = self._questions.put(step.id, request, gate.timeout_s)
            if decision.decision != "approved":
                raise GateDeniedError(step=step.id, decision=decision.decision, reason=decision.reason)
            return decision.approver.id
        from pytest_workflow_exec.run._signed_question import Question

        if self._signed is None:
            raise GateDeniedError(step=step.id, decision="denied", reason="nobody can sign here")
        self._questions.write(step.id, request)
        agreement = self._signed.decide(step.id, gate, Question(request=request, attempt=request.attempt))
        return ", ".join(agreement.principals)

    @property
    def approval(self) -> Approval | None:
        """What was approved last in this session; None if nothing was."""
        return self._approval

    def _ask_signers(self, step: Step, gate: Gate, request: GateRequest, *, attempt: int) -> StepOutputs:
        from pytest_workflow_exec.approval import request_of
        from pytest_workflow_exec.run._signed_question import Question

        if self._signed is None:
            raise GateDeniedError(step=step.id, decision="denied", reason="nobody can sign here")
        standing, changed = self._answered.get(step.id), list[str]()
        question = Question(request=request, attempt=attempt)
        if standing is not None:
            changed = [*too_late(standing), *changed_since(standing.request, request)]
        if standing is not None and not changed:
            asked = request_of(standing.request, digest=standing.digest)
            question = Question(request=asked, attempt=standing.attempt, votes=standing.votes)
        else:
            self._questions.write(step.id, request)
        try:
            agreement = self._signed.decide(step.id, gate, question)
        except GateSuspendedError as error:
            raise error if not changed else GateSuspendedError(step=step.id, changed=changed) from error
        self._approval = Approval(
            request=request,
            attempt=question.attempt,
            digest=question.request.digest,
            assurance=agreement.assurance,
            approvers=agreement.principals,
            broken=agreement.broken,
            answers=agreement.answers,
        )
        if agreement.broken:
            self._broken_glass[step.id] = agreement.broken
        who = agreement.broken_by or ", ".join(agreement.principals)
        return StepOutputs(values={"approver": who, **agreement.answers}, files={})

    def use(self, step: Step, *, holding: Holding = nullcontext) -> None:
        """Return if no gate stands before the step, or if what was approved there is still what is there.

        If it is not, and the gate is one of a person at the terminal, they are asked anew.

        Args:
            holding: Lets nothing count or draw while they are asked.

        Raises:
            GateDeniedError: No decision of this run covers the step, or it was asked for anew and not given.
            ApprovalLapsedError: A fact changed since the decision, and nobody can be asked anew.
            OutputError: A file that was approved is gone or changed.
            EvidenceError: The use can't be written.
        """
        gate = self._gates[step.id]
        if gate is None:
            return
        approval = self._approval
        if approval is None or approval.request.step != gate:
            raise GateDeniedError(step=gate, decision="denied", reason=f"no decision of this run covers {step.id!r}")
        self._files.check()
        if not approval.used:
            self._use_first(approval, step, holding)
        elif changed := changed_trust(self._workflow, self._policy):
            # Each step behind the gate: what the run goes by is to be what the project says as long as it is used.
            raise ApprovalLapsedError(gate=gate, changed=changed)

    def _use_first(self, approval: Approval, step: Step, holding: Holding) -> None:
        for left in reversed(range(_QUESTIONS)):
            changed = changed_facts(approval.request, self._as_now(approval))
            changed_for_good = changed_trust(self._workflow, self._policy)
            if not changed and not changed_for_good:
                break
            # What the run goes by is not what the project says now: no decision of this run can mend that.
            if changed_for_good or not left or not self._asks_here(approval):
                raise ApprovalLapsedError(gate=approval.request.step, changed=[*changed, *changed_for_good])
            with holding():
                approval = self._ask_again(approval, step, changed)
        self._journal.record(
            events.gate_used(approval.request.step, attempt=approval.attempt, digest=approval.digest, used_by=step.id)
        )
        self._approval = replace(approval, used=True)

    def _as_now(self, approval: Approval) -> GateRequest:
        approved = approval.request
        return self._request(self._workflow.step(approved.step), attempt=approved.attempt, words=approval.words)

    def _asks_here(self, approval: Approval) -> bool:
        gate = self._workflow.step(approval.request.step).body
        return isinstance(gate, Gate) and not gate.suspends and approval.request.rules is None

    def _ask_again(self, approval: Approval, step: Step, changed: Sequence[str]) -> Approval:
        """Ask a person about what is there now, who is told what changed since the approval that is not used.

        Raises:
            GateDeniedError: Anything but an approval.
            ApprovalLapsedError: It changed back meanwhile: what was approved is neither this nor that for sure.
        """
        gate = self._workflow.step(approval.request.step)
        self._journal.make_room()
        request = asked_again(approval, self._as_now(approval), used_by=step.id)
        if request is None or not isinstance(gate.body, Gate):
            raise ApprovalLapsedError(gate=gate.id, changed=changed)
        # Until it is approved, nothing is.
        self._approval = None
        decision = self._questions.put(gate.id, request, gate.body.timeout_s)
        if decision.decision != "approved":
            raise GateDeniedError(step=gate.id, decision=decision.decision, reason=decision.reason, again_for=step.id)
        self._approval = replace(
            approval,
            request=request,
            attempt=request.attempt,
            digest=request.digest,
            approver=decision.approver.id,
        )
        return self._approval

    def covers_command(self, step: StepId, argv: Sequence[str], gated: Gated) -> bool:
        """Return whether a decision of this run that is in use listed this very command of the step, and is worth enough.

        Args:
            argv: What is to be run.
            gated: What the decision must be worth.

        Raises:
            CommandRefusedError: The run goes by an answer that no model gave in it.
        """
        unreal = answers_of(self._workflow, self._journal.path).unreal
        if unreal is not None:
            raise CommandRefusedError(
                argv=argv,
                reason=f"its rule is gated, and the run goes by an answer of step {unreal.step!r} that no model gave now "
                f"(it is {unreal.source}). Run the workflow with --workflow-ai=live",
            )
        approval, gate = self._approval, self._gates.get(step)
        if approval is None or not approval.used or gate is None or approval.request.step != gate:
            return False
        if not approval.suffices(gated):
            return False
        body = self._workflow.step(step)
        if isinstance(body.body, Execute):
            return (
                self._lists_plan(approval, body, body.body) and tuple(argv) in plan_of(body.body, self._values).commands
            )
        spell, policy, texts = self._files.original, self._policy, self._texts
        return any(
            lists_command(said, body, argv, self._values, spell, policy=policy, texts=texts)
            for said in approval.request.covers
        )

    def check_plan(self, step: Step, execute: Execute) -> None:
        """Return if the plan is the very one that the gate before the step showed and a person approved.

        Raises:
            ApprovalLapsedError: It is not.
            PlanRefusedError: The policy does not allow one of its commands.
        """
        approval, gate = self._approval, self._gates.get(step.id)
        if approval is None or not approval.used or gate is None or approval.request.step != gate:
            raise GateDeniedError(
                step=gate or step.id, decision="denied", reason="no decision of this run covers the plan"
            )
        if not self._lists_plan(approval, step, execute):
            raise ApprovalLapsedError(gate=gate, changed=[f"the plan {execute.plan.text}"])

    def _lists_plan(self, approval: Approval, step: Step, execute: Execute) -> bool:
        said = tuple(each for each in approval.request.covers if each.step == step.id)
        now = covered_plan(step, execute, self._values, self._policy, self._texts)
        # One line alone says that the plan was not known when it was asked.
        return len(now) > 1 and said == now and self._has_reasons(approval.request, step)

    def _has_reasons(self, request: GateRequest, step: Step) -> bool:
        """Return whether a person was told the very reasons for the commands of a plan that stand in it now."""
        begin = f"{step.id}, command "
        told = [each.text for each in request.author_words if each.source == "model" and each.text.startswith(begin)]
        now = [each.text for each in reasons_of([step], self._values)]
        return told == (now if request.rules is None else [self._redactor.text(text) for text in now])

    def check_after(self, step: StepId) -> None:
        """Return if the step used what was shown: nothing changed it meanwhile.

        Raises:
            OutputError: A file that was approved is gone or changed.
        """
        if self._gates[step] is not None:
            self._files.check_copies()

    def _request(
        self,
        step: Step,
        *,
        attempt: int,
        words: str,
        failure: str = "",
        conclusion: str = "",
        concluded: Mapping[StepId, StepOutputs] = MappingProxyType({}),
    ) -> GateRequest:
        from pytest_workflow_exec.approval import request_of

        request = build_request(
            self._workflow,
            step,
            values=self._values,
            left={**self._left, **concluded} if concluded else self._left,
            files=self._files,
            policy=self._policy,
            head=self._journal.head,
            attempt=attempt,
            words=words,
            carried=self._carried,
            start=self._start,
            entered=self._journal.state.entered,
            texts=self._texts,
            answers=answers_of(self._workflow, self._journal.path),
            failure=failure,
            conclusion=conclusion,
            broken_glass=self._broken_glass,
        )
        if request.rules is None:
            return request
        # Signed is what a stranger finds in the log, where secrets are masked.
        data = cast("Mapping[str, Json]", self._redactor.value(request.to_data()))
        return request_of(data, digest=digest_of(data))
