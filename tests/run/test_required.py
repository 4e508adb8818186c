"""`workflow-exec require`: what a host that never saw the run lets through, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from pytest_workflow_exec.approval import (
    PlanApproval,
    PlanSignature,
    challenge_of,
    moment_of,
    moment_text,
    plan_challenge_of,
    request_of,
)
from pytest_workflow_exec.cli import main
from pytest_workflow_exec.digests import digest_of, digest_of_bytes
from pytest_workflow_exec.errors import GateDeniedError, GateSuspendedError
from pytest_workflow_exec.evidence import keep_approved_plan, plans_folder, use_up
from pytest_workflow_exec.model import Gate, Outcome
from pytest_workflow_exec.run import Run
from tests.ai.test_flow import PLAN, Model, ask, of_type
from tests.approval.signature._made import Keys, made_keys
from tests.cli._tool import workflow_exec
from tests.evidence._logs import rechained, records_in

from .conftest import Project
from .test_signed_gate import ALICE, BOB, Team, question_of, to_the_gate

FLOW = """
workflow: flow
steps:
  - {{id: make, idempotent: true, run: [echo, made], outputs: {{wheel: {{glob: "dist/*.whl"}}}}}}
  - {{id: approve, gate: {{question: Go on?, show: [make], assurance: 2, approvers: [managers], wait: suspend{more}}}}}
  - {{id: first, run: [touch, first]}}
