"""`workflow-exec init`: a first workflow that runs, with a policy that allows its commands."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import STATE_DIRECTORY
from pytest_workflow_exec.sandbox import offered_level
from pytest_workflow_exec.settings import SHARED_FILE, find_project, load_settings

from ._first import FLOW, first_files
from ._text import escape

_INNER = (".git", STATE_DIRECTORY)


class NotBegunError(WorkflowExecError):
    """A project can't be begun in a folder; nothing was written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"{folder}: {reason}. Nothing was written.")
        self.folder = folder


def init(arguments: argparse.Namespace) -> int:
    """Write a policy, a first workflow and the schema into a folder, made if it is missing; return 0.

    Raises:
        NotBegunError: It is no place for a project, or something is there already.
        SettingsError: A configuration file on the way can't be read.
    """
    folder = Path.cwd() if arguments.dir is None else Path.cwd() / arguments.dir
    files = first_files(confined=sys.platform != "linux" or offered_level().level != "none")
    try:
        _demand_place(folder)
        _demand_free(folder, files)
    except (OSError, RuntimeError) as error:
        # RuntimeError: links that lead in a circle, or a user without a home.
        raise NotBegunError(folder, f"it can't be looked at: {error}") from error
    _write(folder, files)
    sys.stdout.writelines(f"{escape(line)}\n" for line in _said(folder, files))
    return 0


def _demand_place(folder: Path) -> None:
    real = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise NotBegunError(folder, "it is no folder")
    if real == Path(real.anchor) or real == Path.home().resolve():
        raise NotBegunError(folder, "everything below would belong to the project: make a folder for it")
    if any(part in _INNER for part in real.parts):
        raise NotBegunError(folder, f"it lies in {' or '.join(_INNER)}, where no workflow is looked for")
    source = _configuration(real)
    if source is not None and source.parent != real:
        raise NotBegunError(folder, f"it lies in the project that {source} configures. Add to that one instead")


def _configuration(folder: Path) -> Path | None:
    around = find_project(folder)
    return None if around is None else load_settings(around).source


def _demand_free(folder: Path, files: Mapping[str, object]) -> None:
    source = _configuration(folder.resolve())
    there = [f"[tool.workflow-exec] in {SHARED_FILE}"] if source is not None and source.name == SHARED_FILE else []
    there += [name for name in files if _is_anything(folder / name)]
    if there:
        raise NotBegunError(folder, f"there is {', '.join(there)} already, which is never overwritten")
    for name in files:
        for parent in list(Path(name).parents)[:-1]:
            # What stands behind a link is not this project's.
            if _is_anything(folder / parent) and ((folder / parent).is_symlink() or not (folder / parent).is_dir()):
                raise NotBegunError(folder, f"{parent} is no folder of the project, and {name} belongs there")


def _is_anything(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _write(folder: Path, files: Mapping[str, tuple[str, str]]) -> None:
    made: list[Path] = []
    try:
        for name, (content, _) in files.items():
            path = folder / name
            for parent in [parent for parent in reversed(path.parents) if not parent.exists()]:
                parent.mkdir()
                made.append(parent)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(content)
    except OSError as error:
        _take_back(made)
        raise NotBegunError(
            folder, f"{error.filename or folder} can't be written: {error.strerror or error}"
        ) from error
    except BaseException:
        _take_back(made)
        raise


def _take_back(made: list[Path]) -> None:
    for path in reversed(made):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


def _said(folder: Path, files: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    width = max(map(len, files))
    yield from (f"wrote {name.ljust(width)}  {what}" for name, (_, what) in files.items())
    yield ""
    yield "Next:"
    where = Path(FLOW).parent.as_posix()
    if folder != Path.cwd():
        yield f"  cd {shlex.quote(str(folder))}"
    yield f"  pytest {where} --workflow-plan  shows what would be run, and runs nothing"
    yield f"  pytest {where} -s               runs it, and asks you at its gate"
    yield "  workflow-exec show latest               shows what happened"
