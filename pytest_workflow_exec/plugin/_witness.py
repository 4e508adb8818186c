"""The process that supervises a session from outside, if one does: `--workflow-witness`."""

from __future__ import annotations

import re

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.run import Confirm

from ._session import WorkflowSession

_DESCRIPTOR = lazy_pattern(r"[0-9]{1,6}", re.ASCII)
_STDERR = 2


def witness_of(session: WorkflowSession) -> Confirm | None:
    """Return what confirms each barrier; None if nobody wants to know.

    Raises:
        EvidenceError: The descriptor is no socket.
    """
    named = session.config.getoption("workflow_witness")
    if named is None:
        return None
    if session.witness is None:
        from pytest_workflow_exec.run import Witness

        session.witness = Witness(int(named))
    return session.witness


def witness_problem(session: WorkflowSession) -> str | None:
    """Return why nobody can supervise the session, though that was asked for; None if somebody can, or nobody has to."""
    named = session.config.getoption("workflow_witness")
    if named is None or session.witness is not None:
        return None
    if session.share is not None or session.config.pluginmanager.has_plugin("dsession"):
        return "with several workers nobody would ask it. Add -n0"
    if not _DESCRIPTOR.fullmatch(named) or int(named) <= _STDERR:
        return f"{named!r} is no descriptor of a socket"
    import socket

    try:
        with socket.socket(fileno=int(named)) as found:
            found.detach()
    except OSError as error:
        return f"descriptor {named} is no socket: {error.strerror}"
    return None
