"""The private folder in which the commands of one session have their home and temporary files."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError


def fresh_scratch(directory: Path) -> Path:
    """Return the folder, empty.

    Raises:
        EvidenceError: It can't be made.
    """
    # What commands of an earlier session left in their homes is not for those of this one.
    with contextlib.suppress(RecursionError):
        shutil.rmtree(directory, ignore_errors=True)
    try:
        # What could not be removed is in folders of names that no command is given again.
        directory.mkdir(exist_ok=True)
        if directory.is_symlink():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        # Not by mkdir's mode, of which the umask takes its part.
        directory.chmod(0o700)
    except OSError as error:
        message = f"{directory} can't be made: {error.strerror}"
        raise EvidenceError(message) from error
    return directory
