"""`workflow-exec fleet init`, `sql`, `queue` and `prune`: the tables, the limits of queues, and what is kept."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys

from pytest_workflow_exec.counted import counted, was
from pytest_workflow_exec.fleet import (
    Limits,
    client_of,
    limits_of,
    make_tables,
    open_database,
    prune,
    script,
    set_limits,
    without_password,
)

from ._arguments import NOT_SAID
from ._opened import address_of, opened

_SCRIPTS = {"tables": "postgresql.sql", "roles": "roles.sql", "sqlite": "sqlite.sql"}


def init(arguments: argparse.Namespace) -> int:
    """Make the tables; return 0.

    Raises:
        FleetError: They can't be made.
    """
    with contextlib.closing(open_database(address_of(arguments.database), make=True, bare=True)) as database:
        make_tables(database)
        sys.stdout.write(f"the tables of the fleet are there: {without_password(database.url)}\n")
    return 0


def sql(arguments: argparse.Namespace) -> int:
    """Print a script; return 0."""
    sys.stdout.write(script(_SCRIPTS[arguments.script]))
    return 0


def queue(arguments: argparse.Namespace) -> int:
    """Print the limits of a queue, after those that were given are set; return 0.

    Raises:
        FleetError: They contradict each other, or the database can't be used.
    """
    given = {
        "concurrency": arguments.concurrency,
        "per_worker": arguments.per_worker,
        "per_team": arguments.per_group,
        "rate": arguments.rate,
        "max_waiting": arguments.max_waiting,
    }
    with opened(arguments, make=True) as database:
        client = client_of(database.url)
        with database.transaction() as transaction:
            limits = limits_of(client, transaction, arguments.name) or Limits(per_worker=1)
        changed = {name: value for name, value in given.items() if value != NOT_SAID}
        if changed:
            limits = dataclasses.replace(limits, **changed)
            set_limits(client, database, arguments.name, limits)
        client.destroy()
    sys.stdout.write(f"queue {arguments.name}\n")
    for label, value in (
        ("at once, all workers", limits.concurrency),
        ("at once, each worker", limits.per_worker),
        ("at once, each group", limits.per_team),
        ("starts", None if limits.rate is None else f"{limits.rate[0]} in {limits.rate[1]:g} s"),
        ("may wait", limits.max_waiting),
    ):
        sys.stdout.write(f"  {label:<21} {'no limit' if value is None else value}\n")
    return 0


def prune_(arguments: argparse.Namespace) -> int:
    """Remove old runs; return 0.

    Raises:
        FleetError: The database does not let this user.
    """
    with opened(arguments) as database:
        count = prune(database, older_than_s=arguments.older_than, dry_run=arguments.dry_run)
    sys.stdout.write(f"{counted(count, 'run')} {'would be' if arguments.dry_run else was(count)} removed\n")
    return 0
