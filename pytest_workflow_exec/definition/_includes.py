"""`include`: the steps of a fragment, read where they are to stand, with what they are given and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import IncludedOutputs, Reference, StepId, base_of, plain_id

from ._blocks import DRY, MAX_DEPTH, MAX_STEPS, ReadItem, check_variable, read_inside
from ._defaults import read_defaults, read_python_defaults
from ._fragments import Fragment, IncludeError
from ._given import Given, place_variables, read_given
from ._names import value_name_problem
from ._problems import Where
from ._read import Read, Surrounding
from ._reader import Reader
from ._templates import Conditional, Included, Keys, TemplateError, parse_template
from ._texts import Texts, read_variables
from ._validation import validated
from ._whens import both, read_when

if TYPE_CHECKING:
    from ._schema_blocks import FragmentModel, IncludeModel


def read_include(
    reader: Reader, read: Read, item: Mapping[str, object], where: Where, read_item: ReadItem, *, always: bool
) -> None:
    """Read the steps of the fragment that an entry of a list includes, after adding what is wrong with it.

    Args:
        always: Whether the list is a `finally`.
    """
    from ._schema_blocks import IncludeModel

    model = validated(IncludeModel, item, where, reader.problems)
    fragment = None if model is None else _fragment(reader, model, where)
    if model is None or fragment is None:
        _mark(reader, read, item)
        return
    if fragment.model.finally_ is not None and model.id is None:
        message = f"{fragment.name} has a finally; give the include an id, so that it says what it cleans up after"
        reader.problems.at((*where, "include"), message)
    if fragment.model.finally_ is not None and always:
        message = f"{fragment.name} has a finally, which can't stand in another: include it among the steps"
        reader.problems.at((*where, "include"), message)
    entry = _Entry(model=model, fragment=fragment, where=where, read_item=read_item, always=always)
    if model.foreach is None:
        if model.allow_empty:
            reader.problems.at_key((*where, "allow_empty"), "allow_empty belongs to a foreach; this include has none")
        _read_once(reader, read, entry, model.id)
    elif model.id is None:
        reader.problems.at_key((*where, "foreach"), "an include with a foreach needs an id, which its cases go by")
        _mark(reader, read, item)
    else:
        _read_cases(reader, read, entry, model.id, model.foreach)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An entry of a list that includes a fragment."""

    model: IncludeModel
    fragment: Fragment
    where: Where
    read_item: ReadItem
    always: bool


def _read_cases(reader: Reader, read: Read, entry: _Entry, own: StepId, foreach: Mapping[str, object]) -> None:
    """Read the fragment's steps for each case of the include."""
    around = reader.around
    check_variable(reader, foreach, entry.where)
    cases = reader.cases().read(foreach, (*entry.where, "foreach"), allow_empty=entry.model.allow_empty)
    if not cases:
        # Of a list that is empty or wrong, too, everything else is checked.
        dry = replace(around, each={**(around.each or {}), **dict.fromkeys(foreach, DRY)})
        _read_once(replace(reader, around=dry), read.copy(), entry, f"{own}[{DRY}]")
    for case in cases or ():
        inside = replace(around, each={**(around.each or {}), **case.each})
        _read_once(replace(reader, around=inside), read, entry, case.of(own))
    known = cases is not None and not any(case.is_open for case in cases)
    read.cases[around.prefix + own] = [around.prefix + case.of(own) for case in cases or ()] if known else None
    read.cases[plain_id(around.prefix + own)] = read.cases[around.prefix + own]
    if entry.always:
        read.lasting.add(around.prefix + own)


def _read_once(reader: Reader, read: Read, entry: _Entry, own_id: StepId | None) -> None:
    """Read the fragment's steps, of an include or of one case of it."""
    model, fragment, where, always = entry.model, entry.fragment, entry.where, entry.always
    around = reader.around
    prefix = around.prefix if own_id is None else f"{around.prefix}{own_id}/"
    own = around.prefix + (own_id or "")
    own_when = read_when(model.when, (*where, "when"), reader.texts(own, None, read))
    cleans = around.cleans if always else None
    inside = Surrounding(prefix=prefix, when=both(around.when, own_when), cleans=cleans, depth=around.depth)
    texts = reader.texts(own, None if inside.when is None else inside.when.condition, read)
    given = read_given(model.with_, fragment.specs, where, texts, root=reader.files.root, fragment=fragment.name)
    inner = _inner(reader, fragment, fragment.model, given, prefix)
    found = Read(first_places=read.first_places)
    before = reader.fragments.made
    if fragment.python is None:
        from ._schema_blocks import BlockModel

        block = BlockModel.model_construct(
            id=model.id or "", when=None, steps=fragment.model.steps, finally_=fragment.model.finally_
        )
        read_inside(inner, found, block, (), entry.read_item, inside=inside, always=always)
    else:
        # Only here: most workflows include no Python.
        from ._python_fragments import read_python_fragment

        inner = read_python_fragment(
            inner,
            fragment.python,
            found,
            fragment=fragment.name,
            own=None if own_id is None else own,
            inside=inside,
            always=always,
            modules=reader.fragments.modules,
            read_item=entry.read_item,
        )
    reader.fragments.made = before + len(found.steps)
    outputs = _outputs(inner, found, fragment.model, inside)
    if own_id is not None:
        by = reader.within[-1].relative_to(reader.files.root).as_posix() if len(reader.within) > 1 else None
        sources = {name: path for name, (path, _) in outputs.items()}
        reader.fragments.outputs[own] = IncludedOutputs(fragment=by, values=sources)
    _hand_on(read, found, None if own_id is None else own, outputs, inside)
    if always and own_id is not None:
        read.lasting.add(own)


