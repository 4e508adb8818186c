"""A run as one file for another machine: a tar in which every byte follows from a list of what is in it.

Any `tar` can look into it, but here it is not read as one. Its first member lists the others with their sizes and
digests, and each header has to be the very bytes that writing it would give: so there is nothing in it that could be a
link, a device, a second file of a name, or a length that two readers understand differently.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.strict_json import StrictJsonError, parse

from ._files import reason_of, write_all
from ._names import BLOBS, LOG_NAME
from ._record import Head
from ._run_id import RUN_ID

PROJECT = "project/"
"""Where a bundle holds the files of the project that steps left."""
WORK = "work/"
"""Where it holds those that they left in the run's own folder for commands."""

_LIST = "workflow-exec-bundle.json"
_VERSION = 1
_BLOCK = 512
_END = bytes(2 * _BLOCK)
_CHUNK_BYTES = 1 << 20
_MAX_LIST_BYTES = 32 << 20
_MAX_FILES = 100_000
_MAX_DEPTH = 32
_LOG = lazy_pattern(r"evidence(\.[0-9]{4,8})?\.jsonl", re.ASCII)
_BLOB = lazy_pattern(rf"{BLOBS}/([0-9a-f]{{2}})/\1[0-9a-f]{{62}}", re.ASCII)
_GATE = lazy_pattern(r"gates/[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}", re.ASCII)
_SHA256 = lazy_pattern(r"[0-9a-f]{64}", re.ASCII)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class BundleError(EvidenceError):
    """A bundle can't be made, or is not what is made here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledFile:
    """One file of a bundle."""

    path: str
    """Where it belongs, from the run's folder; behind `project/`, from the project's."""
    sha256: str
    size_bytes: int
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleList:
    """What a bundle says is in it."""

    run: RunId
    workflow: str
    head: Head
    files: tuple[BundledFile, ...]

    def content(self) -> bytes:
        """Return it as the bundle holds it."""
        data: Mapping[str, Json] = {
            "v": _VERSION,
            "run": self.run,
            "workflow": self.workflow,
            "head": {"seq": self.head.seq, "hash": self.head.hash},
            "files": [asdict(file) for file in self.files],
        }
        return canonical_json(data).encode("ascii") + b"\n"


def is_bundled(path: str) -> bool:
    """Return whether a file of a run's folder belongs into a bundle."""
    return bool(_LOG.fullmatch(path) or _BLOB.fullmatch(path) or _GATE.fullmatch(path) or _is_below(path, "outputs/"))


def may_be_left(path: str) -> bool:
    """Return whether a file that a step left can be carried under this path."""
    return _is_below(path, PROJECT) or _is_below(path, WORK)


def described(source: Path, path: str) -> BundledFile:
    """Return what a bundle says of a file.

    Raises:
        BundleError: It can't be read, or is no regular file.
    """
    digest = hashlib.sha256()
    with _opened(source) as file:
        size = sum(_updated(digest.update, chunk) for chunk in _chunks(file))
        executable = bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
    return BundledFile(path=path, sha256=digest.hexdigest(), size_bytes=size, executable=executable)


def write_bundle(target: Path, listed: BundleList, sources: Mapping[str, Path]) -> None:
    """Write a bundle; one that is there is kept.

    Args:
        sources: Where each of its files is.

    Raises:
        BundleError: It is there, can't be written, or a file changed since it was described.
    """
    _demand_list(listed)
    try:
        out = os.open(target, _NEW, 0o600)
    except FileExistsError as error:
        raise BundleError(f"{target} is there already, and is kept") from error
    except OSError as error:
        raise BundleError(f"{target} can't be written: {reason_of(error)}") from error
    try:
        content = listed.content()
        write_all(out, _header(_LIST, len(content)) + _padded(content))
        for file in listed.files:
            write_all(out, _header(file.path, file.size_bytes, executable=file.executable))
            with _opened(sources[file.path]) as source:
                _copy(source, file, lambda chunk: write_all(out, chunk))
            write_all(out, _padding(file.size_bytes))
        write_all(out, _END)
        os.fsync(out)
    except BaseException as error:
        target.unlink()
        if isinstance(error, OSError):
            raise BundleError(f"{target} can't be written: {reason_of(error)}") from error
        raise
    finally:
        os.close(out)


def seems_bundle(path: Path) -> bool:
    """Return whether a file begins as bundles do."""
    try:
        with _opened(path) as file:
            return file.read(len(_LIST) + 1) == _LIST.encode("ascii") + b"\0"
    except BundleError:
        return False


def open_bundle(path: Path) -> BinaryIO:
    """Return an open bundle, for reading.

    Raises:
        BundleError: It can't be read, or is no regular file.
    """
    return _opened(path)


