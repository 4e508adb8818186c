"""Digests: equal things have equal ones, and nothing that is no file is read."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from pytest_workflow_exec.digests import Json, canonical_json, digest_of, digest_of_bytes, digest_of_file


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, 0.5]}, '{"a":[true,null,0.5],"b":1}'),
        ("ä\n", '"\\u00e4\\n"'),
        ((1, 2), "[1,2]"),
    ],
)
def test_a_value_has_one_spelling(value: Json, text: str) -> None:
    """Keys are sorted, nothing is spaced, everything is ASCII; the digest is taken of that."""
    assert canonical_json(value) == text
    assert digest_of(value) == hashlib.sha256(text.encode()).hexdigest() == digest_of_bytes(text.encode())


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), (float("inf"), ValueError), ({1}, TypeError)])
def test_what_json_has_no_word_for_has_no_digest(value: Json, error: type[Exception]) -> None:
    """NaN, infinities and other types are refused."""
    with pytest.raises(error):
        digest_of(value)


@pytest.mark.parametrize("size_bytes", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_files_digest_is_that_of_its_content(tmp_path: Path, size_bytes: int) -> None:
    """Files of every size, also through a link, have the digest of their bytes."""
    content = os.urandom(size_bytes)
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "link").symlink_to("file")

    assert digest_of_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()
    assert digest_of_file(tmp_path / "link") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "kind", ["pipe", "link to a pipe", "pipe with a writer", "device", "terminal", "folder", "socket"]
)
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    """A pipe that nobody writes to, an endless device, a terminal, a folder and a socket are an error at once."""
    path = tmp_path / "x"
    held: list[object] = []
    if "pipe" in kind:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
    if kind == "pipe":
        path = tmp_path / "pipe"
    if kind == "pipe with a writer":
        held.append(os.fdopen(os.open(path, os.O_RDWR), "wb", buffering=0))
    if kind == "device":
        path = Path("/dev/zero")
    if kind == "terminal":
        reader, writer = os.openpty()
        held += [os.fdopen(reader, "rb", buffering=0), os.fdopen(writer, "wb", buffering=0)]
        path = Path(os.ttyname(writer))
    if kind == "folder":
        path.mkdir()
    if kind == "socket":
        held.append(server := socket.socket(socket.AF_UNIX))
        server.bind(str(path))

    with pytest.raises(OSError, match="is no regular file") as caught:
        digest_of_file(path)

    assert caught.value.filename == str(path)
    for each in held:
        each.close()  # type: ignore[attr-defined]  # files and sockets


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A file that is not there is said to be missing."""
    with pytest.raises(FileNotFoundError):
        digest_of_file(tmp_path / "missing")
