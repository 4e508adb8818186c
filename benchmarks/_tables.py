"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ._machine import Machine
from ._peers import PEERS
from ._results import Quantity, Results
from ._scenarios import LEAST
from ._targets import Judged

_LEAST_KEEPS = "the same, by a conftest.py that knows no plan and no order, and refuses nothing"


def page(results: Results, judgements: Sequence[Judged], machine: Machine, versions: dict[str, str]) -> str:
    """Return everything as one text of Markdown, without a heading of its own."""
    parts = [machine.sentence(), targets(judgements)]
    parts += [_scenario(results, name, versions) for name in results.rounds]
    if results.failures:
        parts.append(
            "Not measured:\n\n"
            + "\n".join(f"- {who}: {why.strip().splitlines()[-1]}" for who, why in results.failures.items())
        )
    return "\n\n".join(parts) + "\n"


def targets(judgements: Iterable[Judged]) -> str:
    """Return a table of the targets, each with what was measured."""
    rows = [
        (
            each.target.scenario,
            each.target.what,
            f"{'≥' if each.target.at_least else '≤'} {_number(each.target.limit)} {each.target.unit}".rstrip(),
            f"{_number(each.measured)} {each.target.unit}".rstrip(),
            "yes" if each.met else "**no**",
        )
        for each in judgements
    ]
    return _table(("Scenario", "What", "Target", "Measured", "Met"), rows, left=2)


def _scenario(results: Results, name: str, versions: dict[str, str]) -> str:
    keeps = {LEAST: _LEAST_KEEPS, **{peer.name: peer.keeps for peer in PEERS}} if name == "steps" else {}
    by_name = results.rounds[name]
    pressed = any(spent.pressed_ms is not None for rounds in by_name.values() for spent in rounds)
    quantities: list[tuple[str, Quantity]] = [("CPU, s", "cpu_s"), ("Wall, s", "wall_s"), ("Peak, MiB", "peak_mib")]
    quantities += [("Key to step, ms", "pressed_ms")] if pressed else []
    rows = [
        (
            f"{who} {versions[who]}" if who in versions else who,
            *(_spread(results.values(name, who, quantity)) for _, quantity in quantities),
            *([keeps.get(who, "every step's start and end, in a chain of hashes")] if keeps else []),
        )
        for who in by_name
        if by_name[who]
    ]
    heads = ("", *(head for head, _ in quantities), *(["Left after `kill -9`"] if keeps else []))
    return f"### {results.titles[name]} (`{name}`)\n\n{_table(heads, rows, left=1)}"


def _spread(values: Sequence[float]) -> str:
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2] if len(ordered) % 2 else sum(ordered[len(ordered) // 2 - 1 :][:2]) / 2
    if len(ordered) == 1:
        return _number(middle)
    return f"{_number(middle)} ({_number(ordered[0])} to {_number(ordered[-1])})"


def _number(value: float) -> str:
    size = abs(value)
    if size >= 1000:  # noqa: PLR2004  # from here on, digits behind the point say nothing
        return f"{value:,.0f}"
    return f"{value:.0f}" if size >= 100 or value == int(value) else f"{value:.1f}" if size >= 10 else f"{value:.2f}"  # noqa: PLR2004


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> str:
    def lines() -> Iterator[str]:
        yield f"| {' | '.join(heads)} |"
        yield f"| {' | '.join('---' if place < left else '---:' for place in range(len(heads)))} |"
        for row in rows:
            yield f"| {' | '.join(row)} |"

    return "\n".join(lines())