"""


NOTHING: Mapping[str, Path] = MappingProxyType({})


@dataclass
class Host:
    """A machine that has a list of signers, what is to be used there, and a copy of a run's folder."""

    folder: Path
    team: Team

    @property
    def artifact(self) -> Path:
        """What is about to be used."""
        return self.folder / "app.whl"

    @property
    def used(self) -> Path:
        """Where uses are noted."""
        return self.folder / "used"

    def asks(
        self, run: Run | Path, *options: str | Path, step: str = "approve", given: Mapping[str, Path] = NOTHING
    ) -> subprocess.CompletedProcess[str]:
        """Return what is said about a copy of a run."""
        log = run if isinstance(run, Path) else run.log_path
        copy = self.folder / "copied"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(log.parent, copy)
        files = {"artifact": self.artifact, "signers": self.folder / "signers", **given}
        named = [part for name, path in files.items() for part in (f"--{name}", path)]
        return workflow_exec("require", copy, step, *named, *options, cwd=self.folder)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A real key of each kind."""
    return made_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def host(
    project: Project, keys: Keys, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Host:
    """A host that has what a pinned project made."""
    team = Team(project, keys, tmp_path_factory.mktemp("home"), monkeypatch)
    (project.root / "dist").mkdir()
    (project.root / "dist" / "app.whl").write_bytes(b"the wheel\n")
    made = Host(tmp_path_factory.mktemp("host"), team)
    made.artifact.write_bytes(b"the wheel\n")
    (made.folder / "signers").write_text(team.signers)
    return made


def signed_by(host: Host, *who: str, more: str = "", **opening: Any) -> Run:
    """Return a run whose gate opened for the signatures of these."""
    run = host.team.suspend(more, flow=FLOW, **opening)
    for each in who:
        host.team.sign(run, each)
    later = host.team.open(more, after=run, flow=FLOW)
    to_the_gate(host.team.project, later)
    later.finish("approve", Outcome.PASSED)
    later.close(interrupted=True)
    return later


def taken_in(host: Host, *who: str, more: str = "") -> Run:
    """Return a run that goes on waiting after it took in the signatures of these."""
    run = host.team.suspend(more, flow=FLOW)
    for each in who:
        host.team.sign(run, each)
    return host.team.suspend(more, after=run, flow=FLOW)


def forged(host: Host, run: Run, change: Any) -> Path:
    """Return the log of a run as whoever owns its machine could have written it, with right hashes throughout."""
    folder = host.folder / "forged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run.log_path.parent, folder)
    records = records_in(run.log_path)
    change(records)
    (folder / "evidence.jsonl").write_bytes(rechained(records))
    return folder / "evidence.jsonl"


def refused(said: subprocess.CompletedProcess[str], why: str) -> None:
    """Demand a refusal for just this reason."""
    assert (said.returncode, said.stdout) == (1, ""), said.stdout + said.stderr
    assert said.stderr.startswith("workflow-exec: refused: ")
    assert why in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_signed_decision_covers_just_what_it_showed(host: Host) -> None:
    """The same bytes pass, asked for by the gate or by a step that it covers, before and after that ran."""
    run = signed_by(host, ALICE)

    by_gate = host.asks(run)
    by_step = host.asks(run, "--output", "make.wheel", "--workflow", "flow", "--json", step="first")

    assert (by_gate.returncode, by_gate.stderr) == (0, ""), by_gate.stderr
    assert "app.whl is make.wheel, as gate approve of workflow flow showed it" in by_gate.stdout
    assert "approved by alice@example.org (assurance 2), until " in by_gate.stdout
    data = json.loads(by_step.stdout)
    assert (by_step.returncode, data["result"], data["step"], data["run"]) == (0, "covered", "approve", run.id)
    assert data["nonce"] == question_nonce(run)
    assert [each["output"] for each in data["artifacts"]] == ["make.wheel"]
    assert [each["principal"] for each in data["approved_by"]] == [ALICE]
    assert data["used"] is False


def question_nonce(run: Run) -> str:
    """Return the nonce of what was asked last."""
    asked = [record for record in records_in(run.log_path) if record["type"] == "gate.requested"]
    return str(asked[-1]["data"]["request"]["nonce"])


@pytest.mark.parametrize("content", [b"another wheel\n", b"", b"x" * (1 << 25)], ids=["other", "empty", "huge"])
def test_other_bytes_are_refused(host: Host, content: bytes) -> None:
    """One changed byte, nothing, or far more is another file; nothing is noted as used."""
    run = signed_by(host, ALICE)
    host.artifact.write_bytes(content)

    refused(host.asks(run, "--used", host.used), "is no file that gate 'approve' showed")
    assert not host.used.exists()


def test_every_artifact_has_to_be_covered(host: Host) -> None:
    """Of two files that are to be used together, both must have been shown."""
    run = signed_by(host, ALICE)
    other = host.folder / "other.whl"
    other.write_bytes(b"other\n")

    refused(host.asks(run, "--artifact", other, "--used", host.used), "other.whl (sha256 ")
    assert not host.used.exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--output", "make.log"], "showed no file as 'make.log' (it showed: make.wheel)"),
        (["--workflow", "other"], "it is a decision of workflow 'flow', not of 'other'"),
        (["--required", "2"], "still needs what is required here (assurance 2), 1 of your signers"),
        (["--min-assurance", "3"], "still needs what is required here (assurance 3), 1 of your signers"),
        (["--policy", "0" * 64], "it was asked under policy "),
    ],
)
def test_what_the_host_wants_is_not_the_run_s_to_say(host: Host, options: list[str], why: str) -> None:
    """Whatever one signer agreed to, the host's own demands stand."""
    run = signed_by(host, ALICE)

    refused(host.asks(run, *options, "--used", host.used), why)
    assert not host.used.exists()


def test_the_host_s_policy_says_who_is_in_which_group(host: Host) -> None:
    """With `--policy FILE` groups count as they are there; a file of another policy, or other groups, refuses all."""
    root = host.team.project.root
    two = signed_by(host, ALICE, BOB, more=", required: 2")
    shutil.copy(root / "workflow-exec.toml", host.folder / "workflow-exec.toml")
    given = {"policy": host.folder / "workflow-exec.toml"}

    assert host.asks(two, "--required", "managers=2", given=given).returncode == 0
    refused(host.asks(two, "--required", "managers=3", given=given), "1 of managers")
    refused(host.asks(two, "--required", "security=1", given=given), "1 of security")
    unknown = host.asks(two, "--required", "pals=1", given=given)
    alone = host.asks(two, "--required", "managers=1")
    doubled = host.asks(two, "--required", "1", "--required", "2")
    assert (unknown.returncode, alone.returncode, doubled.returncode) == (2, 2, 2)
    assert "--policy has no group of approvers pals (it has: managers, security)" in unknown.stderr
    assert "needs --policy FILE" in alone.stderr
    text = (root / "workflow-exec.toml").read_text()
    (host.folder / "workflow-exec.toml").write_text(text.replace('"bob@example.org"', '"carol@example.org"'))
    refused(host.asks(two, given=given), "it was asked under policy ")


