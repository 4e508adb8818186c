"""What lies beside a log for its gates: private, whole, and read with care."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import hand_in, handed_in, keep_challenge


def test_what_is_handed_in_is_read_again(tmp_path: Path) -> None:
    """An answer lies in a private folder of the run under a name of its own; the same one lies there once."""
    path = hand_in(tmp_path, b"one")
    hand_in(tmp_path, b"one")
    hand_in(tmp_path, b"two")
    challenge = keep_challenge(tmp_path, "a[b/c]", "12" * 32, b"text")

    assert sorted(file.content for file in handed_in(tmp_path)) == [b"one", b"two"]
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert challenge.read_bytes() == b"text"
    assert challenge.parent == path.parent


def test_without_answers_there_are_none(tmp_path: Path) -> None:
    """A run to which nobody handed anything in has no folder for it."""
    assert list(handed_in(tmp_path)) == []


def test_odd_files_are_named_and_not_read(tmp_path: Path) -> None:
    """A link, a folder and a file that is too long have a problem instead of content; too many are refused."""
    folder = hand_in(tmp_path, b"one").parent
    (folder / "link.decision.json").symlink_to("/etc/hostname")
    (folder / "folder.decision.json").mkdir()
    (folder / "long.decision.json").write_bytes(b"x" * (1 << 17))

    problems = {file.path.name: file.problem for file in handed_in(tmp_path) if file.problem}

    assert set(problems) == {"link.decision.json", "folder.decision.json", "long.decision.json"}
    assert problems["long.decision.json"] == "it is longer than 65536 bytes"
    for number in range(1001):
        (folder / f"{number}.decision.json").write_bytes(b"")
    with pytest.raises(EvidenceError, match="more than 1000 are not looked at"):
        list(handed_in(tmp_path))


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Nothing is written through a link, wherever it leads."""
    outside, run = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    run.mkdir()
    (run / "gates").symlink_to(outside)

    with pytest.raises(EvidenceError, match="symbolic link"):
        hand_in(run, b"one")

    assert not list(outside.iterdir())
