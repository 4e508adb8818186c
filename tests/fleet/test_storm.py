"""Workers and server killed at random: every run ends with a log that holds, or waits for a person; nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from ._postgres import Server
from ._storm import check, storm_on

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)


def test_runs_survive_workers_and_servers_that_are_killed(own_server: Server, tmp_path: Path) -> None:
    """Three hosts, a gate that is answered by signature, and kills: see `benchmarks/fleet.py` for many more."""
    storm = storm_on(own_server, tmp_path, hosts=3, seed=7, say=lambda _: None)
    try:
        states = storm.play(6, kill_every_s=8, patience_s=240, concurrency=1, kills=10)
    finally:
        storm.site.end()

    assert sum(check(storm, states).values()) == 6
    assert storm.killed["worker"] + storm.killed["server"] > 0
