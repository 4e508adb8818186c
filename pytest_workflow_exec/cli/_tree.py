"""The steps of a run as a tree: the workflow, its blocks, their rounds, the steps, and the attempts at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import base_of, blocks_around
from pytest_workflow_exec.report import NOT_STARTED, SATISFIED, Attempt, RunStory, StepStory

_MOST_LEVELS = 20
"""Deeper than any workflow can be; a log may say anything."""
_LAST_ATTEMPTS = 10
"""Of a step that was looked at all day, the last times are enough: `--step` has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the tree."""

    label: str
    open: tuple[bool, ...]
    """For each level above it, outermost first: whether more follows there below it; the last one is its own."""
    number: int | None = None
    """The step's place in the plan."""
    kind: str = ""
    outcome: str = ""
    """In one word, as colors are chosen by it."""
    words: str = ""
    """The outcome with all that a line can say of it."""
    duration_s: float | None = None
    attempts: int | None = None
    started: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    label: str
    steps: Sequence[tuple[int, StepStory]]
    below: Sequence[_Branch] = ()


def rows_of(story: RunStory, steps: Sequence[StepStory]) -> Iterator[Row]:
    """Give the tree of a run, line by line, its workflow first.

    Args:
        steps: The steps that are to be in it, in the plan's order.
    """
    numbered = list(enumerate(steps, start=1))
    session = len(story.sessions)
    yield Row(
        label=story.workflow or "unknown",
        open=(),
        outcome=story.result or "",
        words=story.result or "not finished",
        duration_s=_spent(steps, session),
        started=story.started,
    )
    yield from _rows(_branches(numbered, level=0), above=(), session=session)


def started_attempts(step: StepStory) -> list[Attempt]:
    """Return the attempts at a step that really began: a blocked one has an end alone."""
    return [attempt for attempt in step.attempts if attempt.started is not None]


def _path(name: str) -> tuple[str, ...]:
    """Return what stands above a step and its own label: `update`, `update[web1]`, `drain` for `update[web1]/drain`."""
    path: list[str] = []
    behind = 0
    for block in blocks_around(name):
        part, behind = block[behind:], len(block) + 1
        plain = part.partition("[")[0]
        path += [plain] if plain == part else [plain, part]
    rest = name[behind:]
    base = base_of(name)[behind:]
    *classes, _ = base.split(".")
    own = rest[sum(len(each) + 1 for each in classes) :]
    path += classes
    path += [own] if base == rest else [own.partition("[")[0], own]
    if len(path) > _MOST_LEVELS:
        return (*path[: _MOST_LEVELS - 1], name)
    return tuple(path)


def _branches(steps: Sequence[tuple[int, StepStory]], *, level: int) -> list[_Branch]:
    """Put steps that follow each other and share what stands above them below one branch."""
    found: list[_Branch] = []
    together: list[tuple[int, StepStory]] = []

    def close() -> None:
        if not together:
            return
        label, first = _path(together[0][1].id)[level], len(_path(together[0][1].id)) == level + 1
        below = () if first else _branches(together, level=level + 1)
        found.append(_Branch(label=label, steps=tuple(together), below=below))
        together.clear()

    for numbered in steps:
        path = _path(numbered[1].id)
        alone = len(path) == level + 1
        if together and (alone or _path(together[0][1].id)[: level + 1] != path[: level + 1]):
            close()
        together.append(numbered)
        if alone:
            close()
    close()
    return found


def _rows(branches: Sequence[_Branch], *, above: tuple[bool, ...], session: int) -> Iterator[Row]:
    for place, branch in enumerate(branches, start=1):
        level = (*above, place < len(branches))
        if branch.below:
            steps = [step for _, step in branch.steps]
            outcome = _outcome_of(steps)
            began = [attempt.started for step in steps for attempt in _counted(step, session)]
            yield Row(
                label=branch.label,
                open=level,
                outcome=outcome,
                words=outcome,
                duration_s=_spent(steps, session),
                started=began[0] if began else None,
            )
            yield from _rows(branch.below, above=level, session=session)
        else:
            [(number, step)] = branch.steps
            yield from _step(number, step, branch.label, level, session)


def _step(number: int, step: StepStory, label: str, level: tuple[bool, ...], session: int) -> Iterator[Row]:
    counted, all_of_them = _counted(step, session), started_attempts(step)
    yield Row(
        label=label,
        open=level,
        number=number,
        kind=step.kind,
        outcome=step.outcome,
        words=step.words,
        duration_s=_spent([step], session),
        attempts=len(all_of_them) if counted else None,
        started=counted[0].started if counted else None,
    )
    if len(all_of_them) < 2:  # noqa: PLR2004 - one attempt is the step itself
        return
    left_out = len(all_of_them) - _LAST_ATTEMPTS
    if left_out > 0:
        yield Row(label=f"{left_out} earlier attempts", open=(*level, True))
    shown = all_of_them[-_LAST_ATTEMPTS:]
    for attempt in shown:
        yield _attempt(attempt, level=(*level, attempt is not shown[-1]), sessions=session)


def _attempt(attempt: Attempt, *, level: tuple[bool, ...], sessions: int) -> Row:
    session = f", session {attempt.session}" if sessions > 1 else ""
    return Row(
        label=f"attempt {attempt.number or '?'}{session}",
        open=level,
        outcome=attempt.outcome,
        words=attempt.outcome + (f" ({attempt.error_class})" if attempt.error_class else ""),
        duration_s=attempt.duration_s,
        started=attempt.started,
    )


def _counted(step: StepStory, session: int) -> list[Attempt]:
    """Return the attempts that the step's line is about: those of the last session, or the one that is carried."""
    found = started_attempts(step)
    if step.outcome == "carried":
        return found[-1:]
    return [attempt for attempt in found if attempt.session == session]


def _spent(steps: Sequence[StepStory], session: int) -> float | None:
    seconds = [
        attempt.duration_s for step in steps for attempt in _counted(step, session) if attempt.duration_s is not None
    ]
    return sum(seconds) if seconds else None


def _outcome_of(steps: Sequence[StepStory]) -> str:
    """Return how a branch stands: as its first step that went wrong, or that has not ended."""
    outcomes = [step.outcome for step in steps]
    wrong = [each for each in outcomes if each not in SATISFIED and each != NOT_STARTED]
    blocked = [each for each in wrong if each != "blocked"]
    if wrong:
        return blocked[0] if blocked else wrong[0]
    if NOT_STARTED in outcomes:
        return NOT_STARTED if all(each == NOT_STARTED for each in outcomes) else "not finished"
    return outcomes[0] if len(set(outcomes)) == 1 else "passed"