def test_one_of_two_is_not_enough(host: Host) -> None:
    """A question that wants two is not answered by one, nor by one who signs twice."""
    run = taken_in(host, ALICE, ALICE, more=", required: 2")

    refused(host.asks(run), "gate 'approve' still needs 1 of managers")


def test_a_rejection_ends_it(host: Host) -> None:
    """One signed no, or an unsigned one at the command line, stands against every signature."""
    run = host.team.suspend(", required: 2", flow=FLOW)
    host.team.sign(run, ALICE)
    host.team.sign(run, BOB, "reject", reason="no")
    denied_by_signature(host, run, ", required: 2")
    refused(host.asks(run), "gate 'approve' was rejected by bob@example.org")
    another = taken_in(host, ALICE, more=", required: 2")
    assert main(["reject", str(another.log_path), "approve", "--reason", "no"]) == 0

    refused(host.asks(another), "gate 'approve' was rejected by ")


def denied_by_signature(host: Host, run: Run, more: str) -> None:
    """Take in what was handed in, and see the gate denied."""
    later = host.team.open(more, after=run, flow=FLOW)
    with pytest.raises(GateDeniedError):
        to_the_gate(host.team.project, later)
    later.finish("approve", Outcome.DENIED)
    later.close(interrupted=False)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{name} valid-before="20200101Z" {key}', "allowed its key only before"),
        ('{name} valid-after="29990101Z" {key}', "allows its key only after"),
        ('{name} namespaces="git" {key}', "does not allow its key for 'pytest-workflow-exec'"),
        ("eve@example.org {key}", "is listed in "),
        ("{name} {mallory}", "is none of those of 'alice@example.org'"),
        ("", "'alice@example.org' is not in "),
    ],
)
def test_whose_key_counts_is_judged_here_and_now(host: Host, line: str, why: str) -> None:
    """The host's own list decides, as it is at this moment: what the run believed does not matter."""
    run = signed_by(host, ALICE)
    keys = host.team.keys
    text = line.format(name=ALICE, key=keys.line("ed25519"), mallory=keys.line("mallory"))
    (host.folder / "signers").write_text(f"{text}\n")

    refused(host.asks(run), why)


def test_a_revoked_key_proves_nothing_any_more(host: Host) -> None:
    """A key that was revoked since the decision refuses it."""
    run = signed_by(host, ALICE)
    (host.folder / "revoked").write_text(f"{host.team.keys.line('ed25519')}\n")

    refused(host.asks(run, given={"revoked": host.folder / "revoked"}), "is revoked")


