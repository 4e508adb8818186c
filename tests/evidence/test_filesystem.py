"""What evidence lies on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import filesystem_of, is_remote

_MOUNTS = r"""22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:21 / /proc rw - proc proc rw
41 22 0:44 / /srv/team rw,relatime shared:2 master:1 - nfs4 host:/team rw,vers=4.2
42 41 0:45 / /srv/team/with\040space rw - tmpfs tmpfs rw
43 22 0:46 / /mnt/twice rw - ext4 /dev/vdb rw
44 43 0:47 / /mnt/twice rw - fuse.sshfs a@b:/ rw
a line that is none
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/a/project", "ext4"),
        ("/srv/team", "nfs4"),
        ("/srv/team/not/there/yet", "nfs4"),
        ("/srv/teams", "ext4"),
        ("/srv/team/with space/x", "tmpfs"),
        ("/mnt/twice/x", "fuse.sshfs"),
    ],
)
def test_the_nearest_mount_says_what_a_folder_lies_on(tmp_path: Path, place: str, kind: str) -> None:
    """The deepest mount counts, of two at one point the later, and a name that only begins alike does not."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(_MOUNTS)

    assert filesystem_of(Path(place), mounts=mounts) == kind


def test_where_no_mounts_are_told_nothing_is_known(tmp_path: Path) -> None:
    """A machine without that file has file systems of unknown types, which are not taken for remote ones."""
    assert filesystem_of(tmp_path, mounts=tmp_path / "missing") == "unknown"
    assert not is_remote("unknown")


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "fuse.sshfs", "ceph", "lustre"])
def test_file_systems_of_other_machines_are_known(kind: str) -> None:
    """Network file systems, and all that programs in user space make up, are remote; those of a disk are not."""
    assert is_remote(kind)
    assert not any(is_remote(local) for local in ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay"))
