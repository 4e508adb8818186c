"""Steps of a YAML workflow: from checked data to the model, each step knowing the ones before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import (
    Ai,
    Body,
    CaseValue,
    Check,
    Condition,
    Enclosure,
    Gate,
    IncludedOutputs,
    Manual,
    Pause,
    Poll,
    Session,
    Step,
    StepId,
    Template,
    Verify,
    Waive,
    When,
)

from ._ai_steps import EXECUTE_KEYS, ai_keys, check_executes, read_ai, read_execute, read_session
from ._belongings import NOT_IN_FINALLY, check_belongings
from ._blocks import check_variable, read_block
from ._calls import read_call
from ._cases import as_case
from ._checks import check_problem, read_check, read_undoes, read_verify
from ._commands import command_keys, read_command, read_expectation
from ._defaults import NO_DEFAULTS, Defaults, place_of, with_defaults
from ._evidence import read_evidence
from ._forms import OWN_OF_GATES, OWN_OF_MANUALS, read_form
from ._fragments import Fragments, is_include
from ._gates import read_show
from ._includes import read_include
from ._known import KnownValues
from ._names import quoted
from ._options import DEFAULT_GATE_TIMEOUT_S, DEFAULT_REQUEST_LIFETIME_S
from ._polls import read_poll
from ._problems import Problems, Where
from ._read import Read
from ._reader import Reader, is_block, own_ids
from ._results import read_results
from ._retries import read_retry
from ._schema import KINDS, StepModel
from ._signed import Wanted
from ._sources import named_steps, python_digests, with_digest, with_given, with_included
from ._templates import OUTCOME_ONLY, Conditional, Keys
from ._texts import Files, Texts
from ._validation import validated
from ._waives import read_waive, waive_problem
from ._whens import both, check_covered, read_when

if TYPE_CHECKING:
    from ._fragment_modules import Modules
    from ._schema_people import GateModel, ManualModel, PauseModel


DEFAULT_MANUAL_TIMEOUT_S = 86400.0
_PAUSE_KEYS: Keys = {"outcome": frozenset(), "until": frozenset()}
_MANUAL_KEYS: Keys = {"outcome": frozenset(), "who": frozenset(), "notes": frozenset()}
_VERIFY_KEYS: Keys = {"outcome": frozenset(), "passed": frozenset()}


class ReadSteps(NamedTuple):
    """The steps of a workflow, and what its includes leave."""

    steps: tuple[Step, ...]
    included: Mapping[StepId, IncludedOutputs]


def read_steps(
    data: Mapping[str, Sequence[object]],
    *,
    problems: Problems,
    files: Files,
    inputs: Mapping[str, frozenset[str] | None],
    variables: Mapping[str, Template],
    all_variables: frozenset[str],
    known: KnownValues,
    file: Path,
    outputs: Mapping[str, object],
    results: dict[str, Template],
    defaults: Defaults = NO_DEFAULTS,
    modules: Modules,
) -> ReadSteps:
    """Return the steps of a workflow; those with a problem are left out after adding it.

    Args:
        data: The lists of steps by their key, in the order in which they run: `steps`, `finally`.
        problems: Where to complain.
        files: Finds the files of the workflow.
        inputs: Its inputs, with their named groups.
        variables: Its variables.
        all_variables: The names of those, also where something is wrong with one.
        known: What can be known of their values.
        file: The workflow's own file.
        outputs: What the workflow declares as outputs.
        results: Where to put those that are sound.
        defaults: What its steps say unless they say it themselves.
        modules: Imports the fragments that are Python.
    """
    reader = Reader(
        problems=problems,
        files=files,
        inputs=inputs,
        variables=variables,
        all_variables=all_variables,
        known=known,
        defaults=defaults,
        ids=frozenset(),
        fragments=Fragments(root=files.root, problems=problems, contents=files.contents, modules=modules),
        within=(file,),
    )
    reader = replace(reader, ids=frozenset(each for items in data.values() for each in reader.ids_of(items)))
    read = Read()
    for key, items in data.items():
        for index, item in enumerate(items):
            read_item(reader, read, item, (key, index), key == "finally")
    check_covered(read.steps, problems)
    check_executes(read.steps, problems)
    if outputs:
        read_results(outputs, reader.texts("", None, read), into=results)
    return ReadSteps(tuple(read.steps), reader.fragments.outputs)


def read_item(reader: Reader, read: Read, item: object, where: Where, always: bool) -> None:  # noqa: FBT001 - a ReadItem
    """Read an entry of a list of steps, after adding what is wrong with it."""
    _check_unique(reader, read, item, where)
    if is_include(item):
        read_include(reader, read, item, where, read_item, always=always)
    elif not (isinstance(item, dict) and is_block(item)):
        _read_step(reader, read, item, where, always=always)
    elif always:
        reader.problems.at(where, "a block can't stand in finally: what cleans up is a list of steps")
    else:
        read_block(reader, read, item, where, read_item)


def _read_step(reader: Reader, read: Read, item: object, where: Where, *, always: bool) -> None:
    problems = reader.problems
    model = validated(StepModel, item, where, problems)
    kind = None if model is None else _kind(model, where, problems)
    if model is None or kind is None:
        # A later step may name this one; that it is wrong is said once, here.
        read.cases.update(dict.fromkeys(reader.around.prefix + step_id for step_id in own_ids(item)))
        return
    check_belongings(model, kind, where, problems)
    if always and kind in NOT_IN_FINALLY:
        problems.at_key((*where, kind), NOT_IN_FINALLY[kind])
    _check_ways_on(model, kind, where, problems, always=always)
    if kind != "gate":
        read_evidence(model.evidence, where, problems, reader.files, keys=_keys_of(model, kind))
    model = with_defaults(model, kind, reader.defaults)
    steps = _read_cases(reader, read, model, where, always=always)
    base = reader.around.prefix + model.id
    if model.gate is not None and not model.gate.form:
        read.gates.add(base)
    if kind == "gate" or always:
        read.lasting.add(base)
    ids = [base] if model.foreach is None else [step.id for step in steps]
    read.keys.update(dict.fromkeys(ids, _keys_of(model, kind)))
    read.waivable.update(ids if model.waive is not None else ())
    defaults = frozenset(name for name, output in (model.outputs or {}).items() if output.default is not None)
    for step in steps:
        if step.when is not None:
            read.conditional[step.id] = Conditional(condition=step.when.condition, defaults=defaults)
    if model.when is None and defaults:
        problems.at_key((*where, "outputs"), "a default is for a step that may not apply; this one has no when")
    read.steps.extend(steps)


def _read_cases(reader: Reader, read: Read, model: StepModel, where: Where, *, always: bool) -> list[Step]:
    """Return the step, or each of its cases."""
    if model.foreach is None:
        step = _read_case(reader, read, model, where, always=always)
        return [] if step is None else [step]
    check_variable(reader, model.foreach, where)
    cases = reader.cases().read(model.foreach, (*where, "foreach"), allow_empty=model.allow_empty)
    # Of a list that is empty or wrong, too, everything else about the step is checked.
    each = dict.fromkeys(model.foreach, "x")
    _read_case(reader, read, model, where, always=always, each=each)
    base = reader.around.prefix + model.id
    steps = [
        _read_case(reader, read, model, where, always=always, each=case.each, case=case.of(base))
        for case in cases or ()
    ]
    known = cases is not None and not any(case.is_open for case in cases)
    read.cases[base] = [case.of(base) for case in cases or ()] if known else None
    return [step for step in steps if step is not None]


def _read_case(
    reader: Reader,
    read: Read,
    model: StepModel,
    where: Where,
    *,
    always: bool,
    each: Mapping[str, CaseValue] | None = None,
    case: StepId | None = None,
) -> Step | None:
    around = reader.around
    base = around.prefix + model.id
    own_when = None
    if model.when is not None:
        own_when = read_when(model.when, (*where, "when"), reader.texts(base, _condition(around.when), read, each))
    when = both(around.when, own_when)
    texts = reader.texts(base, _condition(when), read, each)
    body = _body(model, where, texts, reader.files, gates=read.gates)
    if body is None:
        # A step must never be left out without a word.
        reader.problems.demand_any(where)
        return None
    check = read_check(model.check, (*where, "check"), texts, reader.files)
    undoes = read_undoes(model.undoes or (), (*where, "undoes"), texts, unfit=tuple(read.lasting))
    poll = read_poll(model, where, texts)
    waive = read_waive(model, where, texts)
    step = _step(
        reader, model, body, where, when=when, always=always, check=check, undoes=undoes, poll=poll, waive=waive
    )
    if step is None:
        return None
    step = with_included(step, read.included)
    if len(reader.within) > 1:
        if step.looks_around:
            from ._python_fragments import seen_inputs

            inputs = seen_inputs(reader.inputs, reader.given)
            step = replace(step, enclosure=Enclosure(prefix=around.prefix, inputs=inputs))
        # After its digest was made: a fragment under another name is still the same.
        step = replace(with_given(step), fragment=reader.within[-1].relative_to(reader.files.root).as_posix())
    if case is None and not around.prefix:
        return step
    refers = named_steps(step) if around.prefix else ()
    return as_case(step, case or base, {**(around.each or {}), **(each or {})}, refers=refers)


def _condition(when: When | None) -> Condition | None:
    return None if when is None else when.condition


def _check_unique(reader: Reader, read: Read, item: object, where: Where) -> None:
    for own in own_ids(item):
        place, step_id = (*where, "id"), reader.around.prefix + own
        here = reader.problems.location(place)
        problem = read.taken_problem(step_id, here, own)
        if problem is not None:
            reader.problems.at(place, problem)


def _kind(model: StepModel, where: Where, problems: Problems) -> str | None:
    kinds = [kind for kind in KINDS if getattr(model, kind) is not None]
    if not kinds:
        problems.at(where, f"step {quoted(model.id)} does nothing: it needs one of {', '.join(KINDS)}")
        return None
    if len(kinds) > 1:
        problems.at(where, f"step {quoted(model.id)} does one thing only, not {' and '.join(kinds)}")
        return None
    return kinds[0]


def _keys_of(model: StepModel, kind: str) -> Keys | None:
    if kind == "run":
        return command_keys(model)
    if kind in ("ai", "session", "execute"):
        return EXECUTE_KEYS if kind == "execute" else ai_keys(model.ai or model.session)
    keys = {"verify": _VERIFY_KEYS, "gate": OUTCOME_ONLY, "manual": _MANUAL_KEYS, "pause": _PAUSE_KEYS}.get(kind)
    form = next((asking.form for asking in (model.gate, model.manual) if asking is not None), None)
    return keys if keys is None or not form else {**keys, **dict.fromkeys(form, frozenset[str]())}


def _body(model: StepModel, where: Where, texts: Texts, files: Files, *, gates: AbstractSet[str]) -> Body | None:
    if model.run is not None:
        return read_command(model, where, texts)
    if model.call is not None:
        return read_call(model.call, (*where, "call"), texts, files)
    if model.verify is not None:
        expect = read_expectation(model.expect, (*where, "expect"), texts)
        return read_verify(model.verify, where, texts, files, expect=expect, skips=model.skips)
    if model.ai is not None or model.session is not None:
        return _of_a_model(model, where, texts, files)
    if model.execute is not None:
        return read_execute(model.execute, where, texts)
    return _waiting(model, where, texts, gates)


def _of_a_model(model: StepModel, where: Where, texts: Texts, files: Files) -> Body | None:
    if model.session is not None:
        return read_session(model.session, model.timeout, where, texts, files)
    return None if model.ai is None else read_ai(model.ai, model.timeout, where, texts, files)


def _waiting(model: StepModel, where: Where, texts: Texts, gates: AbstractSet[str]) -> Body | None:
    """Return the body of a step that runs nothing: it waits for a person or for a time."""
    if model.gate is not None:
        return _gate(model.gate, model.timeout, where, texts, gates)
    if model.manual is not None:
        return _manual(model.manual, model.timeout, where, texts)
    if model.pause is not None:
        return _pause(model.pause, model.timeout, where, texts)
    return None


def _check_ways_on(model: StepModel, kind: str, where: Where, problems: Problems, *, always: bool) -> None:
    problem = None if model.check is None else check_problem(kind, always=always)
    if problem is not None:
        problems.at_key((*where, "check"), problem)
    undoes, check = model.undoes is not None, model.check is not None
    problem = None if model.waive is None else waive_problem(always=always, undoes=undoes, check=check)
    if problem is not None:
        problems.at_key((*where, "waive"), problem)
    if model.undoes is not None and kind in ("gate", "pause", "ai", "session"):
        problems.at_key((*where, "undoes"), f"{'an' if kind == 'ai' else 'a'} {kind} undoes nothing")


def _gate(model: GateModel, step_timeout_s: float | None, where: Where, texts: Texts, gates: AbstractSet[str]) -> Gate:
    place = (*where, "gate")
    if model.in_advance and model.form:
        texts.problems.at_key((*place, "form"), "what is approved in advance fills in no form: leave one of them out")
    if model.timeout is not None and step_timeout_s is not None:
        texts.problems.at_key((*where, "timeout"), "the gate has a timeout already; keep one of them")
    if not model.question.strip():
        texts.problems.at((*place, "question"), "asks nothing")
    wanted = Wanted(
        assurance=model.assurance,
        approvers=model.approvers,
        required=model.required,
        min_wait_s=model.min_wait,
        veto=model.veto,
        in_advance=model.in_advance,
        suspends=model.wait == "suspend",
        expires_s=model.expires or DEFAULT_REQUEST_LIFETIME_S,
    )
    for key, problem in wanted.problems():
        texts.problems.at_key((*place, key), problem)
    return Gate(
        question=texts.template(model.question, (*place, "question")),
        show=read_show(model.show, (*place, "show"), texts, gates),
        timeout_s=model.timeout or step_timeout_s or DEFAULT_GATE_TIMEOUT_S,
        meaning=model.meaning,
        refs=tuple(model.refs),
        suspends=model.wait == "suspend",
        on_timeout=model.on_timeout,
        expires_s=wanted.expires_s,
        signed=wanted.signed,
        form=read_form(model.form, (*place, "form"), texts.problems, own=OWN_OF_GATES),
    )


def _pause(model: PauseModel, timeout_s: float | None, where: Where, texts: Texts) -> Pause:
    if (model.for_ is None) == (model.until is None):
        texts.problems.at((*where, "pause"), "waits either for a duration or until a moment: {for: 7d} or {until: ...}")
    if timeout_s is not None:
        texts.problems.at_key((*where, "timeout"), "a pause ends by itself; it can't have a timeout")
    until = None if model.until is None else texts.template(model.until, (*where, "pause", "until"))
    return Pause(for_s=model.for_, until=until, suspends=model.wait == "suspend")


def _manual(model: ManualModel, timeout_s: float | None, where: Where, texts: Texts) -> Manual:
    place = (*where, "manual")
    if not model.instruction.strip():
        texts.problems.at((*place, "instruction"), "says nothing")
    for number, item in enumerate(model.checklist):
        if not item.strip():
            texts.problems.at((*place, "checklist", number), "says nothing")
    return Manual(
        instruction=texts.template(model.instruction, (*place, "instruction")),
        checklist=tuple(
            texts.template(item, (*place, "checklist", number)) for number, item in enumerate(model.checklist)
        ),
        timeout_s=timeout_s or DEFAULT_MANUAL_TIMEOUT_S,
        form=read_form(model.form, (*place, "form"), texts.problems, own=OWN_OF_MANUALS),
    )


def _step(
    reader: Reader,
    model: StepModel,
    body: Body,
    where: Where,
    *,
    when: When | None,
    always: bool,
    check: Check | None,
    undoes: tuple[StepId, ...],
    poll: Poll | None,
    waive: Waive | None,
) -> Step | None:
    evidence = read_evidence(model.evidence, where, reader.problems, reader.files, keys=None)
    step = Step(
        id=model.id,
        name=model.name or model.id,
        body=body,
        location=reader.problems.location(where),
        digest="",
        description=model.description,
        timeout_s=None if isinstance(body, (Gate, Manual, Ai, Session)) else model.timeout,
        when=when,
        always=always,
        block=reader.around.cleans,
        idempotent=model.idempotent,
        max_age_s=model.max_age,
        evidence=evidence.keys,
        evidence_type=evidence.type,
        check=check,
        undoes=undoes,
        # What looks again by itself takes no retry from the defaults.
        retry=None
        if poll is not None or model.retry is None
        else read_retry(model.retry, place_of((*where, "retry"), reader.problems), reader.problems),
        poll=poll,
        waive=waive,
    )
    root = reader.files.root
    sources: dict[str, str] = {}
    try:
        for tests in (body, check):
            sources |= python_digests(root, tests.path) if isinstance(tests, Verify) else {}
    except OSError as error:
        reader.problems.at((*where, "verify"), f"its tests can't be read: {error}")
        return None
    return with_digest(step, root=root, variables=reader.variables, sources=sources)
