"""What may go otherwise than meant although nothing is wrong with it: said before a run, never in its way."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_workflow_exec.errors import Problem
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import Command, Location, Step, Workflow, plain_id

_REVERTING = frozenset(
    ["destroy", "downgrade", "reset", "restore", "revert", "rollback", "tear-down", "teardown", "undeploy", "undo", "uninstall", "unpublish", "unwind", "yank"]
)  # fmt: skip
_WORD = lazy_pattern(r"[a-z]+(?:-down)?")


def plan_warnings(workflow: Workflow) -> tuple[Problem, ...]:
    """Return what a person should know of a workflow before it runs."""
    return tuple(_unsaid_reverting(workflow))


def _unsaid_reverting(workflow: Workflow) -> Iterator[Problem]:
    # What nobody says to be undone is carried by a resumed run, also where finally has long reverted it.
    said: set[Location] = set()
    for step in workflow.steps:
        place = step.location
        # Once for all cases of a block.
        if place in said or not step.always or step.undoes:
            continue
        if (word := _reverting_word(step)) is not None:
            said.add(place)
            message = (
                f"step {plain_id(step.id)!r} of finally reverts something, by its word {word!r}, and says no undoes: when the run "
                "goes on, the steps that it reverted are carried all the same. If it reverts some, name them: "
                "undoes: [...]"
            )
            yield Problem(path=place.path, line=place.line, column=place.column, message=message)


def _reverting_word(step: Step) -> str | None:
    said = [step.id.rpartition("/")[2], step.name]
    if isinstance(step.body, Command):
        said += [argument.text for argument in step.body.argv[:3]]
    words = (word for text in said for word in _words(text))
    return next((word for word in words if word in _REVERTING), None)


def _words(text: str) -> Iterator[str]:
    plain = text.lower().replace("_", "-").replace("roll-back", "rollback")
    yield from _WORD.findall(plain)
