"""What was measured, and the few numbers that are made of it: medians, spread and ratios of pairs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from ._measure import Spent

Quantity = Literal["cpu_s", "wall_s", "peak_mib", "pressed_ms"]


@dataclass(frozen=True, kw_only=True)
class Results:
    """The rounds of each contestant of each scenario, and why some have none."""

    rounds: Mapping[str, Mapping[str, Sequence[Spent]]]
    titles: Mapping[str, str]
    failures: Mapping[str, str]
    """What could not be measured, with the reason: peers, or contestants of a scenario."""

    def has(self, scenario: str, *contestants: str) -> bool:
        """Return whether all of them were measured."""
        return all(self.rounds.get(scenario, {}).get(name) for name in contestants)

    def values(self, scenario: str, contestant: str, quantity: Quantity) -> Sequence[float]:
        """Return what each round measured."""
        return [asdict(spent)[quantity] for spent in self.rounds[scenario][contestant]]

    def median(self, scenario: str, contestant: str, quantity: Quantity) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.values(scenario, contestant, quantity))

    def ratio(self, scenario: str, one: str, other: str, quantity: Quantity) -> float:
        """Return the median of each round's ratio: what slows a whole round slows both."""
        pairs = zip(self.values(scenario, one, quantity), self.values(scenario, other, quantity), strict=False)
        return statistics.median(first / second for first, second in pairs)

    def difference(self, scenario: str, one: str, other: str, quantity: Quantity) -> float:
        """Return the median of each round's difference."""
        pairs = zip(self.values(scenario, one, quantity), self.values(scenario, other, quantity), strict=False)
        return statistics.median(first - second for first, second in pairs)

    def as_json(self) -> dict[str, object]:
        """Return all rounds, for a file."""
        return {
            "scenarios": {
                name: {
                    "title": self.titles[name],
                    "rounds": {who: [asdict(spent) for spent in all_of] for who, all_of in by_name.items()},
                }
                for name, by_name in self.rounds.items()
            },
            "not_measured": dict(self.failures),
        }
