"""What a step leaves for later ones: values that survive as JSON, and files with their digests."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pytest_workflow_exec.bounded_matching import matches_in
from pytest_workflow_exec.definition import ValueProblemError, value_of_type
from pytest_workflow_exec.digests import Json, digest_of_file
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.evidence import STATE_DIRECTORY, refuse_unkeepable
from pytest_workflow_exec.model import OutputRule, OutputType
from pytest_workflow_exec.run._values import FileOutput, StepOutputs, Values

if TYPE_CHECKING:
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
        if is_empty(outputs.values[key]):
            message = f"the step left {key!r} empty, which is its evidence"
            raise OutputError(message)
    # Most steps leave nothing.
    if outputs.values:
        refuse_unkeepable(outputs.values, "outputs")
    if outputs.files:
        refuse_unkeepable({name: file.to_data() for name, file in outputs.files.items()}, "files")
    return outputs


def is_empty(value: Json) -> bool:
    """Return whether a value is there and says nothing."""
    return value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip())


def file_output(root: Path, path: Path) -> FileOutput:
    """Return a file as an output.

    Raises:
        OutputError: It can't be read, or is a link to what later commands must not get by its name.
    """
    inside = path
    if path.is_relative_to(root):
        inside = Path(os.path.relpath(path, root))
        if Path(os.path.normpath(inside)).parts[:1] != ("..",):
            _refuse_led_astray(root, inside)
    try:
        return FileOutput(path=inside.as_posix(), sha256=digest_of_file(path), size_bytes=path.stat().st_size)
    except OSError as error:
        message = f"the output {path} can't be read: {error.strerror}"
        raise OutputError(message) from error


def _from_text(rule: OutputRule, result: CommandResult, values: Values) -> Json:
    if result.truncated:
        message = f"output {rule.name!r} can't be read: the command printed more than is kept"
        raise OutputError(message)
    matches = matches_in(values.pattern(rule.pattern), result.stdout, re.MULTILINE)
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
    from pytest_workflow_exec.run._json import json_output

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
        _refuse_led_astray(values.root, Path(path))
    return files


def _refuse_led_astray(root: Path, path: Path) -> None:
    # A command could make a link to a secret, of which the run would keep a copy for later commands to read.
    whole = root.resolve()
    real = (root / path).resolve()
    if not real.is_relative_to(whole):
        message = f"the output {path.as_posix()!r} leads out of the project, to {str(real)!r}"
        raise OutputError(message)
    names = real.relative_to(whole).parts
    if names[:1] == (STATE_DIRECTORY,) and names[3:4] not in {("work",), ("outputs",)}:
        message = f"the output {path.as_posix()!r} leads into the evidence, to {'/'.join(names)!r}"
        raise OutputError(message)
