"""Handing out units: a workflow is never split, and never begun twice."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_workflow_exec.plugin._workers._scheduler import UnitScheduler

A = ["wf/a.workflow.yaml::one", "wf/a.workflow.yaml::two", "wf/a.workflow.yaml::three"]
B = ["wf/b.workflow.yaml::one", "wf/b.workflow.yaml::two", "wf/b.workflow.yaml::three"]
TESTS = ["tests/test_x.py::test_a", "tests/test_x.py::test_b"]
COLLECTION = [*TESTS, *A, *B]


class Worker:
    """A worker that keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        """Take items."""
        assert not self.shutting_down
        self.given += indices

    def shutdown(self) -> None:
        """Take note that no more will come."""
        self.shutting_down = True


class Session:
    """A scheduler with its workers."""

    def __init__(self, config: pytest.Config, *, workers: int, workflows: dict[str, list[str]] | None = None) -> None:
        self.lost: list[list[str]] = []
        self.done: dict[int, int] = {}
        """The place of the last item that each worker got through."""
        self.scheduler = UnitScheduler(
            config,
            workers=workers,
            workflows={"wf/a.workflow.yaml": A, "wf/b.workflow.yaml": B} if workflows is None else workflows,
            lose=lambda nodeids: self.lost.append(list(nodeids)),
        )
        self.workers = [self.worker() for _ in range(workers)]

    def worker(self) -> Worker:
        """Return a worker that has just said that it is there."""
        worker = Worker()
        self.scheduler.add_node(worker)
        return worker

    def collect(self, collection: Sequence[str] = COLLECTION) -> None:
        """Let all workers collect the same, and begin."""
        for worker in self.workers:
            self.scheduler.add_node_collection(worker, collection)
        assert self.scheduler.collection_is_completed
        self.scheduler.schedule()

    def finish(self, worker: Worker, count: int) -> None:
        """Let a worker get through so many more of its items."""
        for _ in range(count):
            self.done[id(worker)] = place = self.done.get(id(worker), -1) + 1
            self.scheduler.mark_test_complete(worker, worker.given[place])


def nodeids(worker: Worker) -> list[str]:
    """Return what a worker was given."""
    return [COLLECTION[place] for place in worker.given]


def test_workflows_go_whole_to_different_workers(pytestconfig: pytest.Config) -> None:
    """Each worker gets one workflow, whole and in order; whoever is through first gets the tests."""
    session = Session(pytestconfig, workers=2)

    session.collect()
    first, second = session.workers

    assert (nodeids(first), nodeids(second)) == (A, B)
    session.finish(second, 2)
    assert nodeids(second) == [*B, *TESTS]
    assert second.shutting_down
    assert session.scheduler.has_pending


def test_everything_is_run_once(pytestconfig: pytest.Config) -> None:
    """When all is done, each item was given to exactly one worker."""
    session = Session(pytestconfig, workers=3)
    session.collect()

    for _ in COLLECTION:
        for worker in session.workers:
            session.finish(worker, int(session.done.get(id(worker), -1) + 1 < len(worker.given)))

    assert sorted(place for worker in session.workers for place in worker.given) == list(range(len(COLLECTION)))
    assert session.scheduler.tests_finished
    assert not session.scheduler.has_pending


def test_begun_workflow_is_not_given_to_another_worker(pytestconfig: pytest.Config) -> None:
    """A worker goes down in a step: the step and all behind it are lost, and the rest of the session goes on."""
    session = Session(pytestconfig, workers=2)
    session.collect()
    first, second = session.workers
    session.finish(first, 1)

    crashed = session.scheduler.remove_node(first)
    replacement = session.worker()
    session.scheduler.add_node_collection(replacement, COLLECTION)
    session.scheduler.schedule()
    session.finish(second, 3)

    assert crashed == A[1]
    assert session.lost == [A[1:]]
    assert not set(A) & {*nodeids(second), *nodeids(replacement)}
    assert sorted([*nodeids(second), *nodeids(replacement)]) == sorted([*B, *TESTS])