def test_a_decision_holds_until_its_question_expires(host: Host) -> None:
    """What was decided in time lets nothing through once the time that was signed is over."""
    run = signed_by(host, ALICE)

    def long_ago(records: list[dict[str, Any]]) -> None:
        def earlier(moment: str) -> str:
            return (moment_of(moment) - timedelta(days=8)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

        [request] = [record["data"]["request"] for record in records if record["type"] == "gate.requested"]
        request |= {key: earlier(request[key]) for key in ("issued", "expires")}
        for record in records:
            record["ts"] = earlier(record["ts"])
        ask_anew(host, records)

    refused(host.asks(forged(host, run, long_ago)), "the decision at gate 'approve' held until ")
    refused(host.asks(forged(host, run, lambda records: ask_anew(host, records, head="0" * 64))), "another head")


def ask_anew(host: Host, records: list[dict[str, Any]], *, head: str = "") -> None:
    """Let alice sign the question as it is in the records now, with the head of the record before it."""
    place = next(number for number, record in enumerate(records) if record["type"] == "gate.requested")
    before = [json.loads(line) for line in rechained(records).splitlines()][place - 1]["hash"]
    request = records[place]["data"]["request"]
    request["evidence_head"] = head or before
    digest = digest_of(request)
    armor = host.team.keys.sign(
        "ed25519", message=(message := challenge_of(request_of(request, digest=digest), "approve"))
    )
    for record in records:
        if record["type"].startswith("gate."):
            record["data"]["digest"] = digest
        if record["type"] == "gate.decided":
            record["data"]["proof"] |= {"armor": armor, "challenge": digest_of_bytes(message)}


def test_a_wait_that_is_not_over_lets_nothing_through(host: Host) -> None:
    """`min_wait` counts by the clock of the host."""
    run = taken_in(host, ALICE, more=", min_wait: 1h")

    refused(host.asks(run), "gate 'approve' still needs time until ")


def test_who_started_the_run_is_not_counted(host: Host) -> None:
    """A signed start excludes its signer here, too; a log without that signature, or with another's, is refused."""
    run = signed_by(host, BOB, sign_start=host.team.keys.folder / "ed25519")
    challenge = challenge_of(question_in(run), "approve")
    armor = host.team.keys.sign("ed25519", message=challenge)

    def sign_as_starter(records: list[dict[str, Any]]) -> None:
        [place] = [number for number, record in enumerate(records) if record["type"] == "gate.decided"]
        # What followed would contradict it.
        del records[place + 1 :]
        decided = records[place]
        decided["data"]["approver"] = ALICE
        decided["data"]["proof"] |= {"principal": ALICE, "armor": armor}

    def unsign_start(records: list[dict[str, Any]]) -> None:
        del records[0]["data"]["signed_start"]

    assert host.asks(run).returncode == 0
    refused(host.asks(forged(host, run, sign_as_starter)), "alice@example.org started the run and may not approve it")
    assert host.asks(forged(host, run, unsign_start)).returncode == 1


def question_in(run: Run) -> Any:
    """Return what was asked last, from the log."""
    asked = [record for record in records_in(run.log_path) if record["type"] == "gate.requested"][-1]
    return request_of(asked["data"]["request"], digest=asked["data"]["digest"])


def test_a_log_that_was_edited_is_refused(host: Host) -> None:
    """An edit breaks the chain; one with right hashes breaks the signature, or the digest of the question."""
    run = signed_by(host, ALICE, more=", required: 1")
    log = host.folder / "edited" / "evidence.jsonl"
    shutil.copytree(run.log_path.parent, log.parent)
    log.write_bytes(log.read_bytes().replace(b'"approved"', b'"approvee"', 1))
    refused(host.asks(log), "the log is broken: ")
    host.artifact.write_bytes(b"another wheel\n")
    mine = digest_of_bytes(host.artifact.read_bytes())

    def show_mine(records: list[dict[str, Any]]) -> Any:
        [request] = [record["data"]["request"] for record in records if record["type"] == "gate.requested"]
        for output in request["shown"]:
            if output["file"] is not None:
                output["file"]["sha256"] = mine
        return request

    def show_mine_digested(records: list[dict[str, Any]]) -> None:
        digest = digest_of(show_mine(records))
        for record in records:
            if record["type"].startswith("gate."):
                record["data"]["digest"] = digest

    undigested = host.asks(forged(host, run, show_mine))
    digested = host.asks(forged(host, run, show_mine_digested))

    assert undigested.returncode == 1
    refused(digested, "did not sign these bytes")


def test_a_signature_of_something_else_is_none(host: Host) -> None:
    """Another run's signature, and one that was made for another namespace, prove nothing under this question."""
    moved_from, run = signed_by(host, ALICE), signed_by(host, ALICE)
    [elsewhere] = [each["data"]["proof"] for each in records_in(moved_from.log_path) if each["type"] == "gate.decided"]
    challenge = challenge_of(question_in(run), "approve")
    for_git = host.team.keys.sign("ed25519", message=challenge, namespace="git")

    def with_proof(**changes: str) -> Any:
        def change(records: list[dict[str, Any]]) -> None:
            [decided] = [record for record in records if record["type"] == "gate.decided"]
            decided["data"]["proof"] |= changes

        return change

    refused(host.asks(forged(host, run, with_proof(armor=elsewhere["armor"]))), "did not sign these bytes")
    refused(host.asks(forged(host, run, with_proof(armor=for_git))), "it was made for 'git'")
    refused(host.asks(forged(host, run, with_proof(armor="none"))), "this is no SSH signature")


def test_a_gate_at_a_terminal_proves_nothing(host: Host) -> None:
    """A code that was typed is worth 1, whoever typed it; a gate that is not there covers nothing."""
    flow = FLOW.replace(", assurance: 2, approvers: [managers], wait: suspend{more}", "")
    run = host.team.open(flow=flow)
    to_the_gate(host.team.project, run)
    run.finish("approve", Outcome.PASSED)
    host.team.project.perform(run, "first")
    run.close(interrupted=False)

    refused(host.asks(run), "gate 'approve' is answered at a terminal (assurance 1)")
    refused(host.asks(run, step="first"), "no gate 'first' asked for signatures")
    refused(host.asks(run, step="none"), "none that did covers such a step (gates that did: none)")


def test_a_log_of_several_files_is_read_whole(host: Host) -> None:
    """A long run's log is several files, and the gate may stand in any of them; without one of them nothing counts."""
    run = signed_by(host, ALICE, segment_bytes=2000)
    files = sorted(run.log_path.parent.glob("evidence*.jsonl"))
    assert len(files) > 1

    bundle = host.folder / "bundles" / "bundle.tar"
    bundle.parent.mkdir()
    assert main(["export", str(run.log_path), "--bundle", str(bundle)]) == 0
    options = ("--artifact", host.artifact, "--signers", host.folder / "signers")
    assert workflow_exec("require", bundle, "approve", *options, cwd=host.folder).returncode == 0
    assert host.asks(run).returncode == 0
    files[1].unlink()
    assert host.asks(run).returncode == 1


def test_a_decision_is_used_once(host: Host) -> None:
    """The first use is noted before it is told; the second is refused; what a copy of the log says does not matter."""
    run = signed_by(host, ALICE)

    first = host.asks(run, "--used", host.used)
    noted = host.used.read_text()
    second = host.asks(run, "--used", host.used)

    assert first.returncode == 0, first.stderr
    assert noted.startswith(question_nonce(run))
    assert noted.count("\n") == 1
    assert host.used.stat().st_mode & 0o777 == 0o600
    refused(second, f"it was used before, as {host.used} says")
    assert host.used.read_text() == noted
    another = signed_by(host, ALICE)
    assert host.asks(another, "--used", host.used).returncode == 0
    assert host.used.read_text().startswith(noted)


def test_of_several_at_once_one_wins(host: Host) -> None:
    """However many ask at the same moment, one is let through."""
    run = signed_by(host, ALICE)
    command = [
        sys.executable, "-m", "pytest_workflow_exec.cli", "require", str(run.log_path), "approve", "--artifact",
        str(host.artifact), "--signers", str(host.folder / "signers"), "--used", str(host.used),
    ]  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: subprocess.run(command, capture_output=True, check=False).returncode, range(8)))

    assert sorted(codes) == [0, *[1] * 7]
    assert host.used.read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda used: used.write_text("0" * 32), "ends in the middle of a line"),
        (lambda used: used.write_text("what is this\n"), "is none of those that are written here"),
        (lambda used: used.mkdir(), "Is a directory"),
        (lambda used: used.symlink_to("elsewhere"), "Too many levels of symbolic links"),
        (lambda used: (used.write_text(""), used.chmod(0o666)), "others can write it"),
        (lambda used: (used.write_text(""), used.with_name("second").hardlink_to(used)), "it has several names"),
    ],
)
def test_a_list_of_uses_that_can_t_be_trusted_lets_nothing_through(host: Host, spoil: Any, why: str) -> None:
    """Doubt about what was used refuses, and nothing is written."""
    run = signed_by(host, ALICE)
    spoil(host.used)
    before = host.used.read_bytes() if host.used.is_file() else None

    said = host.asks(run, "--used", host.used)

    assert (said.returncode, said.stdout) == (2, "")
    assert why in said.stderr, said.stderr
    assert (host.used.read_bytes() if host.used.is_file() else None) == before


