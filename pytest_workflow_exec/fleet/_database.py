"""The fleet's database: PostgreSQL for several machines, a file of SQLite for one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ._errors import FleetError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SCHEMA = "workflow_exec"
VERSION = 2
"""Which tables this program uses."""
_PATIENCE_S = 30
_FORBIDDEN = "42501"
_POOL = 8
_MISSING = "install what fleets need: pip install 'pytest-workflow-exec[dbos]'"
_SERVER = ("postgresql://", "postgres://")
_FILE = "sqlite:///"


class Database:
    """Statements with named parameters, in transactions of their own."""

    def __init__(self, engine: Engine, url: str, *, is_server: bool, file: FileIdentity | None = None) -> None:
        """Use an engine; see `open_database`."""
        self._engine, self.url, self.is_server = engine, url, is_server
        """The address as the queueing engine takes it, and whether it is a server's."""
        self._file = file

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Give a transaction, committed at the end of the block unless it raises.

        Raises:
            UnreachableError: The database can't be reached.
            RemovedError: Its file is not there any more.
            FleetError: It does not let this user.
        """
        from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, ProgrammingError
        from sqlalchemy.exc import TimeoutError as NoConnectionError

        self._demand_same_file()
        try:
            with self._engine.begin() as connection:
                yield Transaction(connection, is_server=self.is_server)
                # A file that was removed takes what is written for as long as somebody has it open, and nobody finds it.
                self._demand_same_file()
        except (OperationalError, InterfaceError, NoConnectionError) as error:
            raise UnreachableError(f"the fleet's database can't be used: {_first_line(error)}") from error
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", "") != _FORBIDDEN:
                # What a trigger refuses, whoever asked for it understands.
                raise
            raise FleetError(f"the fleet's database does not let you: {_first_line(error)}") from error
        except DatabaseError as error:
            # Itself and no kind of it: what SQLite says of a file that is no database, or a broken one.
            if type(error) is not DatabaseError:
                raise
            raise UnreachableError(f"the fleet's database can't be used: {_first_line(error)}") from error

    def _demand_same_file(self) -> None:
        if self._file is not None and _identity(self._file.path) != self._file:
            raise RemovedError(
                f"the fleet's database {self._file.path} was removed or replaced; nothing is written elsewhere"
            )

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


class FileIdentity(NamedTuple):
    """Which file a database is in, whatever is found by its name later."""

    path: Path
    device: int
    inode: int


class UnreachableError(FleetError):
    """The database can't be reached, or was not there for long enough."""


class RemovedError(FleetError):
    """The file of the database was removed, or another one is in its place."""


class Transaction:
    """One transaction."""

    def __init__(self, connection: Connection, *, is_server: bool) -> None:
        self.connection, self._is_server = connection, is_server

    def rows(self, statement: str, **values: object) -> Sequence[Mapping[str, Any]]:
        """Return what a statement gives."""
        return [dict(row) for row in self._run(statement, values).mappings()]

    def row(self, statement: str, **values: object) -> Mapping[str, Any] | None:
        """Return the first row of what a statement gives; None if there is none."""
        found = self._run(statement, values).mappings().first()
        return None if found is None else dict(found)

    def alone(self, submission: str) -> None:
        """Let nobody else add to what concerns a submission before the end of this transaction.

        What a connection that was lost may still be about to commit is there afterwards, or never will be.
        """
        if self._is_server:
            self._run("SELECT workflow_exec.fleet_alone(:id)", {"id": submission})

    def run(self, statement: str, **values: object) -> int:
        """Return how many rows a statement concerned."""
        return int(self._run(statement, values).rowcount)

    def now(self) -> float:
        """Return the database's own time, in seconds since 1970: hosts need not agree on theirs."""
        seconds = (
            "extract(epoch FROM clock_timestamp())" if self._is_server else "(julianday('now') - 2440587.5) * 86400.0"
        )
        found = self.row(f"SELECT {seconds} AS now")  # one of two constants
        return float((found or {"now": 0.0})["now"])

    def _run(self, statement: str, values: Mapping[str, object]) -> Any:  # noqa: ANN401  # the results of every statement
        from sqlalchemy import text

        for value in values.values():
            if isinstance(value, str) and not value.isascii():
                _demand_text(value)
        return self.connection.execute(text(statement), values)


def _demand_text(value: str) -> None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        # An argument of a command line may be bytes that are no text.
        raise FleetError(f"{value!r} is no text: it holds bytes that are no UTF-8") from error


