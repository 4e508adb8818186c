"""The open files of a log that is being written: records go into the last one, and the others stay as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ._files import is_there
from ._log_file import LogFile
from ._segments import segment_path, unexpected

_MOST_OPEN = 128
"""So many files stay open: a very long log must not use up all that the process may open."""


class FileProblem(NamedTuple):
    """What is wrong with a file."""

    path: Path
    reason: str


class LogFiles:
    """A log's files, each held so that nobody else can change it unnoticed."""

    def __init__(self, first: LogFile, *, complete: bool) -> None:
        """Take over the first file; use `create` or `open`."""
        self._files = [first]
        self._complete = complete
        """Whether all files that there are were opened."""
        self._following = (1, os.fspath(segment_path(first.path, 1)))
        """The number of the file that would come next, and its path: looked at before every effect."""
        self._begun = 0
        """The number of the file that was begun last."""

    @classmethod
    def create(cls, run_directory: Path) -> LogFiles:
        """Return the files of a new log: one.

        Raises:
            EvidenceError: Something of that name is there already, or it can't be made.
        """
        return cls(LogFile.create(run_directory), complete=True)

    @classmethod
    def open(cls, run_directory: Path) -> LogFiles:
        """Return the files of a log that is there; all but the first are opened as they are read.

        Raises:
            EvidenceError: There is no log, it is not its owner's own, or another process holds it.
        """
        return cls(LogFile.open(run_directory), complete=False)

    @property
    def path(self) -> Path:
        """The first file."""
        return self._files[0].path

    @property
    def closed(self) -> bool:
        """Whether they were given back."""
        return self._files[0].closed

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._files)

    def path_of(self, number: int) -> Path:
        """Return where the file of that number lies, there or not."""
        return segment_path(self.path, number)

    def opened(self, number: int) -> BinaryIO | None:
        """Return a reader of the file of that number, whatever its path names now; None if there is none.

        Raises:
            EvidenceError: It can't be opened, or another process holds it.
            OSError: It was not kept open, and is not there any more.
        """
        if number == len(self._files) and not self._complete and is_there(self.path_of(number)):
            self._hold(LogFile.open(self.path.parent, self.path_of(number).name))
        return self._files[number].reader() if number < len(self._files) else None

    def beyond(self, last: int) -> str | None:
        """Return the name of a file too many in the log's folder, or None.

        Raises:
            OSError: The folder can't be listed.
        """
        self._complete = True
        return unexpected((entry.name for entry in os.scandir(self.path.parent)), self.path, last)

    def begin(self, number: int, *, before_bytes: int) -> None:
        """Make the file of that number, durable in its folder, unless an interrupt struck after it was made.

        Args:
            before_bytes: How long the file before it is, for good.

        Raises:
            EvidenceError: Something of that name is there already, or it can't be made.
            OSError: It can't be locked.
        """
        self._files[number - 1].final_bytes = before_bytes
        if number == len(self._files):
            # An interrupt can strike between the making of a file and the note of it: then it is there, and empty.
            again, self._begun = self._begun == number, number
            self._hold(LogFile.create(self.path.parent, self.path_of(number).name, locked=False, again=again))
        self._files[number].lock()

    def write(self, number: int, content: bytes) -> int:
        """Write at the end of a file, once, and return how many of the bytes were taken.

        Raises:
            OSError: None were.
        """
        return self._files[number].write(content)

    def sync(self, number: int) -> None:
        """Return when what was written to a file survives a power cut.

        Raises:
            OSError: It may not.
        """
        self._files[number].sync()

    def size_bytes(self, number: int) -> int:
        """Return how many bytes are in a file now.

        Raises:
            OSError: It can't be found out.
        """
        return self._files[number].size_bytes

    def end(self, number: int, size_bytes: int) -> None:
        """Take note of how long a file is that is read, and that another follows.

        Args:
            number: The file's.
            size_bytes: How much of it was read.
        """
        self._files[number].final_bytes = size_bytes

    def displaced(self) -> str | None:
        """Return why the path of a file does not name it any more, or None if all do.

        Raises:
            OSError: It can't be found out.
        """
        return next((problem for file in self._files if (problem := file.displaced())), None)

    def problem(self, number: int, size_bytes: int) -> FileProblem | None:
        """Return what was done to a file behind its holder's back, or None.

        Args:
            number: The file that is written to.
            size_bytes: How many bytes must be in it.

        Raises:
            OSError: It can't be found out.
        """
        for at, file in enumerate(self._files):
            expected = size_bytes if at == number else file.final_bytes
            if problem := file.problem(expected):
                return FileProblem(file.path, problem)
        count, following = self._following
        if count != len(self._files):
            # Made anew here, not where a file is added: an interrupt could strike between the two.
            following = os.fspath(self.path_of(len(self._files)))
            self._following = len(self._files), following
        if is_there(following):
            return FileProblem(Path(following), "was put there by somebody else: the log has not come so far")
        return None

    def close(self) -> None:
        """Give the files and their locks back; a second time does nothing."""
        for file in self._files:
            file.close()

    def _hold(self, file: LogFile) -> None:
        self._files.append(file)
        # Never the first, whose lock is the log's.
        if len(self._files) > _MOST_OPEN:
            self._files[len(self._files) - _MOST_OPEN].let_go()
