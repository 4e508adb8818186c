"""Copies that a run keeps for itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import NotSameError, digest_without_following, keep_copy

_DIGEST = digest_of_bytes(b"wheel")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file, and beside it the folder for copies."""
    (tmp_path / "outputs").mkdir(mode=0o700)
    path = tmp_path / "x.whl"
    path.write_bytes(b"wheel")
    return path


def _place(source: Path) -> Path:
    return source.parent / "outputs" / "one"


def test_a_copy_is_whole_private_and_used_again(source: Path) -> None:
    """The second time nothing is read but the copy, and the original may be gone; a program stays executable."""
    source.chmod(0o755)
    copy = keep_copy(source, _place(source), sha256=_DIGEST)
    source.unlink()

    again = keep_copy(source, _place(source), sha256=_DIGEST)

    assert copy == again == _place(source) / "x.whl"
    assert digest_without_following(copy) == _DIGEST
    assert copy.stat().st_mode & 0o777 == 0o500
    assert [path.name for path in _place(source).iterdir()] == ["x.whl"]


def test_a_file_that_is_not_what_it_is_said_to_be_is_not_kept(source: Path) -> None:
    """Another content is an error and leaves no copy, and so is a copy that somebody changed."""
    with pytest.raises(NotSameError, match="changed since its step made it"):
        keep_copy(source, _place(source), sha256=digest_of_bytes(b"other"))
    assert list(_place(source).iterdir()) == []

    copy = keep_copy(source, _place(source), sha256=_DIGEST)
    copy.chmod(0o600)
    copy.write_bytes(b"other")
    with pytest.raises(NotSameError, match="somebody changed it"):
        keep_copy(source, _place(source), sha256=_DIGEST)
    assert copy.read_bytes() == b"other"


@pytest.mark.parametrize("kind", ["gone", "a pipe", "a folder"])
def test_what_is_no_file_is_not_kept(source: Path, kind: str) -> None:
    """A name that means no regular file is an error at once."""
    source.unlink()
    if kind == "a pipe":
        os.mkfifo(source)
    elif kind == "a folder":
        source.mkdir()

    with pytest.raises(EvidenceError, match="can't be copied"):
        keep_copy(source, _place(source), sha256=_DIGEST)

    assert list(_place(source).iterdir()) == []


def test_a_link_in_the_place_of_a_copy_is_not_followed(source: Path) -> None:
    """Neither the copy nor its folder may be a link to elsewhere."""
    copy = keep_copy(source, _place(source), sha256=_DIGEST)
    copy.unlink()
    copy.symlink_to(source)
    with pytest.raises(EvidenceError):
        keep_copy(source, _place(source), sha256=_DIGEST)

    elsewhere = source.parent / "elsewhere"
    elsewhere.mkdir()
    (source.parent / "outputs" / "two").symlink_to(elsewhere)
    with pytest.raises(EvidenceError):
        keep_copy(source, source.parent / "outputs" / "two", sha256=_DIGEST)
    assert list(elsewhere.iterdir()) == []
