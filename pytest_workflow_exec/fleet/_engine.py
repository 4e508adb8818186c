"""The queueing engine, DBOS: what it is given, and what it may not do."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from ._errors import FleetError

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig

APPLICATION = "workflow-exec"
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
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,
        )
    except Exception as error:
        raise FleetError(f"the queues can't be used: {error}") from error


def migrate(url: str) -> None:
    """Make the engine's tables, or bring them up to date."""
    from dbos import DBOS

    logging.getLogger("dbos").setLevel(logging.CRITICAL)
    DBOS.migrate(url)


def refuse_pickles() -> None:
    """Keep the engine from ever reading a pickle: whoever can write the database could otherwise run code here.

    Which serializer reads a row is said by the row itself, whatever the configuration says.
    """
    from dbos import _serialization

    def refuse(*_: object) -> NoReturn:
        message = "pickles are not read here"
        raise TypeError(message)

    _serialization.DefaultSerializer.deserialize = refuse  # type: ignore[assignment,method-assign]  # nothing less does
