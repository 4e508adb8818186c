"""What a folder lies on: appending to a file of another machine can lose or overwrite records (open(2), O_APPEND)."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pytest_workflow_exec.lazy_patterns import lazy_pattern

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = lazy_pattern(r"\\([0-7]{3})")
# The kernel's names; those of programs in user space stand behind `fuse.`.
_REMOTE = frozenset(
    [
        "9p",
        "afs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse",
        "fuse3",
        "fuseblk",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb2",
        "smb3",
        "smbfs",
    ]
)


def filesystem_of(path: Path, *, mounts: Path = _MOUNTS) -> str:
    """Return the type of the file system that holds the path or, if it does not exist, its nearest parent.

    Args:
        mounts: The mounts of this process, as `proc_pid_mountinfo(5)` has them.

    Returns:
        The kernel's name for it, as `ext4`; `unknown` where the mounts can't be read.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        place = path.resolve()
    except OSError:
        return "unknown"
    found, depth = "unknown", -1
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        point = Path(_ESCAPE.sub(_character, fields[4])) if len(fields) > 4 else None  # noqa: PLR2004  # its fifth field
        # Of two mounts at one point, the later hides the earlier.
        if point is not None and kind and place.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = kind, len(point.parts)
    return found


def is_remote(filesystem: str) -> bool:
    """Return whether a file system of that type may belong to another machine, or be a program's own."""
    return filesystem in _REMOTE or filesystem.startswith("fuse.")


def _character(match: re.Match[str]) -> str:
    return os.fsdecode(bytes([int(match[1], 8) & 0xFF]))
