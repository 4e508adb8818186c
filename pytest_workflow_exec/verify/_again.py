"""Questions that are asked anew: each says which approval is not used, and what just that request and this one differ in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.redaction import holds_mask

from ._contradiction import ContradictionError
from ._told import Told


class Given(NamedTuple):
    """An approval that was not used yet."""

    request: Mapping[str, Json]
    digest: str
    approver: str
    answers: Mapping[str, Json]
    """What was filled into its form."""


def again_in(record: Told) -> Mapping[str, Json] | None:
    """Return what a question says of the approval that it takes the place of; None if there is none.

    Raises:
        ContradictionError: It says something that is no word of that.
    """
    request = record.data.get("request")
    again = request.get("again") if isinstance(request, Mapping) else None
    if again is None or isinstance(again, Mapping):
        return again
    raise ContradictionError("what it says of an earlier approval is none")


def demand_difference(step: StepId, record: Told, given: Given | None, *, used_by: StepId) -> None:
    """Return if a question is asked anew for a reason, and says all of it.

    Args:
        given: The approval that stands; None if none does.
        used_by: The step that is about to use it.

    Raises:
        ContradictionError: It takes the place of another approval, or hides or makes up a difference.
    """
    # What compares questions is loaded where one is asked anew: most verdicts need nothing of it.
    from pytest_workflow_exec.approval import differences, facts_in

    again, request = again_in(record), record.data.get("request")
    if given is None or again is None or not isinstance(request, Mapping):
        raise ContradictionError(f"{step!r} is asked anew, but no record says that it was approved and not used")
    changes: Json = [each.to_data() for each in differences(facts_in(given.request), facts_in(request))]
    said: Mapping[str, Json] = {
        "of": given.digest,
        "approver": given.approver,
        "used_by": used_by,
        "changes": changes,
        "answers": given.answers,
    }
    for key, value in said.items():
        if not _same(again.get(key), value):
            raise ContradictionError(f"{step!r} is asked anew, and what it says of the earlier {key} is not so")
    if not changes:
        raise ContradictionError(f"{step!r} is asked anew, but nothing that was approved changed")


def _same(said: Json, found: Json) -> bool:
    spelled = canonical_json(said), canonical_json(found)
    return spelled[0] == spelled[1] or any(map(holds_mask, spelled))
