"""A plan of a model in CI, as people meet it: suspended, approved in advance by signature, executed in later runs unasked."""

from __future__ import annotations

import json
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest

from .conftest import Session
from .test_ai_page import EARLY, SIGNING
from .test_signatures import Team, team

__all__ = ["team"]

FLOW = (
    "workflow: repair\nsteps:\n"
    "  - {id: look, run: [echo, broken]}\n"
    '  - {id: diagnose, ai: {prompt: "What now? ${steps.look.stdout}", output: CommandPlan}}\n'
    + textwrap.indent(EARLY.text, "  ")
    + '  - {id: repair, execute: "${steps.diagnose.commands}"}\n'
)
"""With the gate as the page on steps that ask a model shows it."""
PLAN = [{"argv": ["touch", "ran-one"], "why": "It is missing."}, {"argv": ["touch", "ran-two"], "why": "It, too."}]


@pytest.fixture
def ci(team: Team) -> Team:
    """A pinned project on a machine that says that it is CI, where nobody sits."""
    team.project.environment["CI"] = "true"
    team.project.write("wf/repair.workflow.yaml", FLOW)
    proposes(team, PLAN)
    return team


def proposes(team: Team, commands: list[Any]) -> None:
    """Let the model propose these commands."""
    team.project.write("answers.json", json.dumps({"diagnose": [{"commands": commands}]}))


def run(team: Team, *options: str) -> Session:
    """Run the workflow as CI does."""
    return team.project.pytest("wf", "--workflow-ai-answers=answers.json", *options)


def approve(team: Team, who: str, name: str = "challenge", *until: str) -> Session:
    """Approve in advance what the latest run proposes, by the very commands that the tool says."""
    challenge = team.folder / name
    written = team.tool("challenge", "latest", "approve", "--in-advance", *until, "--out", challenge)
    assert written.status == 0, written.text
    signature = team.sign(who, challenge)
    said = written.text.splitlines()[-1]
    assert said.startswith("and then: workflow-exec approve ")
    assert said.endswith(f" --signature {signature}")
    return team.tool(*said.removeprefix("and then: workflow-exec ").split())


