"""The machine that was measured on, and how busy others kept it meanwhile."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_SYNCS = 200


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What decides how fast all of them are."""

    system: str
    python: str
    processor: str
    cores: int
    memory_gib: float
    sync_ms: float
    """What one small write and its sync to the disk take."""
    load_before: float
    load_after: float
    """How many processes wanted a core, the benchmarks' own among them."""

    def as_json(self) -> dict[str, object]:
        """Return it for a file."""
        return asdict(self)

    def sentence(self) -> str:
        """Return it in words."""
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib:.0f} GiB, {self.system}, Python {self.python}; "
            f"a synced write takes {self.sync_ms:.2f} ms; load {self.load_before:.1f} before, {self.load_after:.1f} after."
        )


def this_machine(*, folder: Path, load_before: float) -> Machine:
    """Return the machine as it is now.

    Args:
        folder: Where the measured programs wrote, as another place may be another disk.
    """
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30),
        sync_ms=_sync_ms(folder),
        load_before=load_before,
        load_after=os.getloadavg()[0],
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _sync_ms(folder: Path) -> float:
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_SYNCS):
            began_s = time.perf_counter()
            file.write(b"x" * 500)
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began_s)
    return sorted(taken)[_SYNCS // 2] * 1000