def _fragment(reader: Reader, model: IncludeModel, where: Where) -> Fragment | None:
    problems = reader.problems
    if reader.around.depth >= MAX_DEPTH:
        problems.at(where, f"blocks and fragments are nested deeper than {MAX_DEPTH} levels")
        return None
    if reader.fragments.made > MAX_STEPS:
        problems.at(where, f"fragments make more than {MAX_STEPS} steps of the workflow")
        return None
    try:
        return reader.fragments.find(
            model.include, reader.files.folder, within=reader.within, by=problems.location(where)
        )
    except IncludeError as error:
        if str(error):
            problems.at((*where, "include"), str(error))
        return None


def _inner(reader: Reader, fragment: Fragment, model: FragmentModel, given: Given, prefix: str) -> Reader:
    """Return what reads the fragment's steps: it knows the fragment's own names, and none of the outer file's."""
    declared = fragment.data.get("vars")
    declared = declared if isinstance(declared, dict) else {}
    variables = read_variables(declared, inputs=fragment.groups, problems=fragment.problems)
    inner = replace(
        reader,
        problems=fragment.problems,
        files=replace(reader.files, folder=fragment.path.parent, targets={}),
        inputs=fragment.groups,
        variables=variables,
        all_variables=frozenset(declared),
        defaults=read_defaults(model.defaults, fragment.problems)
        if fragment.python is None
        else read_python_defaults(fragment.python.declaration.defaults, fragment.problems),
        within=(*reader.within, fragment.path),
        given=place_variables(variables, given, fragment=fragment.name),
    )
    # The ids of steps hold no cases.
    plain = plain_id(f"{prefix}x")[:-1]
    ids = [step_id for key in ("steps", "finally") for step_id in inner.ids_of(fragment.data.get(key), plain)]
    ids += [plain + step_id for step_id in fragment.ids or ()]
    return replace(inner, ids=frozenset(ids))


def _outputs(
    reader: Reader, found: Read, model: FragmentModel, inside: Surrounding
) -> Mapping[str, tuple[tuple[StepId, ...], frozenset[str]]]:
    """Return the values that the fragment declares: where each comes from, and the keys below it."""
    outputs: dict[str, tuple[tuple[StepId, ...], frozenset[str]]] = {}
    entry = replace(reader, around=inside)
    texts = entry.texts("", None if inside.when is None else inside.when.condition, found)
    for name, text in model.outputs.items():
        where: Where = ("outputs", name)
        problem = value_name_problem(name)
        if problem is not None:
            reader.problems.at_key(where, problem)
            continue
        reference = _only_reference(text, texts, where)
        if reference is not None:
            step, *keys = reference.path
            known: Keys | None = found.keys.get(step)
            below = known.get(keys[0], frozenset()) if known is not None and len(keys) == 1 else frozenset[str]()
            outputs[name] = (reference.path, below)
    return outputs


def _only_reference(text: str, texts: Texts, where: Where) -> Reference | None:
    try:
        written = parse_template(text, steps=texts.scope.all_steps).parts
    except TemplateError as error:
        texts.problems.at(where, str(error))
        return None
    [only] = written if len(written) == 1 else [None]
    if not isinstance(only, Reference) or only.scope != "steps":
        texts.problems.at(where, "must be one reference to a value of a step: ${steps.id.key}")
        return None
    problem = texts.scope.problem(only)
    if problem is not None:
        texts.problems.at(where, problem)
        return None
    return texts.scope.placed(only)


def _hand_on(
    read: Read,
    found: Read,
    own: StepId | None,
    outputs: Mapping[str, tuple[tuple[StepId, ...], frozenset[str]]],
    inside: Surrounding,
) -> None:
    read.steps.extend(found.steps)
    read.gates.update(found.gates)
    read.lasting.update(found.lasting)
    read.closed.update(found.closed)
    read.waivable.update(found.waivable)
    if own is None:
        read.keys.update(found.keys)
        read.conditional.update(found.conditional)
        read.cases.update(found.cases)
        read.included.update(found.included)
        return
    read.keys[own] = {name: below for name, (_, below) in outputs.items()}
    sources = {name: path for name, (path, _) in outputs.items()}
    own_steps = tuple(step.id for step in found.steps if base_of(step.id) not in found.lasting)
    read.included[own] = Included(outputs=sources, steps=own_steps)
    if inside.when is not None:
        read.conditional[own] = Conditional(condition=inside.when.condition, defaults=frozenset())


def _mark(reader: Reader, read: Read, item: Mapping[str, object]) -> None:
    """Take note that the fragment's steps are not known: why, is said once."""
    for step_id in reader.ids_of([item], reader.around.prefix):
        read.cases[step_id] = None
        read.cases[plain_id(step_id)] = None
