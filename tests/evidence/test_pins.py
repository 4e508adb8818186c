"""Pins as files: written whole and private, and believed only if nobody else could have written them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import PinError
from pytest_workflow_exec.evidence import PinPlace, PinPlaces, find_pin, pin_places, read_pin, remove_pin, write_pin
from pytest_workflow_exec.settings import SignersFile, Trusted, differences

TRUSTED = Trusted(
    policy='{"commands":["a"]}',
    signers=SignersFile(path="workflow-signers", content=b"alice\n"),
    revoked=SignersFile(path="workflow-revoked", content=b"\xff"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def places(tmp_path: Path) -> PinPlaces:
    """Places for pins that stand for those of a machine and of a user."""
    for name in ("etc", "state"):
        (tmp_path / name).mkdir()
    return PinPlaces(
        machine=PinPlace(base=tmp_path / "etc", below=("workflow-exec", "pins"), owner=os.geteuid(), for_machine=True),
        user=PinPlace(base=tmp_path / "state", below=("workflow-exec",), owner=os.geteuid(), for_machine=False),
    )


@pytest.mark.parametrize("which", [0, 1], ids=["machine", "user"])
def test_a_pin_holds_what_was_written_until_it_is_removed(root: Path, places: PinPlaces, which: int) -> None:
    """What is read is what was written, with who and when; a user's pin is private, whatever the umask."""
    place = places.all[which]
    before = os.umask(0o777 if which else 0)
    try:
        written = write_pin(root, place, TRUSTED)
    finally:
        os.umask(before)

    read = read_pin(root, place)
    assert read == written
    assert read is not None
    assert (read.trusted, read.root, read.place) == (TRUSTED, str(root), place.path_of(root))
    mode = place.path_of(root).stat().st_mode & 0o777
    assert mode == (0o600 if which else 0o644)
    assert place.path_of(root).parent.stat().st_mode & 0o777 == (0o700 if which else 0o755)

    write_pin(root, place, Trusted())
    assert read_pin(root, place) != read
    remove_pin(root, place)
    assert read_pin(root, place) is None
    assert list(place.path_of(root).parent.iterdir()) == []


def test_the_pin_of_the_machine_goes_first(root: Path, places: PinPlaces) -> None:
    """With both there, the user's has no say; a project has no pin of another."""
    assert places.user is not None
    user = write_pin(root, places.user, Trusted())
    assert find_pin(root, places) == user
    machine = write_pin(root, places.machine, TRUSTED)
    assert find_pin(root, places) == machine
    assert find_pin(root.parent, places) is None
    (root.parent / "link").symlink_to(root)
    assert find_pin(root.parent / "link", places) == machine


def test_nothing_in_the_environment_moves_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOME and XDG_STATE_HOME say nothing of where pins lie: whoever sets them would unpin."""
    before = pin_places()
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME"):
        monkeypatch.setenv(name, str(tmp_path))

    assert pin_places() == before
    assert before.machine == PinPlace(base=Path("/etc"), below=("workflow-exec", "pins"), owner=0, for_machine=True)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("linked file", "symbolic link"),
        ("linked folder", "symbolic link"),
        ("hard link", "another name"),
        ("folder instead", "no regular file"),
        ("pipe", "no regular file"),
        ("writable file", "can be written by others"),
        ("writable folder", "can be written by others"),
        ("writable upper folder", "can be written by others"),
        ("foreign", "belongs to uid"),
        ("empty", "it is no pin, or was changed"),
        ("edited", "it is no pin, or was changed"),
        ("more keys", "it is no pin, or was changed"),
        ("list", "it is no pin, or was changed"),
        ("of another project", "it is of the project"),
    ],
)
def test_a_pin_that_others_may_have_written_is_no_missing_one(
    root: Path, places: PinPlaces, damage: str, reason: str
) -> None:
    """What can't be believed is an error, never read as no pin or as this one."""
    place = places.user
    assert place is not None
    write_pin(root, place, TRUSTED)
    path = place.path_of(root)
    _DAMAGES[damage](path, root)
    if damage == "foreign":
        place = PinPlace(base=place.base, below=place.below, owner=os.geteuid() + 1, for_machine=False)
        if os.geteuid() == 0:
            os.chown(path, 12345, -1)

    with pytest.raises(PinError, match=reason) as caught:
        read_pin(root, place)
    assert str(path) in str(caught.value)


def _replaced(path: Path, before: bytes, after: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(before, after, 1))


def _moved(path: Path) -> Path:
    return path.rename(path.with_name("aside"))


_DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "linked file": lambda path, root: path.symlink_to(_moved(path)),
    "linked folder": lambda path, root: path.parent.symlink_to(_moved(path.parent)),
    "hard link": lambda path, root: os.link(path, path.with_name("aside")),
    "folder instead": lambda path, root: _moved(path).with_name(path.name).mkdir(),
    "pipe": lambda path, root: os.mkfifo(_moved(path).with_name(path.name)),
    "writable file": lambda path, root: path.chmod(0o620),
    "writable folder": lambda path, root: path.parent.chmod(0o702),
    "writable upper folder": lambda path, root: path.parents[1].chmod(0o770),
    "foreign": lambda path, root: None,
    "empty": lambda path, root: path.write_bytes(b""),
    "list": lambda path, root: path.write_bytes(b"[]\n"),
    "edited": lambda path, root: _replaced(path, b'["a"]', b'["b"]'),
    "more keys": lambda path, root: _replaced(path, b"{", b'{"a":1,'),
    "of another project": lambda path, root: _replaced(path, bytes(root), bytes(root.parent)),
}


def test_a_pin_that_can_not_be_written_leaves_the_old_one(root: Path, places: PinPlaces) -> None:
    """Where the folder is a link or is missing, nothing is written, and what is there stays."""
    place = places.user
    assert place is not None
    old = write_pin(root, place, TRUSTED)
    other = PinPlace(base=place.base.parent / "nowhere", below=place.below, owner=place.owner, for_machine=True)
    with pytest.raises(PinError, match="there is no "):
        write_pin(root, other, Trusted())
    moved = place.path_of(root).parent.with_name("moved")
    place.path_of(root).parent.rename(moved)
    place.path_of(root).parent.symlink_to(moved)

    with pytest.raises(PinError, match="symbolic link"):
        write_pin(root, place, Trusted())

    place.path_of(root).parent.unlink()
    moved.rename(place.path_of(root).parent)
    assert read_pin(root, place) == old


def test_no_difference_is_unseen() -> None:
    """Lists that differ in bytes that no line shows differ in their digests; what is the same shows nothing."""
    lists = [b"a\n", b"a", b"a\r\n", b"\xff", b"\xfe", b""]
    variants = [Trusted(signers=SignersFile(path="s", content=each)) for each in lists]
    variants += [Trusted(), Trusted(policy='{"a":1}'), Trusted(revoked=SignersFile(path="s", content=b"a\n"))]

    for one in variants:
        for other in variants:
            assert bool(differences(one, other)) == (one != other)