def test_a_missing_folder_for_uses_lets_nothing_through(host: Host) -> None:
    """The file is made where its folder is there, and no folder is made for it."""
    run = signed_by(host, ALICE)

    said = host.asks(run, "--used", host.folder / "none" / "used")

    assert said.returncode == 2
    assert not (host.folder / "none").exists()


def test_nothing_beside_the_log_says_whose_word_counts(host: Host) -> None:
    """Signers, policy and uses that lie in the run's folder could be its writer's."""
    run = signed_by(host, ALICE)
    shutil.copy(host.folder / "signers", run.log_path.parent / "signers")
    copied = host.folder / "copied"

    for given in ({"signers": copied / "signers"}, {"used": copied / "signers"}, {"revoked": copied / "signers"}):
        said = host.asks(run, given=given)
        assert (said.returncode, said.stdout) == (2, "")
        assert "lies beside the log" in said.stderr


def test_what_can_t_be_read_is_no_yes(host: Host) -> None:
    """A missing artefact, log or list, a folder in its place, and an empty log exit with 2 or 1, and without a traceback."""
    run = signed_by(host, ALICE)
    empty = host.folder / "empty" / "evidence.jsonl"
    empty.parent.mkdir()
    empty.touch()
    tried: Mapping[str, tuple[subprocess.CompletedProcess[str], int]] = {
        "no artefact": (host.asks(run, given={"artifact": host.folder / "none"}), 2),
        "a folder": (host.asks(run, given={"artifact": host.folder}), 2),
        "no list": (host.asks(run, given={"signers": host.folder / "none"}), 2),
        "an odd list": (host.asks(run, given={"signers": host.artifact}), 2),
        "an empty log": (host.asks(empty), 1),
        "no log": (workflow_exec("require", host.folder / "none", "approve", cwd=host.folder), 2),
    }

    for name, (said, code) in tried.items():
        assert (said.returncode, said.stdout) == (code, ""), (name, said.stderr)
        assert "Traceback" not in said.stderr


