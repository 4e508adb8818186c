"""The targets, and what the measured rounds say of each."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ._environments import US
from ._peers import PYTEST
from ._results import Results
from ._scenarios import PROCESS, YAML, Sizes, commands_in_a_step, plain_commands

_KIB = 1024


@dataclass(frozen=True, kw_only=True)
class Target:
    """A limit that is to hold."""

    scenario: str
    what: str
    limit: float
    unit: str
    needs: Sequence[str]
    """The contestants without which nothing can be said."""
    value: Callable[[Results], float]
    at_least: bool = False


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A target with what was measured."""

    target: Target
    measured: float
    met: bool


def judged(results: Results, sizes: Sizes) -> Iterator[Judged]:
    """Give each target about which the rounds say something."""
    for target in _targets(sizes):
        if results.has(target.scenario, *target.needs):
            value = target.value(results)
            holds = operator.ge if target.at_least else operator.le
            yield Judged(target=target, measured=value, met=holds(value, target.limit))


def _targets(sizes: Sizes) -> Sequence[Target]:
    few, some, many = sizes.growth

    def plain_of(count: int) -> str:
        return f"{PYTEST}, {count:,}"

    def us_of(count: int) -> str:
        return f"{US}, {count:,}"

    def slope(results: Results, who: Callable[[int], str], low: int, high: int, scenario: str = "growth") -> float:
        spent = [results.median(scenario, who(count), "cpu_s") for count in (low, high)]
        return (spent[1] - spent[0]) / (high - low)

    def command_more(results: Results, who: Callable[[int], str]) -> float:
        return slope(results, who, sizes.few_commands, sizes.commands, "commands")

    def kib_a_step(results: Results, who: Callable[[int], str]) -> float:
        peaks = [results.median("growth", who(count), "peak_mib") for count in (some, many)]
        return (peaks[1] - peaks[0]) * _KIB / (many - some)

    grown = [name for count in sizes.growth for name in (plain_of(count), us_of(count))]
    return (
        _times("steps", "CPU, start included, to pytest", 1.45, US, PYTEST),
        Target(
            scenario="growth",
            what="CPU of a step more, to pytest",
            limit=1.35,
            unit="times",
            needs=grown,
            value=lambda results: slope(results, us_of, few, some) / slope(results, plain_of, few, some),
        ),
        _times("steps", "CPU to DBOS with SQLite", 0.5, US, "DBOS"),
        Target(
            scenario="steps",
            what="peak memory",
            limit=45,
            unit="MiB",
            needs=[US],
            value=lambda results: results.median("steps", US, "peak_mib"),
        ),
        _times("steps", "wall to pytest, durability power", 1.8, US, PYTEST, wall=True),
        _times("steps", "wall to pytest, durability process", 1.4, PROCESS, PYTEST, wall=True),
        Target(
            scenario="growth",
            what=f"a step more at {many:,} to one at {some:,}",
            limit=1.1,
            unit="times",
            needs=grown,
            value=lambda results: slope(results, us_of, some, many) / slope(results, us_of, few, some),
        ),
        Target(
            scenario="growth",
            what="memory of a step over pytest's",
            limit=3,
            unit="KiB",
            needs=grown,
            value=lambda results: kib_a_step(results, us_of) - kib_a_step(results, plain_of),
        ),
        _times("collect", "CPU to pytest collecting tests", 2, US, PYTEST),
        Target(
            scenario="commands",
            what="CPU of a command more in a step, to `subprocess.run`",
            limit=4,
            unit="times",
            needs=[
                who(count)
                for who in (commands_in_a_step, plain_commands)
                for count in (sizes.few_commands, sizes.commands)
            ],
            value=lambda results: command_more(results, commands_in_a_step) / command_more(results, plain_commands),
        ),
        *(_times("commands", f"wall to {name}", 1, US, name, wall=True) for name in ("DBOS", "Dagster", "Prefect")),
        Target(
            scenario="idle",
            what="CPU at start",
            limit=5,
            unit="ms",
            needs=[US],
            value=lambda results: results.difference("idle", US, f"{US}, not loaded", "cpu_s") * 1000,
        ),
        *(_start(name) for name in (US, YAML)),
        _rate("chain only", sizes.records, 400_000),
        _rate("full", sizes.records, 100_000),
        *(
            Target(
                scenario="verify",
                what=f"peak memory, {way}",
                limit=32,
                unit="MiB",
                needs=[way],
                value=lambda results, way=way: results.median("verify", way, "peak_mib"),  # type: ignore[misc]  # its only use
            )
            for way in ("chain only", "full")
        ),
        *(_times("resume", f"CPU to pytest, {name}", 1.2, name, PYTEST) for name in (YAML, US)),
        Target(
            scenario="gate",
            what="from the key to the next step",
            limit=50,
            unit="ms",
            needs=[US],
            value=lambda results: results.median("gate", US, "pressed_ms"),
        ),
    )


def _times(scenario: str, what: str, limit: float, one: str, other: str, *, wall: bool = False) -> Target:
    return Target(
        scenario=scenario,
        what=what,
        limit=limit,
        unit="times",
        needs=[one, other],
        value=lambda results: results.ratio(scenario, one, other, "wall_s" if wall else "cpu_s"),
    )


def _start(name: str) -> Target:
    return Target(
        scenario="start",
        what=f"CPU over pytest, {name}",
        limit=120,
        unit="ms",
        needs=[name, PYTEST],
        value=lambda results: results.difference("start", name, PYTEST, "cpu_s") * 1000,
    )


def _rate(way: str, records: int, limit: float) -> Target:
    return Target(
        scenario="verify",
        what=f"records in a second of CPU, {way}",
        limit=limit,
        unit="",
        needs=[way],
        value=lambda results: records / results.median("verify", way, "cpu_s"),
        at_least=True,
    )
