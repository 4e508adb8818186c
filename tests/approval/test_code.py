"""Rules of the code that a person types."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from typing import Any

import pytest

from pytest_workflow_exec.approval import (
    Again,
    AuthorWords,
    Covered,
    FormField,
    GateRequest,
    PlanChange,
    Proposal,
    ShownFile,
    SignatureRules,
)
from pytest_workflow_exec.approval._code import ALPHABET, code_of

from ._samples import sample_request

CHANGES: dict[str, Any] = {
    "run": "0192f0c1-7e1a-7cc0-8a4e-2f5d5a0c1b2f",
    "workflow": "release2",
    "plan_digest": "00" * 32,
    "step": "approve2",
    "attempt": 4,
    "meaning": "review",
    "refs": ("REL-1",),
    "inputs": {"version": "1.2.4", "hosts": ["web1", "web2"]},
    "starter": {"user": "mallory", "uid": 1000, "host": "build-host"},
    "covers": (Covered(step="publish", kind="run", does="['twine', 'upload', 'dist/evil.whl']"),),
    "on_reject": (),
    "shown": (replace(sample_request().shown[0], file=None), sample_request().shown[1]),
    "commit": None,
    "dirty": False,
    "changes": "0" * 64,
    "policy_digest": "00" * 32,
    "pin": "pinned",
    "signers": "release-managers",
    "level": "landlock",
    "carried": ("clean-tree",),
    "evidence_seq": 42,
    "evidence_head": "00" * 32,
    "nonce": "00" * 16,
    "issued": "2026-01-02T03:04:06Z",
    "expires": "2999-01-02T03:04:06Z",
    "rules": SignatureRules(assurance=2, approvers={"managers": ("alice",)}, required=1),
    "author_words": (AuthorWords(source="question", text="Publish 1.2.4?"),),
    "form": (FormField(name="ticket"),),
    "proposals": (Proposal(step="diagnose", model="claude-opus-5-5", source="scripted"),),
    "waived": ("builders",),
    "failure": "expected exit 0, found 1",
    "conclusion": "00" * 32,
    "plan_changes": (PlanChange(step="apply", before="", lines=("+ ['touch', 'made']",)),),
    "broken_glass": ("stage by zoe: it burns",),
    "again": Again(of="00" * 32, approver="alice", used_by="publish", changes=(), answers={}),
}
OF_THE_ASKING = {"nonce", "issued", "expires", "evidence_seq", "evidence_head", "author_words", "plan_changes", "again"}


def test_every_field_has_a_change() -> None:
    """The table of changes knows every field of a request."""
    assert set(CHANGES) == {field.name for field in fields(GateRequest)}


@pytest.mark.parametrize("name", CHANGES)
def test_any_change_changes_the_code(name: str) -> None:
    """A code approves one request only: it is another one if any field differs."""
    # given
    request = sample_request()

    # when
    changed = sample_request(**{name: CHANGES[name]})

    # then
    assert changed.digest != request.digest
    assert changed.code != request.code


@pytest.mark.parametrize("name", CHANGES)
def test_facts_digest_changes_with_facts_only(name: str) -> None:
    """What was decided on differs exactly if a fact differs, not if the same question is asked again."""
    # given
    request = sample_request()

    # when
    changed = sample_request(**{name: CHANGES[name]})

    # then
    assert (changed.facts_digest() == request.facts_digest()) == (name in OF_THE_ASKING)


def test_shown_file_content_changes_the_code() -> None:
    """Another content of a file that is shown is another request."""
    # given
    request = sample_request()
    output = request.shown[0]
    other = replace(output, file=ShownFile(path="outputs/demo-1.2.3.whl", sha256="00" * 32, size_bytes=48213))

    # when
    changed = sample_request(shown=(other, request.shown[1]))

    # then
    assert changed.code != request.code
    assert changed.facts_digest() != request.facts_digest()


def test_code_has_no_letters_that_are_read_as_each_other() -> None:
    """A code is two groups of four capitals and digits, none of them 0, O, 1 or I, and uses all others."""
    # when
    codes = [code_of(hashlib.sha256(str(number).encode()).hexdigest()) for number in range(500)]

    # then
    assert all(len(code) == 9 and code[4] == "-" for code in codes)
    assert set("".join(codes)) - {"-"} == set("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") == set(ALPHABET)


@pytest.mark.parametrize(
    ("digest", "code"),
    [
        ("0" * 64, "AAAA-AAAA"),
        ("f" * 64, "9999-9999"),
        ("0000000001" + "f" * 54, "AAAA-AAAB"),
        ("0800000000" + "f" * 54, "BAAA-AAAA"),
    ],
)
def test_code_is_the_start_of_the_digest(digest: str, code: str) -> None:
    """A code spells the first 40 bits of the digest, five to a character."""
    assert code_of(digest) == code


def test_code_needs_a_digest() -> None:
    """Something that is no digest has no code."""
    with pytest.raises(ValueError, match="invalid literal"):
        code_of("no digest")
