"""Who could ever sign at a gate: said before the run, with the pinned lists."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from pytest_workflow_exec.approval.signature import _cryptography
from pytest_workflow_exec.model import Signed
from pytest_workflow_exec.run._signers import signing_problems
from pytest_workflow_exec.sandbox import Policy, compile_policy
from pytest_workflow_exec.settings import Pin, PolicySettings, SignersFile, Trusted
from tests.approval.signature._made import string

KEYS = {name: base64.b64encode(string(b"ssh-ed25519") + string(bytes([2]) + bytes(30) + bytes([n]))) for n, name in
        enumerate(("alice", "bob"), start=1)}  # fmt: skip
LISTED = "".join(f"{name} ssh-ed25519 {key.decode()}\n" for name, key in KEYS.items())
TEAM = {"managers": ("alice", "bob"), "security": ("carol",)}


def _policy(signers: str | None = LISTED, *, revoked: str | None = None) -> Policy:
    def listed(path: str, text: str | None) -> SignersFile | None:
        return None if text is None else SignersFile(path=path, content=text.encode())

    trusted = Trusted(signers=listed("workflow-signers", signers), revoked=listed("workflow-revoked", revoked))
    pin = Pin(trusted=trusted, root="/", by="x", at="now", place=Path("/pin"), for_machine=False, digest="0" * 64)
    settings = PolicySettings(sandbox="none", approvers=TEAM, trusted=trusted)
    return compile_policy(settings, workflow="flow", environment={}, pin=pin)


@pytest.mark.parametrize(
    ("signed", "policy", "said"),
    [
        (Signed(assurance=2, approvers=("managers",), required=2), _policy(), []),
        (Signed(assurance=2, required=2), _policy(), []),
        (
            Signed(assurance=2, approvers=("pmc",)),
            _policy(),
            ["no group of approvers pmc (it has: managers, security)"],
        ),
        (Signed(assurance=2, approvers=("managers",), required=3), _policy(), ["1 more of managers"]),
        (
            Signed(assurance=2, approvers=("managers", "security"), required={"managers": 1, "security": 1}),
            _policy(),
            ["nobody of security (carol) has a key", "1 more of security"],
        ),
        (
            Signed(assurance=2, approvers=("managers",), required=2),
            _policy(revoked=f"ssh-ed25519 {KEYS['bob'].decode()}\n"),
            ["1 more of managers"],
        ),
        (Signed(assurance=3, approvers=("managers",)), _policy(), ["has a key of a token", "1 more of managers"]),
        (Signed(assurance=2), _policy(""), ["nobody of any listed signer (nobody)", "1 more of any listed signer"]),
        (Signed(assurance=2), _policy("nonsense\n"), ["the pinned lists of keys can't be used: workflow-signers:1"]),
        (Signed(assurance=2), _policy(None), ["the pin holds no list of signers"]),
    ],
)
def test_what_nobody_can_open_is_said(signed: Signed, policy: Policy, said: list[str]) -> None:
    """Each reason why too few could ever sign has words of its own; a gate that enough can open has none."""
    problems = list(signing_problems(signed, policy))

    assert len(problems) == len(said), problems
    for part, problem in zip(said, problems, strict=True):
        assert part in problem


def test_presence_needs_what_checks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library that reads what a token says, assurance 3 is refused before the run."""
    monkeypatch.setattr(_cryptography, "available", lambda: False)

    problems = list(signing_problems(Signed(assurance=3, approvers=("managers",)), _policy()))

    assert "install pytest-workflow-exec[sign]" in problems[0]