def test_ci_executes_a_plan_only_if_it_was_approved_in_advance(
    ci: Team, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without a signature it is suspended and runs nothing; signed, every later run goes through; another plan does not."""
    project = ci.project
    first = run(ci)
    assert first.status == 1, first.text
    assert "[3/4] approve ... SUSPENDED" in first.text
    assert (
        "gate approve waits for signatures; what to sign, and how (with --in-advance: for later runs, too):"
        in first.text
    )
    assert not list(project.root.glob("ran-*"))

    kept = approve(ci, "alice")
    assert kept.status == 0, kept.text
    [file] = (project.root / "wf" / "approved-plans" / "repair").iterdir()
    assert "by alice@example.org (ssh-ed25519 SHA256:" in kept.text
    assert str(file) in kept.text
    assert (
        "  1. repair (execute): the 2 commands of ${steps.diagnose.commands} until one fails, sha256 "
        in file.read_text()
    )
    second = run(ci, "--workflow-new")

    assert second.status == 0, second.text
    assert "gate approve: approved in advance until 20" in second.text
    assert sorted(path.name for path in project.root.glob("ran-*")) == ["ran-one", "ran-two"]
    assert "(signature in advance, assurance 2)" in second.text
    listed = tmp_path_factory.mktemp("verifier") / "signers"
    listed.write_text((project.root / "workflow-signers").read_text())
    asks = ("verify", "latest", "--expect-head", second.heads[-1], "--min-assurance", "2", "--signers", listed)
    proven = ci.tool(*asks, "--policy", project.root / "workflow-exec.toml")
    assert proven.status == 0, proven.text
    assert "approved by alice@example.org (signature in advance, assurance 2, proven 2)" in proven.text
    assert "signature in advance" in ci.tool("show", "latest").text

    for path in project.root.glob("ran-*"):
        path.unlink()
    proposes(ci, [*PLAN, {"argv": ["touch", "ran-three"], "why": "More."}])
    third = run(ci)

    assert third.status == 1, third.text
    assert f"{file.name} is not about what would run now; - approved, + now:" in third.text
    assert "3 of 3: ['touch', 'ran-three'] by rule 'touch *'" in third.text
    assert not list(project.root.glob("ran-*"))


def test_the_page_shows_the_commands_that_the_tool_takes(ci: Team) -> None:
    """Played in their order, with a key of ours and the time that the tool says, they approve."""
    assert run(ci).status == 1
    ask, sign, hand_in = (shlex.split(command) for command, _ in SIGNING.commands)
    challenge = ci.folder / "challenge"
    asked = ci.tool(*ask[1:-1], challenge)
    said = asked.text.splitlines()[-1].split()
    until, place = said[said.index("--until") + 1], hand_in.index("--until") + 1
    assert sign[:6] == ["ssh-keygen", "-Y", "sign", "-n", "pytest-workflow-exec", "-f"]
    signature = ci.sign("alice", challenge)

    done = ci.tool(*hand_in[1:place], until, *hand_in[place + 1 : -1], signature)

    assert done.status == 0, done.text
    assert run(ci, "--workflow-resume").status == 0


def test_what_is_not_signed_as_it_should_be_is_not_kept(ci: Team) -> None:
    """A stranger's signature, one for another time, none, one for ever, and a gate that takes none: nothing is written."""
    assert run(ci).status == 1
    folder = ci.project.root / "wf" / "approved-plans"
    gate = ("latest", "approve")

    by_mallory = approve(ci, "mallory")
    signature = ci.sign("alice", ci.folder / "challenge")
    refused = {
        "did not sign these bytes": ci.tool(
            "approve", *gate, "--in-advance", "--until", "1h", "--signature", signature
        ),
        "by a signature: --until and --signature": ci.tool("approve", *gate, "--in-advance"),
        "nobody approves for more than 90 days": ci.tool("challenge", *gate, "--in-advance", "--until", "91d"),
        "it held until 2020-01-01T00:00:00Z": ci.tool(
            "challenge", *gate, "--in-advance", "--until", "2020-01-01T00:00:00Z"
        ),
        "is no moment": ci.tool("challenge", *gate, "--in-advance", "--until", "Thursday"),
        "is no duration": ci.tool("challenge", *gate, "--in-advance", "--until", "soon"),
        "nothing is rejected in advance": ci.tool("challenge", *gate, "--in-advance", "--answer", "reject"),
        "--until is for --in-advance": ci.tool("challenge", *gate, "--until", "1d"),
        "the question itself says how long": ci.tool("approve", *gate, "--until", "1d", "--signature", signature),
    }

    assert by_mallory.status == 2
    assert "for none of the approvers of this gate" in by_mallory.text
    for said, session in refused.items():
        assert session.status == 2, said
        assert said in session.text, session.text
        assert "Traceback" not in session.text
    assert not folder.exists()
    ci.project.write("wf/repair.workflow.yaml", FLOW.replace("      in_advance: true\n", ""))
    assert run(ci, "--workflow-new").status == 1
    plain = ci.tool("challenge", *gate, "--in-advance")
    assert plain.status == 2
    assert "takes no approval in advance: that needs in_advance: true" in plain.text


def test_a_second_signature_goes_into_the_same_file(ci: Team) -> None:
    """Where two have to sign, each signs the same bytes for the same time; with one alone the run waits."""
    ci.project.write("wf/repair.workflow.yaml", FLOW.replace("wait: suspend", "required: 2\n      wait: suspend"))
    assert run(ci).status == 1
    assert approve(ci, "alice").status == 0
    [file] = (ci.project.root / "wf" / "approved-plans" / "repair").iterdir()
    until = json.loads(file.read_text())["until"]
    one = run(ci, "--workflow-new")

    assert one.status == 1
    assert "gate approve still needs 1 of managers" in one.text
    assert not list(ci.project.root.glob("ran-*"))
    assert approve(ci, "bob", "again", "--until", until).status == 0
    assert [file] == list(file.parent.iterdir())
    two = run(ci, "--workflow-resume")
    assert two.status == 0, two.text
    assert len(list(ci.project.root.glob("ran-*"))) == 2


def test_a_file_of_another_plan_in_its_place_is_kept(ci: Team, tmp_path: Path) -> None:
    """What lies there and is no such approval is never overwritten."""
    assert run(ci).status == 1
    assert approve(ci, "alice").status == 0
    [file] = (ci.project.root / "wf" / "approved-plans" / "repair").iterdir()
    file.write_text("{}\n")
    until = next(line for line in (ci.folder / "challenge").read_text().splitlines() if line.startswith("valid until"))

    again = approve(ci, "bob", "again", "--until", until.removeprefix("valid until "))

    assert again.status == 2
    assert "it is no approved plan as workflow-exec approve --in-advance writes it" in again.text
    assert file.read_text() == "{}\n"
