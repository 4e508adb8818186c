"""What a step leaves for later ones: values that survive as JSON, and files with their digests."""

from __future__ import annotations

import glob
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from pytest_workflow_exec.definition import ValueProblemError, value_of_type
from pytest_workflow_exec.digests import Json, canonical_json, digest_of_file
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.evidence import refuse_unkeepable
from pytest_workflow_exec.model import OutputRule, OutputType
from pytest_workflow_exec.run._json import json_output
from pytest_workflow_exec.run._values import FileOutput, StepOutputs, Values
from pytest_workflow_exec.sandbox import CommandResult

NO_OUTPUTS = StepOutputs(values={}, files={})


def outputs_of_command(rules: Iterable[OutputRule], result: CommandResult, values: Values) -> StepOutputs:
    """Return what a command left: its texts, its exit status, and every declared output.

    Raises:
        OutputError: A declared output is missing or ambiguous.
    """
    found: dict[str, Json] = {
        "stdout": result.stdout.removesuffix("\n"),
        "stderr": result.stderr.removesuffix("\n"),
        "exit": result.exit,
    }
    rules = tuple(rules)
    found |= {rule.name: _from_text(rule, result, values) for rule in rules if rule.kind == "stdout"}
    found |= {rule.name: _from_json(rule, result) for rule in rules if rule.kind == "json"}
    there = outputs_that_are_there(rules, values)
    return StepOutputs(values={**found, **there.values}, files=there.files)


def outputs_that_are_there(rules: Iterable[OutputRule], values: Values) -> StepOutputs:
    """Return the outputs that are files, whoever made them.

    Raises:
        OutputError: One is missing or ambiguous.
    """
    found: dict[str, Json] = {}
    files: dict[str, FileOutput] = {}
    for rule in rules:
        if rule.kind != "glob":
            continue
        paths = _from_glob(rule, values)
        found[rule.name] = list(paths) if rule.as_list else paths[0]
        files |= {
            (f"{rule.name}[{number}]" if rule.as_list else rule.name): file_output(values.root, values.root / path)
            for number, path in enumerate(paths)
        }
    return StepOutputs(values=found, files=files)


def outputs_without_run(rules: Iterable[OutputRule], values: Values) -> StepOutputs:
    """Return what a command leaves that did not apply: the defaults of its outputs.

    Raises:
        OutputError: A value in a default is not there.
    """
    return StepOutputs(
        values={rule.name: _typed(rule, values.text(rule.default)) for rule in rules if rule.default is not None},
        files={},
    )


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
    adapter = _adapter(object if annotation is None else annotation)
    try:
        _refuse_what_json_changes(adapter.dump_python(returned, warnings="error"), any_keys=annotation is not None)
        value = cast("Json", adapter.dump_python(returned, mode="json", warnings="error"))
        adapter.validate_json(canonical_json(value))
    except (PydanticSerializationError, ValidationError, ValueError, TypeError) as error:
        message = f"the returned value can't be kept as JSON: {error}"
        raise OutputError(message) from error
    named = value if isinstance(value, Mapping) else {"value": value}
    return StepOutputs(values=named, files=_files_of(returned, root))


def _refuse_missing(annotation: object) -> None:
    # Most steps are annotated with nothing, or with None.
    if annotation in (None, type(None)):
        return
    try:
        _adapter(annotation).validate_python(None)
    except ValidationError as error:
        name = getattr(annotation, "__name__", str(annotation))
        message = f"it returned nothing, and its annotation says that it returns {name}"
        raise OutputError(message) from error


def keepable(outputs: StepOutputs, *, evidence: Iterable[str] = ()) -> StepOutputs:
    """Return the outputs if evidence can hold them: a step must not be reported passed before that is certain.

    Args:
        outputs: What the step left.
        evidence: The values that it must leave.

    Raises:
        OutputError: One of those is missing or empty.
        ValueRefusedError: A value is none that evidence can hold.
    """
    for key in evidence:
        if key not in outputs.values:
            message = (
                f"the step left no {key!r}, which is its evidence (it left {', '.join(outputs.values) or 'nothing'})"
            )
            raise OutputError(message)
        value = outputs.values[key]
        if value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip()):
            message = f"the step left {key!r} empty, which is its evidence"
            raise OutputError(message)
    # Most steps leave nothing.
    if outputs.values:
        refuse_unkeepable(outputs.values, "outputs")
    if outputs.files:
        refuse_unkeepable({name: file.to_data() for name, file in outputs.files.items()}, "files")
    return outputs


