"""Everything that is measured, in one command: `python -m benchmarks`.

It makes virtual environments, lets this project and its peers do the same work in turns, prints what came of it beside
the targets, and writes it as JSON, Markdown and SVG.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ._environments import US, Environments, NotInstalledError, default_folder, versions_of
from ._machine import Machine, this_machine
from ._measure import DidNotRunError, Spent
from ._peers import PEERS, PYTEST
from ._plot import plot
from ._results import Results
from ._scenarios import QUICK, Contestant, Scenario, Sizes, scenarios
from ._tables import page, targets
from ._targets import judged

_PACKAGES = {"Robot Framework": "robotframework", "LangGraph": "langgraph", "DBOS": "dbos", "Dagster": "dagster"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    asked = _parser().parse_args(arguments)
    sizes, load_before = QUICK if asked.quick else Sizes(), os.getloadavg()[0]
    wanted, failures = _wanted(asked.peers), dict[str, str]()
    programs, versions = _install(Environments(asked.environments), wanted, failures)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=asked.scratch) as scratch:
        shared = Path(scratch) / "shared"
        shared.mkdir()
        chosen = [each for each in scenarios(sizes, programs, shared) if not asked.only or each.name in asked.only]
        rounds: dict[str, dict[str, list[Spent]]] = {}
        for scenario in chosen:
            rounds[scenario.name] = _rounds(scenario, asked.rounds, Path(scratch), failures)
            results = Results(rounds=rounds, titles={each.name: each.title for each in chosen}, failures=failures)
            machine = this_machine(folder=Path(scratch), load_before=load_before)
            # After each: what was measured stays if the rest is broken off.
            text = _write(asked.output, results, sizes, machine, versions)
    print(text if asked.tables else targets(judged(results, sizes)))
    print(f"\nAll of it: {asked.output / 'benchmarks.md'}")
    if asked.quick:
        print("With --quick there is less to do, so that starting counts for more: the targets are not for this.")
    return 0


def _write(output: Path, results: Results, sizes: Sizes, machine: Machine, versions: dict[str, str]) -> str:
    """Write all files, and return the text of the one in Markdown."""
    judgements = list(judged(results, sizes))
    facts = {
        "format": "pytest-workflow-exec-benchmarks/1",
        "quick": sizes is QUICK,
        "machine": machine.as_json(),
        "versions": versions,
        **results.as_json(),
        "targets": [
            {"scenario": each.target.scenario, "what": each.target.what, "limit": each.target.limit}
            | {"unit": each.target.unit, "measured": each.measured, "met": each.met}
            for each in judgements
        ],
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / "benchmarks.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for name in {"steps", "commands"} & set(results.rounds):
        if any(results.rounds[name].values()):
            (output / f"{name}.svg").write_text(plot(results, name), encoding="utf-8")
    text = page(results, judgements, machine, versions)
    (output / "benchmarks.md").write_text(text, encoding="utf-8")
    return text


def _parser() -> argparse.ArgumentParser:
    names = ("steps", "growth", "collect", "commands", "idle", "start", "verify", "resume", "gate")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="SCENARIO", help=f"only these: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default 3)")
    peers = [peer.name for peer in PEERS]
    parser.add_argument("--peers", nargs="*", metavar="PEER", help=f"only these beside pytest: {', '.join(peers[1:])}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to see that all of it runs")
    parser.add_argument("--tables", action="store_true", help="print the table of each scenario, too")
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"), help="where to write the files")
    parser.add_argument(
        "--environments", type=Path, default=default_folder(), help="where virtual environments are kept"
    )
    parser.add_argument(
        "--scratch", type=Path, help="where programs run and write: another disk syncs at another speed"
    )
    return parser


def _wanted(names: Sequence[str] | None) -> Sequence[str]:
    known = {peer.name.casefold(): peer.name for peer in PEERS}
    for name in names or ():
        if name.casefold() not in known:
            sys.exit(f"there is no peer {name!r}; there are {', '.join(known.values())}")
    return [PYTEST, *(known[name.casefold()] for name in names)] if names is not None else list(known.values())


def _install(
    environments: Environments, wanted: Sequence[str], failures: dict[str, str]
) -> tuple[dict[str, Path], dict[str, str]]:
    print("installing", US, file=sys.stderr)
    programs = {US: environments.of_this_project()}
    for peer in PEERS:
        if peer.name in wanted:
            print("installing", peer.name, file=sys.stderr)
            try:
                programs[peer.name] = environments.of_peer(peer.name, peer.requirements)
            except NotInstalledError as error:
                failures[peer.name] = f"can't be installed: {error}"
    if PYTEST not in programs:
        sys.exit(f"nothing can be compared without pytest, which {failures[PYTEST]}")
    installed = {name: dict(versions_of(where)) for name, where in programs.items()}
    return programs, {name: found[_PACKAGES.get(name, name.lower())] for name, found in installed.items()}


def _rounds(scenario: Scenario, count: int, scratch: Path, failures: dict[str, str]) -> dict[str, list[Spent]]:
    """Measure each in turn, as often as asked; who fails once is out, and the reason is kept."""
    measured: dict[str, list[Spent]] = {contestant.name: [] for contestant in scenario.contestants}
    for number in range(count * scenario.turns):
        # The first of a round is another one each time: whoever comes first finds the disk and the caches as they were.
        turn = number % len(scenario.contestants)
        for contestant in [*scenario.contestants[turn:], *scenario.contestants[:turn]]:
            key = f"{contestant.name}, {scenario.name}"
            if key in failures:
                continue
            try:
                spent = _once(contestant, scratch)
            except DidNotRunError as error:
                failures[key], measured[contestant.name] = str(error), []
                print(f"{key}: {error}", file=sys.stderr)
                continue
            measured[contestant.name].append(spent)
            print(f"{scenario.name} {number + 1}: {contestant.name} {spent.cpu_s:.2f} s", file=sys.stderr)
    return measured


def _once(contestant: Contestant, scratch: Path) -> Spent:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        spent = contestant.run(Path(folder))
        # What it left for the disk to do is done before the next one's turn.
        os.sync()
    return spent


if __name__ == "__main__":
    raise SystemExit(main())
