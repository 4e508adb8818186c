"""`poll:` of a step: how often it is repeated until what it looks at is as expected, and what ends that before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.model import Poll

from ._commands import read_expectation
from ._problems import Where
from ._texts import Texts

if TYPE_CHECKING:
    from ._schema import StepModel


def read_poll(model: StepModel, where: Where, texts: Texts) -> Poll | None:
    """Return how a step is repeated, after adding what is wrong with that; None if it is not.

    Args:
        where: The way to the step.
    """
    poll, place, problems = model.poll, (*where, "poll"), texts.problems
    if poll is None:
        return None
    if poll.timeout < poll.every:
        problems.at((*place, "timeout"), f"must not be shorter than the {poll.every:g} s between two looks")
    named = poll.fail_on
    if named is not None and not named.model_fields_set:
        problems.at((*place, "fail_on"), "names nothing")
    if named is not None and model.call is not None:
        problems.at_key((*place, "fail_on"), "a function says itself what ends the poll: it raises something else")
    if named is not None and model.verify is not None and named.model_fields_set - {"exit"}:
        problems.at((*place, "fail_on"), "of a verify step only the exit status can be matched")
    fail_on = None if named is None else read_expectation(named, (*place, "fail_on"), texts)
    return Poll(every_s=poll.every, timeout_s=poll.timeout, fail_on=fail_on, holds_no_process=poll.wait == "suspend")
