"""What a gate shows: outputs of earlier steps, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from pytest_workflow_exec.model import StepId, plain_id

from ._names import quoted
from ._problems import Where
from ._templates import Scope, dotted_parts, split_step
from ._texts import Texts


def read_show(
    entries: Sequence[str], where: Where, texts: Texts, gates: AbstractSet[str]
) -> tuple[tuple[StepId, str | None], ...]:
    """Return which outputs a gate shows: `build` for all of a step and of its cases, `build.wheel` for one."""
    shown: list[tuple[StepId, str | None]] = []
    for index, entry in enumerate(entries):
        step, *keys = split_step(dotted_parts(entry), texts.scope.all_steps)
        meant = texts.scope.meant(step)
        if includes := texts.scope.includes_of(meant):
            for each in includes:
                shown += _declared(texts, (*where, index), entry, each if each != meant else step, keys)
            continue
        cases = texts.scope.cases_of(meant)
        found = (_problem(each if each != meant else step, keys, texts.scope) for each in cases or ())
        problem = next((each for each in found if each is not None), None)
        if any(each in gates for each in (meant, *(cases or ()))):
            problem = f"step {quoted(step)} is a gate and has nothing to show"
        elif len(keys) > 1 or keys == [""]:
            problem = f"{quoted(entry)} is no output; write step or step.key"
        if problem is not None:
            texts.problems.at((*where, index), problem)
        # A step whose list is empty has nothing to show; asked for it, the gate would find its outputs missing.
        # By a name that leaves the cases of blocks open, nothing would be found later.
        named = (cases if plain_id(meant) == meant and "/" in meant else [meant]) if cases else []
        shown += [(each, keys[0] if keys else None) for each in named]
    return tuple(shown)


def _declared(
    texts: Texts, where: Where, entry: str, step: str, keys: Sequence[str]
) -> Iterator[tuple[StepId, str | None]]:
    """Give what a fragment declares as outputs, all of it or one, as the outputs of its steps."""
    outputs = texts.scope.included[texts.scope.meant(step)].outputs
    problem = _problem(step, keys, texts.scope)
    if not keys and not outputs:
        problem = f"the fragment {quoted(entry)} declares no outputs; there is nothing to show"
    if problem is not None:
        texts.problems.at(where, problem)
        return
    for name in keys or outputs:
        source, *path = outputs[name]
        yield source, path[0]


def _problem(step: StepId, keys: Sequence[str], scope: Scope) -> str | None:
    return scope.step_problem(step) or (
        scope.key_problem(step, ".".join(keys)) if keys else scope.missing_problem(step, None)
    )
