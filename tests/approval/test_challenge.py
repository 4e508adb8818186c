"""What an approver signs: every fact of the question, in ASCII, bounded, and the same wherever it is made."""

from __future__ import annotations

import json

import pytest

from pytest_workflow_exec.approval import (
    AuthorWords,
    ChallengeError,
    Covered,
    SignatureRules,
    challenge_of,
    request_of,
)
from pytest_workflow_exec.digests import canonical_json

from ._samples import sample_request
from .test_code import CHANGES

RULES = SignatureRules(assurance=2, approvers={"managers": ("alice@example.org",)}, required=1, min_wait_s=60.0)


def test_a_stranger_makes_the_same_bytes() -> None:
    """From the question as evidence holds it, each fact of which stands in the text, anybody makes what was signed."""
    request = sample_request(rules=RULES)

    stored = request_of(json.loads(canonical_json(request.to_data())), digest=request.digest)
    text = challenge_of(request, "approve").decode("ascii")

    assert challenge_of(stored, "approve") == challenge_of(request, "approve")
    assert text.splitlines()[:3] == ["pytest-workflow-exec challenge 1", "answer approve", f"request {request.digest}"]
    for fact in (
        "1. publish (run): ['twine', 'upload', 'dist/demo-1.2.3.whl']",
        "1. cleanup (run): ['git', 'worktree', 'prune']",
        f"record 41, {'5e' * 32}",
        f"sha256 {'2b' * 32} of the file",
        "6f" * 16,
        "2999-01-02T03:04:05Z",
        "managers: alice@example.org",
        "exclusion unproven",
    ):
        assert fact in text, fact


@pytest.mark.parametrize("name", CHANGES)
def test_any_change_of_the_question_changes_it(name: str) -> None:
    """A signature approves one question only: other bytes are signed if any field of it differs."""
    request = sample_request()

    answers = {"ticket": "REL-1"} if name == "form" else {}
    changed = challenge_of(sample_request(**{name: CHANGES[name]}), "approve", answers=answers)
    assert changed != challenge_of(request, "approve")


def test_an_answer_is_signed_with_its_reason() -> None:
    """What approves does not reject, and a rejection is one for its own reason; an approval has none."""
    request = sample_request()

    texts = {challenge_of(request, "approve"), *(challenge_of(request, "reject", reason=why) for why in ("a", "b"))}

    assert len(texts) == 3
    with pytest.raises(ChallengeError, match="an approval has no reason"):
        challenge_of(request, "approve", reason="because")
    with pytest.raises(ChallengeError, match="longer than 2000 characters"):
        challenge_of(request, "reject", reason="x" * 2001)


def test_words_of_strangers_are_marked_and_harmless() -> None:
    """No character of an author's text acts on a terminal, looks like another letter, or begins a line of the engine's."""
    words = "ok\x1b[2J\u202eevil\nanswer approve\n\u0440\u200b" + "\nx" * 100
    request = sample_request(author_words=(AuthorWords(source="question", text=words),))

    text = challenge_of(request, "approve").decode("ascii")

    assert text.replace("\n", "").isprintable()
    assert r"| ok\x1b[2J\u202eevil" in text
    assert text.count("\nanswer approve\n") == 1
    assert "| answer approve" in text
    assert r"| \u0440\u200b" in text
    assert "[... 43 more lines]" in text


def test_nobody_signs_what_nobody_reads() -> None:
    """A question of more than a megabyte is refused: nothing of what would run is cut off."""
    long = sample_request(covers=(Covered(step="publish", kind="run", does="x" * (1 << 20)),))

    with pytest.raises(ChallengeError, match="too long to be signed"):
        challenge_of(long, "approve")
