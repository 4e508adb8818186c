"""A worker: takes legs out of a queue and plays them, tells that it is alive, and ends without leaving anything behind."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.counted import counted, was
from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._checkout import sweep
from ._database import Database, RemovedError, UnreachableError
from ._engine import LEG, asking, client_of, config_of
from ._enrolment import enrolled, host_of
from ._errors import FleetError, FleetLostError
from ._host import clock_ahead_s
from ._legs import LegEnd, end_leg, standing_of, standings
from ._limits import Limits, limits_of, set_limits
from ._player import play_leg
from ._project import ProjectState
from ._rounds import Rounds, TakeOver, take_over

if TYPE_CHECKING:
    from dbos import DBOSClient

_BEAT_S = 1.0
_REMOVED = 2
"""The exit status of a worker whose database is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """What a worker is started with."""

    queue: str
    concurrency: int | None
    """How many runs each worker of the queue plays at once; None leaves it as it is."""
    base: Path
    """Where checkouts are made."""
    dead_after_s: float
    take_over: TakeOver
    until_idle: bool
    """Whether it ends once nothing is left to do in its queue."""


def work(database: Database, project: ProjectState, settings: WorkerSettings, *, say: Callable[[str], None]) -> int:
    """Work until a signal ends it, and return the exit status: 0, or 1 if it had to be told twice.

    Raises:
        FleetError: It can't begin.
    """
    return _Worker(database, project, settings, say=say).run()


