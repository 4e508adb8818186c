"""What is handed out to workers: a unit is run whole, in its order, by one of them, and at most once if it is a workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_workflow_exec.lean_dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Items that belong together."""

    name: str
    items: tuple[int, ...]
    """Places in the collection that all workers share."""
    is_workflow: bool


def units_of(collection: Sequence[str], workflows: Mapping[str, Sequence[str]]) -> list[Unit]:
    """Return the units of a collection: each workflow is one, and so are the ordinary tests of each other file.

    Args:
        collection: The node ids that the workers collected.
        workflows: The node ids of each workflow's steps, in order, by the node id of its file.

    Raises:
        ValueError: A workflow's steps are not those of its plan, in its order, in one piece.
    """
    by_file: dict[str, list[int]] = {}
    for place, nodeid in enumerate(collection):
        by_file.setdefault(_file_of(nodeid), []).append(place)
    for file, planned in workflows.items():
        _demand_plan(file, planned, [collection[place] for place in by_file.get(file, [])])
    return [
        Unit(name=file, items=tuple(places), is_workflow=file in workflows)
        for file, places in sorted(by_file.items(), key=lambda entry: entry[0] not in workflows)
    ]


def _file_of(nodeid: str) -> str:
    return nodeid.split("::", 1)[0]


def _demand_plan(file: str, planned: Sequence[str], collected: Sequence[str]) -> None:
    # `--dist loadgroup` ends a node id with the name of its group.
    if len(planned) != len(collected) or not all(
        found == wanted or found.startswith(f"{wanted}@") for wanted, found in zip(planned, collected, strict=True)
    ):
        raise ValueError(f"the workers collected other steps of {file} than its plan has, or in another order")
