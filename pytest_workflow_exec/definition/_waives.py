"""`waive:` of a step: what a person is asked if it fails, and which steps can't have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_workflow_exec.model import Waive

from ._options import DEFAULT_REQUEST_LIFETIME_S
from ._problems import Where
from ._signed import Wanted
from ._texts import Texts

if TYPE_CHECKING:
    from ._schema import StepModel

DEFAULT_WAIVE_TIMEOUT_S = 3600.0
"""How long a terminal waits for an answer, if nothing else is said."""


def waive_problem(*, always: bool, undoes: bool, check: bool) -> str | None:
    """Return why the failure of such a step can't be accepted; None if it can.

    Args:
        always: Whether it stands in `finally`.
        undoes: Whether it reverts others.
        check: Whether it says how to see its effect.
    """
    if always:
        return "a step of finally can't be waived: it may have to run without a person"
    if undoes:
        return "a step that undoes others can't be waived: nobody would know whether they were reverted"
    if check:
        return "a step with a check has an effect, and can't be waived: waive is for steps that check themselves"
    return None


def read_waive(model: StepModel, where: Where, texts: Texts) -> Waive | None:
    """Return what a person is asked if the step fails, after adding what is wrong with that; None if nothing is.

    Args:
        where: The way to the step.
    """
    if model.waive is None:
        return None
    place = (*where, "waive", "question")
    if not model.waive.question.strip():
        texts.problems.at(place, "asks nothing")
    wanted = waiver_wanted(model.waive.assurance, model.waive.approvers)
    for key, problem in wanted.problems():
        texts.problems.at_key((*where, "waive", key), problem)
    question = texts.template(model.waive.question, place)
    return Waive(question=question, timeout_s=model.waive.timeout or DEFAULT_WAIVE_TIMEOUT_S, signed=wanted.signed)


def waiver_wanted(assurance: int, approvers: Sequence[str]) -> Wanted:
    """Return what the acceptance of a failure has to be: that of one person, at the terminal at which it is asked for."""
    return Wanted(assurance=assurance, approvers=approvers, expires_s=DEFAULT_REQUEST_LIFETIME_S)
