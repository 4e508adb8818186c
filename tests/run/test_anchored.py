"""`carry = "anchored"`: a step of an earlier session counts only up to a seal of a signer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.cli import main
from pytest_workflow_exec.errors import GateDeniedError, SettingsError
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Run, preflight
from pytest_workflow_exec.run._preflight import known_values
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import load_settings
from pytest_workflow_exec.verify import Signers, verify_log
from tests._ssh_keys import PRINCIPALS, make_keys, public
from tests.evidence._logs import rechained, records_in

from .conftest import CONFIGURATION, Project, approved
from .test_carry import FLOW, FOUR, broken_off, reasons

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")

UNANCHORED = "it isn't anchored: no seal of a pinned signer covers it"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and a list of signers."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(autouse=True)
def configured(project: Project) -> None:
    """A policy that carries only what is anchored."""
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + 'carry = "anchored"\n')


def seal(run: Run, keys: Path, name: str = "alice", principal: str | None = None) -> None:
    """Seal the end of a run."""
    who = PRINCIPALS[name] if principal is None else principal
    assert main(["seal", str(run.log_path), "--key", str(keys / name), "--principal", who]) == 0


def anchored(run: Run, keys: Path, *, revoked: bytes | None = None) -> int:
    """Return the last record of a run that a seal of a listed signer covers; -1 if none does."""
    signers = Signers(name="signers", content=(keys / "signers").read_bytes(), revoked=revoked)
    through = verify_log(run.log_path, signers=signers).anchored_through
    return -1 if through is None else through


def refusing(request: GateRequest, timeout_s: float) -> Decision:
    """Reject whatever is asked."""
    return Decision(
        decision="rejected", reason="no", approver=approved(request, timeout_s).approver, channel="terminal",
        terminal="/dev/pts/1", assurance=1,
    )  # fmt: skip


def test_what_a_seal_covers_is_carried(project: Project, keys: Path) -> None:
    """Steps at or before a seal are carried; those behind the last one run again, with a person's consent."""
    before = broken_off(project, done=("one", "made"), failed="two")
    seal(before, keys)
    through = anchored(before, keys)
    assert through == records_in(before.log_path)[-2]["seq"]

    second = project.open(FLOW, after=before, anchored_through=through)
    for step in ("one", "made"):
        second.carry(second.workflow.step(step))
    for step in ("two", "three"):
        project.perform(second, step)
    second.start(second.workflow.step("last"))
    second.finish("last", Outcome.FAILED, message="no")
    second.close(interrupted=False)

    assert anchored(second, keys) == through, "a seal says nothing of what follows it"
    with pytest.raises(GateDeniedError):
        project.open(FLOW, after=second, anchored_through=through, approver=refusing)
    third = project.open(FLOW, after=second, anchored_through=through)
    assert project.go_through(third) == {
        "one": "carried", "made": "carried", "two": "passed", "three": "passed", "last": "passed"
    }  # fmt: skip
    assert {step: said[0] for step, said in reasons(third).items()} == dict.fromkeys(("two", "three"), UNANCHORED)
    assert verify_log(third.log_path).word == "bounded"


@pytest.mark.parametrize("forged", ["nobody", "unlisted", "another's name", "revoked", "another run", "rewritten"])
def test_a_seal_that_does_not_count_carries_nothing(project: Project, keys: Path, forged: str) -> None:
    """A key that is not listed, claims another's name or is revoked, and a seal over something else, anchor nothing."""
    before = broken_off(project)
    revoked = f"{public(keys, 'alice')}\n".encode() if forged == "revoked" else None
    if forged == "unlisted":
        seal(before, keys, "mallory")
    elif forged == "another's name":
        seal(before, keys, "mallory", PRINCIPALS["alice"])
    elif forged != "nobody":
        seal(before, keys)
    if forged == "another run":
        other = broken_off(project)
        records, armor = records_in(other.log_path), records_in(before.log_path)[-1]
        other.log_path.write_bytes(rechained([*records, {**armor, "run": other.id}]))
        before = other
    elif forged == "rewritten":
        records = records_in(before.log_path)
        records[0]["data"]["starter"]["user"] = "mallory"
        before.log_path.write_bytes(rechained(records))

    through = anchored(before, keys, revoked=revoked)

    assert through == -1
    with pytest.raises(GateDeniedError):
        project.open(FLOW, after=before, anchored_through=through, approver=refusing)
    run = project.open(FLOW, after=before, anchored_through=through)
    assert set(project.go_through(run).values()) == {"passed"}
    assert {step: said[0] for step, said in reasons(run).items()} == dict.fromkeys(FOUR, UNANCHORED)


@pytest.mark.parametrize("signed", [False, True])
def test_without_pinned_signers_the_setting_is_refused(project: Project, *, signed: bool) -> None:
    """Preflight names what is lacking and how to get it; signers that nobody pinned are not enough."""
    if signed:
        (project.root / "workflow-signers").write_text("alice@example.org ssh-ed25519 AAAA\n")
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION)
    run = broken_off(project)
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + 'carry = "anchored"\n')
    policy = compile_policy(load_settings(project.root).policy, workflow="flow", environment={"HOME": "/"})

    [problem] = preflight(
        run.workflow, steps=(), values=known_values(run.workflow, {}, {}), policy=policy, texts={}, environment={},
        terminal_problem=lambda: None, python_timeouts=True,
    )  # fmt: skip

    assert "this project has no pin" in problem.message
    assert "`workflow-exec trust`" in problem.message


def test_no_other_word_is_taken_for_it(project: Project) -> None:
    """What is no way to carry is refused with those that are."""
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + 'carry = "sealed"\n')

    with pytest.raises(SettingsError, match='"any" or "anchored" or "never"'):
        load_settings(project.root)
