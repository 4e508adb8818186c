"""A request with a value for every fact, for tests and for the process that asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_workflow_exec.approval import AuthorWords, Covered, GateRequest, ShownFile, ShownOutput

_SAMPLE = GateRequest(
    run="0192f0c1-7e1a-7cc0-8a4e-2f5d5a0c1b2e",
    workflow="release",
    plan_digest="1a" * 32,
    step="approve",
    attempt=3,
    meaning="responsibility",
    refs=("REL-1", "REL-2"),
    inputs={"version": "1.2.3", "hosts": ["web1", "web2"]},
    starter={"user": "alice", "uid": 1000, "host": "build-host"},
    covers=(
        Covered(step="publish", kind="run", does="['twine', 'upload', 'dist/demo-1.2.3.whl']"),
        Covered(step="announce", kind="call", does="function tell of checks.py"),
    ),
    on_reject=(Covered(step="cleanup", kind="run", does="['git', 'worktree', 'prune']"),),
    shown=(
        ShownOutput(
            step="build",
            key="wheel",
            value="dist/demo-1.2.3.whl",
            file=ShownFile(path="outputs/demo-1.2.3.whl", sha256="2b" * 32, size_bytes=48213),
        ),
        ShownOutput(step="changelog", key="entries", value=17),
    ),
    commit="3c" * 20,
    dirty=True,
    policy_digest="4d" * 32,
    pin="unpinned",
    signers="none yet",
    level="none",
    carried=("clean-tree", "smoke"),
    evidence_seq=41,
    evidence_head="5e" * 32,
    nonce="6f" * 16,
    issued="2026-01-02T03:04:05Z",
    expires="2999-01-02T03:04:05Z",
    author_words=(
        AuthorWords(source="question", text="Publish 1.2.3?"),
        AuthorWords(source="model", text="All is well."),
    ),
)


def sample_request(**changes: Any) -> GateRequest:
    """Return the sample, with some of its facts changed."""
    return replace(_SAMPLE, **changes)
