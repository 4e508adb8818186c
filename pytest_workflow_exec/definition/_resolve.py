"""The values of a workflow's inputs in one run: given on the command line or in a file, or read from their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType

from pytest_workflow_exec.errors import PreflightError, Problem, SecretSourceError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import DefaultFrom, InputSpec, InputValue, Workflow
from pytest_workflow_exec.redaction import MIN_SECRET_BYTES

from ._data_files import DATA_READERS, checked_size
from ._names import quoted, suggestion
from ._values import ValueProblemError, check_inside, groups_of, read_value, value_text

SECRET_WORD = "secret"  # noqa: S105 - the word that stands for one
"""What stands for a secret's value wherever inputs are shown, compared or kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """The value of a secret input."""

    variable: str
    """The environment variable that holds it."""
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs of one run."""

    values: Mapping[str, InputValue]
    groups: Mapping[str, Mapping[str, str]]
    """The named groups of each input's pattern."""
    secrets: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    """The secret inputs; in `values` the word `secret` stands for each of them."""

    def text(self, path: tuple[str, ...]) -> str:
        """Return what stands for an `inputs` reference in a text.

        Args:
            path: The reference's: the input, and a named group of its pattern if one is meant.

        Raises:
            KeyError: There is no such input or group.
        """
        if len(path) == 1:
            return value_text(self.values[path[0]])
        name, group = path
        return self.groups[name][group]


def resolve_inputs(
    workflow: Workflow, given: Mapping[str, str], *, environment: Mapping[str, str] = MappingProxyType({})
) -> Inputs:
    """Return the value of every input.

    Args:
        workflow: The workflow that declares them.
        given: Texts by input name, from the command line; they go before defaults.
        environment: Where secrets are.

    Raises:
        PreflightError: An input has no value or one that is not allowed, or a name is not declared; all of them.
    """
    inputs, problems = inputs_at_hand(workflow, given, environment=environment)
    if problems:
        raise PreflightError(problems)
    return inputs


def inputs_at_hand(
    workflow: Workflow, given: Mapping[str, str], *, environment: Mapping[str, str] | None = None
) -> tuple[Inputs, list[Problem]]:
    """Return the values of the inputs that have one, and what is wrong with the others, for whoever only looks.

    Args:
        workflow: The workflow that declares them.
        given: Texts by input name, from the command line; they go before defaults.
        environment: Where secrets are; None if none is looked for.
    """
    problems = [_undeclared(workflow, name) for name in given if name not in {spec.name for spec in workflow.inputs}]
    values: dict[str, InputValue] = {}
    groups: dict[str, Mapping[str, str]] = {}
    secrets: dict[str, Secret] = {}
    for spec in workflow.inputs:
        try:
            if spec.type == "secret":
                values[spec.name] = SECRET_WORD
                if environment is not None:
                    secrets[spec.name] = _secret(spec, given, environment)
                continue
            values[spec.name] = value = input_value(workflow.root, spec, given)
            groups[spec.name] = MappingProxyType(dict(groups_of(spec, value)))
        except ValueProblemError as error:
            problems.append(Problem(message=no_value(spec, error)))
    inputs = Inputs(values=MappingProxyType(values), groups=MappingProxyType(groups), secrets=MappingProxyType(secrets))
    return inputs, problems


def _secret(spec: InputSpec, given: Mapping[str, str], environment: Mapping[str, str]) -> Secret:
    variable = spec.variable or ""
    if spec.name in given:
        raise ValueProblemError("is a secret, and a command line is no place for one, nor is a file of inputs")
    try:
        value = environment.get(variable, "")
    except SecretSourceError as error:
        raise ValueProblemError(f"is a secret, and {error}") from error
    if not value:
        raise ValueProblemError("is a secret, and the environment does not hold it")
    # A shorter one would be found by chance in ordinary text, and is not masked there.
    if not value.isprintable() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueProblemError("is a secret that holds bytes that are no UTF-8")
    if len(value.encode()) < MIN_SECRET_BYTES:
        raise ValueProblemError(f"has fewer than {MIN_SECRET_BYTES} bytes, too few to be kept out of what is written")
    return Secret(variable=variable, value=value)


def _undeclared(workflow: Workflow, name: str) -> Problem:
    known = [spec.name for spec in workflow.inputs]
    return Problem(
        message=f"workflow {quoted(workflow.name)} has no input {quoted(name)}{suggestion(name, known)}, which "
        f"--workflow-input or --workflow-inputs gives"
    )


def input_value(root: Path, spec: InputSpec, given: Mapping[str, str]) -> InputValue:
    """Return the value of one input.

    Args:
        root: The project.
        spec: The input.
        given: Texts by input name, from the command line; they go before defaults.

    Raises:
        ValueProblemError: It has no value, or one that is not allowed.
    """
    value = read_value(spec, _raw(root, spec, given))
    check_inside(root, spec, value)
    return value


def no_value(spec: InputSpec, problem: ValueProblemError) -> str:
    """Return why an input has no value that can be used, and how to give one."""
    if spec.type == "secret":
        return f"input {quoted(spec.name)} {problem}. Set the environment variable {spec.variable}"
    return f"input {quoted(spec.name)} {problem}. Give --workflow-input {spec.name}=VALUE"


def _raw(root: Path, spec: InputSpec, given: Mapping[str, str]) -> object:
    if spec.name in given:
        return given[spec.name]
    if spec.default is None:
        raise ValueProblemError("has no value")
    if isinstance(spec.default, DefaultFrom):
        return _from_file(root, spec.default)
    return spec.default


def _from_file(root: Path, default: DefaultFrom) -> object:
    try:
        found: object = _data(root, default.path)
    except ValueProblemError as error:
        raise ValueProblemError(f"takes its default from {default.path}, which {error}") from error
    for part in default.key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise ValueProblemError(f"takes its default from {default.path}, which has no key {quoted(default.key)}")
        found = found[part]
    return found


def _data(root: Path, name: str) -> object:
    path = root / name
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            raise ValueProblemError("leads out of the project")
        return DATA_READERS[path.suffix](path, checked_size(path).read_bytes())
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, ValueProblemError):
            raise
        # UnicodeDecodeError, TOMLDecodeError and JSONDecodeError are ValueErrors; deep nesting is a RuntimeError.
        raise ValueProblemError(f"can't be read: {error}") from error
