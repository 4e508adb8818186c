"""What the author's references stand for while a run goes on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from pytest_workflow_exec.definition import ValueProblemError, given_value
from pytest_workflow_exec.digests import Json, digest_of_file
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import (
    ArgumentValue,
    EachReference,
    GivenEveryReference,
    GivenReference,
    Outcome,
    Reference,
    RunId,
    StepId,
    Template,
)
from pytest_workflow_exec.redaction import holds_mask


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutput:
    """A file that a step made: where it is from the project root, and what was in it then."""

    path: str
    sha256: str
    size_bytes: int

    def to_data(self) -> Mapping[str, Json]:
        """Return it as the evidence holds it."""
        return {"path": self.path, "sha256": self.sha256, "size_bytes": self.size_bytes}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutputs:
    """What a step left for later ones: values by name, and which of them are files."""

    values: Mapping[str, Json]
    files: Mapping[str, FileOutput]


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Everything that a reference can name."""

    root: Path
    run: RunId
    run_directory: str
    """`${run.dir}`: the directory of the run that commands may write to, from the project root."""
    inputs: Mapping[str, Json]
    input_groups: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    """The secret inputs; None where a value is not to be had."""
    variables: Mapping[str, Template]
    outputs: Mapping[StepId, StepOutputs]
    """What the satisfied steps left."""
    outcomes: Mapping[StepId, Outcome]
    """How each step ended that has ended."""

    def text(self, template: Template) -> str:
        """Return the text with its references filled in.

        Raises:
            OutputError: A value is not there, is no plain text, or its file changed since it was made.
        """
        return "".join(part if isinstance(part, str) else self._spelled(part) for part in template.parts)

    def text_with_secrets(self, template: Template) -> str:
        """Return the text with its references filled in, secret inputs too; only a command may be given it.

        Raises:
            OutputError: As for `text`.
        """
        return "".join(
            part if isinstance(part, str) else self._secret(part) or self._spelled(part) for part in template.parts
        )

    def _secret(self, reference: Reference) -> str | None:
        return self.secrets.get(reference.path[0]) if reference.scope == "inputs" else None

    def argument(self, template: Template) -> str:
        """Return a command's argument with its references filled in.

        Raises:
            OutputError: As for `text`, or a value would turn the argument into an option or end it early.
        """
        text = self.text(template)
        if text.startswith("-") and not template.text.startswith("-"):
            message = f"{template.text!r} becomes the option {text!r}; a value may not do that"
            raise OutputError(message)
        if "\0" in text:
            message = f"{template.text!r} holds a NUL character"
            raise OutputError(message)
        return text

    def arguments(self, template: Template) -> list[str]:
        """Return what an element of a command stands for: one argument, or one for each value of a list.

        Raises:
            OutputError: As for `argument`, or it is no list of texts and numbers.
        """
        every = template.every
        if every is None:
            return [self.argument(template)]
        value = self.value(every)
        if not isinstance(value, (list, tuple)):
            message = f"{every} is no list"
            raise OutputError(message)
        return [self._one_of(every, item) for item in value]

    def _one_of(self, every: Reference, item: Json) -> str:
        text = self._as_text(item, every)
        if text.startswith("-") or "\0" in text:
            message = f"{every} holds {text!r}, which would be an option or no argument at all; a value may not do that"
            raise OutputError(message)
        return text

    def pattern(self, template: Template) -> str:
        """Return a regular expression whose references stand for exactly their text.

        Raises:
            OutputError: As for `text`.
        """
        return "".join(part if isinstance(part, str) else re.escape(self._spelled(part)) for part in template.parts)

    def argument_value(self, value: ArgumentValue) -> Json:
        """Return a `with:` value; a text that is one reference keeps the value's own type.

        Raises:
            OutputError: As for `text`.
        """
        if isinstance(value, Template):
            if len(value.parts) == 1 and isinstance(value.parts[0], Reference):
                return self.value(value.parts[0])
            return self.text(value)
        if isinstance(value, tuple):
            return [self.argument_value(item) for item in value]
        if isinstance(value, Mapping):
            return {key: self.argument_value(item) for key, item in value.items()}
        return value

    def value(self, reference: Reference) -> Json:
        """Return what a reference stands for.

        Raises:
            OutputError: There is no such value, or its file changed since it was made.
        """
        if isinstance(reference, EachReference):
            return reference.value
        given = reference.listed if isinstance(reference, GivenEveryReference) else reference
        return self._given(given) if isinstance(given, GivenReference) else self._named(reference)

    def _named(self, reference: Reference) -> Json:
        if reference.scope == "run":
            return self.run if reference.path == ("id",) else self.run_directory
        if reference.scope == "vars":
            return self.text(self.variables[reference.path[0]])
        if reference.scope == "inputs":
            return self._input(reference)
        return self._output(reference)

    def _given(self, reference: GivenReference) -> Json:
        given = reference.given
        raw = self.argument_value(given) if isinstance(given, Template) else given
        try:
            value = given_value(reference, raw, root=self.root)
        except ValueProblemError as error:
            message = f"{reference}: the input of {reference.fragment} {error}"
            raise OutputError(message) from error
        return list(value) if isinstance(value, tuple) else value

    def is_known(self, reference: Reference) -> bool:
        """Return whether what a reference stands for can be said before any step ran."""
        given = reference.listed if isinstance(reference, GivenEveryReference) else reference
        return self._known(given) and all(
            self._known(part) for part in (given.nested if isinstance(given, GivenReference) else ())
        )

    def readable(self, reference: Reference) -> Json:
        """Return what a reference stands for to somebody who only reads it.

        What a command printed may then also be without its secrets, and with a sign for bytes that are no text.

        Raises:
            OutputError: There is no such value, or its file changed since it was made.
        """
        if reference.scope == "steps":
            return self._output(reference, altered=True)
        return self.value(reference)

    def known(self, template: Template) -> str | None:
        """Return the text if it can be said before any step ran, else None.

        Raises:
            OutputError: A value that is known already can't stand where it stands.
        """
        return self.argument(template) if all(self._known(part) for part in template.references) else None

    def known_arguments(self, template: Template) -> list[str] | None:
        """Return what an element of a command stands for if it can be said before any step ran, else None.

        Raises:
            OutputError: As for `arguments`.
        """
        return self.arguments(template) if all(self._known(part) for part in template.references) else None

    def known_text(self, template: Template) -> str | None:
        """Return a text that is no argument if it can be said before any step ran, else None.

        Raises:
            OutputError: As for `text`.
        """
        return self.text(template) if all(self._known(part) for part in template.references) else None

    def partly_known(self, template: Template) -> list[str]:
        """Return what an element of a command is, as far as it is known; what is not stands as its author wrote it."""
        try:
            known = self.known_arguments(template)
        except OutputError:
            known = None
        if known is not None:
            return known
        return ["".join(part if isinstance(part, str) else self._as_far(part) for part in template.parts)]

    def lacks_input(self, template: Template) -> bool:
        """Return whether a text names an input that has no value, itself or through a variable."""
        return any(self._lacks(reference) for reference in template.references)

    def _lacks(self, reference: Reference) -> bool:
        if reference.scope == "vars":
            return self.lacks_input(self.variables[reference.path[0]])
        return reference.scope == "inputs" and reference.path[0] not in self.inputs

    def _as_far(self, reference: Reference) -> str:
        if isinstance(reference, GivenReference) and isinstance(reference.given, Template):
            return "".join(self.partly_known(reference.given))
        try:
            known = self._spelled(reference) if self._known(reference) else None
        except OutputError:
            known = None
        return Template(text=str(reference), parts=(reference,)).shown if known is None else known

    def _known(self, reference: Reference) -> bool:
        if reference.scope == "vars":
            return all(self._known(part) for part in self.variables[reference.path[0]].references)
        if reference.scope == "inputs":
            return reference.path[0] in self.inputs
        return reference.scope in ("each", "given")

    def _spelled(self, reference: Reference) -> str:
        return self._as_text(self.value(reference), reference)

    @staticmethod
    def _as_text(value: Json, reference: Reference) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool) or value is None or isinstance(value, (int, float)):
            return json.dumps(value)
        message = f"{reference} is a list or a mapping; it can't stand inside a text"
        raise OutputError(message)

    def _input(self, reference: Reference) -> Json:
        name, *group = reference.path
        if name in self.secrets:
            message = f"{reference} is a secret; only env and stdin of a command may hold it"
            raise OutputError(message)
        if name not in self.inputs:
            message = f"{reference} has no value"
            raise OutputError(message)
        return self.input_groups[name][group[0]] if group else self.inputs[name]

    def _output(self, reference: Reference, *, altered: bool = False) -> Json:
        step, key, *deeper = reference.path
        if key == "outcome":
            return self._outcome(step, reference)
        outputs = self.outputs.get(step)
        if outputs is None or key not in outputs.values:
            message = f"{reference} has no value: step {step!r} left no {key!r}"
            raise OutputError(message)
        if not deeper:
            self._check_files(key, outputs, reference)
        value = _dig(outputs.values[key], deeper, reference)
        if not altered:
            _refuse_altered(value, reference)
        return value

    def _check_files(self, key: str, outputs: StepOutputs, reference: Reference) -> None:
        for name, file in outputs.files.items():
            if name == key or (name.startswith(f"{key}[") and name.endswith("]")):
                check_unchanged(self.root, file, what=str(reference))

    def _outcome(self, step: StepId, reference: Reference) -> Json:
        if step not in self.outcomes:
            message = f"{reference} has no value: step {step!r} has not ended"
            raise OutputError(message)
        return self.outcomes[step].value


