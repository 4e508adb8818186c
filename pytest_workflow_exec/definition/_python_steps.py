"""Steps of a Python workflow: from the collected functions to the model, each step knowing the ones before it."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import CaseValue, Check, Function, Gate, Retry, Step, StepId, Template, Waive, When

from ._cases import as_case, filled_in
from ._checks import check_problem, read_check, read_undoes
from ._defaults import NO_DEFAULTS
from ._forms import OWN_OF_GATES, read_form
from ._gates import read_show
from ._names import function_id_problem, one_line_problem, quoted
from ._options import DEFAULT_GATE_TIMEOUT_S, GateOptions, StepOptions
from ._problems import Mark, Problems
from ._python_source import (
    FunctionNode,
    mark_of,
    segment,
)
from ._results import read_results
from ._retries import read_python_retry, read_retry
from ._schema_basics import DefaultsModel
from ._sources import with_digest
from ._templates import OUTCOME_ONLY, Conditional, Keys, Scope, filled_template
from ._texts import Files, Texts
from ._validation import validated
from ._waives import waive_problem
from ._whens import check_covered, filled_when, read_when


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
    variable: str | None = None
    """The parameter that `@each` fills."""
    values: Mapping[StepId, CaseValue] = field(default_factory=dict)
    """What it fills it with, by case."""
    is_open: bool = False
    """Whether its cases stand for a list that isn't known, where nothing will be run."""

    @property
    def ids(self) -> tuple[StepId, ...]:
        """The ids of the steps that it makes."""
        return (self.name,) if self.cases is None else self.cases


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReader:
    """What reading the functions of one file needs."""

    problems: Problems
    files: Files
    lines: Sequence[bytes]
    """The file's."""
    nodes: Mapping[str, FunctionNode]
    shared: str
    """The digest of what the steps of the file share: its source without theirs."""
    inputs: Mapping[str, frozenset[str] | None]
    variables: Mapping[str, Template]
    ids: frozenset[str]
    defaults: DefaultsModel = NO_DEFAULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is known of the functions read so far."""

    keys: dict[str, Keys | None] = field(default_factory=dict)
    gates: set[str] = field(default_factory=set)
    lasting: set[str] = field(default_factory=set)
    """The steps that nothing can undo: gates, and those that run last in every session."""
    conditional: dict[str, Conditional] = field(default_factory=dict)
    cases: dict[str, Sequence[StepId] | None] = field(default_factory=dict)
    waivable: set[str] = field(default_factory=set)

    def note(self, function: DeclaredFunction, steps: Sequence[Step]) -> None:
        keys = _keys_of(function.marks)
        self.keys.update(dict.fromkeys(function.ids, keys))
        if function.cases is not None:
            self.cases[function.name] = None if function.is_open else function.cases
        if isinstance(function.marks, GateOptions) and not function.marks.form:
            self.gates.add(function.name)
        if isinstance(function.marks, GateOptions) or (function.marks is not None and function.marks.always):
            self.lasting.add(function.name)
        for step in steps:
            if step.waive is not None:
                self.waivable.add(step.id)
            if step.when is not None:
                self.conditional[step.id] = Conditional(condition=step.when.condition, defaults=frozenset())


def _keys_of(marks: StepOptions | GateOptions | None) -> Keys | None:
    # What `@step` returns is known when it has run; a plain test returns nothing.
    if isinstance(marks, StepOptions):
        return None
    form = {} if marks is None else marks.form or {}
    return {**OUTCOME_ONLY, **dict.fromkeys(form, frozenset[str]())}


def read_functions(
    reader: FunctionReader,
    functions: Sequence[DeclaredFunction],
    *,
    outputs: Mapping[str, object],
    results: dict[str, Template],
) -> tuple[Step, ...]:
    """Return the steps that the functions are; those with a problem are left out after adding it.

    Args:
        reader: Reads them.
        functions: Their functions, in their order.
        outputs: What the workflow declares as outputs.
        results: Where to put those that are sound.
    """
    steps: list[Step] = []
    seen = _Seen()
    for function in _always_last(functions):
        step = _step(reader, function, seen)
        cases = [] if step is None else _cases(step, function)
        seen.note(function, cases)
        steps += cases
    check_covered(steps, reader.problems)
    read_results(outputs, _texts(reader, None, reader.problems, seen, None), into=results)
    return tuple(steps)


def _cases(step: Step, function: DeclaredFunction) -> list[Step]:
    if function.cases is None:
        return [step]
    return [_case(step, case, function) for case in function.cases]


def _case(step: Step, case: StepId, function: DeclaredFunction) -> Step:
    each = {} if function.variable is None else {function.variable: function.values[case]}
    when = None if step.when is None else filled_when(step.when, each)
    check = step.check and filled_in(step.check, each)
    waive = step.waive and replace(step.waive, question=filled_template(step.waive.question, each))
    return as_case(replace(step, when=when, check=check, waive=waive), case, each)


def _always_last(functions: Sequence[DeclaredFunction]) -> list[DeclaredFunction]:
    return sorted(functions, key=lambda function: isinstance(function.marks, StepOptions) and function.marks.always)


def _step(reader: FunctionReader, function: DeclaredFunction, seen: _Seen) -> Step | None:
    node = _node_of(reader, function)
    problems = reader.problems.standing_at(Mark(max(1, function.line), 1) if node is None else mark_of(node))
    problem = _identity_problem(function, node, seen)
    if node is None or problem is not None:
        problems.at((), problem or _not_written_here(function))
        return None
    name, description = _words(function)
    line_problem = one_line_problem(name)
    if line_problem is not None:
        problems.at((), f"the name of step {quoted(function.name)} {line_problem}")
    marks = function.marks
    said = marks if isinstance(marks, StepOptions) else StepOptions()
    when = None
    if marks is not None and marks.when is not None:
        when = read_when(marks.when, (), _texts(reader, function, problems, seen, None))
    texts = _texts(reader, function, problems, seen, when)
    step = Step(
        id=function.name,
        name=name,
        body=_body(function, texts, seen),
        location=problems.location(()),
        digest="",
        description=description,
        timeout_s=None if isinstance(marks, GateOptions) else said.timeout_s or reader.defaults.timeout,
        when=when,
        always=isinstance(marks, StepOptions) and marks.always,
        idempotent=not isinstance(marks, GateOptions) and _idempotent(said, reader.defaults),
        max_age_s=None if isinstance(marks, GateOptions) else said.max_age_s or reader.defaults.max_age,
        evidence=said.evidence,
        check=_check(marks, node, texts, reader.files),
        undoes=read_undoes(marks.undoes, (), texts, unfit=tuple(seen.lasting))
        if isinstance(marks, StepOptions)
        else (),
        retry=None if isinstance(marks, GateOptions) else _retry(said, reader, problems),
        waive=_waive(said, texts),
    )
    own = digest_of_bytes(segment(reader.lines, node))
    sources = {function.written_as or function.name: own, "rest of the module": reader.shared}
    return with_digest(step, root=reader.files.root, variables=reader.variables, sources=sources)


def _idempotent(said: StepOptions, defaults: DefaultsModel) -> bool:
    return bool(defaults.idempotent if said.idempotent is None else said.idempotent)


def _waive(said: StepOptions, texts: Texts) -> Waive | None:
    if said.waive is None:
        return None
    problem = waive_problem(always=said.always, undoes=bool(said.undoes), check=bool(said.check))
    if problem is not None:
        texts.problems.at((), problem)
    return Waive(question=texts.template(said.waive, ()), signed=said.waive_signed)


def _retry(said: StepOptions, reader: FunctionReader, problems: Problems) -> Retry | None:
    own = read_python_retry(said.retry, problems)
    if own is None and said.retry is None:
        own = reader.defaults.retry
    return read_retry(own, ("retry",), problems)


def _check(marks: StepOptions | GateOptions | None, node: FunctionNode, texts: Texts, files: Files) -> Check | None:
    if not isinstance(marks, StepOptions) or marks.check is None:
        return None
    returns = node.returns
    problem = check_problem("step", always=marks.always)
    if returns is not None and not (isinstance(returns, ast.Constant) and returns.value is None):
        problem = "a step with a check returns nothing: without its body nobody has what it would return"
    if problem is not None:
        texts.problems.at((), problem)
    # Only here: the models of YAML's steps are many, and a step in Python needs one of them.
    from ._schema import CheckModel

    model = validated(CheckModel, marks.check, ("check",), texts.problems)
    return read_check(model, ("check",), texts, files)


def _node_of(reader: FunctionReader, function: DeclaredFunction) -> FunctionNode | None:
    written = function.written_as or function.name
    owner, _, name = written.rpartition(".")
    own = written == function.name or (owner in function.classes and name == function.name.rpartition(".")[2])
    return reader.nodes.get(written) if own else None


def _not_written_here(function: DeclaredFunction) -> str:
    where = (
        "a method of a class at this file's top level" if function.classes else "a function of this file's top level"
    )
    return f"the step {quoted(function.name)} is not {where}"


def _texts(
    reader: FunctionReader, function: DeclaredFunction | None, problems: Problems, seen: _Seen, when: When | None
) -> Texts:
    scope = Scope(
        inputs=reader.inputs,
        variables=frozenset(reader.variables),
        all_variables=frozenset(reader.variables),
        steps=seen.keys,
        all_steps=reader.ids,
        own_step="" if function is None else function.name,
        own_when=None if when is None else when.condition,
        conditional=seen.conditional,
        waivable=seen.waivable,
        cases=seen.cases,
        # Of a list that is empty, too, the condition is checked.
        each=None if function is None or function.variable is None else {function.variable: "x"},
    )
    return Texts(problems=problems, scope=scope)


def _identity_problem(function: DeclaredFunction, node: FunctionNode | None, seen: _Seen) -> str | None:
    problem = function_id_problem(function.name)
    if problem is not None:
        return problem
    if function.name in seen.keys or function.name in seen.cases:
        return f"two steps have the id {quoted(function.name)}"
    twice = [case for case, count in Counter(function.ids).items() if count > 1]
    if twice:
        return f"two cases have the id {quoted(twice[0])}; give the parameters ids that keep them apart"
    return _not_written_here(function) if node is None else None


def _words(function: DeclaredFunction) -> tuple[str, str]:
    description = inspect.cleandoc(function.doc) if function.doc else ""
    first = description.strip().splitlines()[0].strip() if description.strip() else ""
    marks = function.marks
    name = (marks.name if isinstance(marks, StepOptions) else None) or first or function.name
    said = marks.description if isinstance(marks, StepOptions) else None
    return name, description if said is None else said


def _body(function: DeclaredFunction, texts: Texts, seen: _Seen) -> Function | Gate:
    marks = function.marks
    if not isinstance(marks, GateOptions):
        return Function(name=function.name, returns_outputs=marks is not None)
    question = _words(function)[0] if marks.question is None else marks.question
    if not question.strip():
        texts.problems.at((), f"the gate {quoted(function.name)} asks nothing")
    if marks.signed is not None and marks.form:
        texts.problems.at((), f"the gate {quoted(function.name)} has a form, which a signature does not cover")
    return Gate(
        question=texts.template(question, ()),
        show=read_show(marks.show, (), texts, seen.gates),
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
