"""A process among the hosts of a fleet: under a name of its own, and known as alive for as long as it is."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from ._database import Database
from ._errors import FleetError
from ._host import Host
from ._project import ProjectState
from ._trust import pin_of

_BEAT_S = 2.0
_SHUTDOWN_S = 5


def host_of(
    database: Database, project: ProjectState, *, base: Path, say: Callable[[str], None] = lambda _: None
) -> Host:
    """Return this process as a host of runs.

    Raises:
        FleetError: The project's pin can't be used.
    """
    # Nobody ever has this name again: what died with it is begun by nobody unasked.
    name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    return Host(
        database=database,
        project=project,
        pin=pin_of(project),
        worker=name,
        base=base,
        # A file of one's own says by itself who submitted.
        may_be_unsigned=not database.is_server,
        stopping=threading.Event(),
        say=say,
    )


@contextlib.contextmanager
def enrolled(host: Host, queue: str) -> Iterator[None]:
    """Let a host be known as alive for as long as the block takes."""
    with host.database.transaction() as transaction:
        transaction.run(
            "INSERT INTO fleet_worker (id, host, pid, queue, digest, commit_id) "
            "VALUES (:id, :host, :pid, :queue, :digest, :commit)",
            id=host.worker,
            host=socket.gethostname(),
            pid=os.getpid(),
            queue=queue,
            digest=host.project.digest,
            commit=host.project.commit,
        )
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(host, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_SHUTDOWN_S)
        with contextlib.suppress(FleetError), host.database.transaction() as transaction:
            transaction.run(
                "UPDATE fleet_worker SET stopped = :now WHERE id = :id", now=transaction.now(), id=host.worker
            )


def _beat(host: Host, over: threading.Event) -> None:
    while not over.wait(_BEAT_S):
        with contextlib.suppress(FleetError), host.database.transaction() as transaction:
            transaction.run("UPDATE fleet_worker SET seen = :now WHERE id = :id", now=transaction.now(), id=host.worker)
