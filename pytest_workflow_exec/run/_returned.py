"""What a function returned, as JSON that its annotation accepts again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.run._outputs import NO_OUTPUTS, file_output
from pytest_workflow_exec.run._values import FileOutput, StepOutputs

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def outputs_of_return(returned: object, annotation: object, *, root: Path) -> StepOutputs:
    """Return what a function returned, as JSON that its annotation accepts again.

    Args:
        annotation: The function's return annotation; None if it has none.
        root: The project; files below it are named from there.

    Raises:
        OutputError: The value can't be kept as JSON, or does not come back as what was annotated; or there is none, and the
            annotation says that there is one.
    """
    if returned is None:
        _refuse_missing(annotation)
        return NO_OUTPUTS
    # Loaded by steps that return something, and by no others.
    from pydantic import ValidationError
    from pydantic_core import PydanticSerializationError

    adapter = _adapter(object if annotation is None else annotation)
    try:
        _refuse_what_json_changes(adapter.dump_python(returned, warnings="error"), any_keys=annotation is not None)
        value = cast("Json", adapter.dump_python(returned, mode="json", warnings="error"))
        adapter.validate_json(canonical_json(value))
    except (PydanticSerializationError, ValidationError, ValueError, TypeError) as error:
        message = f"the returned value can't be kept as JSON: {error}"
        raise OutputError(message) from error
    except RecursionError as error:
        message = "the returned value can't be kept as JSON: it is nested too deeply, or holds itself"
        raise OutputError(message) from error
    named = value if isinstance(value, Mapping) else {"value": value}
    return StepOutputs(values=named, files=_files_of(returned, root))


def _refuse_missing(annotation: object) -> None:
    # Most steps are annotated with nothing, or with None.
    if annotation in (None, type(None)):
        return
    from pydantic import ValidationError

    try:
        _adapter(annotation).validate_python(None)
    except ValidationError as error:
        name = getattr(annotation, "__name__", str(annotation))
        message = f"it returned nothing, and its annotation says that it returns {name}"
        raise OutputError(message) from error


def restore_return(outputs: StepOutputs, annotation: object) -> object:
    """Return the value that later steps see: what the annotation makes of the kept JSON.

    Raises:
        OutputError: The kept JSON is not what the annotation says.
    """
    bare = outputs.values["value"] if set(outputs.values) == {"value"} else outputs.values
    if annotation is None:
        return bare
    from pydantic import ValidationError

    adapter = _adapter(annotation)
    try:
        return adapter.validate_python(bare, strict=False)
    except ValidationError as error:
        message = f"the kept value is not what its step is annotated to return: {error}"
        raise OutputError(message) from error


def _refuse_what_json_changes(value: object, *, any_keys: bool) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        message = f"{value} has no spelling in JSON"
        raise ValueError(message)
    if isinstance(value, Mapping):
        for key, item in value.items():
            # JSON's keys are texts: 1 and "1" would become one key, and one of the two values would be lost.
            # An annotated mapping gets its keys' own type back, so that it can't happen there unnoticed.
            if not any_keys and not isinstance(key, str):
                message = f"the key {key!r} is no text"
                raise ValueError(message)
            _refuse_what_json_changes(item, any_keys=any_keys)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _refuse_what_json_changes(item, any_keys=any_keys)


def _adapter(annotation: object) -> TypeAdapter[object]:
    from pydantic import PydanticSchemaGenerationError, TypeAdapter

    try:
        return TypeAdapter(cast("Any", annotation))
    except PydanticSchemaGenerationError as error:
        message = f"the return annotation {annotation!r} is nothing that JSON can be checked against: {error.message}"
        raise OutputError(message) from error


def _files_of(returned: object, root: Path) -> dict[str, FileOutput]:
    if isinstance(returned, Path):
        fields: Mapping[str, object] = {"value": returned}
    elif isinstance(returned, Mapping):
        fields = returned
    else:
        fields = getattr(returned, "__dict__", {})
    paths = {name: path for name, path in fields.items() if isinstance(path, Path)}
    return {name: file_output(root, root / path) for name, path in paths.items() if (root / path).is_file()}
