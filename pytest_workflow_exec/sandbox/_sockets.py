"""Sockets that a rule lets its commands connect to: found and held before a command starts, so that it can't swap them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ._rules import Rule
from ._spawner import NamedSocket


class NotConnectableError(Exception):
    """A socket can't be granted; says why."""


def socket_problems(rule: Rule, *, root: Path, level: str) -> Iterator[str]:
    """Return why sockets that a rule names can't be granted; one that is missing may be made until it is needed.

    Args:
        root: The project.
        level: The confinement that its commands run under; without any, nothing is granted or refused.
    """
    for entry in rule.sockets if level != "none" else ():
        try:
            path = _path(root, entry)
            if path.exists() and not path.is_socket():
                yield f"rule {rule.text!r}: sockets {entry!r} is no socket"
        except (OSError, NotConnectableError) as error:
            yield f"rule {rule.text!r}: {error}"


def open_socket(root: Path, entry: str) -> NamedSocket:
    """Return a socket that commands may connect to; the caller closes it.

    Args:
        root: The project.
        entry: A canonical path, absolute or relative to `root`.

    Raises:
        NotConnectableError: There is none, or it is elsewhere than the path says.
    """
    path = _path(root, entry)
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise NotConnectableError(
            f"sockets {entry!r}: {error.strerror}; start what listens there, or take it out of the rule"
        ) from error
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotConnectableError(f"sockets {entry!r} is no socket")
    return NamedSocket(descriptor=descriptor, names=tuple(dict.fromkeys((str(root / entry), str(path)))))


def _path(root: Path, entry: str) -> Path:
    inside = os.path.realpath(root)
    path = os.path.realpath(root / entry)
    within = any(_is_within(str(root / entry), folder) for folder in (inside, str(root)))
    # A link there may be an earlier command's.
    if within and not _is_within(path, inside):
        raise NotConnectableError(f"sockets {entry!r} leads out of the project, to {path!r}; name that, if it is meant")
    return Path(path)


def _is_within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
