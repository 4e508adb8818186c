"""Files that were shown at a gate: the run's own copies of them, which later steps use instead."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run._values import FileOutput, StepOutputs, check_unchanged

_NAME_CHARACTERS = 16


class ShownFiles:
    """The copies that one run keeps of what approvers were shown."""

    def __init__(self, root: Path, run_directory: Path) -> None:
        self._root, self._folder = root, run_directory / "outputs"
        self._copies: dict[tuple[StepId, str], FileOutput] = {}
        self._originals: dict[str, str] = {}
        """What each copy was copied from, by the copy's path; both from the project root."""

    def keep(self, step: StepId, key: str, file: FileOutput) -> FileOutput:
        """Return the run's copy of an output's file.

        Raises:
            OutputError: The file is gone, or is not what its step left.
            EvidenceError: It can't be copied.
        """
        from pytest_workflow_exec.evidence import NotSameError, keep_copy

        try:
            # By path and content, so that two files never share a copy, and a file made anew gets another one.
            place = self._folder / digest_of([file.path, file.sha256])[:_NAME_CHARACTERS]
            path = keep_copy(self._root / file.path, place, sha256=file.sha256)
        except NotSameError as error:
            raise OutputError(str(error)) from error
        relative = path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path)
        copy = replace(file, path=relative)
        self._copies[step, key], self._originals[relative] = copy, file.path
        return copy

    def check_copies(self) -> None:
        """Return if every copy still holds what was shown.

        Raises:
            OutputError: One does not, or is gone.
        """
        from pytest_workflow_exec.evidence import digest_without_following

        for (step, key), copy in self._copies.items():
            what = f"{step}.{key}, which was approved,"
            try:
                found = digest_without_following(self._root / copy.path)
            except OSError as error:
                message = f"{what} is gone: {copy.path}: {error.strerror}"
                raise OutputError(message) from error
            if found != copy.sha256:
                message = f"{what} changed: {copy.path} is now {found}, was {copy.sha256}"
                raise OutputError(message)

    def check(self) -> None:
        """Return if what was shown is what a step will find, by whatever name it looks for it.

        Raises:
            OutputError: A copy is gone or changed, or the file that it is of changed.
        """
        self.check_copies()
        for (step, key), copy in self._copies.items():
            original = replace(copy, path=self._originals[copy.path])
            # Gone is gone: nobody can take it for what was approved.
            if os.path.exists(self._root / original.path):  # noqa: PTH110  # Path.exists raises where it may not look
                check_unchanged(self._root, original, what=f"{step}.{key}, which was approved,")

    def in_place_of(self, step: StepId, outputs: StepOutputs) -> StepOutputs:
        """Return a step's outputs with its copies in the place of the files that were shown."""
        copies = {key: copy for (owner, key), copy in self._copies.items() if owner == step}
        if not copies:
            return outputs
        return StepOutputs(
            values={key: self._replaced(key, value, copies) for key, value in outputs.values.items()},
            files={**outputs.files, **copies},
        )

    def _replaced(self, key: str, value: Json, copies: Mapping[str, FileOutput]) -> Json:
        if isinstance(value, list):
            return [self._replaced(f"{key}[{number}]", item, copies) for number, item in enumerate(value)]
        if key not in copies:
            return value
        # A function may have returned it as an absolute path.
        absolute = isinstance(value, str) and Path(value).is_absolute()
        return str(self._root / copies[key].path) if absolute else copies[key].path

    def original(self, text: str) -> str:
        """Return a text as it would be without copies: what a rule is matched with."""
        for copy, original in self._originals.items():
            # The whole path only: what merely begins like it, `x.whl.asc` beside `x.whl`, nobody was shown.
            text = re.sub(rf"{re.escape(copy)}(?![^\s,;:])", original.replace("\\", r"\\"), text)
        return text


class CurrentOutputs(Mapping[StepId, StepOutputs]):
    """What the steps left, as later steps see it."""

    def __init__(self, left: Mapping[StepId, StepOutputs], shown: ShownFiles) -> None:
        self._left, self._shown = left, shown

    def __getitem__(self, step: StepId) -> StepOutputs:
        """Return what a step left."""
        return self._shown.in_place_of(step, self._left[step])

    def __iter__(self) -> Iterator[StepId]:
        """Give the steps that left anything."""
        return iter(self._left)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._left)