def test_workflow_that_only_waited_goes_to_another_worker(pytestconfig: pytest.Config) -> None:
    """What a worker had not begun when it went down is run by another one, whole."""
    session = Session(pytestconfig, workers=1)
    session.collect()
    [only] = session.workers
    session.finish(only, 2)
    assert nodeids(only) == [*A, *B]

    crashed = session.scheduler.remove_node(only)
    replacement = session.worker()
    session.scheduler.add_node_collection(replacement, COLLECTION)
    session.scheduler.schedule()
    session.finish(replacement, 3)

    assert (crashed, session.lost) == (A[2], [A[2:]])
    assert sorted(nodeids(replacement)) == sorted([*B, *TESTS])


def test_finished_workflow_is_not_lost_with_its_worker(pytestconfig: pytest.Config) -> None:
    """A worker goes down after a workflow: only what it was at is lost."""
    session = Session(pytestconfig, workers=1)
    session.collect()
    session.finish(session.workers[0], 4)

    assert session.scheduler.remove_node(session.workers[0]) == B[1]
    assert session.lost == [B[1:]]


def test_crashed_test_is_run_again_only_if_asked_for(pytestconfig: pytest.Config) -> None:
    """An ordinary test that went down is dropped, or marked pending by others; a step can't be."""
    session = Session(pytestconfig, workers=1, workflows={"wf/a.workflow.yaml": A})
    session.collect([*TESTS, *A])
    session.finish(session.workers[0], 3)

    crashed = session.scheduler.remove_node(session.workers[0])
    session.scheduler.mark_test_pending(TESTS[0])
    session.scheduler.mark_test_pending(A[0])
    replacement = session.worker()
    session.scheduler.add_node_collection(replacement, [*TESTS, *A])
    session.scheduler.schedule()
    session.finish(replacement, 1)

    assert crashed == TESTS[0]
    assert replacement.given == [1, 0]


def test_worker_that_ended_by_itself_is_not_a_crash(pytestconfig: pytest.Config) -> None:
    """A worker that stopped in the middle of a workflow has written down its end: nothing crashed, nothing is lost."""
    session = Session(pytestconfig, workers=1, workflows={"wf/a.workflow.yaml": A})
    session.collect(A)
    session.finish(session.workers[0], 1)

    session.scheduler.retire(session.workers[0])

    assert session.scheduler.remove_node(session.workers[0]) is None
    assert session.lost == []


def test_halted_session_hands_out_nothing_more(pytestconfig: pytest.Config) -> None:
    """After an interrupt, what waits is never begun."""
    session = Session(pytestconfig, workers=1)
    session.collect()

    session.scheduler.halt()
    session.finish(session.workers[0], 3)

    assert nodeids(session.workers[0]) == A
    assert session.scheduler.tests_finished


def test_workers_that_see_different_items_get_none(pytestconfig: pytest.Config) -> None:
    """Before the work begins, a difference between workers refuses the session; later it only costs the new worker."""
    session = Session(pytestconfig, workers=2)
    session.scheduler.add_node_collection(session.workers[0], COLLECTION)

    with pytest.raises(pytest.UsageError, match="different items"):
        session.scheduler.add_node_collection(session.workers[1], COLLECTION[1:])
    assert session.workers[0].given == []

    session = Session(pytestconfig, workers=1)
    session.collect()
    late = session.worker()
    session.scheduler.add_node_collection(late, COLLECTION[1:])
    session.scheduler.schedule()
    assert (late.given, late.shutting_down) == ([], True)


def test_changed_workflow_is_not_begun(pytestconfig: pytest.Config) -> None:
    """If the workers collected other steps than the plan has, nothing is handed out."""
    session = Session(pytestconfig, workers=1)

    with pytest.raises(pytest.UsageError, match="nothing was run"):
        session.collect([*TESTS, *A[:2], *B])
    assert session.workers[0].given == []
