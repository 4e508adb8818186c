"""Long values beside the log."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError, ValueRefusedError
from pytest_workflow_exec.evidence import EvidenceLog, read_log

from ._logs import new_log, note, records_in, sealed_line

LONG = "ä" + "x" * 9_000


def _blobs(log: EvidenceLog) -> list[Path]:
    return [path for path in (log.path.parent / "blobs").rglob("*") if not path.is_dir()]


def test_a_long_text_stands_in_a_salted_file_named_by_its_digest(tmp_path: Path) -> None:
    """A text over 8 KiB is replaced by digest and size, and by nothing of itself; its file is 16 bytes of salt and the text."""
    log = new_log(tmp_path)

    log.append(note(text=LONG, short="s"))

    [blob] = _blobs(log)
    content = blob.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert content[16:] == LONG.encode()
    assert blob == log.path.parent / "blobs" / digest[:2] / digest
    assert stat.S_IMODE(blob.stat().st_mode) == 0o600
    [record] = records_in(log.path)
    reference = {"blob": digest, "size_bytes": len(LONG.encode()), "stored": "text"}
    assert record["data"] == {"text": reference, "short": "s"}


@pytest.mark.parametrize(
    ("text", "blobs"), [("x" * 8192, 0), ("x" * 8193, 1), ("ä" * 4096, 0), ("ä" * 4097, 1), ('"' * 8192, 0)]
)
def test_the_limit_is_eight_kibibytes_of_the_texts_own_bytes(tmp_path: Path, text: str, blobs: int) -> None:
    """Exactly 8192 bytes of UTF-8 stay in the record; one more does not. Escapes don't count."""
    log = new_log(tmp_path)

    appended = log.append(note(text=text))

    assert len(_blobs(log)) == blobs if blobs else not (log.path.parent / "blobs").exists()
    assert list(read_log(log.path)) == [appended]


def test_equal_texts_have_different_names(tmp_path: Path) -> None:
    """The salt keeps a short or equal content from being guessed from its digest."""
    log = new_log(tmp_path)

    log.append(note(a=LONG, b=LONG))

    assert len(_blobs(log)) == 2


@pytest.mark.parametrize("data", [{"lines": ["y" * 8000] * 20}, {"keys": {"k" * 70_000: LONG}}, {"n": [1.5] * 30_000}])
def test_data_that_stays_too_long_is_stored_as_a_whole(tmp_path: Path, data: Any) -> None:
    """Many small values, or a huge key, take the data out of the line; the line stays within 64 KiB."""
    log = new_log(tmp_path)

    appended = log.append(note(**data))

    [record] = records_in(log.path)
    assert set(record["data"]) == {"blob", "size_bytes", "stored"}
    assert len(log.path.read_bytes()) <= 64 << 10
    assert list(read_log(log.path)) == [appended]
    assert appended.data == data


def _flip(blob: Path) -> None:
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)


def _replace_by_pipe(blob: Path) -> None:
    blob.unlink()
    os.mkfifo(blob)


@pytest.mark.parametrize("damage", [_flip, Path.unlink, _replace_by_pipe, lambda blob: blob.write_bytes(b"")])
def test_a_damaged_blob_makes_its_record_unreadable(tmp_path: Path, damage: Any) -> None:
    """A blob that was changed, removed, or replaced by something that blocks is noticed, with its record's line."""
    log = new_log(tmp_path)
    log.append(note(text="before"))
    log.append(note(text=LONG))
    damage(_blobs(log)[0])

    records = read_log(log.path)

    assert next(records).data["text"] == "before"
    with pytest.raises(LogUnreadableError, match=r"line 2: blob [0-9a-f]{64}"):
        list(records)


@pytest.mark.parametrize(
    "reference",
    [{"blob": "../../../secret"}, {"blob": 7}, {"size_bytes": 3}, {"stored": "other"}],
)
def test_a_reference_that_says_something_else_than_its_blob_is_refused(tmp_path: Path, reference: Any) -> None:
    """A rewritten record can't pass another size, kind or path off as its text's."""
    from ._logs import rechained

    log = new_log(tmp_path)
    log.append(note(text=LONG))
    [record] = records_in(log.path)
    record["data"]["text"].update(reference)
    log.path.write_bytes(rechained([record]))

    with pytest.raises(LogUnreadableError, match="blob"):
        list(read_log(log.path))


def test_a_blob_that_cannot_be_written_ends_the_log_before_its_record(tmp_path: Path) -> None:
    """Without its blob a record is not written, and no later one either."""
    log = new_log(tmp_path)
    log.append(note(text="before"))
    (log.path.parent / "blobs").write_text("in the way")

    with pytest.raises(EvidenceError, match="blobs can't be used for evidence"):
        log.append(note(text=LONG))

    with pytest.raises(EvidenceError, match="takes no more records"):
        log.append(note(text="after"))
    assert [record["data"]["text"] for record in records_in(log.path)] == ["before"]


def test_no_temporary_file_stays_behind(tmp_path: Path) -> None:
    """After writing, the folder of blobs holds blobs only."""
    log = new_log(tmp_path)

    for _ in range(3):
        log.append(note(text=LONG))

    names = {json.loads(line)["data"]["text"]["blob"] for line in log.path.read_bytes().splitlines()}
    assert {blob.name for blob in _blobs(log)} == names


@pytest.mark.parametrize("size_bytes", [0, 100, 9_016, 9_019, 50 << 30])
def test_a_blob_of_another_size_is_refused_before_it_is_read(tmp_path: Path, size_bytes: int) -> None:
    """A file that was cut or grew, by one byte or beyond all memory, is a broken blob by its size alone."""
    log = new_log(tmp_path)
    log.append(note(text=LONG))
    log.close()
    [blob] = _blobs(log)
    os.truncate(blob, size_bytes)

    with pytest.raises(LogUnreadableError, match=rf"it has {size_bytes} bytes, not 9018"):
        list(read_log(log.path))


@pytest.mark.parametrize("size_bytes", [(50 << 30) - 16, (64 << 20) + 1, -1, True, "9002", None, 9002.0])
def test_a_record_can_not_claim_a_size_that_no_blob_has(tmp_path: Path, size_bytes: Any) -> None:
    """A forged record that makes a huge file look right, or names no size, is refused before anything is read."""
    log = new_log(tmp_path)
    log.append(note(text=LONG))
    log.close()
    [record], [blob] = records_in(log.path), _blobs(log)
    record["data"]["text"]["size_bytes"] = size_bytes
    log.path.write_bytes(sealed_line(record))
    if type(size_bytes) is int:
        os.truncate(blob, max(size_bytes, 0) + 16)

    with pytest.raises(LogUnreadableError, match="no blob has that size"):
        list(read_log(log.path))


def test_a_text_that_no_reader_could_hold_is_refused(tmp_path: Path) -> None:
    """Up to 64 MiB a text is kept; one byte more is refused as a value, nothing is written, and the log goes on."""
    log = new_log(tmp_path)
    most = "x" * (64 << 20)

    with pytest.raises(ValueRefusedError, match=r"data\.text can't be recorded: it has 67108865 bytes"):
        log.append(note(text=most + "x"))
    assert (log.path.read_bytes(), _blobs(log)) == (b"", [])
    log.append(note(text=most))
    [record] = read_log(log.path)
    assert record.data["text"] == most
