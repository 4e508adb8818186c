"""What is signed to approve a plan in advance: all that would run, nothing of one run alone, and not for ever."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from pytest_workflow_exec.approval import (
    BallotRefusedError,
    ChallengeError,
    Covered,
    PlanApproval,
    PlanSignature,
    ShownFile,
    ShownOutput,
    plan_approval_in,
    plan_challenge_of,
    request_of,
    valid_until,
)
from pytest_workflow_exec.digests import canonical_json

from ._samples import sample_request

UNTIL = "2030-01-31T12:00:00Z"
SHOWN = (
    ShownOutput(
        step="build",
        key="wheel",
        value="dist/a.whl",
        file=ShownFile(path="dist/a.whl", sha256="11" * 32, size_bytes=5, kept="runs/a/outputs/a.whl"),
    ),
    ShownOutput(step="tests", key="summary", value="42 passed"),
)
OF_A_RUN: dict[str, Any] = {
    "run": "0192f0c1-7e1a-7cc0-8a4e-ffffffffffff",
    "attempt": 9,
    "starter": {"user": "ci", "uid": 1, "host": "runner"},
    "shown": (
        ShownOutput(
            step="build",
            key="wheel",
            value="dist/a.whl",
            file=ShownFile(path="dist/a.whl", sha256="11" * 32, size_bytes=5, kept="elsewhere"),
        ),
        ShownOutput(step="tests", key="summary", value="of another run"),
    ),
    "commit": "aa" * 20,
    "dirty": False,
    "changes": "bb" * 32,
    "pin": "a pin of another machine",
    "signers": "another list",
    "carried": (),
    "evidence_seq": 1,
    "evidence_head": "cc" * 32,
    "nonce": "dd" * 16,
    "issued": "2029-01-02T03:04:05Z",
    "expires": "2029-02-02T03:04:05Z",
    "author_words": (),
    "on_reject": (),
}
OF_THE_PLAN: dict[str, Any] = {
    "workflow": "other",
    "plan_digest": "ee" * 32,
    "step": "another",
    "covers": (Covered(step="publish", kind="run", does="['twine', 'upload', 'dist/*']"),),
    "inputs": {"version": "1.2.4", "hosts": ["web1", "web2"]},
    "policy_digest": "ff" * 32,
    "level": "landlock",
    "meaning": "review",
    "refs": (),
    "waived": ("smoke",),
    "broken_glass": ("earlier",),
}


@pytest.mark.parametrize("name", OF_A_RUN)
def test_what_is_of_one_run_alone_is_not_signed(name: str) -> None:
    """The same bytes are made in any run that would run just this."""
    request = sample_request(shown=SHOWN)

    assert plan_challenge_of(replace(request, **{name: OF_A_RUN[name]}), UNTIL) == plan_challenge_of(request, UNTIL)


@pytest.mark.parametrize(
    "file",
    [
        None,
        ShownFile(path="dist/b.whl", sha256="11" * 32, size_bytes=5),
        ShownFile(path="dist/a.whl", sha256="22" * 32, size_bytes=5),
    ],
)
def test_the_files_that_are_shown_are_signed(file: ShownFile | None) -> None:
    """The content of a file is what a command would act on: another one, elsewhere, or none, is another plan."""
    request = sample_request(shown=SHOWN)
    other = replace(request, shown=(replace(SHOWN[0], file=file), SHOWN[1]))

    text = plan_challenge_of(request, UNTIL)

    assert text != plan_challenge_of(other, UNTIL)
    assert f"  - build.wheel = dist/a.whl, 5 bytes, sha256 {'11' * 32}".encode() in text.splitlines()


@pytest.mark.parametrize("name", OF_THE_PLAN)
def test_what_would_run_and_by_which_rules_is_signed(name: str) -> None:
    """Other bytes are made where anything else would run, or under other rules."""
    request = sample_request()

    assert plan_challenge_of(replace(request, **{name: OF_THE_PLAN[name]}), UNTIL) != plan_challenge_of(request, UNTIL)


def test_every_field_of_a_question_is_either_of_the_run_or_of_the_plan() -> None:
    """A new fact of questions is decided about here: signed, or known to differ between runs."""
    others = {"again", "form", "failure", "conclusion", "rules", "proposals", "plan_changes"}

    assert {*OF_A_RUN, *OF_THE_PLAN, *others} == set(sample_request().__dataclass_fields__)


def test_the_time_is_signed_and_a_stranger_makes_the_same_bytes() -> None:
    """In ASCII, from the question as evidence holds it; nothing in it acts on a terminal."""
    request = sample_request(covers=(Covered(step="a", kind="run", does="['x\x1b[2J\u202e\u0440']"),))
    stored = request_of(json.loads(canonical_json(request.to_data())), digest=request.digest)

    text = plan_challenge_of(request, UNTIL)

    assert plan_challenge_of(stored, UNTIL) == text
    assert plan_challenge_of(request, "2030-01-31T12:00:01Z") != text
    assert text.splitlines()[:2] == [b"pytest-workflow-exec plan in advance 1", b"valid until 2030-01-31T12:00:00Z"]
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in text)


@pytest.mark.parametrize("until", ["", "tomorrow", "2030-01-31", "2030-13-31T12:00:00Z", "2030-01-31T12:00:00+01:00"])
def test_no_moment_is_no_moment(until: str) -> None:
    """An approval without an end is none."""
    with pytest.raises(ChallengeError, match="is no moment"):
        plan_challenge_of(sample_request(), until)


def test_it_holds_from_now_for_ninety_days_at_most() -> None:
    """What is over does not count, nor what is to hold longer than anybody remembers."""
    until = datetime(2030, 1, 31, 12, tzinfo=timezone.utc)

    assert valid_until(UNTIL, at=until - timedelta(days=90)) is None
    assert valid_until(UNTIL, at=until - timedelta(seconds=1)) is None
    assert valid_until(UNTIL, at=until) == f"it held until {UNTIL}"
    assert "nobody approves for more than 90 days" in str(valid_until(UNTIL, at=until - timedelta(days=91)))


def approval() -> PlanApproval:
    """Return an approval with one signature."""
    challenge = plan_challenge_of(sample_request(), UNTIL)
    signed = PlanApproval(workflow="release", gate="approve", until=UNTIL, challenge=challenge)
    return signed.with_signature(PlanSignature("alice@example.org", "an armor"))


def test_a_file_gives_back_what_was_written() -> None:
    """Of each principal the last signature stays."""
    more = approval().with_signature(PlanSignature("bob@example.org", "b"))
    more = more.with_signature(PlanSignature("alice@example.org", "new"))

    assert plan_approval_in(more.content()) == more
    assert [each.armor for each in more.signatures] == ["b", "new"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        approval().content() + b" ",
        approval().content().replace(b'"v": 1', b'"v": 2'),
        approval().content().replace(b'"v": 1,', b'"v": 1,\n  "v": 1,'),
        approval().content().replace(b'"gate": "approve"', b'"gate": 1'),
        approval().content().replace(b'"gate": "approve"', b'"gate": "approve", "hidden": 1'),
        approval().content().replace(b'"signed": [', b'"signed": [\n    1,'),
        approval().content().replace(b'"an armor"', b"null"),
        approval().content().replace(b'"release"', b'"\\u0072elease"'),
    ],
)
def test_any_other_spelling_is_no_approval(content: bytes) -> None:
    """What a reviewer reads in the file is all that there is in it."""
    with pytest.raises(BallotRefusedError, match="it is no approved plan"):
        plan_approval_in(content)