def read_list(file: BinaryIO) -> BundleList:
    """Return what an open bundle says is in it.

    Raises:
        BundleError: It is no bundle, or lists something that is never in one.
    """
    file.seek(0)
    header = file.read(_BLOCK)
    digits = header[124:135]
    size = int(digits, 8) if re.fullmatch(rb"[0-7]{11}", digits) else -1
    if not 0 < size <= _MAX_LIST_BYTES or header != _header(_LIST, size):
        raise BundleError("it is no bundle as `workflow-exec export --bundle` writes it")
    content = file.read(size)
    if len(content) != size or file.read(len(_padding(size))) != _padding(size):
        raise BundleError("it ends too early")
    listed = _list_in(content)
    _demand_list(listed)
    return listed


def unpack(
    file: BinaryIO, listed: BundleList, write: Callable[[BundledFile], Callable[[bytes], object] | None]
) -> None:
    """Read a bundle behind its list to its end, and give what is in it.

    Args:
        write: Returns what takes the content of a file, part by part; None to read it for its digest alone.

    Raises:
        BundleError: Any byte of it is not what its list says.
    """
    file.seek(_BLOCK + len(_padded(listed.content())))
    for each in listed.files:
        header = _header(each.path, each.size_bytes, executable=each.executable)
        if file.read(len(header)) != header:
            raise BundleError(f"what stands in it where its list has {each.path!r} is something else")
        _copy(file, each, write(each) or (lambda _: None), exactly=False)
        if file.read(len(_padding(each.size_bytes))) != _padding(each.size_bytes):
            raise BundleError(f"something follows {each.path!r} that its list does not have")
    if file.read(len(_END) + 1) != _END:
        raise BundleError("something follows its end, or the end is missing")


def _demand_list(listed: BundleList) -> None:
    paths = [file.path for file in listed.files]
    if len(paths) > _MAX_FILES:
        raise BundleError(f"it holds {len(paths)} files, and more than {_MAX_FILES} are never carried")
    if paths != sorted(set(paths)) or LOG_NAME not in paths:
        raise BundleError("its list has a file twice or out of order, or no log")
    for file in listed.files:
        if not (is_bundled(file.path) or may_be_left(file.path)):
            raise BundleError(f"{file.path!r} is no place for a file of a run")
        try:
            _header(file.path, file.size_bytes, executable=file.executable)
        except (ValueError, UnicodeError) as error:
            raise BundleError(f"{file.path!r} can't be carried: {error}") from error


def _is_below(path: str, folder: str) -> bool:
    parts = path.split("/")[1:]
    return (
        path.startswith(folder)
        and len(parts) <= _MAX_DEPTH
        and not any(part in ("", ".", "..") or not part.isprintable() for part in parts)
    )


def _list_in(content: bytes) -> BundleList:
    try:
        fields = parse(content.decode("ascii"))
        listed = _list_of(fields)
        if listed.content() != content:
            raise BundleError("its list is not as it is written here")
    except (StrictJsonError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise BundleError("its list can't be read") from error
    return listed


def _list_of(fields: Json) -> BundleList:
    if not isinstance(fields, Mapping) or fields.get("v") != _VERSION:
        raise BundleError("it was made by another version of workflow-exec")
    head, files = fields["head"], fields["files"]
    if not isinstance(head, Mapping) or not isinstance(files, list):
        raise TypeError
    listed = BundleList(
        run=str(fields["run"]),
        workflow=str(fields["workflow"]),
        head=Head(seq=_number(head["seq"]), hash=str(head["hash"])),
        files=tuple(_file_of(each) for each in files),
    )
    if not RUN_ID.fullmatch(listed.run) or not _SHA256.fullmatch(listed.head.hash):
        raise TypeError
    return listed


def _file_of(entry: Json) -> BundledFile:
    if not isinstance(entry, Mapping) or not _SHA256.fullmatch(str(entry["sha256"])):
        raise TypeError
    return BundledFile(
        path=str(entry["path"]),
        sha256=str(entry["sha256"]),
        size_bytes=_number(entry["size_bytes"]),
        executable=entry["executable"] is True,
    )


def _number(value: Json) -> int:
    if type(value) is not int or value < 0:
        raise TypeError
    return value


def _opened(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, _READ)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} can't be read: {reason_of(error)}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BundleError(f"{path} is no regular file")
    return os.fdopen(descriptor, "rb")


def _copy(source: BinaryIO, file: BundledFile, take: Callable[[bytes], object], *, exactly: bool = True) -> None:
    digest, rest = hashlib.sha256(), file.size_bytes
    while rest and (chunk := source.read(min(rest, _CHUNK_BYTES))):
        digest.update(chunk)
        take(chunk)
        rest -= len(chunk)
    if rest or digest.hexdigest() != file.sha256 or (exactly and source.read(1)):
        raise BundleError(f"{file.path!r} is not what its list says: it was changed or cut")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _updated(update: Callable[[bytes], object], chunk: bytes) -> int:
    update(chunk)
    return len(chunk)


def _header(path: str, size: int, *, executable: bool = False) -> bytes:
    member = tarfile.TarInfo(path)
    member.size, member.mode = size, 0o700 if executable else 0o600
    # The oldest format: longer names and sizes would need members of their own, which could say something else.
    return member.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _padded(content: bytes) -> bytes:
    return content + _padding(len(content))
