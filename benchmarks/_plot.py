"""A plot of one scenario, as SVG: a bar for each contestant, on a scale of powers of ten."""

from __future__ import annotations

import math
from html import escape

from ._environments import US
from ._results import Results

_ROW, _LEFT, _RIGHT, _WIDTH, _TOP, _BOTTOM = 24, 230, 70, 860, 40, 36
_STYLE = """
text{fill:#1f2328} .grid{stroke:#d0d7de} .peer{fill:#8c959f} .us{fill:#1a7f37} .wall{stroke:#1f2328}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3} .grid{stroke:#373e47} .us{fill:#3fb950} .wall{stroke:#e6edf3}
}
"""


def plot(results: Results, scenario: str) -> str:
    """Return a picture of the medians of processor and wall time, least first."""
    names = sorted(
        (name for name, spent in results.rounds[scenario].items() if spent),
        key=lambda name: results.median(scenario, name, "cpu_s"),
    )
    spent = {name: [results.median(scenario, name, quantity) for quantity in ("cpu_s", "wall_s")] for name in names}
    low = 10 ** math.floor(math.log10(min(min(pair) for pair in spent.values())))
    high = 10 ** math.ceil(math.log10(max(max(pair) for pair in spent.values())))
    height = _TOP + _ROW * len(names) + _BOTTOM

    def across(seconds: float) -> float:
        share = math.log10(seconds / low) / math.log10(high / low)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" font-size="13" font-family="sans-serif">',
        f"<title>{escape(results.titles[scenario])}: seconds</title>",
        f"<style>{_STYLE}</style>",
        f'<text x="{_LEFT}" y="16">{escape(results.titles[scenario])}: seconds, bar processor time, line wall time</text>',
    ]
    tick = low
    while tick <= high * 1.001:
        parts.append(
            f'<line class="grid" x1="{across(tick):.1f}" x2="{across(tick):.1f}" y1="{_TOP - 10}" y2="{height - _BOTTOM}"/>'
            f'<text x="{across(tick):.1f}" y="{height - _BOTTOM + 18}" text-anchor="middle">{tick:g}</text>'
        )
        tick *= 10
    for row, name in enumerate(names):
        top, (cpu_s, wall_s) = _TOP + row * _ROW, spent[name]
        parts.append(
            f'<text x="{_LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{"us" if name.startswith(US) else "peer"}" x="{_LEFT}" y="{top}" '
            f'width="{max(across(cpu_s) - _LEFT, 1):.1f}" height="16"/>'
            f'<line class="wall" stroke-width="2" x1="{across(wall_s):.1f}" x2="{across(wall_s):.1f}" '
            f'y1="{top - 2}" y2="{top + 18}"/>'
            f'<text x="{across(max(cpu_s, wall_s)) + 6:.1f}" y="{top + 13}">{cpu_s:.2f}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
