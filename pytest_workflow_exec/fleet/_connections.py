"""Connections to a server that may go away without a word: whoever waits for one is told, and asks a new one."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

SILENCE_S = 60.0
"""How long a server may be silent in the middle of a statement before its connection counts as lost."""
_LOOK_S = 5.0
_CONNECT_S = 10
_NEW = "made for whoever takes it now"
_DRIVER = "postgresql+psycopg://"
# The system's own way to see that the other end is gone; what swallows bytes in between answers to that, too.
_ALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}


def server_engine(url: str, *, size: int, more: int, **arguments: str) -> Engine:
    """Return what makes connections to a server, none of which is waited for in vain.

    Args:
        url: `postgresql://...`.
        size: How many connections are kept.
        more: How many there may be beside those.
        arguments: What the driver is given.
    """
    from psycopg import OperationalError
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import DisconnectionError

    engine = create_engine(
        _DRIVER + url.partition("://")[2],
        pool_size=size,
        max_overflow=more,
        connect_args={"connect_timeout": _CONNECT_S, **_ALIVE, **arguments},
    )

    @event.listens_for(engine, "connect")
    def made(_connection: object, record: Any) -> None:  # noqa: ANN401  # the pool's own
        record.info[_NEW] = True

    @event.listens_for(engine, "checkout")
    def taken(connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401  # the driver's and the pool's own
        is_new = record.info.pop(_NEW, False)
        if connection.closed or _has_ended(connection.fileno()):
            if is_new:
                # Asked for another one too often, the pool would take that for its user's mistake.
                raise OperationalError("the server ended the connection as soon as it was made")
            raise DisconnectionError
        _WATCH.arm(connection)

    @event.listens_for(engine, "checkin")
    def given_back(connection: Any, _record: object) -> None:  # noqa: ANN401  # the same
        _WATCH.disarm(connection)

    @event.listens_for(engine, "before_cursor_execute")
    @event.listens_for(engine, "after_cursor_execute")
    def heard(connection: Any, *_: object) -> None:  # noqa: ANN401  # SQLAlchemy gives what differs by event
        _WATCH.arm(connection.connection.driver_connection)

    return engine


class _Watch:
    """Ends connections whose server is silent for too long, from a thread beside those that wait for them."""

    def __init__(self) -> None:
        self._until: dict[int, tuple[float, Any]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def arm(self, connection: Any) -> None:  # noqa: ANN401  # the driver's own
        with self._lock:
            self._until[id(connection)] = (time.monotonic() + SILENCE_S, connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="fleet-connections", daemon=True)
                self._thread.start()

    def disarm(self, connection: Any) -> None:  # noqa: ANN401  # the same
        with self._lock:
            self._until.pop(id(connection), None)

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            with self._lock:
                now = time.monotonic()
                late = [key for key, (until, _) in self._until.items() if until < now]
                for _, connection in map(self._until.pop, late):
                    # Under the lock: what was given back meanwhile is not waited for any more.
                    _cut(connection)


_WATCH = _Watch()


def _cut(connection: Any) -> None:  # noqa: ANN401  # the driver's own
    # Whoever waits for it hears an end, as if the server had closed it; the descriptor itself stays the driver's.
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as ours:
        ours.shutdown(socket.SHUT_RDWR)


def _has_ended(descriptor: int) -> bool:
    """Return whether the server has said something unasked: that is that it ends."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
