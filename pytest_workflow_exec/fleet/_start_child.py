"""What a worker starts: pytest, in a process that does not outlive its worker.

It is run by its path: as a module it would bring this package along, and pytest could no longer rewrite it.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
from pathlib import Path

_SET_DEATH_SIGNAL = 1


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        # It died before that was set; nobody would answer either way.
        os._exit(1)


if __name__ == "__main__":
    _die_with(int(sys.argv[1]))
    sys.argv = ["pytest", *sys.argv[2:]]
    # As `python -m pytest` has it; the folder of this file is no place to import from.
    sys.path[0] = str(Path.cwd())
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)
