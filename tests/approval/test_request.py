"""Rules of a request as data."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields

import pytest

from pytest_workflow_exec.approval import FormField, GateRequest, PlanChange, Proposal, SignatureRules
from pytest_workflow_exec.digests import canonical_json, digest_of

from ._samples import sample_request

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
        failure="it is red",
        conclusion="00",
    )

    # when
    data = request.to_data()

    # then
    assert set(data) == {field.name for field in fields(GateRequest)}
    # Of a gate without them the data is what it was before there were signatures, forms, models and waivers.
    later = {"rules", "form", "waived", "failure", "conclusion", *_OF_MODELS}
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
