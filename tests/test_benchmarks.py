"""The benchmarks: what they say of what was measured, and what they refuse to measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks._environments import US, Environments, NotInstalledError
from benchmarks._measure import DidNotRunError, Program, Spent, measured
from benchmarks._plot import plot
from benchmarks._results import Results
from benchmarks._scenarios import Sizes
from benchmarks._tables import targets
from benchmarks._targets import judged
from benchmarks._writers import chained_tests

from ._published import ROOT


def _spent(*cpu_s: float) -> list[Spent]:
    return [Spent(cpu_s=each, wall_s=each * 2, peak_mib=40) for each in cpu_s]


RESULTS = Results(
    rounds={"steps": {"pytest": _spent(1, 2, 1), US: _spent(1.5, 2.6, 3), "DBOS": _spent(4, 4, 4), "luigi": []}},
    titles={"steps": "1,000 <steps>"},
    failures={"luigi, steps": "it did not run"},
)


def test_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    """A round that was slow for both counts like any other."""
    assert RESULTS.ratio("steps", US, "pytest", "cpu_s") == pytest.approx(1.5)


def test_targets_are_judged_by_what_was_measured_and_no_others_are() -> None:
    """A target is met or missed by its limit; where nothing was measured, nothing is said."""
    said = {(each.target.scenario, each.target.what): each.met for each in judged(RESULTS, Sizes())}

    assert said["steps", "CPU, start included, to pytest"] is False
    assert said["steps", "peak memory"] is True
    assert said["steps", "CPU to DBOS with SQLite"] is False
    assert {scenario for scenario, _ in said} == {"steps"}
    assert "| **no** |" in targets(judged(RESULTS, Sizes()))


def test_plot_is_a_picture_of_those_who_were_measured() -> None:
    """It is one well-formed SVG, with a bar for each."""
    picture = ET.fromstring(plot(RESULTS, "steps"))  # noqa: S314  # made here

    bars = picture.findall("{http://www.w3.org/2000/svg}rect")
    assert len(bars) == 3
    assert "luigi" not in "".join(picture.itertext())


@pytest.mark.parametrize(
    ("code", "says"), [("raise SystemExit(3)", "done"), ("print('half of it')", "done")], ids=["fails", "says less"]
)
def test_program_that_did_not_do_its_work_has_no_figures(tmp_path: Path, code: str, says: str) -> None:
    """What exits with another status, or does not say that it did all of it, is refused."""
    program = Program(argv=[sys.executable, "-c", code], cwd=tmp_path, says=says, variables={})

    with pytest.raises(DidNotRunError, match="did not say 'done'"):
        measured(program)


def test_program_is_measured_without_the_variables_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's settings count: neither pytest's options nor Python's."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-v")
    code = "import os; print(sorted(name for name in os.environ if name.startswith('PY')) or 'none of them')"

    spent = measured(Program(argv=[sys.executable, "-c", code], cwd=tmp_path, says="none of them", variables={}))

    assert spent.cpu_s > 0
    assert spent.peak_mib > 1


def test_peer_that_cannot_be_installed_is_said_and_tried_again(tmp_path: Path) -> None:
    """The reason that pip gives is told, and what is half installed counts for nothing."""
    with pytest.raises(NotInstalledError, match="nowhere"):
        Environments(tmp_path).of_peer("peer", [str(tmp_path / "nowhere")])

    assert not (tmp_path / "peer" / "complete").exists()


def test_unknown_peer_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    """The message says which peers there are."""
    done = _python("benchmarks", "--peers", "nobody", "--environments", str(tmp_path / "kept"), path=os.environ["PATH"])

    assert done.returncode == 1
    assert "there is no peer 'nobody'; there are pytest, pytest-bdd," in done.stderr
    assert not (tmp_path / "kept").exists()


def test_guard_says_nothing_without_what_counts(tmp_path: Path) -> None:
    """Without callgrind there is neither a comparison nor a new baseline."""
    baseline = ROOT / "benchmarks" / "hot_paths.json"
    before = baseline.read_bytes() if baseline.exists() else None

    done = _python("benchmarks.hot_paths", "--update", path=str(tmp_path))

    assert done.returncode == 2
    assert "install valgrind" in done.stdout
    assert (baseline.read_bytes() if baseline.exists() else None) == before


def _python(module: str, *arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    variables = {**os.environ, "PATH": path}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def test_least_that_is_compared_keeps_a_chain_of_every_start_and_end(tmp_path: Path) -> None:
    """What plain pytest is given beside us holds two lines a test, each with the hash of the one before."""
    tests = chained_tests(tmp_path, 3)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["type"] for record in records] == ["started", "finished"] * 3
    assert [record["prev"] for record in records[1:]] == [record["hash"] for record in records[:-1]]