def restore_return(outputs: StepOutputs, annotation: object) -> object:
    """Return the value that later steps see: what the annotation makes of the kept JSON.

    Raises:
        OutputError: The kept JSON is not what the annotation says.
    """
    bare = outputs.values["value"] if set(outputs.values) == {"value"} else outputs.values
    if annotation is None:
        return bare
    adapter = _adapter(annotation)
    try:
        return adapter.validate_python(bare, strict=False)
    except ValidationError as error:
        message = f"the kept value is not what its step is annotated to return: {error}"
        raise OutputError(message) from error


def file_output(root: Path, path: Path) -> FileOutput:
    """Return a file as an output.

    Raises:
        OutputError: It can't be read.
    """
    inside = Path(os.path.relpath(path, root)) if path.is_relative_to(root) else path
    try:
        return FileOutput(path=inside.as_posix(), sha256=digest_of_file(path), size_bytes=path.stat().st_size)
    except OSError as error:
        message = f"the output {path} can't be read: {error.strerror}"
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
    try:
        return TypeAdapter(cast("Any", annotation))
    except PydanticSchemaGenerationError as error:
        message = f"the return annotation {annotation!r} is nothing that JSON can be checked against: {error.message}"
        raise OutputError(message) from error


def _from_text(rule: OutputRule, result: CommandResult, values: Values) -> Json:
    if result.truncated:
        message = f"output {rule.name!r} can't be read: the command printed more than is kept"
        raise OutputError(message)
    matches = list(re.finditer(values.pattern(rule.pattern), result.stdout, re.MULTILINE))
    if not matches:
        message = f"output {rule.name!r} was not found: nothing in stdout matches {rule.pattern.text!r}"
        raise OutputError(message)
    if rule.as_list:
        return [_matched(match) for match in matches]
    groups = matches[0].groupdict()
    if groups and set(groups) != {rule.name}:
        return cast("Json", groups)
    return _typed(rule, _matched(matches[0]))


def _matched(match: re.Match[str]) -> str:
    return match.group(1) or "" if match.re.groups == 1 else match.group()


def _typed(rule: OutputRule, text: str) -> Json:
    if rule.type is None:
        return text
    try:
        value = value_of_type(rule.type, text)
    except ValueProblemError as error:
        message = f"output {rule.name!r} {error}"
        raise OutputError(message) from error
    return list(value) if isinstance(value, tuple) else value


def _from_json(rule: OutputRule, result: CommandResult) -> Json:
    try:
        value = json_output(rule.pattern.text, result, as_list=rule.as_list)
    except OutputError as error:
        message = f"output {rule.name!r}: {error}"
        raise OutputError(message) from error
    if rule.type is not None and not _IS[rule.type](value):
        message = f"output {rule.name!r} must be of type {rule.type}, not {json.dumps(value)[:80]}"
        raise OutputError(message)
    return value


_IS: Mapping[OutputType, Callable[[Json], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
}


def _from_glob(rule: OutputRule, values: Values) -> list[str]:
    pattern = "".join(
        part if isinstance(part, str) else glob.escape(str(values.value(part))) for part in rule.pattern.parts
    )
    # Path.glob takes no text that could hold an escaped reference, and follows other rules for hidden files.
    found = sorted(glob.glob(pattern, root_dir=values.root, recursive=True))  # noqa: PTH207
    files = [path for path in found if (values.root / path).is_file()]
    if not files or (rule.count is not None and len(files) != rule.count):
        wanted = "at least one file" if rule.count is None else f"{rule.count} file{'s' * (rule.count != 1)}"
        message = f"output {rule.name!r}: {pattern!r} must find {wanted}, found {', '.join(files) or 'none'}"
        raise OutputError(message)
    for path in files:
        if not (values.root / path).resolve().is_relative_to(values.root.resolve()):
            message = f"output {rule.name!r}: {path!r} leads out of the project"
            raise OutputError(message)
    return files


def _files_of(returned: object, root: Path) -> dict[str, FileOutput]:
    if isinstance(returned, Path):
        fields: Mapping[str, object] = {"value": returned}
    elif isinstance(returned, Mapping):
        fields = returned
    else:
        fields = getattr(returned, "__dict__", {})
    paths = {name: path for name, path in fields.items() if isinstance(path, Path)}
    return {name: file_output(root, root / path) for name, path in paths.items() if (root / path).is_file()}
