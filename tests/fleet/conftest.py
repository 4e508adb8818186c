"""Fleets for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ._postgres import Server, programs, server, server_user


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server that tests share; each of them has a database of its own."""
    if programs() is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    if server_user() is None:
        pytest.skip("a PostgreSQL server can't run as root, and there is no user postgres or nobody")
    with server() as found:
        yield found


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server of the test's own, which it may kill."""
    if programs() is None or server_user() is None:
        pytest.skip("no PostgreSQL server is installed that could run here: apt-get install postgresql")
    with server() as found:
        yield found


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """A database in a file."""
    return f"sqlite:///{tmp_path / 'fleet.sqlite'}"
