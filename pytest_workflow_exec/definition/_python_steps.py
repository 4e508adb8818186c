"""Steps of a Python workflow: from the collected functions to the model, each step knowing the ones before it."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import (
    BlockId,
    CaseValue,
    Check,
    Enclosure,
    Function,
    Gate,
    Retry,
    Step,
    StepId,
    Template,
    Waive,
    When,
)

from ._belongings import NOT_IN_FINALLY
from ._cases import as_case
from ._defaults import NO_DEFAULTS, Defaults
from ._include import IncludeOptions
from ._names import function_id_problem, one_line_problem, quoted
from ._options import DEFAULT_GATE_TIMEOUT_S, GateOptions, StepOptions
from ._outline import WrittenFunction
from ._problems import Mark, Problems
from ._python_source import segment
from ._read import Read, Surrounding
from ._sources import named_steps, with_digest, with_given, with_included
from ._templates import OUTCOME_ONLY, Conditional, Keys, Scope, filled_template
from ._texts import Texts

if TYPE_CHECKING:
    from ._given import Given
    from ._texts import Files


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFunction:
    """One function of a Python workflow, as pytest collected it."""

    name: str
    """The step's id: the function's name, behind those of the classes that it was collected in (`TestSite.deploy`)."""
    line: int
    marks: StepOptions | GateOptions | None
    """None for a plain `test_*` function."""
    written_as: str | None = None
    """Its qualified name where it is written: a class inherits methods. None: the same."""
    classes: tuple[str, ...] = ()
    """The qualified names of the class that it was collected in and of that class's bases in the file."""
    doc: str | None = None
    cases: tuple[StepId, ...] | None = None
    """The ids of its cases, `deploy[web1]`, if it is parametrized; each is a step."""
    variables: tuple[str, ...] = ()
    """The parameters that `@each` fills."""
    values: Mapping[StepId, Mapping[str, CaseValue]] = field(default_factory=dict)
    """What it fills them with, by case."""
    is_open: bool = False
    """Whether its cases stand for a list that isn't known, where nothing will be run."""

    @property
    def ids(self) -> tuple[StepId, ...]:
        """The ids of the steps that it makes."""
        return (self.name,) if self.cases is None else self.cases


Entry = DeclaredFunction | IncludeOptions
"""What stands in a file of functions for one or more steps."""
ReadInclude = Callable[[IncludeOptions, Read], None]
"""Reads the steps of a fragment that a file of functions includes, behind those read before."""


def functions_of(entries: Sequence[Entry]) -> list[DeclaredFunction]:
    """Return the functions among the entries of a file."""
    return [entry for entry in entries if isinstance(entry, DeclaredFunction)]


