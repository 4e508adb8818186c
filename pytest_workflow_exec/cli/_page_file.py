"""Where a page goes: never over a file that is not one of ours, and never half of it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.report import GENERATOR

_BEGINNING_BYTES = 2_000
_MARK = f'<meta name="generator" content="{GENERATOR}">'.encode()


class PageFileError(WorkflowExecError):
    """A page can't be written."""


def put_page(page: str, path: Path, *, own_folder: bool) -> None:
    """Write a page, also over an earlier one.

    Args:
        own_folder: Whether the folder is the tool's, and made if it is missing.

    Raises:
        PageFileError: It can't be written, or something is there that is no such page.
    """
    try:
        if own_folder:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        _refuse_strangers(path)
        # Renamed, not written in place: whoever has the old page open must never see half of the new one.
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(page)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PageFileError(f"{path} can't be written: {error.strerror or error}") from error


def _refuse_strangers(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    ours = stat.S_ISREG(found.st_mode)
    if ours:
        with path.open("rb") as file:
            ours = _MARK in file.read(_BEGINNING_BYTES)
    if not ours:
        raise PageFileError(f"{path} is there and is no page of this tool: remove it, or give another name with --html")
