"""A disk that is full, and room again after it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def _mounts() -> bool:
    command = [*_UNSHARE, "mount", "-t", "tmpfs", "none", "/tmp"]  # noqa: S108  # seen by nobody else
    return (
        shutil.which("unshare") is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not _mounts(), reason="this system lets nobody mount a small file system")
def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    """A record that fits only in part ends the run for good; what is torn is told, and room lets another process go on."""
    script = 'mount -t tmpfs -o size=400k none "$0" && "$@"'
    command = [
        *_UNSHARE,
        "sh",
        "-c",
        script,
        str(tmp_path),
        sys.executable,
        "-m",
        "tests.faults._full_disk",
        str(tmp_path),
    ]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "bytes of a record; is the disk full?" in told["refused"]
    assert "takes no more records" in told["again"]
    assert "takes no more records" in told["after_room"]
    assert (told["verdict"], told["torn_bytes"] > 0) == ("torn tail", True)
    assert told["untouched"]
    assert told["types"] == ["run.started", "step.started", "recovery", "note"]
    assert told["kept"] == 1
    assert told["verdict_after"] == "bounded"
