"""A guard of what every step goes through: `python -m benchmarks.hot_paths` counts instructions, and times nothing.

Each hot path runs under callgrind, once with some steps and once with more; what they differ in is what a step costs,
however busy the machine is. It is compared with `hot_paths.json`, which holds for one version of Python on one kind of
processor. A change that costs more than 5 % more has to say so by `--update`, and one that saves as much, too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parents[1]
_BASELINE = Path(__file__).with_suffix(".json")
_LEEWAY = 0.05
_COLLECTED = re.compile(r"Collected : (\d+)")


class _Path(NamedTuple):
    program: str
    few: int
    more: int


_PATHS: Mapping[str, _Path] = {
    "append": _Path("append", 500, 1500),
    "judge": _Path("judge", 500, 1500),
    "collect": _Path("collect", 100, 400),
    "step": _Path("step", 100, 300),
    # What looks at all steps for each of them hardly shows among few.
    "step-of-many": _Path("step", 1000, 1100),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print, and compare or update; 1 if a path costs another amount than it did, 2 if that can't be said."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_paths", description=__doc__)
    parser.add_argument("paths", nargs="*", metavar="PATH", help=f"only these: {', '.join(_PATHS)}")
    parser.add_argument("--update", action="store_true", help="keep what is counted as what is expected from now on")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.paths if name not in _PATHS]:
        parser.error(f"there is no {unknown[0]!r}; there are {', '.join(_PATHS)}")
    if shutil.which("valgrind") is None:
        print("callgrind is not here: install valgrind")
        return 2
    counted = {name: _instructions(_PATHS[name]) for name in asked.paths or _PATHS}
    expected = _expected()
    for name, count in counted.items():
        was = expected.get(name)
        print(f"{name}: {count:,} instructions for each step" + (f", {count / was - 1:+.1%}" if was else ""))
    if asked.update:
        kept = {**expected, **counted}
        _BASELINE.write_text(json.dumps({**_here(), "instructions": kept}, indent=1) + "\n", encoding="utf-8")
        return 0
    if missing := [name for name in counted if name not in expected]:
        print(f"nothing is kept of {', '.join(missing)} for {_here()}: keep it with --update")
        return 2
    changed = [name for name, count in counted.items() if abs(count / expected[name] - 1) > _LEEWAY]
    if changed:
        print(f"more than {_LEEWAY:.0%} from what is expected: {', '.join(changed)}")
    return 1 if changed else 0


def _instructions(path: _Path) -> int:
    # Once uncounted: whatever has no bytecode yet would be compiled by the first that is counted, and by it alone.
    _run([sys.executable], path.program, 1)
    few, more = (_counted(path.program, count) for count in (path.few, path.more))
    return round((more - few) / (path.more - path.few))


def _counted(name: str, count: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counted", sys.executable]
        said = _run(callgrind, name, count)
    found = _COLLECTED.search(said)
    if found is None:
        sys.exit(f"callgrind did not say how much it counted:\n{said[-1000:]}")
    return int(found[1])


def _run(python: Sequence[str], name: str, count: int) -> str:
    command = [*python, "-m", "benchmarks.programs.hot_path", name, str(count)]
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST_"))}
    with tempfile.TemporaryDirectory() as home:
        # The order of sets, and with it the path through them, is the same each time.
        variables |= {"PYTHONHASHSEED": "0", "HOME": home, "XDG_STATE_HOME": home}
        done = subprocess.run(command, cwd=_ROOT, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stderr


def _expected() -> Mapping[str, int]:
    if not _BASELINE.exists():
        return {}
    kept = json.loads(_BASELINE.read_text(encoding="utf-8"))
    here = _here()
    return kept["instructions"] if {key: kept[key] for key in here} == here else {}


def _here() -> dict[str, str]:
    return {"python": ".".join(platform.python_version_tuple()[:2]), "machine": platform.machine()}


if __name__ == "__main__":
    raise SystemExit(main())
