"""Which steps of an earlier session still count, and why the others run again. Pure but for reading output files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.evidence import Head
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import Command, Gate, Outcome, RunId, Step, StepId, Workflow, blocks_around
from pytest_workflow_exec.redaction import REDACTED
from pytest_workflow_exec.run._covering import gates_of
from pytest_workflow_exec.run._gate import steps_behind
from pytest_workflow_exec.run._history import Declared, History, OpenGate, PastStep
from pytest_workflow_exec.run._uses import keys_used_of, uses_of
from pytest_workflow_exec.run._values import StepOutputs, check_unchanged
from pytest_workflow_exec.sandbox import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A step that need not run again."""

    outcome: Outcome
    """How it really ended."""
    outputs: StepOutputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo:
    """A step that a person wants to run again."""

    step: StepId
    reason: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """How a run goes on."""

    run: RunId
    head: Head
    """The last record that this was worked out from."""
    carried: Mapping[StepId, Carried]
    again: Mapping[StepId, tuple[str, ...]]
    """The steps that run again though they had passed or were asked for, with the reasons."""
    passed: frozenset[StepId]
    """The steps that had passed."""
    unknown: tuple[StepId, ...]
    """The steps that were started and have no end."""
    gone: Mapping[StepId, str]
    """What was done before and is not in the plan any more, with what became of it: under another name it would run
    again."""
    probe: tuple[StepId, ...]
    """Those of the unknown ones whose check is asked first whether their effect is there."""
    unchecked: Mapping[StepId, str]
    """Those that have a check which is not asked, with the reason."""
    undone: Mapping[StepId, StepId]
    """The steps that another one reverted, and which."""
    confirm: tuple[StepId, ...]
    """The steps that run again only if a person says so: they may have had their effect."""
    attempts: Mapping[StepId, int]
    begun: bool
    """Whether any step of the run was ever started."""
    session: int
    """The number of the session that is to begin; the first was 1."""
    redo: Redo | None = None
    paused_since: Mapping[StepId, datetime] = field(default_factory=dict)
    """When steps were first reached that were suspended since."""
    answered: Mapping[StepId, OpenGate] = field(default_factory=dict)
    """The gates that were approved after the run was suspended there, and those that wait for signatures."""
    first_facts: Mapping[str, Json] = field(default_factory=dict)
    """What the run was started with."""
    broken_glass: Mapping[StepId, str] = field(default_factory=dict)
    """The carried gates that somebody went past without the signatures that they want, and who, and why."""
    only_finally: str = ""
    """Why it goes on only to clean up; empty if it goes on."""
    denied: StepId | None = None
    """The gate at which it was refused, if nobody has said yet why it goes on."""

    def cleaning_up(self, workflow: Workflow, why: str) -> Resumption:
        """Return the same where no step starts but those of `finally`, so that a person need not agree to any other."""
        return replace(
            self,
            only_finally=why,
            confirm=tuple(step for step in self.confirm if workflow.step(step).always),
            # Steps of `finally` have no check.
            probe=(),
            gone={},
        )

    @property
    def needs_person(self) -> bool:
        """Whether the run goes on only if a person agrees."""
        return bool(self.confirm or self.gone)

    @property
    def invalidated(self) -> tuple[StepId, ...]:
        """The steps whose earlier end counts no more."""
        return tuple(step for step in self.again if step in self.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is so now."""

    inputs: Mapping[str, Json]
    policy: Policy
    repository: Mapping[str, Json]
    now: datetime
    anchored_through: int = -1
    """The last record of the log that an anchor covers, such as a seal of a pinned signer."""
    doubt_of_records: str | None = None
    """Why the run's log can't be taken for all there was: then decisions may have been used that it shows unused."""


def _has_probe(step: Step) -> bool:
    # Work by hand is checked behind a person's word, never in place of it.
    return step.check is not None and step.kind != "manual"


def resumption_of(
    workflow: Workflow, history: History, present: Present, *, run: RunId, redo: Redo | None = None
) -> Resumption:
    """Return how a run goes on from its log.

    Raises:
        ValueError: The log holds no record.
    """
    if history.head is None:
        message = "the log holds no record"
        raise ValueError(message)
    judge = _Judge(workflow, history, present, redo)
    carried, again = judge.verdicts()
    passed_before = [step for step in again if step in history.satisfied]
    unknown = tuple(step.id for step in workflow.steps if step.id in history.unknown)
    unchecked = judge.unchecked()
    probe = tuple(step for step in unknown if _has_probe(workflow.step(step)) and step not in unchecked)
    return Resumption(
        run=run,
        head=history.head,
        carried={
            step: Carried(outcome=history.satisfied[step].outcome, outputs=history.satisfied[step].outputs)
            for step in carried
        },
        again={step: tuple(reasons) for step, reasons in again.items()},
        passed=frozenset(history.satisfied),
        unknown=unknown,
        probe=probe,
        unchecked=unchecked,
        undone={step.id: history.undone[step.id] for step in workflow.steps if step.id in history.undone},
        gone=judge.gone(),
        confirm=tuple(step for step in (*unknown, *passed_before) if step not in probe and judge.wants_consent(step)),
        attempts=dict(history.attempts),
        begun=history.begun,
        session=history.sessions + 1,
        redo=redo,
        paused_since=dict(_paused(workflow, history)),
        answered=dict(judge.answered(carried)),
        first_facts=history.first_facts,
        broken_glass={step: said for step, said in history.broken_glass.items() if step in carried},
        denied=None if redo is not None else history.denied,
    )


def _paused(workflow: Workflow, history: History) -> Iterator[tuple[StepId, datetime]]:
    for step in workflow.steps:
        digest, since = history.paused_since.get(step.id, ("", ""))
        if digest == step.digest:
            yield step.id, datetime.fromisoformat(since.replace("Z", "+00:00"))


def _had_effect(declared: Declared) -> bool:
    return not (declared.always or declared.repeatable)


def _lost_to_a_check(step: Step, workflow: Workflow) -> set[str]:
    """Return the outputs that are used, or are its evidence, and that nobody has if its body does not run: all but files."""
    rules = step.body.outputs if isinstance(step.body, Command) else ()
    files = {rule.name for rule in rules if rule.kind == "glob"}
    used = keys_used_of(step.id, workflow)
    lost = {key for key in used if key is not None and key not in files and key != "outcome"}
    if None in used:
        lost |= {rule.name for rule in rules if rule.kind != "glob"} or ({"stdout"} if not rules else set())
    if step.evidence_type is not None:
        lost.add(step.evidence_type.name)
    return lost | (set(step.evidence) - files)


def _holds_redacted(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_redacted, value.values()))
    if isinstance(value, list):
        return any(map(_holds_redacted, value))
    return value == REDACTED


_NO_SEAL = "no seal of a pinned signer covers it"


class _Judge:
    """Decides step by step, in the order of the plan."""

    def __init__(self, workflow: Workflow, history: History, present: Present, redo: Redo | None) -> None:
        self._workflow, self._history, self._present, self._redo = workflow, history, present, redo
        self._steps = {step.id: step for step in workflow.steps}
        self._gates = gates_of(workflow)
        self._again: dict[StepId, list[str]] = {}
        self._wanted: set[StepId] = set() if redo is None else {redo.step}
        """The steps that run again because a person wants one of them to."""
        self._carried: dict[StepId, None] = {}
        """In the order of the plan."""
        self._still_out: set[StepId] = set()
        """The steps that did not apply, and for whose condition nothing changed."""
        policy = present.policy
        self._rules = {rule.digest for rule in (*policy.rules, policy.tests)} | {""}
        self._uses = {step.id: uses_of(step, workflow) for step in workflow.steps}

    def verdicts(self) -> tuple[list[StepId], Mapping[StepId, list[str]]]:
        """Return the steps that are carried, and the others that had passed, with the reasons."""
        for step in self._workflow.steps:
            past = self._history.satisfied.get(step.id)
            if step.always and step.block is None:
                if past is not None and not past.declared.always:
                    self._again[step.id] = ["it did not stand in finally when it passed"]
                continue
            if self._stays_out(step):
                self._still_out.add(step.id)
            reasons = list(self._reasons(step, past))
            if past is not None and not reasons:
                self._carried[step.id] = None
            elif past is not None or reasons:
                self._again[step.id] = reasons
        self._open_gates()
        self._clean_again()
        return list(self._carried), self._again

    def wants_consent(self, step: StepId) -> bool:
        """Return whether a person has to agree that the step runs again."""
        past = self._history.satisfied.get(step)
        # What the step is now is no word about what was done then.
        declared = self._history.unknown[step].declared if past is None else past.declared
        if past is not None and declared.always and self._steps[step].always:
            return False
        return not (declared.repeatable or step in self._wanted)

    def answered(self, carried: Iterable[StepId]) -> Iterator[tuple[StepId, OpenGate]]:
        """Give the gates that were approved while the run was suspended, if all before them is as it was then.

        Those that want signatures are among them whoever signed: that is judged when the run comes to them.
        """
        kept = {*carried, *self._still_out}
        for step in self._workflow.steps:
            gate = self._history.open_gates.get(step.id)
            waits = gate is not None and (gate.decision == "approved" or (gate.is_signed and gate.decision is None))
            if gate is not None and gate.suspended and waits and step.id not in self._again:
                yield step.id, gate
            if step.id not in kept:
                return

    def unchecked(self) -> Mapping[StepId, str]:
        """Return the steps of unknown effect whose check is not asked, with the reasons."""
        steps = (step for step in self._workflow.steps if step.id in self._history.unknown and step.check is not None)
        reasons = ((step.id, next(self._against_check(step), None)) for step in steps)
        return {step: reason for step, reason in reasons if reason is not None}

    def _against_check(self, step: Step) -> Iterator[str]:
        past = self._history.unknown[step.id]
        if past.declared.repeatable or step.id in self._wanted:
            yield "it runs again in any case"
        if past.doubtful:
            yield "its check could not tell whether its effect is there"
        # A check looks for the effect that the step has now, and knows nothing of what was done under another definition.
        if past.declared.digest != step.digest:
            yield "its definition or source changed since, so that its check proves nothing"
        for changed in self._of_inputs(step, past.facts):
            yield f"{changed} since, so that its check proves nothing"
        for used in sorted(self._uses[step.id].steps & self._steps.keys()):
            if used not in self._carried and used not in self._still_out:
                yield f"step {used!r}, whose outputs it uses, runs again, so that its check proves nothing"
        lost = sorted(_lost_to_a_check(step, self._workflow))
        if lost:
            yield f"its check can't tell what is used of it, or is its evidence: {', '.join(lost)}"

    def gone(self) -> Mapping[StepId, str]:
        """Return the steps that were done, or begun, and that the plan does not have any more."""
        left = {step: "it passed" for step, past in self._history.satisfied.items() if _had_effect(past.declared)}
        unknown = (step for step, past in self._history.unknown.items() if not past.declared.repeatable)
        left |= dict.fromkeys(unknown, "it was started and has no end")
        return {step: how for step, how in left.items() if step not in self._steps}

    def _reasons(self, step: Step, past: PastStep | None) -> Iterator[str]:
        if self._redo is not None and step.id == self._redo.step:
            yield f"asked for: {self._redo.reason}"
        yield from self._of_trust(step, past)
        if past is None:
            return
        yield from self._of_uses(step, past)
        if _holds_redacted(past.outputs.values):
            yield "an output of it was taken out of the evidence later"
        if step.id in self._history.invalid:
            yield "an earlier session found that it has to run again"
        if step.id in self._history.shaken:
            yield f"step {self._history.shaken[step.id]!r}, which undoes it, was started and did not pass"
        if past.digest != step.digest:
            yield "its definition or source changed"
        yield from self._of_inputs(step, past.facts)
        yield from self._of_outputs(past)
        yield from self._of_policy(past)
        yield from self._of_waiver(past)
        if self._gates[step.id] is not None and not self._is_same_tree(past):
            yield "the commit or the working tree changed, and it stands behind a gate"
        # An end that lies in the future says nothing about its age.
        if step.max_age_s is not None and not 0 <= self._age_s(past) <= step.max_age_s:
            yield f"it is not known to be younger than its max_age of {step.max_age_s:g} s"

    def _of_trust(self, step: Step, past: PastStep | None) -> Iterator[str]:
        gate = self._history.open_gates.get(step.id)
        doubt = self._present.doubt_of_records
        if doubt is not None and isinstance(step.body, Gate) and not (gate is None and past is None):
            yield f"no decision in its log counts: {doubt}"
        if gate is not None and gate.decision == "approved" and gate.suspended and not self._is_trusted(gate.seq):
            yield f"its decision isn't anchored: {_NO_SEAL}"
        if past is not None and self._present.policy.carry == "never":
            yield "the policy carries no steps"
        if past is not None and not self._is_trusted(past.seq):
            yield f"it isn't anchored: {_NO_SEAL}"

    def _of_uses(self, step: Step, past: PastStep) -> Iterator[str]:
        for used in sorted(self._uses[step.id].steps | past.used):
            # A name without its case stands for all the cases, which are judged one by one.
            stays = used in self._carried or used in self._still_out
            if used in self._steps and not stays:
                if used in self._wanted:
                    self._wanted.add(step.id)
                yield f"step {used!r}, whose outputs it uses, runs again"
        for gone in sorted(used for used in past.used if used not in self._steps):
            yield f"step {gone!r}, whose outputs it uses, is not in the plan any more"

    def _stays_out(self, step: Step) -> bool:
        absence = self._history.left_out.get(step.id)
        if absence is None or absence.declared.digest != step.digest or not self._is_trusted(absence.seq):
            return False
        uses = (used for used in self._uses[step.id].steps if used in self._steps)
        return not list(self._of_inputs(step, absence.facts)) and all(
            used in self._carried or used in self._still_out for used in uses
        )

    def _is_trusted(self, seq: int) -> bool:
        """Return whether the policy lets a record count: whoever can write the log can write what no anchor covers."""
        return self._present.policy.carry != "anchored" or seq <= self._present.anchored_through

    def _is_same_tree(self, past: PastStep) -> bool:
        now = self._present.repository
        return past.facts.get("repository") == now and (now["commit"] is None or now["changes"] is not None)

    def _of_inputs(self, step: Step, facts: Mapping[str, Json]) -> Iterator[str]:
        before = facts.get("inputs")
        before = before if isinstance(before, Mapping) else {}
        used = self._uses[step.id].inputs
        for name in sorted({*before, *self._present.inputs} if used is None else used):
            if before.get(name) != self._present.inputs.get(name):
                yield f"input {name!r} changed"

    def _of_outputs(self, past: PastStep) -> Iterator[str]:
        for name, file in past.outputs.files.items():
            try:
                check_unchanged(self._workflow.root, file, what=f"its output {name!r}")
            except OutputError as error:
                yield str(error)

    def _of_policy(self, past: PastStep) -> Iterator[str]:
        for command in past.commands:
            if command.rule not in self._rules:
                yield f"the policy's rule for {list(command.argv)} changed"
            # The tests of `verify:` steps were once under no rule and never confined.
            if command.rule and command.level != self._present.policy.level:
                yield f"the sandbox level changed from {command.level} to {self._present.policy.level}"

    def _of_waiver(self, past: PastStep) -> Iterator[str]:
        # A person accepted one failure, of one tree under one policy. What the failure was about is nowhere declared.
        if past.outcome is not Outcome.WAIVED:
            return
        if self._present.repository["commit"] is None or not self._is_same_tree(past):
            yield "its failure was accepted of a commit and working tree that it is not known to have now"
        policy = past.facts.get("policy")
        if not isinstance(policy, Mapping) or policy.get("digest") != self._present.policy.digest:
            yield "its failure was accepted under another policy"

    def _age_s(self, past: PastStep) -> float:
        ended = datetime.fromisoformat(past.ended.replace("Z", "+00:00"))
        return (self._present.now - ended).total_seconds()

    def _open_gates(self) -> None:
        """Ask again at each gate behind which anything is left to run, and run again what uses what is filled in there."""
        while opened := self._asked_again():
            for gate in opened:
                self._drop_users_of(gate)

    def _drop_users_of(self, gate: StepId) -> None:
        body = self._workflow.step(gate).body
        gone = {gate} if isinstance(body, Gate) and body.form else set[StepId]()
        for step in self._workflow.steps if gone else ():
            past = self._history.satisfied.get(step.id)
            used = gone & (self._uses[step.id].steps | (frozenset() if past is None else past.used))
            if used and (step.id in self._carried or step.id in self._still_out):
                gone.add(step.id)
                self._still_out.discard(step.id)
            if used and step.id in self._carried:
                del self._carried[step.id]
                self._again[step.id] = [f"step {each!r}, whose outputs it uses, runs again" for each in sorted(used)]

    def _asked_again(self) -> list[StepId]:
        """Return the gates whose decision, which is used once, does not cover what is left to run."""
        opened = []
        for gate in [step for step in self._workflow.steps if isinstance(step.body, Gate) and step.id in self._carried]:
            left = [
                step.id
                for step in steps_behind(self._workflow, gate.id)
                if step.id not in self._carried and step.id not in self._still_out
            ]
            if left:
                del self._carried[gate.id]
                self._again[gate.id] = [f"its decision does not cover what is left to run: {', '.join(left)}"]
                opened.append(gate.id)
        return opened

    def _clean_again(self) -> None:
        """Let what cleans up after a block run again if anything of the block does."""
        cleaned = {step.block for step in self._workflow.steps if step.block is not None}
        done = self._carried.keys() | self._still_out
        open_blocks = {
            block
            for step in self._workflow.steps
            if not step.always and step.id not in done
            for block in blocks_around(step.id)
            if block in cleaned
        }
        for step in self._workflow.steps:
            if step.block in open_blocks and step.id in self._carried:
                del self._carried[step.id]
                self._again[step.id] = [f"it stands in finally of {step.block}, of which something is left to run"]
