"""What the process that is to become a command tells the spawn server before it does."""

from __future__ import annotations

import marshal
import os
import select
import socket

from ._connections import Connections
from ._target import LENGTH_BYTES, LISTENER, SPACE, TAKEN, passed

_CLOSE_ON_EXEC = 0x40000000


class Start:
    """What the process told that was to become a command."""

    def __init__(
        self,
        *,
        is_taken: bool,
        processes: int = 0,
        masked: tuple[str, ...] = (),
        connections: Connections | None = None,
        problem: str = "",
    ) -> None:
        """Hold it.

        Args:
            is_taken: Whether it took a request.
            processes: How many the command may have; 0 for no bound.
            masked: The folders that stand for protected paths as long as it runs.
            connections: Where the kernel asks about its connections; None if it may make none, or any.
            problem: Why it did not become the command; empty if it did.
        """
        self.is_taken, self.processes, self.masked = is_taken, processes, masked
        self.connections, self.problem = connections, problem


class EngineGoneError(Exception):
    """Nobody is there any more who could ask for anything."""


def heard(errors: socket.socket, engine: int) -> Start:
    """Wait until the process took a request and became the command, or failed to.

    Raises:
        EngineGoneError: Nobody can ask any more. The process may have taken a request all the same.
    """
    poll = select.poll()
    poll.register(errors, select.POLLIN)
    poll.register(engine, select.POLLIN)
    if errors.fileno() not in dict(poll.poll()):
        raise EngineGoneError
    told, descriptors = b"", list[int]()
    while True:
        chunk, ancillary, _, _ = errors.recvmsg(4096, SPACE, _CLOSE_ON_EXEC)
        if not chunk:
            break
        told, descriptors = told + chunk, descriptors + passed(ancillary)
    if not told:
        # It ended without a request.
        raise EngineGoneError
    if not told.startswith(TAKEN):
        return Start(is_taken=False, problem=told.decode(errors="replace"))
    begin = len(TAKEN) + LENGTH_BYTES
    end = begin + int.from_bytes(told[len(TAKEN) : begin], "big")
    (processes, masked, allowed), problem = marshal.loads(told[begin:end]), told[end:]  # noqa: S302  # the engine's own
    connections = None
    if problem == LISTENER:
        ruleset, *sockets, listener = descriptors
        names = {held: frozenset(each) for held, each in zip(sockets, allowed, strict=True)}
        problem, connections = b"", Connections(listener, ruleset, names)
    elif descriptors:
        problem = problem.removeprefix(LISTENER) or b"it ended before it was judged"
        for descriptor in descriptors:
            os.close(descriptor)
    return Start(
        is_taken=True,
        processes=processes,
        masked=masked,
        connections=connections,
        problem=problem.decode(errors="replace"),
    )
