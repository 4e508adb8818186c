"""`workflow-exec attack`: every attempt is made by real processes, is seen when it gets through, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.cli._arguments import parser
from pytest_workflow_exec.cli._attack import attack
from pytest_workflow_exec.cli._attacks import ATTEMPTS, PRESENCE, Attempt, Present, Scratch, ScratchError, Tried
from pytest_workflow_exec.cli._attacks._gate_attempts import held, scripted_terminal
from pytest_workflow_exec.cli._attacks._result import Documented, Outcome, Result
from pytest_workflow_exec.cli._attacks._terminal import TerminalError
from pytest_workflow_exec.evidence import pin_places, write_pin
from pytest_workflow_exec.settings import load_settings
from tests._ssh_keys import make_keys

from ._tool import ROOT, workflow_exec
from ._trusts import places_in

SIGNED = """[policy]
sandbox = "available"
commands = ["touch *"]

[policy.approvers]
managers = ["alice@example.org"]

[[notify]]
command = ["touch", "told"]
on = ["gate.requested", "suspended", "denied", "finished"]
"""
PLAIN = '[policy]\nsandbox = "available"\ncommands = []\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without a pin, which is the working directory."""
    root = tmp_path / "site"
    root.mkdir()
    (root / "workflow-exec.toml").write_text(PLAIN)
    monkeypatch.chdir(root)
    return root


def pinned(root: Path, tmp_path: Path, configuration: str = SIGNED) -> None:
    """Give a project signers and a pin in a folder of the test's own."""
    for name in ("etc", "state", "keys"):
        (tmp_path / name).mkdir()
    make_keys(tmp_path / "keys")
    (root / "workflow-exec.toml").write_text(configuration)
    (root / "workflow-signers").write_bytes((tmp_path / "keys" / "signers").read_bytes())
    place = places_in(tmp_path).user
    assert place is not None
    write_pin(root, place, load_settings(root).policy.trusted)


def attacked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], attempts: Sequence[Attempt] = ATTEMPTS
) -> tuple[int, dict[str, Any]]:
    """Return how the attack on the working directory's project exits, and what it says as JSON."""
    arguments = parser().parse_args(["attack", "--json"])
    status = attack(arguments, places=places_in(tmp_path), attempts=attempts)
    return status, json.loads(capsys.readouterr().out)


def pins_below(folder: Path) -> list[Path]:
    """Return the pins of this user that are of a project below a folder."""
    place = pin_places().user
    found = [] if place is None else place.base.joinpath(*place.below).glob("*/pin.json")
    return [pin for pin in found if str(folder) in pin.read_text()]


@pytest.mark.timeout(900)
def test_pinned_project_with_signers_holds_as_documented(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All attempts are made, none gets through that is said to be stopped, and neither project nor user has a trace."""
    pinned(folder, tmp_path)
    before, place = sorted(folder.rglob("*")), tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    status, data = attacked(tmp_path, capsys)

    outcomes = {(each["assurance"], each["attempt"]): each["outcome"] for each in data["attempts"]}
    open_ones = {name for name, outcome in outcomes.items() if outcome != "stopped"}
    expected: set[tuple[int | None, str]] = {
        (1, "a script owns the terminal and types the code"),
        (1, "decision forged into the log"),
        (2, "listed key within the run's reach"),
    }
    if data["level"] == "none":
        expected.add((None, "log written to by a command"))
    assert open_ones == expected, json.dumps(data, indent=2)
    assert {outcomes[name] for name in open_ones} == {"not stopped"}
    assert (status, data["as_documented"], len(outcomes)) == (0, True, len(ATTEMPTS))
    assert sorted(folder.rglob("*")) == before
    assert not list(place.iterdir())
    assert pins_below(place) == []
    assert not list(tmp_path.rglob("told"))


@pytest.mark.timeout(300)
def test_a_glass_that_may_be_broken_is_said_to_be(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the policy grants it, a script that owns the terminal can do it: that is documented, and nobody is told by the copy."""
    pinned(
        folder,
        tmp_path,
        SIGNED.replace("[policy]\n", "[policy]\nbreak_glass = true\n").replace('"denied"', '"break_glass"'),
    )

    status, data = attacked(tmp_path, capsys, [each for each in ATTEMPTS if each.name.startswith("glass broken")])

    assert [(each["outcome"], each["documented"]) for each in data["attempts"]] == [("not stopped", "not stopped")], (
        data
    )
    assert status == 0
    assert not list(tmp_path.rglob("told"))


@pytest.mark.timeout(600)
def test_plan_in_advance_is_good_for_itself_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A good one opens its gate in the scratch project; then another plan, and one made to hold longer, do not."""
    pinned(folder, tmp_path)

    status, data = attacked(tmp_path, capsys, [each for each in ATTEMPTS if "in advance" in each.name])

    assert [(each["outcome"], each["says"]) for each in data["attempts"]] == [
        ("stopped", "its commands are in what was signed: another plan is asked about"),
        ("stopped", "its end is in what was signed: the signature is of other bytes"),
    ], data
    assert status == 0


@pytest.mark.timeout(300)
def test_what_can_not_be_asked_for_is_not_applicable(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without signers and pin nothing is said of signatures, and a policy that changes unseen is no secret."""
    names = {"policy changed before the run", "key swapped in the list of signers", "end of the log cut off"}

    status, data = attacked(tmp_path, capsys, [each for each in ATTEMPTS if each.name in names])

    says = {each["attempt"]: (each["outcome"], each["documented"]) for each in data["attempts"]}
    assert says == {
        "policy changed before the run": ("not stopped", "not stopped"),
        "key swapped in the list of signers": ("not applicable", "stopped"),
        "end of the log cut off": ("stopped", "stopped"),
    }
    assert (status, data["pin"], data["signers"]) == (0, "unpinned", "none")


def _without_a_gate(scratch: Scratch, now: Present) -> Result:
    scratch.renew()
    file = next(scratch.project.glob("*.yaml"))
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "approve" not in line and "gate:" not in line))
    session = scratch.pytest()
    return held(scratch, session.status, session.text, "", "nothing was released")


