"""Gates that want signatures, as people meet them: challenge, sign, approve, resume, verify; and at a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import write_pin
from pytest_workflow_exec.settings import load_settings

from ._pinned_tool import places_in
from .conftest import Project, Session, code_at, finish
from .test_pins import PLACES

ROOT = Path(__file__).parents[2]
POLICY = """[policy]
sandbox = "none"
commands = ["echo *", "touch *"]

[policy.approvers]
managers = ["alice@example.org", "bob@example.org"]
"""
FLOW = """
workflow: release
steps:
  - {{id: build, run: [echo, built]}}
  - {{id: approve, gate: {{question: Publish it?, show: [build], assurance: 2, approvers: [managers]{more}}}}}
  - {{id: publish, run: [touch, ran-publish]}}
"""


@dataclass
class Team:
    """A pinned project, and where its pin and its people's keys lie."""

    project: Project
    folder: Path

    def flow(self, more: str) -> None:
        """Write the workflow."""
        self.project.write("wf/release.workflow.yaml", FLOW.format(more=more))

    def tool(self, *arguments: str | Path) -> Session:
        """Run the command line tool."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.plugin._pinned_tool", str(self.folder), *map(str, arguments)],
            cwd=self.project.root,
            env={**self.project._env(), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Session(status=done.returncode, text=done.stdout)

    def sign(self, who: str, file: Path) -> Path:
        """Sign a file as people do, and return where the signature lies."""
        # ssh-keygen asks before it overwrites one.
        file.with_name(f"{file.name}.sig").unlink(missing_ok=True)
        command = [
            "ssh-keygen",
            "-Y",
            "sign",
            "-q",
            "-n",
            "pytest-workflow-exec",
            "-f",
            str(self.folder / who),
            str(file),
        ]
        subprocess.run(command, check=True, capture_output=True)
        return file.with_name(f"{file.name}.sig")


@pytest.fixture
def team(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """Two who may approve, one who may not, and a project pinned with their list."""
    folder = tmp_path_factory.mktemp("home")
    lines = []
    for who in ("alice", "bob", "mallory"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(folder / who)], check=True)
        lines.append(f"{who}@example.org {(folder / f'{who}.pub').read_text()}")
    project.write("workflow-exec.toml", POLICY)
    project.write("workflow-signers", "".join(lines))
    project.write("conftest.py", PLACES.format(folder=str(folder)))
    project.environment["HOME"] = str(folder)
    project.environment["SSH_AUTH_SOCK"] = ""
    made = Team(project, folder)
    place = places_in(folder).user
    assert place is not None
    write_pin(project.root, place, load_settings(project.root).policy.trusted)
    return made


def test_two_sign_elsewhere_and_the_run_goes_on(team: Team, tmp_path: Path) -> None:
    """`challenge` writes what is signed, `approve` judges and hands in, `--workflow-resume` takes in, `verify` proves."""
    project = team.project
    team.flow(", required: 2, wait: suspend")
    first = project.pytest("wf")
    assert first.status == 1, first.text
    [run] = [log.parent.name for log in project.logs()]
    assert f"          workflow-exec challenge {run} approve --out challenge\n" in first.text
    assert "sign     workflow-exec challenge" in team.tool("pending").text
    challenge = team.folder / "challenge"
    written = team.tool("challenge", run, "approve", "--out", challenge)
    assert written.status == 0, written.text
    assert "ssh-keygen -Y sign -n pytest-workflow-exec -f KEY" in written.text
    assert team.tool("challenge", run, "approve").text == challenge.read_text()
    kept = team.tool("challenge", run, "approve", "--out", challenge)
    before = [path.name for path in project.logs()[0].parent.rglob("*")]
    by_mallory = team.tool("approve", run, "approve", "--signature", team.sign("mallory", challenge))
    typed = team.tool("approve", run, "approve")
    assert [path.name for path in project.logs()[0].parent.rglob("*")] == before
    assert kept.status == by_mallory.status == typed.status == 2
    assert "is there already, and is kept" in kept.text
    assert "for none of the approvers of this gate" in by_mallory.text
    assert "wants a signature: workflow-exec challenge" in typed.text
    handed = team.tool("approve", run, "approve", "--signature", team.sign("alice", challenge))
    assert handed.status == 0, handed.text

    second = project.pytest("wf", "--workflow-resume")

    assert second.status == 1, second.text
    assert "gate approve: approved by alice@example.org (ssh-ed25519 SHA256:" in second.text
    assert "gate approve still needs 1 of managers" in second.text
    [waiting] = json.loads(team.tool("pending", "--json").text)
    assert [vote["approver"] for vote in waiting["signed"]] == ["alice@example.org"]
    assert not list(project.root.glob("ran-*"))
    assert team.tool("approve", run, "approve", "--signature", team.sign("bob", challenge)).status == 0

    last = project.pytest("wf", "--workflow-resume")

    assert last.status == 0, last.text
    assert "[2/3] approve ... PASSED" in last.text
    assert (project.root / "ran-publish").exists()
    listed = tmp_path.parent / f"{tmp_path.name}-signers"
    listed.write_text((project.root / "workflow-signers").read_text())
    asks = ("verify", run, "--expect-head", last.heads[-1], "--min-assurance", "2")
    proven = team.tool(*asks, "--signers", listed, "--policy", project.root / "workflow-exec.toml")
    assert proven.status == 0, proven.text
    assert "approved by alice@example.org, bob@example.org (signature, assurance 2, proven 2)" in proven.text
    unproven = team.tool(*asks)
    assert unproven.status == 4
    assert "were not checked: give --signers FILE" in unproven.text
    (team.folder / "revoked").write_text((team.folder / "bob.pub").read_text())
    revoked = team.tool(*asks, "--signers", listed, "--revoked", team.folder / "revoked")
    assert revoked.status == 4
    assert "is revoked" in revoked.text


def test_a_run_is_due_once_enough_have_signed(team: Team) -> None:
    """One of two, or somebody who may not, lets nothing go on; with the second, `due --resume` does."""
    project, challenge = team.project, team.folder / "challenge"
    team.flow(", required: 2, wait: suspend")
    assert project.pytest("wf").status == 1
    assert team.tool("due").text == "nothing is due\n"
    assert team.tool("challenge", "latest", "approve", "--out", challenge).status == 0
    assert team.tool("approve", "latest", "approve", "--signature", team.sign("alice", challenge)).status == 0
    assert team.tool("due").text == "nothing is due\n"
    assert team.tool("approve", "latest", "approve", "--signature", team.sign("bob", challenge)).status == 0
    assert "at approve: enough of those who have to sign did" in team.tool("due").text

    done = team.tool("due", "--resume")

    assert done.status == 0, done.text
    assert (project.root / "ran-publish").exists()
    assert team.tool("due").text == "nothing is due\n"


def test_a_signed_rejection_denies_the_run(team: Team) -> None:
    """A rejection is signed with its reason; the resumed run is denied, and another goes on only by `--workflow-redo`."""
    project, challenge = team.project, team.folder / "challenge"
    team.flow(", wait: suspend")
    assert project.pytest("wf").status == 1
    wordless = team.tool("challenge", "latest", "approve", "--answer", "reject")
    assert wordless.status == 2
    said = ("--answer", "reject", "--reason", "not now")
    assert team.tool("challenge", "latest", "approve", *said, "--out", challenge).status == 0
    signature = team.sign("bob", challenge)
    assert team.tool("reject", "latest", "approve", "--reason", "never", "--signature", signature).status == 2
    assert team.tool("reject", "latest", "approve", "--reason", "not now", "--signature", signature).status == 0

    session = project.pytest("wf", "--workflow-resume")
    again = project.pytest("wf", "--workflow-resume")

    assert session.status == 1
    assert "[2/3] approve ... DENIED" in session.text
    assert again.status == 4
    assert "was denied at gate 'approve': --workflow-redo approve asks again" in again.text
    assert not list(project.root.glob("ran-*"))


def test_a_terminal_gate_wants_code_and_signature(team: Team) -> None:
    """The gate says what to sign and where; the code without a signature is a try, with one it passes."""
    project = team.project
    team.flow("")
    child = project.terminal("wf", "-s")
    child.expect(r"What has to be signed is in (\S+)\r\n")
    assert child.match is not None
    challenge = Path(child.match.group(1))  # type: ignore[union-attr]  # a pattern matched
    code = code_at(child)
    child.sendline(code)
    child.expect("There is no signature that counts: there is no file")
    child.expect("4 tries are left")
    team.sign("alice", challenge)
    child.sendline(code)
    child.expect("Approved")

    session = finish(child)

    assert session.status == 0, session.text
    [decided] = project.of_type("gate.decided")
    assert (decided["data"]["approver"], decided["data"]["assurance"]) == ("alice@example.org", 2)
    assert decided["data"]["terminal"].startswith("/dev/")
    assert (project.root / "ran-publish").exists()


@pytest.mark.parametrize("lack", ["pin", "signers", "groups", "people"])
def test_a_gate_that_nobody_can_open_is_refused(team: Team, lack: str) -> None:
    """Without a pin, a list, the group or enough people who can sign, nothing runs (exit 4)."""
    project, place = team.project, places_in(team.folder).user
    assert place is not None
    team.flow(", wait: suspend" + (", required: 3" if lack == "people" else ""))
    if lack == "pin":
        place.path_of(project.root).unlink()
    elif lack == "signers":
        (project.root / "workflow-signers").unlink()
    elif lack == "groups":
        project.write("workflow-exec.toml", POLICY.replace("managers", "others"))
    if lack != "pin":
        write_pin(project.root, place, load_settings(project.root).policy.trusted)

    session = project.pytest("wf")

    said = {
        "pin": "assurance 2 needs a pin with a list of signers: the policy is unpinned",
        "signers": "the pin holds no list of signers",
        "groups": "the policy has no group of approvers managers (it has: others)",
        "people": "1 more of managers would have to be able to sign than are",
    }
    assert session.status == 4, session.text
    assert said[lack] in session.text
    assert project.untouched


def test_a_signed_start_excludes_who_signed_it(team: Team) -> None:
    """`--workflow-sign-start` is in the first record; that person's approval is refused; no other key starts a run."""
    project, challenge = team.project, team.folder / "challenge"
    team.flow(", wait: suspend")
    nobody = project.pytest("wf", "--workflow-sign-start", str(team.folder / "none"))
    (team.folder / "odd").write_text("no key\n")
    odd = project.pytest("wf", "--workflow-sign-start", str(team.folder / "odd"))
    untouched = project.untouched
    assert project.pytest("wf", "--workflow-sign-start", str(team.folder / "alice")).status == 1
    [started] = project.of_type("run.started")
    team.tool("challenge", "latest", "approve", "--out", challenge)

    by_alice = team.tool("approve", "latest", "approve", "--signature", team.sign("alice", challenge))

    too_late = project.pytest("wf", "--workflow-resume", "--workflow-sign-start", str(team.folder / "bob"))
    assert too_late.status == 4
    assert "signs the start of a new run, and this one was started before" in too_late.text
    assert (nobody.status, odd.status, untouched) == (4, 4, True)
    assert "--workflow-sign-start: there is no key" in nobody.text
    assert "the start of the run was not signed" in odd.text
    assert "Traceback" not in odd.text
    assert started["data"]["signed_start"]["principal"] == "alice@example.org"
    assert "may not approve: alice@example.org" in challenge.read_text()
    assert by_alice.status == 2
    assert "alice@example.org started the run and may not approve it" in by_alice.text
    assert not list(project.logs()[0].parent.rglob("*.decision.json"))


