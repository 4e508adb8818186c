"""A request as evidence holds it, made a value again: for whoever decides after the run that asked has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import WorkflowExecError

from ._again import again_of
from ._field import FormField
from ._request import AuthorWords, Covered, GateRequest, PlanChange, Proposal, ShownFile, ShownOutput
from ._rules import rules_of

_OPTIONAL = {
    "commit": (str, type(None)),
    "dirty": (bool, type(None)),
    "changes": (str, type(None)),
    "pattern": (str, type(None)),
}
_NUMBERS = frozenset({"attempt", "evidence_seq", "size_bytes"})
_FREE = frozenset(
    {
        "value",
        "file",
        "inputs",
        "starter",
        "refs",
        "carried",
        "waived",
        "broken_glass",
        "covers",
        "on_reject",
        "shown",
        "author_words",
        "form",
        "rules",
        "values",
        "default",
        "proposals",
        "plan_changes",
        "lines",
        "again",
    }
)
_T = TypeVar("_T")


class StoredRequestError(WorkflowExecError):
    """A stored request is not what an engine writes."""


def request_of(data: Mapping[str, Json], *, digest: str) -> GateRequest:
    """Return the request that evidence holds.

    Args:
        data: What `GateRequest.to_data` gave.
        digest: The digest that the record says it has.

    Raises:
        StoredRequestError: It is none, or has another digest.
    """
    try:
        request = _request(cast("Mapping[str, Any]", data))
        found = request.digest
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoredRequestError("the question in the log is none that this version writes") from error
    if found != digest:
        raise StoredRequestError("the question in the log has another digest than its record says")
    return request


def _request(data: Mapping[str, Any]) -> GateRequest:
    lists: dict[str, Any] = {
        "refs": tuple(_text(each) for each in data["refs"]),
        "carried": tuple(_text(each) for each in data["carried"]),
        "waived": tuple(_text(each) for each in data.get("waived", ())),
        "broken_glass": tuple(_text(each) for each in data.get("broken_glass", ())),
        "failure": data.get("failure", ""),
        "conclusion": data.get("conclusion", ""),
        "covers": tuple(_made(Covered, each) for each in data["covers"]),
        "on_reject": tuple(_made(Covered, each) for each in data["on_reject"]),
        "shown": tuple(_shown(each) for each in data["shown"]),
        "author_words": tuple(_made(AuthorWords, each) for each in data["author_words"]),
        "form": tuple(_field(each) for each in data.get("form", ())),
        "proposals": tuple(_made(Proposal, each) for each in data.get("proposals", ())),
        "plan_changes": tuple(_change(each) for each in data.get("plan_changes", ())),
        "inputs": dict(data["inputs"]),
        "starter": dict(data["starter"]),
        "rules": None if data.get("rules") is None else rules_of(data["rules"]),
        "again": None if data.get("again") is None else again_of(data["again"]),
    }
    return _made(GateRequest, {**data, **lists})


def _field(data: Mapping[str, Any]) -> FormField:
    return _made(FormField, {**data, "values": tuple(_text(each) for each in data["values"])})


def _change(data: Mapping[str, Any]) -> PlanChange:
    return _made(PlanChange, {**data, "lines": tuple(_text(each) for each in data["lines"])})


def _shown(data: Mapping[str, Any]) -> ShownOutput:
    file = None if data["file"] is None else _made(ShownFile, data["file"])
    return _made(ShownOutput, {**data, "file": file})


def _made(kind: type[_T], data: Mapping[str, Any]) -> _T:
    for field in fields(kind):  # type: ignore[arg-type]  # each of the request's own classes is a dataclass
        if field.name in _FREE:
            continue
        wanted = _OPTIONAL.get(field.name, (int,) if field.name in _NUMBERS else (str,))
        if type(data[field.name]) not in wanted:
            message = f"{field.name} is no {wanted[0].__name__}"
            raise TypeError(message)
    return kind(**data)


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = "it is no text"
        raise TypeError(message)
    return value
