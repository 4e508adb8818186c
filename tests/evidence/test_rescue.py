"""A log whose name was taken from it is saved, and the error says where."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import EvidenceLog, read_log

from ._logs import new_log, note


def _begun(root: Path) -> EvidenceLog:
    log = new_log(root)
    for count in range(3):
        log.append(note(count=count))
    log.barrier()
    return log


def _write(log: EvidenceLog, text: str) -> None:
    log.append(note(text=text))
    log.barrier()


def _saved(error: EvidenceError) -> Path:
    match = re.search(r"What it held is saved in (\S+)\.$", str(error))
    assert match is not None, str(error)
    return Path(match[1])


def _remove_state(path: Path) -> None:
    shutil.rmtree(path.parents[2])


def _link_state(path: Path) -> None:
    state = path.parents[2]
    shutil.rmtree(state)
    (state.parent / "elsewhere").mkdir()
    state.symlink_to(state.parent / "elsewhere")


def _replace(path: Path) -> None:
    path.with_suffix(".new").write_bytes(b"forged\n")
    path.with_suffix(".new").rename(path)


def _replace_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/null")


@pytest.mark.parametrize(
    ("attack", "where"),
    [
        (Path.unlink, ".workflow-exec/saved/RUN-1.jsonl"),
        (lambda path: path.rename(path.with_suffix(".moved")), ".workflow-exec/saved/RUN-1.jsonl"),
        (lambda path: shutil.rmtree(path.parent), ".workflow-exec/saved/RUN-1.jsonl"),
        (lambda path: shutil.rmtree(path.parents[1]), ".workflow-exec/saved/RUN-1.jsonl"),
        (_replace, ".workflow-exec/saved/RUN-1.jsonl"),
        (_replace_by_link, ".workflow-exec/saved/RUN-1.jsonl"),
        (_remove_state, "workflow-exec-saved-RUN-1.jsonl"),
        (lambda path: path.parents[2].rename(path.parents[3] / "gone"), "workflow-exec-saved-RUN-1.jsonl"),
        (_link_state, "workflow-exec-saved-RUN-1.jsonl"),
    ],
)
@pytest.mark.parametrize("text", ["short", "long" * 10_000])
def test_a_log_that_lost_its_name_is_saved(
    tmp_path: Path, attack: Callable[[Path], object], where: str, text: str
) -> None:
    """Deleted, moved, replaced or linked: all that was written is in the file that the error names, for its owner only."""
    log = _begun(tmp_path)
    attack(log.path)

    with pytest.raises(EvidenceError) as caught:
        _write(log, text)

    path = _saved(caught.value)
    assert path == tmp_path / where.replace("RUN", log.path.parent.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = [record.data for record in read_log(path, blobs=False)]
    assert kept[:3] == [{"count": count} for count in range(3)]
    if text == "short":
        assert kept[3:] == [{"text": text}]
    with pytest.raises(EvidenceError, match="takes no more records"):
        log.append(note())


def test_a_saved_log_is_never_written_over(tmp_path: Path) -> None:
    """What is there already keeps its name, also if it is a link; the next number is taken."""
    log = _begun(tmp_path)
    folder = tmp_path / ".workflow-exec" / "saved"
    folder.mkdir()
    (folder / f"{log.path.parent.name}-1.jsonl").write_bytes(b"older")
    (folder / f"{log.path.parent.name}-2.jsonl").symlink_to(tmp_path / "elsewhere")
    log.path.unlink()

    with pytest.raises(EvidenceError, match=r"-3\.jsonl"):
        log.barrier()

    assert (folder / f"{log.path.parent.name}-1.jsonl").read_bytes() == b"older"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "attack",
    [
        lambda path: os.truncate(path, 10),
        lambda path: os.link(path, path.with_suffix(".second")),
        lambda path: path.write_bytes(path.read_bytes() + b"forged\n"),
    ],
)
def test_a_log_that_is_where_it_was_is_not_saved(tmp_path: Path, attack: Callable[[Path], object]) -> None:
    """What was cut, linked or written to still has its name: there is nothing to save it from."""
    log = _begun(tmp_path)
    attack(log.path)

    with pytest.raises(EvidenceError) as caught:
        log.barrier()

    assert "saved" not in str(caught.value)
    assert list(tmp_path.rglob("*saved*")) == []


def test_where_nothing_can_be_written_the_error_says_so(tmp_path: Path) -> None:
    """If the whole project is gone, the error says that nothing could be saved, and why."""
    project = tmp_path / "project"
    project.mkdir()
    log = _begun(project)
    shutil.rmtree(project)

    with pytest.raises(EvidenceError, match=r"could not be saved .*project.*No such file"):
        log.barrier()
