"""What is written to a log while somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import (
    SEGMENT_END,
    BadLineError,
    BlobError,
    Record,
    open_log,
    record_of,
    segment_path,
    whole_record,
)


class Tail:
    """Gives the records of a log as they come, through all its files; it judges nothing."""

    def __init__(self, log: Path) -> None:
        """Begin before the first record of the log whose first file is at `log`."""
        self._log, self._number, self._offset = log, 0, 0

    def new(self) -> Iterator[Record]:
        """Give the records that were written since the last call; a line that is none is passed over.

        Raises:
            LogUnreadableError: The log can't be read any more.
        """
        while True:
            number = self._number
            for raw in self._lines():
                try:
                    record = record_of(raw)
                except BadLineError:
                    # Torn, and recovered from: `verify` judges that.
                    continue
                if record.type == SEGMENT_END.decode("ascii"):
                    self._number, self._offset = number + 1, 0
                yield self._whole(record)
            if self._number == number:
                return

    def _whole(self, record: Record) -> Record:
        try:
            return whole_record(record, self._log.parent)
        except BlobError:
            return record

    def _lines(self) -> list[bytes]:
        path = segment_path(self._log, self._number)
        if not path.exists():
            if self._number:
                # Its writer announced it, and has not made it yet.
                return []
            raise LogUnreadableError(f"{path} is gone")
        try:
            with open_log(path) as file:
                file.seek(self._offset)
                read = file.read()
        except OSError as error:
            raise LogUnreadableError(f"{path} can't be read: {error.strerror}") from error
        whole = read[: read.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.splitlines(keepends=True)