def _stuck(scratch: Scratch, now: Present) -> Result:
    raise TerminalError("waited in vain")


def _elsewhere(scratch: Scratch, now: Present) -> Result:
    scratch.renew(behind="  - {id: broken}\n")
    session = scratch.pytest()
    return held(scratch, session.status, session.text, "the gate says no", "it was stopped by its gate")


def _stopped(now: Present) -> Documented:
    return "stopped"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (scripted_terminal, "not stopped"),
        (_without_a_gate, "not stopped"),
        (_stuck, "not tried"),
        (_elsewhere, "not tried"),
    ],
)
def test_what_is_not_held_is_seen(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], run: Any, outcome: Outcome
) -> None:
    """What gets through although it is said to be stopped exits 1, and so does what can't be tried or fails elsewhere."""
    attempt = Attempt(name="one", assurance=1, run=run, documented=_stopped)

    status, data = attacked(tmp_path, capsys, [attempt])

    assert [each["outcome"] for each in data["attempts"]] == [outcome]
    assert (status, data["as_documented"]) == (1, False)


@pytest.mark.timeout(300)
def test_table_says_what_came_of_each(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For people each attempt has its outcome, a sentence, and a mark where it is not as documented."""
    attempts = [
        Attempt(name="the gate removed", assurance=1, run=_without_a_gate, documented=_stopped),
        Attempt(name="nothing came", assurance=2, run=_stuck, documented=_stopped),
    ]

    status = attack(parser().parse_args(["attack"]), places=places_in(tmp_path), attempts=attempts)

    printed = capsys.readouterr().out
    assert status == 1
    assert "  not stopped    the gate removed  <-- documented: stopped\n" in printed
    assert "TerminalError: waited in vain" in printed
    assert PRESENCE in printed
    assert printed.endswith("2 of 2 not as documented: the gate removed; nothing came\n")


@pytest.mark.parametrize(
    ("documented", "outcome", "fine"),
    [
        ("stopped", "stopped", True),
        ("not stopped", "stopped", True),
        ("not stopped", "not stopped", True),
        ("stopped", "not applicable", True),
        ("stopped", "not stopped", False),
        ("stopped", "not tried", False),
        ("not stopped", "not tried", False),
    ],
)
def test_only_known_outcomes_are_as_documented(documented: Documented, outcome: Outcome, *, fine: bool) -> None:
    """What holds more than is said is fine; what is not known is not."""
    attempt = Attempt(name="one", assurance=1, run=_stuck, documented=_stopped)
    tried = Tried(attempt=attempt, documented=documented, result=Result(outcome=outcome, says=""))

    assert tried.is_as_documented is fine


@pytest.mark.timeout(300)
def test_told_to_end_it_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    """SIGTERM in the middle ends what runs and takes the temporary folder back."""
    place = tmp_path / "tmp"
    place.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "pytest_workflow_exec.cli", "attack"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    ) as child:
        while not list(place.glob("*/project/.workflow-exec")):
            assert child.poll() is None
            time.sleep(0.02)
        child.terminate()

    assert child.returncode == 128 + signal.SIGTERM
    assert not list(place.iterdir())


def test_nothing_is_tried_where_no_run_begins(folder: Path, tmp_path: Path) -> None:
    """A project that differs from its pin, a rule that can't be used and a folder without a project are usage errors."""
    pinned(folder, tmp_path)
    (folder / "workflow-signers").write_text("")
    with pytest.raises(ScratchError, match="trust --show"):
        attack(parser().parse_args(["attack"]), places=places_in(tmp_path), attempts=[])
    (folder / "workflow-exec.toml").write_text('[policy]\ncommands = ["git  status"]\n')
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    broken, nowhere = workflow_exec("attack", cwd=folder), workflow_exec("attack", cwd=elsewhere)

    assert (broken.returncode, nowhere.returncode) == (2, 2), broken.stdout + broken.stderr
    assert "git  status" in broken.stderr
    assert "there is no project here" in nowhere.stderr
