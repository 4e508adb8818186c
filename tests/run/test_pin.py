"""The pin of a workflow's project: which one holds, what it is compared with, and when it counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import ApprovalLapsedError, PinError
from pytest_workflow_exec.evidence import PinPlace, PinPlaces, remove_pin, write_pin
from pytest_workflow_exec.model import Workflow
from pytest_workflow_exec.run import _pin, demanded_pin
from pytest_workflow_exec.settings import Trusted, load_settings

from .conftest import CONFIGURATION, Project

FLOW = "workflow: flow\nsteps:\n  - {id: one, run: [echo, a]}\n"
GATED = FLOW + "  - gate: Go on?\n    id: ask\n  - {id: two, run: [touch, ran-two]}\n"


@pytest.fixture
def places(tmp_path_factory: pytest.TempPathFactory) -> PinPlaces:
    """Places for pins that stand for those of a machine and of a user."""
    base, uid = tmp_path_factory.mktemp("pins"), os.geteuid()
    (base / "etc").mkdir()
    return PinPlaces(
        machine=PinPlace(base=base / "etc", below=("pins",), owner=uid, for_machine=True),
        user=PinPlace(base=base / "state", below=("pins",), owner=uid, for_machine=False),
    )


def _user(places: PinPlaces) -> PinPlace:
    assert places.user is not None
    return places.user


def _workflow(root: Path, folder: Path) -> Workflow:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flow.workflow.yaml").write_text(FLOW)
    return read_yaml_workflow(folder / "flow.workflow.yaml", root=root)


def _trusted(root: Path, text: str = CONFIGURATION) -> Trusted:
    (root / "workflow-exec.toml").write_text(text)
    return load_settings(root).policy.trusted


def test_a_project_without_a_pin_has_none(tmp_path: Path, places: PinPlaces) -> None:
    """What is not pinned may run, and is said to be unpinned; the same pin lets it run, too."""
    trusted, workflow = _trusted(tmp_path), _workflow(tmp_path, tmp_path / "wf")
    assert demanded_pin(workflow, trusted, places=places) is None

    pin = write_pin(tmp_path, _user(places), trusted)
    assert demanded_pin(workflow, trusted, places=places) == pin
    machine = write_pin(tmp_path, places.machine, trusted)
    assert demanded_pin(workflow, trusted, places=places) == machine


@pytest.mark.parametrize("which", [0, 1], ids=["machine", "user"])
def test_a_difference_is_said_line_by_line(tmp_path: Path, places: PinPlaces, which: int) -> None:
    """The message holds what differs, made harmless and bounded, and how the new state is pinned."""
    workflow, trusted = _workflow(tmp_path, tmp_path / "wf"), _trusted(tmp_path)
    write_pin(tmp_path, places.all[which], trusted)
    (tmp_path / "workflow-signers").write_bytes(b"mallory \x1b[2J\n" + b"x\n" * 1000)

    with pytest.raises(PinError) as caught:
        demanded_pin(workflow, _trusted(tmp_path, CONFIGURATION.replace('"echo *"', '"rm *"')), places=places)

    said = str(caught.value)
    assert '    -    "echo *",' in said
    assert '    +    "rm *",' in said
    assert "    +mallory \\x1b[2J" in said
    assert "more lines]" in said
    assert len(said.splitlines()) < 120
    assert f"`workflow-exec trust{'' if which else ' --system'}`" in said


@pytest.mark.parametrize("which", [0, 1], ids=["machine", "user"])
def test_a_configuration_in_another_folder_does_not_get_around_a_pin(
    tmp_path: Path, places: PinPlaces, which: int
) -> None:
    """A project put into a pinned one, or around it, is refused, until that one is pinned as well."""
    inner = tmp_path / "wf"
    place, workflow = places.all[which], _workflow(tmp_path, inner)
    nested = _workflow(inner, inner)
    write_pin(tmp_path, place, _trusted(tmp_path))
    own = _trusted(inner, CONFIGURATION.replace("echo", "rm"))
    with pytest.raises(PinError, match="is a pinned project"):
        demanded_pin(nested, own, places=places)
    write_pin(inner, place, own)
    assert demanded_pin(nested, own, places=places) is not None

    # The other way round: the inner one's configuration is removed.
    with pytest.raises(PinError, match="is a pinned project"):
        demanded_pin(workflow, _trusted(tmp_path), places=places)


def test_a_pin_of_the_user_does_not_get_around_the_machines(tmp_path: Path, places: PinPlaces) -> None:
    """A user can't make a project of their own inside one that the machine pins."""
    inner = tmp_path / "wf"
    nested = _workflow(inner, inner)
    write_pin(tmp_path, places.machine, _trusted(tmp_path))
    own = _trusted(inner)
    write_pin(inner, _user(places), own)

    with pytest.raises(PinError, match="is a pinned project"):
        demanded_pin(nested, own, places=places)


