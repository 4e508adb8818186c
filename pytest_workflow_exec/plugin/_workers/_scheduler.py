"""Handing units to workers. A workflow that a worker began is never given to another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import NoReturn, Protocol

import pytest

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._units import Unit, units_of

_AHEAD = 2
"""A worker starts an item only when it knows the next one: so many items it must have in hand to go on."""


class Node(Protocol):
    """What this module uses of pytest-xdist's side of a worker."""

    @property
    def shutting_down(self) -> bool: ...
    def send_runtest_some(self, indices: Sequence[int]) -> None: ...
    def shutdown(self) -> None: ...


@dataclass
class _Work:
    """What one worker has been given."""

    units: list[Unit] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    left: int = 0
    """How many items it has not finished."""

    def give(self, unit: Unit) -> None:
        self.units.append(unit)
        self.left += len(unit.items)

    def finish(self, place: int) -> None:
        self.done.add(place)
        self.left -= 1

    def rest_of(self, unit: Unit) -> list[int]:
        return [place for place in unit.items if place not in self.done]

    def under_way(self) -> int:
        return next(place for unit in self.units for place in self.rest_of(unit))


class UnitScheduler:
    """A scheduler of pytest-xdist (its `Scheduling` protocol) that never splits a workflow or repeats one."""

    def __init__(
        self,
        config: pytest.Config,
        *,
        workers: int,
        workflows: Mapping[str, Sequence[str]],
        lose: Callable[[Sequence[str]], None],
    ) -> None:
        """Begin without workers.

        Args:
            workers: How many are expected.
            workflows: The node ids of each workflow's steps, in order, by the node id of its file.
            lose: Is told the node ids of a workflow's steps that no worker will run any more, the one under way first.
        """
        self.config = config
        """Others look for it here, as at pytest-xdist's own schedulers."""
        self._expected, self._workflows, self._lose = workers, workflows, lose
        self._work: dict[Node, _Work] = {}
        self._collections: dict[Node, list[str]] = {}
        self._collection: list[str] | None = None
        self._queue: list[Unit] = []

    @property
    def begun(self) -> bool:
        """Whether work has been handed out."""
        return self._collection is not None

    @property
    def nodes(self) -> list[Node]:
        """The workers at work."""
        return list(self._work)

    @property
    def collection_is_completed(self) -> bool:
        """Whether every expected worker has said what it collected."""
        return len(self._collections) >= self._expected

    @property
    def tests_finished(self) -> bool:
        """Whether there is nothing more to hand out; the workers may still be running what they have."""
        return (
            self.collection_is_completed and not self._queue and all(work.left < _AHEAD for work in self._work.values())
        )

    @property
    def has_pending(self) -> bool:
        """Whether any item is still to be run."""
        return bool(self._queue) or any(work.left for work in self._work.values())

    def add_node(self, node: Node) -> None:
        """Take a worker in."""
        self._work[node] = _Work()

    def add_node_collection(self, node: Node, collection: Sequence[str]) -> None:
        """Keep what a worker collected; one that replaces another and sees other items gets no work.

        Raises:
            pytest.UsageError: The workers see different items.
        """
        others = next(iter(self._collections.values()), None)
        if others is not None and list(collection) != others:
            if self._collection is None:
                raise pytest.UsageError("nothing was run, because the workers collected different items: add -n0")
            node.shutdown()
            return
        self._collections[node] = list(collection)

    def schedule(self) -> None:
        """Begin to hand out work, or give some to a worker that came later.

        Raises:
            pytest.UsageError: A workflow's steps are not those of its plan.
        """
        if self._collection is None:
            self._collection = next(iter(self._collections.values()))
            try:
                self._queue = units_of(self._collection, self._workflows)
            except ValueError as error:
                raise pytest.UsageError(f"nothing was run: {error}") from error
        for node in self.nodes:
            self._supply(node)

    def mark_test_complete(self, node: Node, item_index: int, duration: float = 0) -> None:
        """Take note that a worker is through with an item."""
        self._work[node].finish(item_index)
        self._supply(node)

    def retire(self, node: Node) -> None:
        """Take note that a worker ended by itself: it has written down how its workflows ended."""
        work = self._work.get(node, _Work())
        for unit in work.units:
            for place in work.rest_of(unit) if unit.is_workflow else ():
                work.finish(place)

    def halt(self) -> None:
        """Hand out nothing more."""
        self._queue.clear()

    def remove_node(self, node: Node) -> str | None:
        """Take a worker out; return the item that it was at if it went down in the middle of its work.

        What it had not begun goes to the others. A workflow that it had begun does not: its step may have had its
        effect, and nobody knows.
        """
        work = self._work.pop(node)
        if not work.left or self._collection is None:
            return None
        crashed = work.under_way()
        for unit in work.units:
            rest = work.rest_of(unit)
            begun = crashed in rest or len(rest) < len(unit.items)
            if rest and unit.is_workflow and begun:
                self._lose([self._collection[place] for place in rest])
            else:
                self._requeue(unit, [place for place in rest if place != crashed])
        for other in self.nodes:
            self._supply(other)
        return self._collection[crashed]

    def mark_test_pending(self, item: str) -> None:
        """Let an ordinary test that went down with its worker be run again; a step never is."""
        collection = self._collection or []
        if item.split("::", 1)[0] not in self._workflows and item in collection:
            self._queue.append(Unit(name=item, items=(collection.index(item),), is_workflow=False))

    def remove_pending_tests_from_node(self, node: Node, indices: Sequence[int]) -> NoReturn:
        """Refuse: nothing is taken from a worker that has it."""
        raise NotImplementedError

    def _requeue(self, unit: Unit, rest: Sequence[int]) -> None:
        if rest:
            self._queue.append(Unit(name=unit.name, items=tuple(rest), is_workflow=unit.is_workflow))

    def _supply(self, node: Node) -> None:
        work = self._work[node]
        if node.shutting_down or node not in self._collections:
            return
        while self._queue and work.left < _AHEAD:
            unit = self._queue.pop(0)
            work.give(unit)
            node.send_runtest_some(list(unit.items))
        if not self._queue:
            node.shutdown()
