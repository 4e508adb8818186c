"""`workflow-exec import`: taking in a run from another machine, so that it can be answered and go on here."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import (
    LOG_NAME,
    PROJECT,
    WORK,
    BundledFile,
    BundleError,
    BundleList,
    digest_without_following,
    is_known,
    may_be_put_back,
    note_in_ledgers,
    open_bundle,
    read_list,
    runs_directory,
    take_in,
    unpack_below,
)
from pytest_workflow_exec.verify import Verdict, verify_log

from ._bundle import bundled_path, outputs_in
from ._find import project
from ._text import escape

_BROKEN = frozenset({"broken", "unreadable"})


def import_(arguments: argparse.Namespace) -> int:
    """Take in the run of a bundle and say how it goes on; return 0.

    Raises:
        BundleError: It is no bundle, its log is broken or another one than expected, or the run is here already.
        EvidenceError: It can't be written.
        LogUnreadableError: There is no project here.
    """
    root = project()
    with open_bundle(arguments.bundle) as file:
        listed = _listed(file, arguments.bundle)
        known = is_known(root, listed)
        if known and not arguments.outputs:
            raise BundleError(f"run {listed.run} is here already, and a run that is here is never replaced")
        verdict = verified(file, listed, expect_head=arguments.expect_head)
        lines = _known(root, listed) if known else _taken_in(root, file, listed, verdict, arguments.expect_head)
        for line in (*lines, *_outputs(root, file, listed, put=arguments.outputs)):
            sys.stdout.write(f"{escape(line)}\n")
    return 0


def _taken_in(
    root: Path, file: BinaryIO, listed: BundleList, verdict: Verdict, expect_head: str | None
) -> Sequence[str]:
    folder = take_in(root, file, listed)
    problem = note_in_ledgers(root, "imported", run=listed.run, workflow=listed.workflow, head=listed.head)
    how = "by its own word alone: compare it with what the export printed" if expect_head is None else "as you expected"
    lines = [
        f"run {verdict.run} of workflow {verdict.workflow} is here: {folder}",
        f"its head is {listed.head.hash}, {how}",
        "what is approved in it counts once in each copy of its folder: let it go on in one place only",
        "it has passed: there is nothing to go on with"
        if verdict.result == "passed"
        else "workflow-exec pending shows what it waits for; pytest with --workflow-resume goes on",
    ]
    return lines if problem is None else [*lines, f"the copy of the ledger outside the project: {problem}"]


def _known(root: Path, listed: BundleList) -> Sequence[str]:
    here = verify_log(runs_directory(root) / listed.run / LOG_NAME, expect_head=listed.head.hash)
    if here.word in _BROKEN:
        raise BundleError(f"run {listed.run} is here already, and is another one: {here.message}")
    return [f"run {listed.run} is here already"]


def verified(file: BinaryIO, listed: BundleList, *, expect_head: str | None = None) -> Verdict:
    """Return the verdict on the log in a bundle, all of which was read.

    Raises:
        BundleError: It is broken, or another one than the bundle or whoever asks says.
        EvidenceError: There is no room to look at it.
    """
    if expect_head not in (None, listed.head.hash):
        raise BundleError(f"its log ends with head {listed.head.hash}, not {expect_head}")
    with tempfile.TemporaryDirectory(prefix="workflow-exec-") as folder:
        log = unpacked_log(file, listed, Path(folder))
        verdict = verify_log(log)
        if verdict.word in _BROKEN:
            raise BundleError(f"its log is {verdict.word}: {verdict.message}")
        left = {bundled_path(path, run=listed.run): sha256 for path, sha256 in outputs_in(log).items()}
    if (verdict.run, verdict.workflow, verdict.head) != (listed.run, listed.workflow, listed.head):
        raise BundleError("its log is of another run, or ends elsewhere, than its list says")
    for each in listed.files:
        if each.path.startswith((PROJECT, WORK)) and left.get(each.path) != each.sha256:
            raise BundleError(f"it holds {each.path!r}, which no step of its log left")
    return verdict


def unpacked_log(file: BinaryIO, listed: BundleList, folder: Path) -> Path:
    """Return the log of a bundle, with its stored texts beside it in an empty folder.

    Raises:
        BundleError: Any of the bundle is not what its list says.
        EvidenceError: It can't be written.
    """
    unpack_below(file, listed, folder, wanted=lambda each: each.path if _is_log(each) else "")
    return folder / LOG_NAME


def _is_log(file: BundledFile) -> bool:
    return file.path.startswith(("evidence", "blobs/"))


def _listed(file: BinaryIO, path: Path) -> BundleList:
    try:
        return read_list(file)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error


def _outputs(root: Path, file: BinaryIO, listed: BundleList, *, put: bool) -> list[str]:
    carried = {each.path.removeprefix(PROJECT): each for each in listed.files if each.path.startswith(PROJECT)}
    found = {path: _found(root, path, each) for path, each in carried.items()}
    missing = {path: carried[path] for path, what in found.items() if what == "missing"}
    if put and missing:
        _put(root, file, listed, missing)
        found |= dict.fromkeys(missing, "put back")
    said = {
        "missing": "is not here: its step runs again, unless --outputs puts it back",
        "put back": "was put back where its step left it",
        "here": "is here as its step left it",
        "other": "is another one here, and is kept: its step runs again",
        "never": "is not put back: something would act on a file of that name. Its step runs again",
    }
    return [f"output {path} {said[what]}" for path, what in found.items()]


def _found(root: Path, path: str, file: BundledFile) -> str:
    try:
        return "here" if digest_without_following(root / path) == file.sha256 else "other"
    except FileNotFoundError:
        return "missing" if may_be_put_back(path) else "never"
    except OSError:
        return "other"


def _put(root: Path, file: BinaryIO, listed: BundleList, missing: Mapping[str, BundledFile]) -> None:
    def wanted(each: BundledFile) -> str:
        path = each.path.removeprefix(PROJECT)
        return path if each.path.startswith(PROJECT) and path in missing else ""

    try:
        unpack_below(file, listed, root, wanted=wanted)
    except EvidenceError as error:
        raise EvidenceError(f"the run is here, but not all that its steps left: {error}") from error