def includes_of(entries: Sequence[Entry]) -> list[IncludeOptions]:
    """Return the includes among the entries of a file."""
    return [entry for entry in entries if isinstance(entry, IncludeOptions)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """How a file of functions is included."""

    fragment: str
    """The file, from the project root."""
    own: StepId | None
    """The id of the include, with those around it; None if it has none."""
    always: bool
    """Whether it stands in a `finally`."""
    given: Given
    """What its inputs and variables stand for."""
    inputs: Mapping[str, Template]
    """What its code sees as `workflow.inputs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReader:
    """What reading the functions of one file needs."""

    problems: Problems
    files: Files
    lines: Sequence[bytes]
    """The file's."""
    written: Mapping[str, WrittenFunction]
    """Its functions, by their qualified names."""
    shared: str
    """The digest of what the steps of the file share: its source without theirs."""
    inputs: Mapping[str, frozenset[str] | None]
    variables: Mapping[str, Template]
    ids: frozenset[str]
    defaults: Defaults = NO_DEFAULTS
    around: Surrounding = field(default_factory=Surrounding)
    """Where an include of the file stands; nothing around a workflow's own functions."""
    include: Include | None = None
    """How the file is included; None: it is the workflow's own."""
    read_include: ReadInclude | None = None
    """Reads its includes; None: it has none."""

    def runs_last(self, entry: Entry) -> bool:
        """Return whether a function, or an include, cleans up behind the others of its file."""
        if isinstance(entry, IncludeOptions):
            return entry.always
        return isinstance(entry.marks, StepOptions) and entry.marks.always

    def is_last(self, function: DeclaredFunction) -> bool:
        """Return whether its step runs whatever became of those before it."""
        return self.runs_last(function) or (self.include is not None and self.include.always)

    def cleans(self, function: DeclaredFunction) -> BlockId | None:
        """Return the block, or include, that it cleans up after."""
        if self.include is None or not self.is_last(function):
            return None
        return self.around.cleans if self.include.always else self.include.own


def _note(reader: FunctionReader, read: Read, function: DeclaredFunction, steps: Sequence[Step]) -> None:
    """Take note of a function that was read."""
    prefix, marks = reader.around.prefix, function.marks
    own, keys = prefix + function.name, _keys_of(marks)
    read.keys.update(dict.fromkeys((prefix + step_id for step_id in function.ids), keys))
    if function.cases is not None:
        read.cases[own] = None if function.is_open else [prefix + case for case in function.cases]
    if isinstance(marks, GateOptions) and not marks.form:
        read.gates.add(own)
    if isinstance(marks, GateOptions) or reader.is_last(function):
        read.lasting.add(own)
    for step in steps:
        if step.waive is not None:
            read.waivable.add(step.id)
        if step.when is not None:
            read.conditional[step.id] = Conditional(condition=step.when.condition, defaults=frozenset())


def _keys_of(marks: StepOptions | GateOptions | None) -> Keys | None:
    # What `@step` returns is known when it has run; a plain test returns nothing.
    if isinstance(marks, StepOptions):
        return None
    form = {} if marks is None else marks.form or {}
    return {**OUTCOME_ONLY, **dict.fromkeys(form, frozenset[str]())}


def read_functions(reader: FunctionReader, entries: Sequence[Entry], read: Read) -> None:
    """Read the steps that a file has; those with a problem are left out after adding it.

    Args:
        reader: Reads them.
        entries: Its functions and includes, in their order.
        read: What is known of the steps before; theirs are added.
    """
    for entry in sorted(entries, key=reader.runs_last):
        first, included = len(read.steps), set(read.included)
        if isinstance(entry, DeclaredFunction):
            _read_function(reader, entry, read)
        elif reader.read_include is not None:
            reader.read_include(entry, read)
        if reader.runs_last(entry) and reader.around.prefix:
            # It may run again whenever a run goes on, so that nothing else may hang on what it left.
            read.closed.update(each.id for each in read.steps[first:])
            read.closed.update(read.included.keys() - included)


def _read_function(reader: FunctionReader, function: DeclaredFunction, read: Read) -> None:
    step = _step(reader, function, read)
    cases = [] if step is None else _cases(reader, step, function)
    _note(reader, read, function, cases)
    read.steps.extend(cases)


def texts_behind(reader: FunctionReader, read: Read) -> Texts:
    """Return what reads texts behind all steps."""
    return _texts(reader, None, reader.problems, read, None)


def _cases(reader: FunctionReader, step: Step, function: DeclaredFunction) -> list[Step]:
    if function.cases is not None:
        return [_case(reader, step, case, function) for case in function.cases]
    prefix = reader.around.prefix
    return [as_case(step, prefix + step.id, {}, refers=named_steps(step)) if prefix else step]


def _case(reader: FunctionReader, step: Step, case: StepId, function: DeclaredFunction) -> Step:
    from ._cases import filled_in
    from ._whens import filled_when

    each = function.values.get(case, {})
    when = None if step.when is None else filled_when(step.when, each)
    check = step.check and filled_in(step.check, each)
    waive = step.waive and replace(step.waive, question=filled_template(step.waive.question, each))
    step = replace(step, when=when, check=check, waive=waive)
    prefix = reader.around.prefix
    return as_case(step, prefix + case, each, refers=named_steps(step) if prefix else ())


def _step(reader: FunctionReader, function: DeclaredFunction, read: Read) -> Step | None:
    written = _written(reader, function)
    problems = reader.problems.standing_at(Mark(max(1, function.line), 1) if written is None else written.mark)
    problem = _identity_problem(reader, function, written, read, problems)
    if written is None or problem is not None:
        problems.at((), problem or _not_written_here(function))
        return None
    name, description = _words(function)
    line_problem = one_line_problem(name)
    if line_problem is not None:
        problems.at((), f"the name of step {quoted(function.name)} {line_problem}")
    marks, always = function.marks, reader.is_last(function)
    if always and isinstance(marks, GateOptions):
        problems.at((), NOT_IN_FINALLY["gate"])
    said = marks if isinstance(marks, StepOptions) else StepOptions()
    when = reader.around.when
    if marks is not None and marks.when is not None:
        from ._whens import both, read_when

        when = both(when, read_when(marks.when, (), _texts(reader, function, problems, read, when)))
    # Made where one is read: most functions have none.
    texts = partial(_texts, reader, function, problems, read, when)
    step = Step(
        id=function.name,
        name=name,
        body=_body(function, texts, read),
        location=problems.location(()),
        digest="",
        description=description,
        timeout_s=None if isinstance(marks, GateOptions) else said.timeout_s or reader.defaults.timeout,
        when=when,
        always=always,
        block=reader.cleans(function),
        idempotent=not isinstance(marks, GateOptions) and _idempotent(said, reader.defaults),
        max_age_s=None if isinstance(marks, GateOptions) else said.max_age_s or reader.defaults.max_age,
        evidence=said.evidence,
        check=_check(said, written, texts, reader.files, always=always),
        undoes=_undoes(said, texts, read),
        retry=None if isinstance(marks, GateOptions) else _retry(said, reader, problems),
        waive=_waive(said, texts, always=always),
        enclosure=None
        if reader.include is None
        else Enclosure(prefix=reader.around.prefix, inputs=reader.include.inputs),
    )
    own = digest_of_bytes(segment(reader.lines, written.lines))
    sources = {function.written_as or function.name: own, "rest of the module": reader.shared}
    step = with_digest(step, root=reader.files.root, variables=reader.variables, sources=sources)
    step = with_included(step, read.included)
    # After its digest was made: a fragment under another name is still the same.
    return step if reader.include is None else replace(with_given(step), fragment=reader.include.fragment)


def _idempotent(said: StepOptions, defaults: Defaults) -> bool:
    return bool(defaults.idempotent if said.idempotent is None else said.idempotent)


def _undoes(said: StepOptions, made: Callable[[], Texts], read: Read) -> tuple[StepId, ...]:
    if not said.undoes:
        return ()
    from ._checks import read_undoes

    return read_undoes(said.undoes, (), made(), unfit=tuple(read.lasting))


def _waive(said: StepOptions, made: Callable[[], Texts], *, always: bool) -> Waive | None:
    if said.waive is None:
        return None
    from ._waives import DEFAULT_WAIVE_TIMEOUT_S, waive_problem

    texts = made()
    problem = waive_problem(always=always, undoes=bool(said.undoes), check=bool(said.check))
    if problem is not None:
        texts.problems.at((), problem)
    question = texts.template(said.waive, ())
    return Waive(question=question, timeout_s=said.waive_timeout_s or DEFAULT_WAIVE_TIMEOUT_S, signed=said.waive_signed)


def _retry(said: StepOptions, reader: FunctionReader, problems: Problems) -> Retry | None:
    if said.retry is None and reader.defaults.retry is None:
        return None
    from ._retries import read_python_retry, read_retry

    own = read_python_retry(said.retry, problems)
    if own is None and said.retry is None:
        own = reader.defaults.retry
    return read_retry(own, ("retry",), problems)


def _check(
    said: StepOptions, written: WrittenFunction, made: Callable[[], Texts], files: Files, *, always: bool
) -> Check | None:
    if said.check is None:
        return None
    # Only here: the models of YAML's steps are many, and a step in Python needs one of them.
    from ._checks import check_problem, read_check
    from ._schema_calls import CheckModel
    from ._validation import validated

    texts = made()
    problem = check_problem("step", always=always)
    if written.returns_value:
        problem = "a step with a check returns nothing: without its body nobody has what it would return"
    if said.evidence or said.evidence_type is not None:
        problem = "a step with a check leaves no evidence: without its body nobody has what it would return"
    if problem is not None:
        texts.problems.at((), problem)
    model = validated(CheckModel, said.check, ("check",), texts.problems)
    return read_check(model, ("check",), texts, files)


def _written(reader: FunctionReader, function: DeclaredFunction) -> WrittenFunction | None:
    written = function.written_as or function.name
    owner, _, name = written.rpartition(".")
    own = written == function.name or (owner in function.classes and name == function.name.rpartition(".")[2])
    return reader.written.get(written) if own else None


def _not_written_here(function: DeclaredFunction) -> str:
    where = (
        "a method of a class at this file's top level" if function.classes else "a function of this file's top level"
    )
    return f"the step {quoted(function.name)} is not {where}"


def _texts(
    reader: FunctionReader, function: DeclaredFunction | None, problems: Problems, read: Read, when: When | None
) -> Texts:
    around, given = reader.around, {} if reader.include is None else reader.include.given
    scope = Scope(
        inputs=reader.inputs,
        variables=frozenset(reader.variables),
        all_variables=frozenset(reader.variables),
        steps=read.keys,
        all_steps=reader.ids,
        own_step="" if function is None else around.prefix + function.name,
        own_when=None if when is None else when.condition,
        conditional=read.conditional,
        waivable=read.waivable,
        cases=read.cases,
        # Of a list that is empty, too, the condition is checked.
        each=None if function is None or not function.variables else dict.fromkeys(function.variables, "x"),
        block=around.prefix,
        closed=read.closed,
        included=read.included,
        given=given,
        in_fragment=reader.include is not None,
    )
    return Texts(problems=problems, scope=scope)


def _identity_problem(
    reader: FunctionReader, function: DeclaredFunction, written: WrittenFunction | None, read: Read, problems: Problems
) -> str | None:
    problem = function_id_problem(function.name)
    if problem is not None:
        return problem
    own = reader.around.prefix + function.name
    if reader.include is not None or reader.read_include is not None:
        taken = read.taken_problem(own, problems.location(()), function.name)
        if taken is not None:
            return taken
    if own in read.keys or own in read.cases:
        return f"two steps have the id {quoted(function.name)}"
    twice = [] if function.cases is None else [case for case, count in Counter(function.cases).items() if count > 1]
    if twice:
        return f"two cases have the id {quoted(twice[0])}; give the parameters ids that keep them apart"
    return _not_written_here(function) if written is None else None


def _words(function: DeclaredFunction) -> tuple[str, str]:
    description = inspect.cleandoc(function.doc) if function.doc else ""
    first = description.strip().splitlines()[0].strip() if description.strip() else ""
    marks = function.marks
    name = (marks.name if isinstance(marks, StepOptions) else None) or first or function.name
    said = marks.description if isinstance(marks, StepOptions) else None
    return name, description if said is None else said


def _body(function: DeclaredFunction, made: Callable[[], Texts], read: Read) -> Function | Gate:
    marks = function.marks
    if not isinstance(marks, GateOptions):
        return Function(name=function.name, returns_outputs=marks is not None)
    from ._forms import OWN_OF_GATES, read_form
    from ._gates import read_show

    texts = made()
    question = _words(function)[0] if marks.question is None else marks.question
    if not question.strip():
        texts.problems.at((), f"the gate {quoted(function.name)} asks nothing")
    return Gate(
        question=texts.template(question, ()),
        show=read_show(marks.show, (), texts, read.gates),
        timeout_s=marks.timeout_s or DEFAULT_GATE_TIMEOUT_S,
        meaning=marks.meaning,
        refs=marks.refs,
        suspends=marks.suspends,
        on_timeout="suspend" if marks.on_timeout == "suspend" else "reject",
        expires_s=marks.expires_s,
        signed=marks.signed,
        function=function.name,
        form=read_form(marks.form, ("form",), texts.problems, own=OWN_OF_GATES),
    )