def test_a_file_of_uses_may_be_kept_by_hand(host: Host) -> None:
    """A line with a decision's nonce, written by whoever keeps the file, takes the decision back."""
    run = signed_by(host, ALICE)
    use_up(host.used, question_nonce(run), note="taken back")

    refused(host.asks(run, "--used", host.used), "it was used before")


def test_a_plan_approved_in_advance_covers_no_file(host: Host) -> None:
    """Who approved a plan saw none of the files that a run shows beside it: the host lets nothing through."""
    flow = """
workflow: flow
steps:
  - {{id: make, idempotent: true, run: [echo, made], outputs: {{wheel: {{glob: "dist/*.whl"}}}}}}
  - {{id: plan, ai: {{prompt: What?, output: CommandPlan}}}}
  - id: approve
    gate:
      {{question: Go?, show: [make, plan], assurance: 2, approvers: [managers], wait: suspend, in_advance: true{more}}}
  - {{id: first, execute: "${{steps.plan.commands}}"}}
"""
    run = early(host, flow)
    request = question_of(run)
    until = moment_text(datetime.now(timezone.utc) + timedelta(days=1))
    challenge = plan_challenge_of(request, until)
    armor = host.team.keys.sign("ed25519", message=challenge)
    approval = PlanApproval(workflow="flow", gate="approve", until=until, challenge=challenge)
    path = plans_folder(run.workflow.file, "flow") / approval.name
    keep_approved_plan(path, approval.with_signature(PlanSignature(ALICE, armor)).content())

    passed = early(host, flow)

    assert [each["approver"] for each in of_type(passed, "gate.decided")] == [ALICE]
    refused(host.asks(passed), "gate 'approve' passed by a plan that was approved in advance")


def early(host: Host, flow: str) -> Run:
    """Return a run with a plan at its gate: suspended there, or through it."""
    run = host.team.open(flow=flow)
    host.team.project.perform(run, "make")
    ask(run, Model(PLAN), step="plan")
    gate = run.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    run.start(gate)
    try:
        run.decide(gate, gate.body, words="")
    except GateSuspendedError:
        run.finish("approve", Outcome.SUSPENDED)
    else:
        run.finish("approve", Outcome.PASSED)
    run.close(interrupted=False)
    return run
