"""What is kept of answers, so that a run can be repeated without a model: whole requests and what was accepted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast
from urllib.parse import quote

from pydantic import Field

from pytest_workflow_exec.digests import Json, digest_of

from ._backend import AiAnswer, AiAttempt, AiRequest, AiUsage
from ._kept import CassetteError, Kept, KeptUsage, OfStep, read_kept

Redact: TypeAlias = Callable[[Json], Json]
"""Takes known secrets out of a value."""

_MAX_NAME = 150
_DIGEST = 16


class Question(Kept):
    """What decides an answer; a request with another one of it was never answered."""

    model: str
    system: str
    prompt: str
    schema_digest: str

    @classmethod
    def of(cls, request: AiRequest, redact: Redact) -> Question:
        """Return what of a request is kept and compared, with secrets taken out of it."""
        return cls(
            model=request.model,
            system=_whole(str(redact(request.system))),
            prompt=_whole(str(redact(request.prompt))),
            schema_digest=digest_of(request.schema),
        )

    def differs_in(self, other: Question) -> str:
        """Return in words what differs."""
        parts = {"model": "model", "system": "system prompt", "prompt": "prompt", "schema_digest": "type of the answer"}
        differing = [words for name, words in parts.items() if getattr(self, name) != getattr(other, name)]
        if self.prompt != other.prompt:
            differing[differing.index("prompt")] = f"prompt (from line {_first_line(self.prompt, other.prompt)} on)"
        return ", ".join(differing)


class _Attempt(Kept):
    value: Any
    errors: tuple[str, ...] = ()


class Turn(Kept):
    """One answered request."""

    question: Question
    attempts: Annotated[tuple[_Attempt, ...], Field(min_length=1)]
    usage: KeptUsage
    versions: dict[str, str]
    options: dict[str, Any]

    @classmethod
    def of(cls, question: Question, answer: AiAnswer, redact: Redact) -> Turn:
        """Return what is kept of an answer, with secrets taken out of it."""
        attempts = [
            {"value": each.value, "errors": [_whole(error) for error in each.errors]} for each in answer.attempts
        ]
        kept = {
            "attempts": redact(cast("Json", attempts)),
            "usage": {
                "input_tokens": answer.usage.input_tokens,
                "output_tokens": answer.usage.output_tokens,
                "cost_usd": answer.usage.cost_usd,
            },
            "versions": redact(dict(answer.versions)),
            "options": redact(dict(answer.options)),
        }
        return cls.model_validate({"question": question, **kept})

    def answer(self) -> AiAnswer:
        """Return the answer as it was, but for where it comes from."""
        return AiAnswer(
            value=self.attempts[-1].value,
            source="replay",
            attempts=tuple(AiAttempt(value=each.value, errors=each.errors) for each in self.attempts),
            usage=AiUsage(
                input_tokens=self.usage.input_tokens,
                output_tokens=self.usage.output_tokens,
                cost_usd=self.usage.cost_usd,
            ),
            versions=self.versions,
            options=self.options,
        )


class Cassette(OfStep):
    """All answers that a step got, in order."""

    format: Literal["workflow-exec-cassette/1"] = "workflow-exec-cassette/1"
    turns: tuple[Turn, ...]

    @classmethod
    def read(cls, text: str, *, step: str) -> Cassette:
        """Return the cassette of a step.

        Raises:
            CassetteError: The text is none, or that of another step.
        """
        cassette = read_kept(cls, text, step=step)
        if any(turn.attempts[-1].errors for turn in cassette.turns):
            raise CassetteError("its last attempt was not accepted")
        return cassette

    def turns_for(self, question: Question) -> Sequence[Turn]:
        """Return the answers to a question, in the order in which they were given."""
        return [turn for turn in self.turns if turn.question == question]


def cassette_path(folder: Path, step: str) -> Path:
    """Return where the cassette of a step lies: a file of `folder`, whatever the step's id holds."""
    name = quote(step, safe="[]@,=+ ").replace(".", "%2E")
    if len(name) > _MAX_NAME:
        name = f"{name[:_MAX_NAME]}-{hashlib.sha256(step.encode()).hexdigest()[:_DIGEST]}"
    return folder / f"{name}.json"


def _whole(text: str) -> str:
    """Return a text in which halves of characters are spelled out: pydantic takes none."""
    return text.encode("utf-8", "backslashreplace").decode()


def _first_line(one: str, other: str) -> int:
    lines, others = one.splitlines(), other.splitlines()
    same = (line == before for line, before in zip(lines, others, strict=False))
    return next((number for number, equal in enumerate(same, 1) if not equal), min(len(lines), len(others)) + 1)
