"""What a gate shows: outputs of earlier steps, by name."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from pytest_workflow_exec.model import StepId

from ._names import quoted
from ._problems import Where
from ._templates import split_step
from ._texts import Texts


def read_show(
    entries: Sequence[str], where: Where, texts: Texts, gates: AbstractSet[str]
) -> tuple[tuple[StepId, str | None], ...]:
    """Return which outputs a gate shows: `build` for all of a step, `build.wheel` for one."""
    shown: list[tuple[StepId, str | None]] = []
    for index, entry in enumerate(entries):
        step, *keys = split_step(entry.split("."), texts.scope.all_steps)
        problem = texts.scope.step_problem(step) or (
            texts.scope.key_problem(step, ".".join(keys)) if keys else texts.scope.missing_problem(step, None)
        )
        if step in gates:
            problem = f"step {quoted(step)} is a gate and has nothing to show"
        elif len(keys) > 1 or keys == [""]:
            problem = f"{quoted(entry)} is no output; write step or step.key"
        if problem is not None:
            texts.problems.at((*where, index), problem)
        shown.append((step, keys[0] if keys else None))
    return tuple(shown)
