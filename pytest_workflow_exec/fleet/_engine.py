"""The queueing engine, DBOS: what it is given, and what it may not do."""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from ._database import UnreachableError
from ._errors import FleetError

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig
    from sqlalchemy import Engine

APPLICATION = "workflow-exec"
_WORKER_SIZE, _CLIENT_SIZE = 20, 5
"""How many connections of the engine's own a worker has at most, and who only asks."""
LEG = "workflow_exec.leg"
"""The name of the only workflow that it knows: one leg of a run."""


def config_of(url: str, *, worker: str, version: str, is_server: bool) -> DBOSConfig:
    """Return what a worker starts the engine with.

    Args:
        worker: Its name, which no other process ever has: what a dead one began is never begun again unasked.
        version: The digest of the project; legs of another one are not given to it.
    """
    from dbos import DBOSPortableJSONSerializer

    refuse_pickles()
    return {
        # Without it the engine looks at its queue all the same, and nothing else of it waits to be told.
        **({"system_database_engine": _engine(url), "use_listen_notify": False} if is_server else {}),
        "name": APPLICATION,
        "system_database_url": url,
        "executor_id": worker,
        "application_version": version,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "CRITICAL",
        "enable_otlp": False,
        # The owner of the tables migrates them.
        "run_migrations": not is_server,
    }


def client_of(url: str) -> DBOSClient:
    """Return what puts legs into queues.

    Raises:
        FleetError: The engine's tables are not there.
    """
    from dbos import DBOSClient, DBOSPortableJSONSerializer

    refuse_pickles()
    try:
        return DBOSClient(
            system_database_url=url,
            system_database_engine=_engine(url, size=_CLIENT_SIZE) if url.startswith("postgresql://") else None,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,
        )
    except Exception as error:
        raise FleetError(f"the queues can't be used: {error}") from error


def _engine(url: str, *, size: int = _WORKER_SIZE) -> Engine:
    from ._connections import server_engine

    return server_engine(url, size=size, more=0, application_name=f"{APPLICATION} queue")


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Let the engine's word that the database is away be the fleet's own.

    Raises:
        UnreachableError: It is.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        said = (str(error.orig).strip().splitlines() or ["no reason"])[0]
        raise UnreachableError(f"the queues can't be used: {said}") from error


def migrate(url: str) -> None:
    """Make the engine's tables, or bring them up to date."""
    from dbos import DBOS

    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    DBOS.migrate(url)


@functools.cache
def refuse_pickles() -> None:
    """Keep the engine from ever looking up what a pickle names: whoever can write the database could otherwise run code here.

    Which serializer reads a row is said by the row itself, whatever the configuration says, and the engine's own pickles can't
    be switched off. Python tells of every class and function that a pickle wants, before it is looked up.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event != "pickle.find_class":
        return
    frame: FrameType | None = sys._getframe()  # noqa: SLF001  # the documented way to one's own stack
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == "dbos":
            message = "pickles are not read here"
            raise TypeError(message)
        frame = frame.f_back
