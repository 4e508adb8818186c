"""Whether what a step left is what a pydantic model wants as its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.model import Command, Step
from pytest_workflow_exec.run._outputs import is_empty
from pytest_workflow_exec.run._values import StepOutputs

if TYPE_CHECKING:
    from pydantic import BaseModel

_OF_EVERY_COMMAND = frozenset({"stdout", "stderr", "exit"})
_MAX_TOLD = 5


def is_model(value: object) -> TypeGuard[type[BaseModel]]:
    """Return whether that is a pydantic model."""
    from pydantic import BaseModel

    return isinstance(value, type) and issubclass(value, BaseModel)


def demand_evidence(step: Step, outputs: StepOutputs, model: type[BaseModel]) -> None:
    """Return if what a step left is what a model takes, with no required field empty.

    Args:
        step: A command's declared outputs count, and not the texts and the exit status that every command leaves.
        outputs: What it left.
        model: What it has to be.

    Raises:
        OutputError: It is something else.
    """
    from pydantic import RootModel, ValidationError

    left = _declared(outputs.values) if isinstance(step.body, Command) else outputs.values
    rooted = issubclass(model, RootModel)
    value: Json = left["value"] if rooted and left.keys() == {"value"} else dict(left)
    try:
        taken = model.model_validate_json(canonical_json(value))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        told = [_told(cast("Mapping[str, Any]", each)) for each in details[:_MAX_TOLD]]
        more = "" if len(details) <= _MAX_TOLD else f", and {len(details) - _MAX_TOLD} more"
        raise OutputError(
            f"what the step left is not its evidence, {model.__name__}: {'; '.join(told)}{more}"
        ) from error
    again = taken.model_dump(mode="json")
    fields = {model.__name__: again} if rooted else {name: again[name] for name in _required(model)}
    for name, each in fields.items():
        if is_empty(each):
            raise OutputError(f"the step left {name!r} empty, which is its evidence")


def _declared(left: Mapping[str, Json]) -> Mapping[str, Json]:
    return {name: value for name, value in left.items() if name not in _OF_EVERY_COMMAND}


def _required(model: type[BaseModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required() and not field.exclude]


def _told(detail: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"])
    return f"{place}: {message}" if place else message