def open_database(url: str, *, make: bool = False, bare: bool = False) -> Database:
    """Return the fleet's database.

    Args:
        url: `postgresql://...`, or `sqlite:///FILE`.
        make: Whether a file that is missing is made, with its tables.
        bare: Whether it may be one without tables, which are about to be made.

    Raises:
        FleetError: The address is none, or nothing a fleet can use is there.
    """
    # Not imported: whoever only looks needs no queueing engine, whose import takes a second.
    if any(importlib.util.find_spec(name) is None for name in ("dbos", "psycopg", "sqlalchemy")):
        raise FleetError(_MISSING)
    if url.startswith(_SERVER):
        from ._connections import server_engine

        # Last of all the temporary schema, into which everybody may put tables of any name.
        first = f"-c search_path={SCHEMA},pg_temp"
        engine = server_engine(url, size=_POOL, more=_POOL, options=first, application_name="workflow-exec fleet")
        found = Database(engine, "postgresql://" + url.partition("://")[2], is_server=True)
    elif url.startswith(_FILE) and url != _FILE:
        path = Path(url.removeprefix(_FILE)).absolute()
        engine = _file_engine(path, make=make)
        found = Database(engine, f"{_FILE}{path}", is_server=False, file=_identity(path))
    else:
        raise FleetError(
            f"{without_password(url)!r} is no address of a fleet's database: postgresql://USER@HOST/NAME or sqlite:///FILE"
        )
    if not bare:
        _demand_tables(found, make=make)
    return found


def without_password(url: str) -> str:
    """Return an address as it may be shown."""
    scheme, between, rest = url.partition("://")
    return f"{scheme}{between}{rest.rpartition('@')[2]}"


def make_tables(database: Database) -> None:
    """Make the tables, and on a server the roles; nothing happens to tables that are there.

    Raises:
        FleetError: The database does not let this user.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from ._engine import migrate

    try:
        migrate(database.url)
        if has_tables(database):
            _demand_version(database)
        else:
            _run_script(database, "postgresql.sql" if database.is_server else "sqlite.sql")
        if database.is_server:
            _run_script(database, "roles.sql")
    except SQLAlchemyError as error:
        raise FleetError(f"the tables can't be made: {_first_line(error)}") from error


def said_by_trigger(error: Exception) -> str | None:
    """Return what the fleet's own tables say against a row; None if it was something else that did."""
    said = _first_line(error)
    return said.partition("fleet: ")[2] or None


def is_refusal(error: Exception) -> bool:
    """Return whether the database refused a row; else it could not be asked, and nobody knows whether it would have."""
    from sqlalchemy.exc import IntegrityError

    return isinstance(error, IntegrityError) or said_by_trigger(error) is not None


def script(name: str) -> str:
    """Return a script that is shipped with the package."""
    return resources.files(__package__).joinpath("sql").joinpath(name).read_text(encoding="utf-8")


def has_tables(database: Database) -> bool:
    """Return whether the fleet's tables are there."""
    where = (
        "SELECT 1 AS yes FROM pg_tables WHERE schemaname = 'workflow_exec' AND tablename = 'fleet_queue'"
        if database.is_server
        else "SELECT 1 AS yes FROM sqlite_master WHERE type = 'table' AND name = 'fleet_queue'"
    )
    with database.transaction() as transaction:
        return transaction.row(where) is not None


def _demand_tables(database: Database, *, make: bool) -> None:
    if has_tables(database):
        _demand_version(database)
        return
    if database.is_server or not make:
        raise FleetError("the database has no tables of a fleet: its owner makes them with `workflow-exec fleet init`")
    make_tables(database)


def _demand_version(database: Database) -> None:
    where = (
        "SELECT 1 AS yes FROM pg_tables WHERE schemaname = 'workflow_exec' AND tablename = 'fleet_schema'"
        if database.is_server
        else "SELECT 1 AS yes FROM sqlite_master WHERE type = 'table' AND name = 'fleet_schema'"
    )
    with database.transaction() as transaction:
        known = transaction.row(where) is not None
        row = transaction.row("SELECT max(version) AS version FROM fleet_schema") if known else None
    version = int((row or {}).get("version") or 0)
    if version != VERSION:
        how = "newer" if version > VERSION else "older"
        raise FleetError(
            f"the fleet's tables are {how} than this program (version {version}, and it uses {VERSION}); nothing was done. "
            + (
                "Update pytest-workflow-exec here"
                if version > VERSION
                else "What is needed of them is kept by the program that made them (`fleet logs --to`); their owner removes them, and "
                "makes them anew with `workflow-exec fleet init`"
            )
        )


def _run_script(database: Database, name: str) -> None:
    with database.transaction() as transaction:
        driver = transaction.connection.connection.driver_connection
        if database.is_server:
            # Without parameters: a script is many statements, and `%` in it means itself.
            driver.execute(script(name))  # type: ignore[union-attr]  # psycopg's connection has it
        else:
            driver.executescript(script(name))  # type: ignore[union-attr]  # so has sqlite3's


def _file_engine(path: Path, *, make: bool) -> Engine:
    from sqlalchemy import create_engine, event

    if not path.exists():
        if not make:
            raise FleetError(f"there is no fleet at {path}: `workflow-exec fleet worker` or `fleet submit` makes one")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Whoever can write it controls which runs start, here without any signature.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise FleetError(f"{path} can't be made: {error.strerror}") from error
    engine = create_engine(f"sqlite:///{path}", pool_size=_POOL, connect_args={"timeout": _PATIENCE_S})

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # At once: two that read first and write then would refuse each other.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _identity(path: Path) -> FileIdentity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return FileIdentity(path, found.st_dev, found.st_ino)


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "orig", None) or error).strip().splitlines() or ["no reason"])[0]
