"""The rights that a rule asks for: whether each is written in a way that can be granted."""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Sequence

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import VARIABLE_NAME, is_injection
from pytest_workflow_exec.settings import RuleSettings

from ._rules import BARE_NAME
from ._tokens import has_control

_HOST = lazy_pattern(r"\*|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_MAX_PORT = 65535
MOST_SOCKETS = 16
"""How many sockets a rule may name."""


def rights_problems(rule: RuleSettings) -> Iterator[str]:
    """Return what is wrong with the rights of one rule."""
    yield from _variable_problems("env", rule.env)
    yield from _variable_problems("secrets", rule.secrets)
    yield from _exec_problems(rule.exec)
    yield from (problem for path in rule.write for problem in _path_problems("write", path, absolute=False))
    yield from (problem for path in rule.cwd for problem in _path_problems("cwd", path, absolute=False))
    yield from (problem for path in rule.read for problem in _path_problems("read", path, absolute=True))
    yield from _socket_problems(rule.sockets)
    yield from (
        f"network {where!r} must be host:port or *:port, the port 1-{_MAX_PORT} or *"
        for where in rule.network
        if not _is_endpoint(where)
    )


def _variable_problems(right: str, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if not VARIABLE_NAME.fullmatch(name):
            yield f"{right} {name!r} is no variable's name"
        elif is_injection(name):
            yield f"{right} {name!r} can't be passed on: its value chooses what code runs, or the engine sets it"


def _exec_problems(programs: Sequence[str]) -> Iterator[str]:
    if "any" in programs and len(programs) > 1:
        yield "exec 'any' stands alone: it already allows every program"
    for program in programs:
        canonical = program.startswith("/") and not program.startswith("//") and os.path.normpath(program) == program
        bare = BARE_NAME.fullmatch(program) is not None and program not in {".", ".."}
        if not (canonical or bare) or has_control(program):
            yield f"exec {program!r} must be a program's name, its canonical absolute path, or 'any'"


def _path_problems(right: str, path: str, *, absolute: bool) -> Iterator[str]:
    trimmed = path[:-1] if path.endswith("/") and path != "/" else path
    if has_control(path) or not path or path.startswith("~") or any(character in path for character in "*?"):
        yield f"{right} {path!r} must be a plain path: not empty, no '~', no patterns"
    elif path.startswith("/") and not absolute:
        yield f"{right} {path!r} must be a path inside the project, relative to its root"
    elif os.path.normpath(trimmed) != trimmed or trimmed.startswith("//") or ".." in trimmed.split("/"):
        yield f"{right} {path!r} must be a canonical path, within the project if relative: no '..' or doubled slash"


def _socket_problems(sockets: Sequence[str]) -> Iterator[str]:
    if len(sockets) > MOST_SOCKETS:
        yield f"sockets names {len(sockets)} sockets; {MOST_SOCKETS} are allowed"
    for path in sockets:
        if path.startswith(("@", "unix:")):
            yield f"sockets {path!r} must be the path of a socket in the file system, such as '/run/docker.sock'"
        elif path.endswith("/") or path == ".":
            yield f"sockets {path!r} is a folder; name each socket in it"
        else:
            yield from _path_problems("sockets", path, absolute=True)


def _is_endpoint(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    if not colon or not _HOST.fullmatch(host):
        return False
    return port == "*" or (re.fullmatch(r"[1-9][0-9]{0,4}", port) is not None and int(port) <= _MAX_PORT)
