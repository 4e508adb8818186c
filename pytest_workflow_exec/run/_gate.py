"""What a gate asks about: the engine's facts at this moment, and what an approval would let happen."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.evidence import Head
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import (
    Ai,
    BlockId,
    Call,
    Command,
    Execute,
    Function,
    Gate,
    Manual,
    Outcome,
    Pause,
    Session,
    Step,
    StepId,
    Template,
    Verify,
    Workflow,
)
from pytest_workflow_exec.run._answers import NO_ANSWERS, Answers
from pytest_workflow_exec.run._command_plan import covered_plan, listed, plan_of
from pytest_workflow_exec.run._facts import starter
from pytest_workflow_exec.run._form import fields_of
from pytest_workflow_exec.run._last_plan import plan_change
from pytest_workflow_exec.run._pin import pin_text, signers_text
from pytest_workflow_exec.run._repository import repository_of
from pytest_workflow_exec.run._rights import rights_words
from pytest_workflow_exec.run._shown import ShownFiles
from pytest_workflow_exec.run._surroundings import shown_surroundings
from pytest_workflow_exec.run._values import StepOutputs, Values
from pytest_workflow_exec.sandbox import Policy

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import (
        AuthorWords,
        Covered,
        GateRequest,
        ShownOutput,
        SignatureRules,
        SignedStart,
    )

_T = TypeVar("_T")

_UNSHOWN_KEYS = frozenset({"stdout", "stderr", "exit"})
_NONCE_BYTES = 16


def build_request(
    workflow: Workflow,
    step: Step,
    *,
    values: Values,
    left: Mapping[StepId, StepOutputs],
    files: ShownFiles,
    policy: Policy,
    head: Head,
    attempt: int,
    words: str,
    carried: tuple[StepId, ...] = (),
    start: SignedStart | None = None,
    entered: frozenset[BlockId] = frozenset(),
    texts: Mapping[str, str] = MappingProxyType({}),
    answers: Answers = NO_ANSWERS,
    failure: str = "",
    conclusion: str = "",
    broken_glass: Mapping[StepId, str] = MappingProxyType({}),
) -> GateRequest:
    """Return the question of a gate as the engine states it now.

    Args:
        values: What references stand for to the steps behind the gate.
        left: What the steps before it left.
        files: Keeps the files that are shown.
        words: What the `@gate` function returned; empty for YAML gates.
        carried: The steps that did not run now.
        start: Who signed the start of the run; None if nobody did.
        entered: The blocks in which any step was started.
        texts: The inputs as a rule's `{name}` compares them.
        answers: The answers of models that the run goes by.
        failure: How the step failed, if that is what is asked about.
        conclusion: SHA-256 of what a conversation concluded, if that is what is asked about.
        broken_glass: The gates that were gone past without the signatures that they want, and who did it, and why.

    Raises:
        OutputError: An output to be shown is not there, or its file changed.
        PlanRefusedError: The policy does not allow a plan that would be run behind the gate.
        TypeError: The step is no gate.
    """
    from pytest_workflow_exec.approval import GateRequest

    gate = step.body
    if not isinstance(gate, Gate):
        message = f"step {step.id!r} is no gate"
        raise TypeError(message)
    # First of all, so that what is said of later steps is said of the copies.
    shown = tuple(_shown(gate.show, left, files))
    # What the gate itself leaves is not known when it asks, and must not look known when its approval is used.
    values = replace(values, outputs=_without(step.id, values.outputs), outcomes=_without(step.id, values.outcomes))
    repository = repository_of(workflow.root)
    spell = files.original
    executed = [each for each in steps_behind(workflow, step.id) if isinstance(each.body, Execute)]
    issued = datetime.now(timezone.utc)
    return GateRequest(
        run=values.run,
        workflow=workflow.name,
        plan_digest=workflow.digest,
        step=step.id,
        attempt=attempt,
        meaning=gate.meaning,
        refs=gate.refs,
        inputs=values.inputs,
        starter=starter(),
        covers=tuple(
            said
            for each in _shown_behind(workflow, step.id)
            if each.id not in carried
            for said in _all_covered(each, values, spell, policy, texts)
        ),
        on_reject=tuple(
            _covered(each, values, spell, policy, texts)
            for each in _cleaning_up(workflow, step.id, entered)
            if each.id not in carried
        ),
        shown=shown,
        commit=repository.commit,
        dirty=repository.dirty,
        changes=repository.changes,
        policy_digest=policy.digest,
        pin=pin_text(policy),
        signers=signers_text(policy),
        level=policy.level,
        carried=carried,
        waived=tuple(each for each, outcome in values.outcomes.items() if outcome is Outcome.WAIVED),
        broken_glass=tuple(f"{gate} by {said}" for gate, said in broken_glass.items() if gate != step.id),
        failure=failure,
        conclusion=conclusion,
        evidence_seq=head.seq,
        evidence_head=head.hash,
        nonce=secrets.token_hex(_NONCE_BYTES),
        issued=_spelled(issued),
        expires=_spelled(issued + timedelta(seconds=gate.expires_s)),
        author_words=(*_author_words(step, gate, values, words), *reasons_of(executed, values)),
        form=fields_of(gate.form),
        rules=_rules(gate, policy, start),
        proposals=answers.proposals,
        plan_changes=tuple(
            plan_change(
                workflow.root, workflow.name, covered_plan(each, each.body, values, policy, texts), run=values.run
            )
            for each in executed
            if isinstance(each.body, Execute)
        ),
    )


def _without(step: StepId, known: Mapping[StepId, _T]) -> Mapping[StepId, _T]:
    return {each: value for each, value in known.items() if each != step} if step in known else known


def steps_behind(workflow: Workflow, gate: StepId) -> Sequence[Step]:
    """Return the steps that a decision at the gate covers: up to the next gate, in whichever block that stands."""
    return [step for step in _up_to_next(workflow, gate) if not step.always]


def _up_to_next(workflow: Workflow, gate: StepId) -> Sequence[Step]:
    after = workflow.steps[[step.id for step in workflow.steps].index(gate) + 1 :]
    ends = [position for position, step in enumerate(after) if isinstance(step.body, Gate)]
    return after[: ends[0]] if ends else after


def _shown_behind(workflow: Workflow, gate: StepId) -> Sequence[Step]:
    # What cleans up after a block needs no decision, but it runs between steps that do.
    return [step for step in _up_to_next(workflow, gate) if not step.always or step.block is not None]


def _cleaning_up(workflow: Workflow, gate: StepId, entered: frozenset[BlockId]) -> Sequence[Step]:
    after = workflow.steps[[step.id for step in workflow.steps].index(gate) + 1 :]
    return [step for step in after if step.always and (step.block is None or step.block in entered)]


def changed_facts(approved: GateRequest, now: GateRequest) -> list[str]:
    """Return the facts that are no longer what was approved, as a person calls them."""
    from pytest_workflow_exec.approval import spoken

    before, after = approved.facts(), now.facts()
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return [spoken(name) for name in changed]


def changed_since(asked: Mapping[str, Json], now: GateRequest) -> list[str]:
    """Return the facts that are no longer what a gate asked about in an earlier session, as a person calls them.

    Args:
        asked: The request as evidence holds it.
    """
    from pytest_workflow_exec.approval import differences, facts_in, spoken

    return [spoken(each.fact) for each in differences(facts_in(asked), now.facts())]


def _rules(gate: Gate, policy: Policy, start: SignedStart | None) -> SignatureRules | None:
    if gate.signed is None:
        return None
    from pytest_workflow_exec.run._signers import rules_for

    return rules_for(gate.signed, policy, start)


def _covered(
    step: Step, values: Values, spell: Callable[[str], str], policy: Policy, texts: Mapping[str, str]
) -> Covered:
    from pytest_workflow_exec.approval import Covered

    what = _with_condition(step, does(step, values, spell))
    return Covered(step=step.id, kind=step.kind, does=what + rights_words(step, values, spell, policy, texts))


def _all_covered(
    step: Step, values: Values, spell: Callable[[str], str], policy: Policy, texts: Mapping[str, str]
) -> Sequence[Covered]:
    if isinstance(step.body, Execute):
        return covered_plan(step, step.body, values, policy, texts)
    return [_covered(step, values, spell, policy, texts)]


def reasons_of(executed: Iterable[Step], values: Values) -> Iterable[AuthorWords]:
    """Give why a model wants the commands of each plan: its own words, of which nothing is believed."""
    from pytest_workflow_exec.approval import AuthorWords

    for step in executed:
        try:
            plan = plan_of(step.body, values) if isinstance(step.body, Execute) else None
        except OutputError:
            continue
        for number, why in enumerate(() if plan is None else plan.reasons, start=1):
            if why:
                yield AuthorWords(source="model", text=f"{step.id}, command {number}: {why}")


def lists_command(
    said: Covered,
    step: Step,
    argv: Sequence[str],
    values: Values,
    spell: Callable[[str], str],
    *,
    policy: Policy,
    texts: Mapping[str, str],
) -> bool:
    """Return whether what a request says of a step is that it runs exactly this command, with the rights that it has.

    Args:
        values: What references in what surrounds it stand for: its folder, variables and input.
        spell: How a value is said to a person.
        texts: The inputs as a rule's `{name}` compares them.
    """
    if not isinstance(step.body, Command) or (said.step, said.kind) != (step.id, step.kind):
        return False
    what = listed([spell(word) for word in argv]) + shown_surroundings(step.body, values, spell)
    listed_as = _with_condition(step, _with_repetition(step, what, values, spell))
    return said.does == listed_as + rights_words(step, values, spell, policy, texts)


def _with_condition(step: Step, what: str) -> str:
    what += "" if step.when is None else f", when {step.when.text}"
    what += "" if step.block is None else f", in finally of {step.block}"
    return what + ("" if step.fragment is None else f", of fragment {step.fragment}")


def does(step: Step, values: Values, spell: Callable[[str], str] = str) -> str:
    """Return what a step does, in full and as far as it is known.

    Args:
        spell: How a value is said to a person.
    """
    return _with_repetition(step, _does(step, values, spell), values, spell)


def _with_repetition(step: Step, what: str, values: Values, spell: Callable[[str], str]) -> str:
    if step.retry is not None:
        what = f"{what}, up to {step.retry.attempts} times if it fails ({', '.join(step.retry.classes)})"
    if step.waive is not None:
        what = f"{what}; if it fails, a person is asked whether that is accepted"
    if step.poll is not None:
        what = f"{what}, every {step.poll.every_s:g} s until it is as expected, for {step.poll.timeout_s:g} s at most"
    if isinstance(step.check, Command):
        return f"{what}; {_when_checked(step)}: {_argv(step.check, values, spell)}"
    if isinstance(step.check, Verify):
        tests = step.check.path.relative_to(values.root)
        return f"{what}; {_when_checked(step)}: tests in {tests}"
    if isinstance(step.check, Call):
        return f"{what}; {_when_checked(step)}: {_function(step.check, values, spell)}"
    return what


def _when_checked(step: Step) -> str:
    return "checked behind it" if isinstance(step.body, Manual) else "asked first if a session is broken off in it"


def _argv(command: Command, values: Values, spell: Callable[[str], str]) -> str:
    words = (word for argument in command.argv for word in _words(argument, values))
    return listed([spell(word) for word in words]) + shown_surroundings(command, values, spell)


def _function(call: Call, values: Values, spell: Callable[[str], str]) -> str:
    given = {name: _given(value, values, spell) for name, value in call.arguments.items()}
    return f"function {call.function} of {call.path.relative_to(values.root)}, with {given}"


def _does(step: Step, values: Values, spell: Callable[[str], str]) -> str:
    body = step.body
    if isinstance(body, Command):
        return _argv(body, values, spell)
    if isinstance(body, Call):
        return f"{_function(body, values, spell)}, source {step.digest}"
    if isinstance(body, Verify):
        return f"tests in {body.path.relative_to(values.root)}"
    if isinstance(body, (Pause, Manual, Ai, Session, Execute)):
        return _does_otherwise(step, body, values, spell)
    name = body.name if isinstance(body, Function) else step.id
    inputs = {} if step.enclosure is None else step.enclosure.inputs
    given = {key: _given(value, values, spell) for key, value in inputs.items()}
    return f"function {name}{f', with {given}' if given else ''}, source {step.digest}"


def _does_otherwise(
    step: Step, body: Pause | Manual | Ai | Session | Execute, values: Values, spell: Callable[[str], str]
) -> str:
    if isinstance(body, Pause):
        return f"waits {_waits(body, values)}"
    if isinstance(body, Manual):
        return f"by hand: {spell(_as_known(body.instruction, values))}"
    if isinstance(body, Ai):
        return f"asks {body.model} for data, source {step.digest}"
    if isinstance(body, Session):
        return f"a person talks with {body.model}, and confirms what comes of it, source {step.digest}"
    return f"the commands of {body.plan.text}, once a gate has shown them"


def _waits(pause: Pause, values: Values) -> str:
    return f"for {pause.for_s:g} s" if pause.until is None else f"until {_as_known(pause.until, values)}"


def _given(value: object, values: Values, spell: Callable[[str], str]) -> object:
    """Return a `with:` value as far as it is known, and as its author wrote it where it is not."""
    if isinstance(value, Template):
        return spell(_as_known(value, values))
    if isinstance(value, tuple):
        return [_given(item, values, spell) for item in value]
    if isinstance(value, Mapping):
        return {key: _given(item, values, spell) for key, item in value.items()}
    return value


def _words(argument: Template, values: Values) -> Iterable[str]:
    if argument.every is None:
        return [_as_known(argument, values)]
    try:
        return values.arguments(argument)
    except OutputError:
        return [argument.shown]


def _as_known(template: Template, values: Values) -> str:
    try:
        return values.text(template)
    except OutputError:
        return template.shown


def _shown(
    show: Iterable[tuple[StepId, str | None]], left: Mapping[StepId, StepOutputs], files: ShownFiles
) -> Iterable[ShownOutput]:
    for step, key in _with_cases(show, left):
        outputs = left.get(step)
        if outputs is None or (key is not None and key not in outputs.values):
            message = f"the gate shows {step}{f'.{key}' if key else ''}, which left no such output"
            raise OutputError(message)
        keys = [key] if key is not None else [each for each in outputs.values if each not in _UNSHOWN_KEYS]
        # A step that declares no outputs is shown by what it printed: an approver must see something of it.
        for each in keys or [each for each in ("stdout",) if each in outputs.values]:
            yield from _shown_output(step, each, outputs, files)


def _with_cases(
    show: Iterable[tuple[StepId, str | None]], left: Mapping[StepId, StepOutputs]
) -> Iterable[tuple[StepId, str | None]]:
    # A step with cases is shown by what each of them left: deploy is deploy[web1] and deploy[web2].
    for step, key in show:
        cases = [each for each in left if each.startswith(f"{step}[")]
        yield from ((each, key) for each in cases or [step])


def _shown_output(step: StepId, key: str, outputs: StepOutputs, files: ShownFiles) -> Iterable[ShownOutput]:
    value: Json = outputs.values[key]
    if not isinstance(value, list):
        yield _one(step, key, value, outputs, files)
        return
    for number, item in enumerate(value):
        yield _one(step, f"{key}[{number}]", item, outputs, files)


def _one(step: StepId, key: str, value: Json, outputs: StepOutputs, files: ShownFiles) -> ShownOutput:
    from pytest_workflow_exec.approval import ShownFile, ShownOutput

    file = outputs.files.get(key)
    if file is None:
        return ShownOutput(step=step, key=key, value=value)
    # What a person is shown, and what is used later, is this copy: not a file that others can change.
    kept = files.keep(step, key, file)
    shown = ShownFile(path=file.path, sha256=file.sha256, size_bytes=file.size_bytes, kept=kept.path)
    return ShownOutput(step=step, key=key, value=value, file=shown)


def _author_words(step: Step, gate: Gate, values: Values, words: str) -> Iterable[AuthorWords]:
    from pytest_workflow_exec.approval import AuthorWords

    question = values.text(gate.question)
    yield AuthorWords(source="question", text=question)
    # A @gate function's docstring is both: its first line asks, the rest explains.
    description = step.description.removeprefix(question).strip()
    if description:
        yield AuthorWords(source="description", text=description)
    if words:
        yield AuthorWords(source="@gate", text=words)


def _spelled(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
