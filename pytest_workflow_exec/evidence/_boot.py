"""Which start of the machine this is: monotonic clocks of different starts can't be compared."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path

UNKNOWN = "unknown0"

_LINUX = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def boot_id() -> str:
    """Return eight hexadecimal digits that stay the same until the machine restarts, or `unknown0`."""
    text = _session_of_macos() if sys.platform == "darwin" else _session_of_linux()
    digits = text.strip()[:8].lower()
    return digits if re.fullmatch(r"[0-9a-f]{8}", digits) else UNKNOWN


def _session_of_linux() -> str:
    try:
        return _LINUX.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _session_of_macos() -> str:
    import ctypes

    # Not kern.boottime: it moves whenever the wall clock is set.
    size = ctypes.c_size_t(64)
    text = ctypes.create_string_buffer(size.value)
    failed = ctypes.CDLL(None).sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, ctypes.c_size_t(0))
    return "" if failed else text.value.decode("ascii", "replace")
