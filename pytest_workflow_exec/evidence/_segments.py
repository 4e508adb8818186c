"""The files of one log: a long one goes on in a next file, once the last record of the file before says so.

Whoever reads a log opens its files here, so that none is forgotten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from pytest_workflow_exec import events
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.events import Event

from ._files import is_there, open_regular, reason_of
from ._lines import Line, lines_of, record_of
from ._names import LOG_NAME

SEGMENT_BYTES = 64 << 20
"""How long a file of a log becomes, unless the configuration says something else."""
SEGMENT_END = b"segment.sealed"
"""The type of the record that ends a file of a log; the records behind it stand in the next one."""


class Files(Protocol):
    """The files of a log, for whoever follows its chain."""

    def opened(self, number: int) -> BinaryIO | None:
        """Return the file of that number, from 0, opened at its beginning; None if there is none but the first.

        Raises:
            LogUnreadableError: It can't be read.
        """

    def beyond(self, last: int) -> str | None:
        """Return the name of a file that looks like one of the log, and is none of those up to `last`; None if none does.

        What came into being after the last file was opened does not count.
        """


class Segments:
    """The files of a log by their names, for reading."""

    def __init__(self, log: Path) -> None:
        """Read the log whose first file is at `log`; the others lie beside it."""
        self._log = log
        self._names: tuple[str, ...] = ()

    def opened(self, number: int) -> BinaryIO | None:
        """Return the file of that number, which has to be closed; see `Files`."""
        # Before it is opened: a file that its writer begins meanwhile is preceded by an end that will be read.
        path, following = segment_path(self._log, number), segment_path(self._log, number + 1)
        self._names = (following.name,) if _is_there(following) else _names_in(self._log.parent)
        if number and not _is_there(path):
            return None
        return open_regular(path)

    def beyond(self, last: int) -> str | None:
        """Return a file too many; see `Files`."""
        return unexpected(self._names, self._log, last)


def segment_path(log: Path, number: int) -> Path:
    """Return where the file of that number lies of a log whose first file is at `log`: `evidence.0001.jsonl`."""
    return log.with_name(f"{log.stem}.{number:04}{log.suffix}") if number else log


def segments_of(log: Path) -> tuple[Path, ...]:
    """Return the files of a log as far as they follow each other by name; whether they belong together is not checked.

    Raises:
        LogUnreadableError: It can't be found out how many there are.
    """
    paths = [log]
    while _is_there(path := segment_path(log, len(paths))):
        paths.append(path)
    return tuple(paths)


def first_of(path: Path) -> Path | None:
    """Return the first file of the log whose later file that name is; None if it is none."""
    match = re.fullmatch(r"(.+)\.[0-9]{4,}", path.stem, re.ASCII)
    return None if match is None else path.with_name(f"{match[1]}{path.suffix}")


def all_lines(log: Path) -> Iterator[Line]:
    """Give the lines of all files of a log, whatever they hold.

    Raises:
        LogUnreadableError: A file can't be opened.
        OSError: It can't be read.
    """
    for number, path in enumerate(segments_of(log)):
        with open_regular(path) as file:
            yield from lines_of(file, segment=number)


def unexpected(names: Iterable[str], log: Path, last: int) -> str | None:
    """Return the first of those names that a file of the log would have behind `last`, or that is spelled as none is."""
    form = re.compile(rf"{re.escape(log.stem)}\.([0-9]+){re.escape(log.suffix)}", re.ASCII)
    found = sorted((int(match[1]), name) for name in names if (match := form.fullmatch(name)))
    return next(
        (name for number, name in found if not 0 < number <= last or name != segment_path(log, number).name), None
    )


def segment_end(number: int, *, records: int) -> Event:
    """Return the event that ends a file of a log.

    Args:
        number: The file's, from 0.
        records: How many records it holds, this one included.
    """
    return events.segment_sealed(number, records=records, following=segment_path(Path(LOG_NAME), number + 1).name)


def end_problem(raw: bytes, number: int, *, records: int) -> str | None:
    """Return why a whole line of that type does not end its file; None if it does.

    Args:
        number: The file's, from 0.
        records: How many records it holds, this one included.

    Raises:
        BadLineError: The line is no strict record.
    """
    record = record_of(raw)
    event = segment_end(number, records=records)
    if (record.step, record.attempt, record.data) != (None, None, event.data):
        return f"it does not end this file: it must say {event.data}"
    return None


def _is_there(path: Path) -> bool:
    try:
        return is_there(path)
    except OSError as error:
        raise LogUnreadableError(f"{path} can't be looked for: {reason_of(error)}") from error


def _names_in(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        message = f"{folder} can't be listed, so it is not known which files the log has: {reason_of(error)}"
        raise LogUnreadableError(message) from error
