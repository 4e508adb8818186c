"""The encoding of everything in SSH: numbers and strings with their lengths before them, read strictly."""

from __future__ import annotations

from pytest_workflow_exec.errors import WorkflowExecError

_LENGTH = 4
_MAX_NAME = 256
_SIGN = 0x80


class MalformedError(WorkflowExecError):
    """Bytes are not what the encoding allows."""


class Reader:
    """What is left of some encoded bytes."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """Return the next bytes.

        Raises:
            MalformedError: There are not so many.
        """
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise MalformedError("it ends too early")
        self._at += count
        return taken

    def uint32(self) -> int:
        """Return the next number of four bytes.

        Raises:
            MalformedError: There are fewer.
        """
        return int.from_bytes(self.take(_LENGTH), "big")

    def byte(self) -> int:
        """Return the next byte.

        Raises:
            MalformedError: There is none.
        """
        return self.take(1)[0]

    def string(self) -> bytes:
        """Return the next string.

        Raises:
            MalformedError: There is less of it than it says.
        """
        return self.take(self.uint32())

    def text(self) -> str:
        """Return the next string, which is a name.

        Raises:
            MalformedError: It is not all visible characters of UTF-8, or longer than any name.
        """
        raw = self.string()
        if len(raw) > _MAX_NAME:
            raise MalformedError("a name in it is longer than any")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("a name in it is not UTF-8") from error
        if not text.isprintable():
            raise MalformedError("a name in it has characters that can't be seen")
        return text

    def positive(self) -> int:
        """Return the next integer of any length.

        Raises:
            MalformedError: It is not above zero, or not in its only spelling.
        """
        raw = self.string()
        if not raw or raw[0] & _SIGN:
            raise MalformedError("a number in it is not positive")
        # The zero byte that keeps a number from being negative belongs there only if it does that.
        if raw[0] == 0 and (len(raw) == 1 or not raw[1] & _SIGN):
            raise MalformedError("a number in it is zero, or padded")
        return int.from_bytes(raw, "big")

    def end(self) -> None:
        """Demand that nothing is left.

        Raises:
            MalformedError: Something is.
        """
        if self._at != len(self._data):
            raise MalformedError(f"{len(self._data) - self._at} bytes follow its end")


def encoded(string: bytes) -> bytes:
    """Return a string with its length before it."""
    return len(string).to_bytes(_LENGTH, "big") + string