class _Worker:
    def __init__(
        self, database: Database, project: ProjectState, settings: WorkerSettings, *, say: Callable[[str], None]
    ) -> None:
        self._settings, self._say = settings, say
        self._draining, self._hurried = threading.Event(), False
        self._host = host_of(database, project, base=settings.base, say=say)
        self._client: DBOSClient | None = None
        self._active: set[tuple[str, int]] = set()
        self._why: dict[tuple[str, int], str] = {}
        """What was said last of a leg whose end could not be noted."""
        self._said = ""
        self._lock = threading.Lock()

    def run(self) -> int:
        host, settings = self._host, self._settings
        signal.signal(signal.SIGTERM, self._told)
        signal.signal(signal.SIGINT, self._told)
        client = self._client = client_of(host.database.url)
        self._set_limits(client)
        rounds = Rounds(
            host=host,
            client=client,
            queue=settings.queue,
            dead_after_s=settings.dead_after_s,
            take_over=settings.take_over,
        )
        with enrolled(host, settings.queue):
            self._say(
                f"worker {host.worker} of queue {settings.queue}: project {host.project.digest[:12]}, "
                f"commit {host.project.commit[:12]}"
            )
            self._say_clock()
            self._say_refused()
            with self._engine():
                self._look_after(rounds)
                self._drain()
        client.destroy()
        self._say("ended")
        return int(self._hurried)

    def _set_limits(self, client: DBOSClient) -> None:
        queue, wanted = self._settings.queue, self._settings.concurrency
        with self._host.database.transaction() as transaction:
            found = limits_of(client, transaction, queue)
        if found is None:
            set_limits(client, self._host.database, queue, Limits(per_worker=wanted or 1))
        elif wanted is not None and found.per_worker != wanted:
            set_limits(client, self._host.database, queue, replace(found, per_worker=wanted))
            self._say(f"every worker of queue {queue} now plays up to {counted(wanted, 'run')} at once")

    def _say_clock(self) -> None:
        with self._host.database.transaction() as transaction:
            ahead = clock_ahead_s(transaction)
        if ahead:
            how = "ahead of" if ahead > 0 else "behind"
            self._say(
                f"this host's clock is {abs(ahead):.0f} s {how} the database's: what its runs write has that time, and what is "
                "due goes by the database's"
            )

    def _say_refused(self) -> None:
        with self._host.database.transaction() as transaction:
            others = standings(
                transaction,
                "s.queue = :queue AND s.digest <> :digest AND (e.leg IS NULL OR e.outcome = 'suspended')",
                queue=self._settings.queue,
                digest=self._host.project.digest,
            )
        if others:
            self._say(
                f"{counted(len(others), 'run')} of this queue {was(len(others))} refused here, of other projects or commits than "
                f"{self._host.project.digest[:12]} (first {others[0].id}, of {others[0].digest[:12]})"
            )

    @contextlib.contextmanager
    def _engine(self) -> Iterator[None]:
        from dbos import DBOS

        host = self._host
        config = config_of(
            host.database.url,
            worker=host.worker,
            version=host.project.digest,
            is_server=host.database.is_server,
        )
        DBOS(config=config)
        DBOS.workflow(name=LEG)(self._leg_function())
        DBOS.listen_queues([self._settings.queue])
        with asking():
            DBOS.launch()
        try:
            yield
        finally:
            DBOS.destroy(destroy_registry=True)

    def _leg_function(self) -> Callable[[str, int], str]:
        def leg(submission: str, number: int) -> str:
            return self._play(submission, number)

        return leg

    def _play(self, submission: str, number: int) -> str:
        with self._lock:
            self._active.add((submission, number))
        try:
            if self._draining.is_set():
                # Taken out of the queue in the last moment: it goes back.
                self._give_back(submission)
                return "given back"
            return self._play_through(submission, number)
        except FleetError as error:
            return self._lost(submission, number, str(error))
        except Exception as error:  # noqa: BLE001  # the engine would keep it as an object; here it is told
            return self._lost(submission, number, f"failed inside the worker: {type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._active.discard((submission, number))

    def _lost(self, submission: str, number: int, why: str) -> str:
        self._say(f"{submission} leg {number}: {why}")
        self._why[submission, number] = why
        return "lost"

    def _play_through(self, submission: str, number: int) -> str:
        self._say(f"{submission} begins leg {number}")
        end = play_leg(self._host, submission, number)
        self._say(f"{submission} ended leg {number}: {end.outcome}{f' at {end.step}' if end.step else ''}")
        return end.outcome

    def _give_back(self, submission: str) -> None:
        with self._host.database.transaction() as transaction:
            standing = standing_of(transaction, submission)
        if standing is not None and self._client is not None:
            take_over(self._host, self._client, standing, said="its worker ended before it began")

    def _look_after(self, rounds: Rounds) -> None:
        reached_since = time.monotonic()
        sweep(self._settings.base, alive=self._alive())
        while not self._draining.wait(_BEAT_S):
            try:
                settled = time.monotonic() - reached_since >= self._settings.dead_after_s
                self._let_go()
                for line in rounds.go(settled=settled):
                    self._say(line)
                self._said = ""
                if self._settings.until_idle and not self._is_active() and not rounds.is_left():
                    return
            except RemovedError as error:
                self._say(str(error))
                self._host.stopping.set()
                self._drain()
                # The engine would go on trying to write down how its legs ended, and never let the process end.
                os._exit(_REMOVED)
            except FleetError as error:
                # Whatever it is, the runs that are under way go on, and it is looked again.
                reached_since = time.monotonic() if isinstance(error, UnreachableError) else reached_since
                self._say_once(str(error))
            except Exception:
                # What nobody foresaw ends this worker, but not in the middle of its runs.
                self._drain()
                raise

    def _say_once(self, line: str) -> None:
        # A database that is away for an hour is away for every look.
        if line != self._said:
            self._said = line
            self._say(line)

    def _let_go(self) -> None:
        """Say of the legs that this worker began and plays no more that they are: it lives, so nobody else would."""
        with self._host.database.transaction() as transaction:
            begun = transaction.rows(
                "SELECT c.submission, c.leg FROM fleet_claim c WHERE c.worker = :worker AND NOT EXISTS "
                "(SELECT 1 FROM fleet_end e WHERE e.submission = c.submission AND e.leg = c.leg)",
                worker=self._host.worker,
            )
        for submission, leg in ((str(row["submission"]), int(row["leg"])) for row in begun):
            with self._lock:
                if (submission, leg) in self._active:
                    continue
            said = f"its worker could not say how it ended: {self._why.pop((submission, leg), 'it does not say why')}"
            # A leg that ended meanwhile has its end.
            with contextlib.suppress(FleetLostError), self._host.database.transaction() as transaction:
                end_leg(transaction, submission, leg, LegEnd(outcome="interrupted", said=said))

    def _alive(self) -> frozenset[str]:
        """Return the checkouts on this host whose runs go on."""
        with self._host.database.transaction() as transaction:
            found = transaction.rows(
                "SELECT c.submission, c.leg FROM fleet_claim c WHERE NOT EXISTS "
                "(SELECT 1 FROM fleet_end e WHERE e.submission = c.submission AND e.leg = c.leg)"
            )
        return frozenset(f"{row['submission']}.{row['leg']}" for row in found)

    def _is_active(self) -> bool:
        with self._lock:
            return bool(self._active)

    def _drain(self) -> None:
        self._draining.set()
        while self._is_active():
            time.sleep(_BEAT_S / 2)

    def _told(self, number: int, _frame: object) -> None:
        if not self._draining.is_set():
            self._draining.set()
            self._say("ends once its runs have ended; told again, it ends them")
        elif not self._hurried:
            self._hurried = True
            self._host.stopping.set()
            self._say(f"ends its runs (signal {number})")
        sys.stdout.flush()
