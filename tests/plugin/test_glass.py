"""Breaking the glass in a real session at a real terminal: asked for by an option, answered only by a person."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable

import pexpect
import pytest

from pytest_workflow_exec.evidence import write_pin
from pytest_workflow_exec.settings import load_settings
from pytest_workflow_exec.verify import verify_log

from ._pinned_tool import places_in
from .conftest import finish
from .test_signatures import POLICY, Team, team

__all__ = ["team"]

RESUME = ("wf", "-s", "--workflow-resume", "--workflow-break-glass", "approve")
GRANT = """
[policy.workflows.release]
break_glass = true

[[notify]]
command = [PROGRAM, "-c", "import pathlib, sys; pathlib.Path('told').write_text(sys.stdin.read())"]
on = ["break_glass"]
"""


@pytest.fixture
def granted(team: Team) -> Team:
    """A pinned project that lets somebody break the glass of its release, suspended at its gate."""
    configuration = POLICY + GRANT.replace("PROGRAM", json.dumps(sys.executable))
    team.project.write("workflow-exec.toml", configuration)
    pin(team)
    team.flow(", required: 2, wait: suspend")
    assert team.project.pytest("wf").status == 1
    return team


def pin(team: Team) -> None:
    """Pin the project as it is."""
    place = places_in(team.folder).user
    assert place is not None
    write_pin(team.project.root, place, load_settings(team.project.root).policy.trusted)


def code_for(child: pexpect.spawn[str]) -> str:
    """Return the code that breaks the glass, once it is asked for."""
    child.expect(r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to break the glass, or reject to stop: ")
    assert child.match is not None
    code: str = child.match.group(1)  # type: ignore[union-attr]  # a pattern matched, no EOF
    return code


def test_a_person_breaks_the_glass_and_everything_says_so(granted: Team) -> None:
    """Reason and code; told before the step runs; closing lines, JUnit, summary, page, `show` and `verify` say it."""
    project = granted.project
    child = project.terminal(*RESUME, "--junitxml=junit.xml", "--workflow-summary=summary.md")
    child.expect("BREAK GLASS")
    child.expect("This gate still needs 2 of managers")
    child.expect("Reason to break the glass, or reject to stop: ")
    child.sendline("")
    child.expect("That is no reason")
    child.expect("Reason to break the glass, or reject to stop: ")
    child.sendline("the site is down")
    code_for(child)
    child.sendline("yes")
    child.sendline(code_for(child))

    session = finish(child)

    assert session.status == 0, session.text
    assert "passed, 3 of 3 steps, GLASS BROKEN at approve" in session.text
    assert "gate      approve: GLASS BROKEN by" in session.text
    assert "review    gate approve, by somebody else than who broke its glass:" in session.text
    assert re.search(r"\n {10}workflow-exec review \S+ approve TEXT\n", session.text)
    told = json.loads((project.root / "told").read_text())
    assert (told["event"], told["step"], told["reason"]) == ("break_glass", "approve", "the site is down")
    types = [record["type"] for record in project.records()]
    decided = types.index("gate.decided")
    assert types[decided + 1 : decided + 3] == ["note", "note"]
    assert types.index("gate.used") > decided + 2
    assert 'name="workflow_exec.break_glass"' in (project.root / "junit.xml").read_text()
    assert "GLASS BROKEN" in (project.root / "summary.md").read_text()
    assert "GLASS BROKEN" in granted.tool("show", "latest").text
    assert "glass     approve: BROKEN by" in granted.tool("verify", "latest").text
    asked = ("verify", "latest", "--expect-head", session.heads[-1])
    assert granted.tool(*asked).status == 0
    assert granted.tool(*asked, "--min-assurance", "1").status == 4
    by_myself = granted.tool("review", "latest", "approve", "Fine.")
    assert by_myself.status == 2
    assert "somebody else has to review it" in by_myself.text
    page = granted.tool("report", "latest")
    assert page.status == 0
    [html] = (project.root / ".workflow-exec" / "reports").glob("*.html")
    assert "glass broken" in html.read_text()


def _end(child: pexpect.spawn[str]) -> None:
    child.sendeof()


def _wrong(child: pexpect.spawn[str]) -> None:
    child.sendline("the site is down")
    for _ in range(5):
        code_for(child)
        child.sendline("yes")


def _with_the_code_of_another_reason(child: pexpect.spawn[str]) -> None:
    child.sendline("the site is down")
    code_for(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("no, it is not")


@pytest.mark.parametrize(
    ("end", "status"), [(_end, "SUSPENDED"), (_wrong, "SUSPENDED"), (_with_the_code_of_another_reason, "DENIED")]
)
def test_anything_else_breaks_nothing(granted: Team, end: Callable[[pexpect.spawn[str]], None], status: str) -> None:
    """Whoever does not go through with it leaves the gate waiting; who rejects has rejected. Nothing runs."""
    child = granted.project.terminal(*RESUME)
    child.expect("Reason to break the glass, or reject to stop: ")
    end(child)

    session = finish(child)

    assert session.status == 1, session.text
    assert f"approve ... {status}" in session.text
    assert not (granted.project.root / "told").exists()
    assert not (granted.project.root / "ran-publish").exists()
    [log] = granted.project.logs()
    assert not verify_log(log).broken_glass


def test_without_a_person_nobody_is_asked(granted: Team) -> None:
    """No terminal, no glass: refused before anything, with the log as it was."""
    [log] = granted.project.logs()
    whole = log.read_bytes()

    session = granted.project.pytest(*RESUME, stdin="the site is down\n")

    assert session.status == 4
    assert "--workflow-break-glass asks a person for a reason" in session.text
    assert log.read_bytes() == whole


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("publish", "'publish' is no gate that wants signatures (those are: approve)"),
        ("nothing", "'nothing' is no gate that wants signatures (those are: approve)"),
    ],
)
def test_only_a_gate_that_wants_signatures_has_glass(granted: Team, option: str, said: str) -> None:
    """Anything else that the option names is refused before the first step."""
    session = granted.project.pytest("wf", "--workflow-resume", "--workflow-break-glass", option)

    assert session.status == 4
    assert said in session.text


def test_the_policy_has_to_grant_it(team: Team) -> None:
    """Without the grant the option is refused at a terminal, too, and nothing is written."""
    team.flow(", wait: suspend")
    assert team.project.pytest("wf").status == 1
    [log] = team.project.logs()
    whole = log.read_bytes()

    session = finish(team.project.terminal(*RESUME))

    assert session.status == 4
    assert "the policy does not grant it" in session.text
    assert log.read_bytes() == whole


def test_a_grant_that_is_not_pinned_is_none(team: Team) -> None:
    """Whoever edits the project's policy is held by the pin before anybody is asked."""
    team.flow(", wait: suspend")
    assert team.project.pytest("wf").status == 1
    team.project.write("workflow-exec.toml", POLICY + GRANT.replace("PROGRAM", json.dumps(sys.executable)))

    session = finish(team.project.terminal(*RESUME))

    assert session.status == 4
    assert "break_glass" in session.text
    assert not (team.project.root / "ran-publish").exists()
