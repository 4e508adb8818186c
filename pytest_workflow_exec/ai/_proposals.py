"""The proposals of one request: what the model said word for word, and what Python made of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import cast

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.strict_json import StrictJsonError, parse

from ._backend import AiAttempt
from ._schema_wrap import WRAPPED

ONE_ONLY = "an answer has been accepted already; there is nothing more to do"


@dataclass(slots=True)
class Proposals:
    """What was proposed so far.

    The program changes what does not fit the schema (`"1"` becomes `1`) before it shows it to anybody. So the texts of
    the calls are put together from the stream, as the model said them, and only they are judged and kept.
    """

    wrapped: bool
    attempts: list[AiAttempt] = field(default_factory=list)
    _texts: dict[str, list[str]] = field(default_factory=dict)
    _whole: set[str] = field(default_factory=set)
    _places: dict[str, int] = field(default_factory=dict)
    _shown: dict[str, str] = field(default_factory=dict)
    accepted: str | None = None

    def begin(self, call: str) -> None:
        """Note that a call begins."""
        self._texts[call] = []

    def add(self, call: str, text: str) -> None:
        """Note the next part of a call."""
        self._texts[call].append(text)

    def end(self, call: str) -> None:
        """Note that a call is whole."""
        self._whole.add(call)

    def is_whole(self, call: str) -> bool:
        """Return whether everything of a call was seen."""
        return call in self._whole

    def judge(self, call: str, shown: object, accept: Callable[[Json], tuple[str, ...]]) -> tuple[str, ...]:
        """Return what is wrong with a call's value, and remember it.

        Args:
            call: The id of the call, which is whole.
            shown: What the program made of it.
            accept: Has the final word.
        """
        if self.accepted is not None:
            return (ONE_ONLY,)
        try:
            value = parse("".join(self._texts[call]) or "{}")
        except StrictJsonError as error:
            return self._note(call, "".join(self._texts[call]), (f"the answer is not usable: {error}",))
        errors = self._unwrapped_errors(value)
        if not errors:
            value = cast("Mapping[str, Json]", value)[WRAPPED] if self.wrapped else value
            errors = accept(value)
        if not errors:
            self.accepted = call
            self._shown[call] = _spelling(shown)
        return self._note(call, value, errors)

    def refuse(self, call: str, reason: str) -> None:
        """Note that the program refused a call that Python had accepted."""
        if call == self.accepted:
            place = self._places[call]
            self.attempts[place] = replace(self.attempts[place], errors=(reason,))
            self.accepted = None

    def add_prose(self, text: str) -> None:
        """Note that the model wrote prose where a value was wanted."""
        self.attempts.append(AiAttempt(value=text, errors=("it is prose, and a value was asked for",)))

    def is_accepted(self, shown: object) -> bool:
        """Return whether what the program gives out at the end is the value that Python accepted."""
        return self.accepted is not None and self._shown[self.accepted] == _spelling(shown)

    def _unwrapped_errors(self, value: Json) -> tuple[str, ...]:
        if self.wrapped and not (isinstance(value, Mapping) and list(value) == [WRAPPED]):
            return (f"the answer stands alone under the key {WRAPPED!r}",)
        return ()

    def _note(self, call: str, value: Json, errors: tuple[str, ...]) -> tuple[str, ...]:
        self._places[call] = len(self.attempts)
        self.attempts.append(AiAttempt(value=value, errors=errors))
        return errors


def _spelling(value: object) -> str:
    try:
        return canonical_json(cast("Json", value))
    except (TypeError, ValueError):
        return repr(value)
