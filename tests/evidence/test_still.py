"""The digest of a file that is about to be used: of nothing that changes meanwhile."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import digest_of_still

# In a process of its own: an audit hook stays.
REPLACING = """
import os, pathlib, sys
from pytest_workflow_exec.evidence import digest_of_still
path, other = map(pathlib.Path, sys.argv[1:])
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], int) and other.exists():
        os.replace(other, path)
sys.addaudithook(hook)
print(digest_of_still(path))
"""


def test_a_file_that_stays_has_a_digest(tmp_path: Path) -> None:
    """Of a regular file, also behind a link, it is the SHA-256 of what is in it."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")

    assert digest_of_still(tmp_path / "link") == hashlib.sha256(b"content").hexdigest()


def test_a_file_that_is_replaced_meanwhile_has_none(tmp_path: Path) -> None:
    """Another file under its name, put there once it was opened, is found."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"content")
    other.write_bytes(b"other")

    done = subprocess.run([sys.executable, "-c", REPLACING, path, other], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert "was written or replaced while it was read" in done.stderr


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, a folder and nothing at all have no digest, and nobody waits for them."""
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none"):
        with pytest.raises(EvidenceError, match="can't be read"):
            digest_of_still(path)
