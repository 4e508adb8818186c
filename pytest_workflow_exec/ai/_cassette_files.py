"""Files of recordings: read without waiting for anybody, and written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import suppress
from pathlib import Path

_MAX_BYTES = 64 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def read_cassette(path: Path) -> str:
    """Return the text of a recording.

    Raises:
        OSError: It can't be read, is no regular file, or is longer than any.
        UnicodeDecodeError: It is no text.
    """
    # Without waiting: a pipe in its place would keep its reader until someone writes.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {_MAX_BYTES} bytes")
    return content.decode()


def write_cassette(path: Path, kept: object) -> None:
    """Write a recording, for people who review it.

    Args:
        kept: It, as JSON data.

    Raises:
        OSError: It can't be written.
    """
    # In ASCII, so that no text of a model hides something from whoever reviews the file.
    content = json.dumps(kept, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()
    try:
        with os.fdopen(os.open(temporary, _NEW_FILE, 0o644), "w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