def test_a_pin_that_can_not_be_believed_is_an_error(tmp_path: Path, places: PinPlaces) -> None:
    """Doubt is no missing pin."""
    workflow, trusted = _workflow(tmp_path, tmp_path / "wf"), _trusted(tmp_path)
    write_pin(tmp_path, _user(places), trusted).place.chmod(0o666)

    with pytest.raises(PinError, match="can't be believed"):
        demanded_pin(workflow, trusted, places=places)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root, place: (root / "workflow-exec.toml").write_text(CONFIGURATION + 'write = ["x"]\n'), "the policy"),
        (lambda root, place: (root / "workflow-exec.toml").write_text("broken"), "the project's configuration"),
        (lambda root, place: (root / "workflow-signers").write_text("bob\n"), "the signers"),
        (remove_pin, "the pin"),
        (lambda root, place: write_pin(root, place, Trusted()), "the pin"),
        (lambda root, place: place.path_of(root).chmod(0o666), "the pin"),
    ],
    ids=["policy", "broken", "signers", "removed", "replaced", "doubtful"],
)
def test_an_approval_lapses_if_what_was_trusted_changed(
    project: Project, places: PinPlaces, monkeypatch: pytest.MonkeyPatch, change: object, said: str
) -> None:
    """Policy, signers and pin are looked at again before an approval is used; a change lets nothing run behind it."""
    monkeypatch.setattr(_pin, "pin_places", lambda: places)
    place = _user(places)
    pin = write_pin(project.root, place, load_settings(project.root).policy.trusted)
    run = project.open(GATED, pin=pin)
    project.perform(run, "one")
    project.perform(run, "ask")
    assert callable(change)
    change(project.root, place)

    with pytest.raises(ApprovalLapsedError, match=said):
        run.start(run.workflow.step("two"))

    run.close(interrupted=False)
    [started] = [record for record in project.records(run) if record.type == "run.started"]
    policy = started.data["policy"]
    assert isinstance(policy, dict)
    assert (policy["pin"], policy["signers"]) == (str(pin), "none")
    [asked] = [record for record in project.records(run) if record.type == "gate.requested"]
    assert isinstance(asked.data["request"], dict)
    assert asked.data["request"]["pin"] == str(pin)
    assert "gate.used" not in project.types(run)
    assert not (project.root / "ran-two").exists()


def test_an_unchanged_pin_lets_an_approval_be_used(
    project: Project, places: PinPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With everything as it was, what was approved runs; the signers stand in the question."""
    monkeypatch.setattr(_pin, "pin_places", lambda: places)
    (project.root / "workflow-signers").write_text("alice\n")
    signers = load_settings(project.root).policy.trusted.signers
    assert signers is not None
    run = project.open(GATED, pin=write_pin(project.root, _user(places), load_settings(project.root).policy.trusted))

    outcomes = project.go_through(run)

    assert set(outcomes.values()) == {"passed"}
    [asked] = [record for record in project.records(run) if record.type == "gate.requested"]
    assert isinstance(asked.data["request"], dict)
    assert asked.data["request"]["signers"] == f"workflow-signers sha256 {signers.sha256}"


def test_each_step_behind_a_gate_wants_what_was_trusted(
    project: Project, places: PinPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that is loosened between two steps behind one gate lets the second one not start."""
    monkeypatch.setattr(_pin, "pin_places", lambda: places)
    run = project.open(GATED + "  - {id: three, run: [touch, ran-three]}\n")
    for step in ("one", "ask", "two"):
        project.perform(run, step)
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + 'write = ["x"]\n')

    with pytest.raises(ApprovalLapsedError, match="the policy"):
        run.start(run.workflow.step("three"))

    run.close(interrupted=False)
    assert (project.root / "ran-two").exists()
    assert not (project.root / "ran-three").exists()