def test_a_gated_command_runs_behind_the_signature_of_its_group(team: Team) -> None:
    """The policy asks for a manager's signature: the same workflow with a code typed at a terminal does not even start."""
    project = team.project
    gated = (
        POLICY.replace(', "touch *"', "")
        + '\n[[policy.command]]\nrule = "touch *"\ngated = {assurance = 2, approvers = ["managers"]}\n'
    )
    project.write("workflow-exec.toml", gated)
    place = places_in(team.folder).user
    assert place is not None
    write_pin(project.root, place, load_settings(project.root).policy.trusted)
    typed = FLOW.format(more="").replace(", assurance: 2, approvers: [managers]", "")
    project.write("wf/release.workflow.yaml", typed)
    refused = project.pytest("wf")
    assert refused.status == 4, refused.text
    assert "needs a decision of assurance 2 by one of managers, but gate 'approve' is worth 1" in refused.text
    assert project.untouched
    team.flow(", wait: suspend")
    assert project.pytest("wf").status == 1
    [run] = [log.parent.name for log in project.logs()]
    challenge = team.folder / "challenge"
    assert team.tool("challenge", run, "approve", "--out", challenge).status == 0
    assert team.tool("approve", run, "approve", "--signature", team.sign("bob", challenge)).status == 0
    assert not list(project.root.glob("ran-*"))

    session = project.pytest("wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert (project.root / "ran-publish").exists()


FORM = ", form: {ticket: {pattern: 'REL-[0-9]+', description: The release ticket}, count: {type: integer, default: 1}}"


def test_a_form_is_filled_in_by_who_signs(team: Team, tmp_path: Path) -> None:
    """`challenge --fill` writes it into what is signed; `approve` takes it from there; a step behind the gate uses it."""
    project, challenge = team.project, team.folder / "challenge"
    team.flow(FORM + ", wait: suspend")
    path = project.root / "wf/release.workflow.yaml"
    path.write_text(path.read_text().replace("[touch, ran-publish]", '[touch, "ran-${steps.approve.ticket}"]'))
    first = project.pytest("wf")
    assert "challenge" in first.text
    assert "--fill ticket=VALUE --fill count=VALUE --out challenge" in first.text
    assert "fill in  ticket: a text that matches REL-[0-9]+ as a whole" in team.tool("pending").text
    for given, said in (
        ((), "an approval has to fill in ticket: --fill ticket=VALUE"),
        (("--fill", "ticket=3"), "--fill ticket: it "),
        (("--fill", "ticket=REL-1", "--fill", "other=1"), "--fill gives each of these once: ticket, count"),
        (("--fill", "ticket=REL-1", "--fill", "ticket=REL-2"), "--fill gives each of these once: ticket, count"),
    ):
        refused = team.tool("challenge", "latest", "approve", *given, "--out", challenge)
        assert (refused.status, said in refused.text) == (2, True), refused.text
        assert not challenge.exists()
    assert team.tool("challenge", "latest", "approve", "--fill", "ticket=REL-7", "--out", challenge).status == 0
    assert 'form {"count":1,"ticket":"REL-7"}\n' in challenge.read_text()
    signature = team.sign("alice", challenge)
    alone = tmp_path.parent / f"{tmp_path.name}-alone.sig"
    alone.write_bytes(signature.read_bytes())
    for arguments, said in (
        (("--signature", alone), "say what was filled in, with --fill ticket=VALUE --fill count=VALUE"),
        (("--signature", signature, "--fill", "ticket=REL-8"), "the signature does not count"),
    ):
        refused = team.tool("approve", "latest", "approve", *arguments)
        assert (refused.status, said in refused.text) == (2, True), refused.text
    assert team.tool("approve", "latest", "approve", "--signature", signature).status == 0

    session = project.pytest("wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert (project.root / "ran-REL-7").exists()
    listed = tmp_path.parent / f"{tmp_path.name}-signers"
    listed.write_text((project.root / "workflow-signers").read_text())
    asks = ("verify", "latest", "--expect-head", session.heads[-1], "--min-assurance", "2", "--signers", listed)
    assert team.tool(*asks).status == 0


def test_at_a_terminal_the_form_is_filled_in_before_it_is_signed(team: Team) -> None:
    """What is typed into the fields is in the file that has to be signed."""
    project = team.project
    team.flow(FORM)
    child = project.terminal("wf", "-s")
    child.expect("ticket = ")
    child.sendline("no")
    child.expect("4 tries are left")
    child.sendline("REL-9")
    child.expect("count = ")
    child.sendline("")
    child.expect(r"What has to be signed is in (\S+)\r\n")
    assert child.match is not None
    challenge = Path(child.match.group(1))  # type: ignore[union-attr]  # a pattern matched
    assert 'form {"count":1,"ticket":"REL-9"}\n' in challenge.read_text()
    code = code_at(child)
    team.sign("alice", challenge)
    child.sendline(code)

    session = finish(child)

    assert session.status == 0, session.text
    [decided] = project.of_type("gate.decided")
    assert (decided["data"]["form"], decided["data"]["assurance"]) == ({"ticket": "REL-9", "count": 1}, 2)


WAIVED = """
workflow: release
steps:
  - id: builders
    run: ["false"]
    waive: {question: Release with red builders?, assurance: 2, approvers: [managers]}
  - {id: publish, run: [touch, ran-publish]}
"""


def test_a_failure_is_accepted_by_signature(team: Team) -> None:
    """The question comes when the step fails, says what to sign, and takes the code only beside the signature."""
    project = team.project
    project.write("workflow-exec.toml", POLICY.replace('"touch *"', '"touch *", "false"'))
    place = places_in(team.folder).user
    assert place is not None
    write_pin(project.root, place, load_settings(project.root).policy.trusted)
    project.write("wf/release.workflow.yaml", WAIVED)
    child = project.terminal("wf", "-s")
    child.expect(r"What has to be signed is in (\S+)\r\n")
    assert child.match is not None
    challenge = Path(child.match.group(1))  # type: ignore[union-attr]  # a pattern matched
    assert "It failed:" in challenge.read_text()
    code = code_at(child)
    child.sendline(code)
    child.expect("There is no signature that counts")
    team.sign("bob", challenge)
    child.sendline(code_at(child))

    session = finish(child)

    assert session.status == 0, session.text
    assert "1 waived: builders" in session.text
    assert "gate      builders: approved by bob@example.org (signature, assurance 2)" in session.text
    proven = team.tool(
        "verify", "latest", "--signers", _listed(team), "--min-assurance", "2", "--expect-head", session.heads[0]
    )
    assert proven.status == 0, proven.text


def test_a_waiver_that_nobody_could_sign_is_refused_before_anything(team: Team) -> None:
    """Without a pin there is no list of signers: that is said at the step, and nothing runs."""
    project = team.project
    project.write("workflow-exec.toml", POLICY.replace("managers", "others").replace('"touch *"', '"touch *", "false"'))
    place = places_in(team.folder).user
    assert place is not None
    write_pin(project.root, place, load_settings(project.root).policy.trusted)
    project.write("wf/release.workflow.yaml", WAIVED)

    session = finish(project.terminal("wf", "-s"))

    assert session.status == 4, session.text
    assert "waiver of step 'builders': the policy has no group of approvers managers" in session.text
    assert project.untouched


def _listed(team: Team) -> Path:
    listed = team.folder / "listed"
    listed.write_text((team.project.root / "workflow-signers").read_text())
    return listed
