"""The challenge: the bytes that an approver reads and signs, made of nothing but the question and the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.errors import WorkflowExecError

from ._facts import facts_of
from ._request import GateRequest
from ._screen import WORDS_TITLE
from ._stored import request_of
from ._words import cut_mark, escape

NAMESPACE = "pytest-workflow-exec"
"""What a signature says that it is for: one made for anything else is none."""
MAX_CHALLENGE_BYTES = 1 << 20
MAX_REASON_CHARS = 2000

Answer = Literal["approve", "reject"]

_NOTHING: Mapping[str, Json] = MappingProxyType({})
_FORM = "form "
_MAX_WORDS_CHARS = 4000
_MAX_WORDS_LINES = 60


class ChallengeError(WorkflowExecError):
    """A question can't be signed."""


def challenge_of(
    request: GateRequest, answer: Answer, *, reason: str = "", answers: Mapping[str, Json] = _NOTHING
) -> bytes:
    """Return what has to be signed to give an answer: ASCII lines, the same wherever they are made of this question.

    Args:
        reason: The words of who rejects; empty for an approval.
        answers: What whoever approves fills into the request's form.

    Raises:
        StoredRequestError: It is no question that an engine asks.
        ChallengeError: It would be longer than anybody reads, or the reason or what is filled in does not fit.
        TypeError: A value of the request is none that JSON has a word for.
        ValueError: A value of the request is NaN or an infinity.
    """
    if answer == "approve" and reason:
        raise ChallengeError("an approval has no reason")
    if len(reason) > MAX_REASON_CHARS:
        raise ChallengeError(f"the reason is longer than {MAX_REASON_CHARS} characters")
    wanted = sorted(field.name for field in request.fields_to_fill) if answer == "approve" else []
    if sorted(answers) != wanted:
        raise ChallengeError(f"an answer {answer} fills in just what is asked for: {', '.join(wanted) or 'nothing'}")
    # In the order of its canonical spelling, as its digest is: whoever stores it may order its names differently.
    data = json.loads(canonical_json(request.to_data()))
    ordered = request_of(data, digest=request.digest)
    text = "".join(f"{line}\n" for line in _lines(ordered, answer, reason, answers))
    # ASCII: which characters can be seen differs between versions of Unicode, and two that look alike are one word
    # to a person and two to a machine.
    content = text.encode("ascii", "backslashreplace")
    if len(content) > MAX_CHALLENGE_BYTES:
        raise ChallengeError(
            f"what the gate {request.step!r} asks is too long to be signed: {len(content)} bytes, and nobody reads more "
            f"than {MAX_CHALLENGE_BYTES}"
        )
    return content


def _lines(request: GateRequest, answer: Answer, reason: str, answers: Mapping[str, Json]) -> Iterator[str]:
    yield f"{NAMESPACE} challenge 1"
    yield f"answer {answer}"
    if answer == "reject":
        yield f"reason {canonical_json(reason)}"
    if answers:
        yield f"{_FORM}{canonical_json(answers)}"
    yield f"request {request.digest}"
    yield ""
    yield "Whoever signs this gives this answer to the following question, once."
    yield ""
    for fact in facts_of(request):
        yield f"{fact.label}:"
        for line in fact.lines:
            yield f"  {line.mark}{line.text}"
    yield ""
    yield f"{WORDS_TITLE}:"
    for words in request.author_words:
        yield f"-- {words.source}"
        lines = escape(words.text, max_chars=_MAX_WORDS_CHARS).rstrip("\n").split("\n")
        yield from (f"| {line}" for line in lines[:_MAX_WORDS_LINES])
        if len(lines) > _MAX_WORDS_LINES:
            yield "|" + cut_mark(len(lines) - _MAX_WORDS_LINES, unit="lines")
    yield "end"


def answers_in_challenge(content: bytes) -> Mapping[str, Json] | None:
    """Return what was filled into the form of the question that a file asks to sign; None if it holds nothing of that.

    Nothing of it is believed: a signature is judged over bytes that are made anew.
    """
    try:
        # Below the blank line stand texts of others.
        head = content.decode("ascii").split("\n\n", 1)[0].split("\n")
        found = next((json.loads(line.removeprefix(_FORM)) for line in head if line.startswith(_FORM)), None)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
