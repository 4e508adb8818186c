"""Names of runs."""

from __future__ import annotations

import threading
import time
import uuid

from pytest_workflow_exec.evidence import new_run_id


def test_a_run_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    """A run id is a UUID of version 7 whose first 48 bits are the time in milliseconds."""
    before = time.time_ns() // 1_000_000

    run = new_run_id()

    parsed = uuid.UUID(run)
    assert str(parsed) == run
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= parsed.int >> 80 <= before + 60_000


def test_run_ids_sort_by_the_order_they_were_made_in() -> None:
    """Ids made one after the other sort in that order, even far more of them than milliseconds pass."""
    made = [new_run_id() for _ in range(10_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_threads_never_get_the_same_run_id() -> None:
    """Ids made at the same time by several threads differ in their ordered part."""
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(new_run_id() for _ in range(500))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({run[:18] for run in made}) == 2_000