def check_unchanged(root: Path, file: FileOutput, *, what: str) -> None:
    """Return if the file is what it was when its step ended.

    Raises:
        OutputError: It is gone, can't be read, or holds something else.
    """
    try:
        now = digest_of_file(root / file.path)
    except OSError as error:
        message = f"{what} is gone: {file.path}: {error.strerror}"
        raise OutputError(message) from error
    if now != file.sha256:
        message = f"{what} changed since its step made it: {file.path} is now {now}, was {file.sha256}"
        raise OutputError(message)


def _refuse_altered(value: Json, reference: Reference) -> None:
    # What a command printed is kept without its secrets, and with a sign for bytes that are no text.
    # Used as a value, it would be something that nobody printed.
    for text in _texts_in(value):
        if holds_mask(text):
            message = f"{reference} held a secret, which is not kept; a later step can't use it"
            raise OutputError(message)
        if _UNREADABLE in text:
            message = f"{reference} held bytes that are no UTF-8 text; a later step can't use it"
            raise OutputError(message)


def is_altered(value: Json) -> bool:
    """Return whether a value is not as it was printed: a secret in it was masked, or bytes were no text."""
    return any(holds_mask(text) or _UNREADABLE in text for text in _texts_in(value))


_UNREADABLE = "\ufffd"


def _texts_in(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _texts_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts_in(item)


def _dig(value: Json, keys: list[str], reference: Reference) -> Json:
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            message = f"{reference} has no value: there is no {key!r} in it"
            raise OutputError(message)
        value = value[key]
    return value
