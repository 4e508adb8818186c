"""Rules of a request as data."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields

import pytest

from pytest_workflow_exec.approval import (
    Again,
    Difference,
    FormField,
    GateRequest,
    PlanChange,
    Proposal,
    SignatureRules,
    StoredRequestError,
    differences,
    request_of,
)
from pytest_workflow_exec.digests import Json, canonical_json, digest_of

from ._samples import sample_request

AGAIN = Again(
    of="00",
    approver="alice",
    used_by="publish",
    changes=(Difference(fact="commit", before="a", after=None),),
    answers={"ticket": "REL-1"},
)
_OF_MODELS = {
    "proposals": (Proposal(step="diagnose", model="claude-opus-5-5", source="live"),),
    "plan_changes": (PlanChange(step="apply", before="", lines=("+ ['touch', 'made']",)),),
}


def test_request_is_json_data_with_every_field() -> None:
    """Evidence keeps the whole request: each field is in its data, and the data survives JSON."""
    # given
    rules = SignatureRules(assurance=2, approvers={"managers": ("alice",)}, required={"managers": 1})
    request = sample_request(
        rules=rules,
        form=(FormField(name="ticket"),),
        **_OF_MODELS,
        waived=("tests",),
        broken_glass=("stage by zoe: it burns",),
        again=AGAIN,
        failure="it is red",
        conclusion="00",
    )

    # when
    data = request.to_data()

    # then
    assert set(data) == {field.name for field in fields(GateRequest)}
    # Of a gate without them the data is what it was before there were signatures, forms, models and waivers.
    later = {"rules", "form", "waived", "failure", "conclusion", "broken_glass", "again", *_OF_MODELS}
    assert set(sample_request().to_data()) == set(data) - later
    assert json.loads(canonical_json(data)) == data


def test_digest_is_that_of_the_data() -> None:
    """Whoever has the data of a request can recompute its digest."""
    # given
    request = sample_request()

    # when
    kept = json.loads(canonical_json(request.to_data()))

    # then
    assert request.digest == digest_of(kept)


def test_request_can_not_be_edited() -> None:
    """A request that was shown stays what was shown."""
    # given
    request = sample_request()

    # when
    with pytest.raises(FrozenInstanceError):
        request.commit = "00" * 20  # type: ignore[misc]  # this is what must fail

    # then
    assert request == sample_request()


def test_value_that_json_has_no_word_for_has_no_digest() -> None:
    """A value without one spelling can't be approved."""
    # given
    request = sample_request(inputs={"share": float("nan")})

    # when
    with pytest.raises(ValueError, match="JSON compliant") as caught:
        _ = request.digest

    # then
    assert caught.type is ValueError


def test_first_form_says_what_it_lacks() -> None:
    """A request that names no pin, signers or level says that there is none."""
    # given
    given = {field.name: getattr(sample_request(), field.name) for field in fields(GateRequest)}

    # when
    request = GateRequest(**{name: value for name, value in given.items() if name not in {"pin", "signers", "level"}})

    # then
    assert (request.pin, request.signers, request.level) == ("unpinned", "none yet", "none")


def test_differences_are_what_is_gone_and_what_is_new() -> None:
    """Of lists and tables only what differs is told; another order is another list; what the session is tells nothing."""
    # given
    before: dict[str, Json] = {
        "commit": "a",
        "covers": [1, 2],
        "inputs": {"version": "1", "host": "x"},
        "refs": ["r", "s"],
        "attempt": 1,
        "dirty": True,
    }
    after: dict[str, Json] = {
        "commit": "b",
        "covers": [2, 3],
        "inputs": {"version": "2", "host": "x"},
        "refs": ["s", "r"],
        "attempt": 2,
        "dirty": 1,
        "waived": ["t"],
    }

    # when
    found = [(each.fact, each.before, each.after) for each in differences(before, after)]

    # then
    assert found == [
        ("commit", "a", "b"),
        ("covers", [1], [3]),
        ("dirty", True, 1),
        ("inputs", {"version": "1"}, {"version": "2"}),
        ("refs", ["r", "s"], ["s", "r"]),
        ("waived", None, ["t"]),
    ]
    assert differences(before, before) == ()


@pytest.mark.parametrize(
    "change", [{"of": 1}, {"changes": {}}, {"changes": [1]}, {"more": "x"}, {"answers": []}], ids=str
)
def test_what_evidence_says_of_an_earlier_approval_is_read_strictly(change: dict[str, object]) -> None:
    """What this version would not write is no request."""
    # given
    data = {**sample_request().to_data(), "again": {**AGAIN.to_data(), **change}}

    # when
    with pytest.raises(StoredRequestError, match="none that this version writes"):
        request_of(data, digest="00")  # type: ignore[arg-type]  # what is no JSON of ours
