"""Whether commands can be held to the sockets that their rules name here: a canary tries to connect to others."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ._confinement import Grant, NotConfinableError, confined
from ._environment import MARKER
from ._level import Level
from ._process import RunningCommand

_PATIENCE_S = 20.0
_HELD = "held"
_ADVICE = (
    "In a container, allow seccomp, pidfd_open and pidfd_getfd in its seccomp profile; under another sandbox that asks "
    "about system calls there can be no second one. Or take sockets out of the rule"
)
_CANARY = """
import socket, sys
named, other, abstract, port = *sys.argv[1:4], int(sys.argv[4])
def attempt(what, family, address, kind=socket.SOCK_STREAM):
    try:
        made = socket.socket(family, kind)
        made.settimeout(5)
        made.connect(address)
    except OSError as error:
        return f"{what}: {error}"
    managed.append(what)
managed = []
refused = attempt("named", socket.AF_UNIX, named)
if not refused:
    managed.remove("named")
attempt("connect to another socket", socket.AF_UNIX, other)
attempt("connect to an abstract socket", socket.AF_UNIX, "\\0" + abstract)
attempt("send to a socket", socket.AF_UNIX, other, socket.SOCK_DGRAM)
attempt("connect to a port", socket.AF_INET, ("127.0.0.1", port))
print(", ".join(managed) or refused or "held")
"""


@functools.cache
def sockets_problem(level: Level) -> str:
    """Return why commands at a level can't be held to the sockets that are named, and what to do; empty if they can."""
    if level == "none":
        return ""
    try:
        said = _said(level)
    except (OSError, NotConfinableError) as error:
        return f"{error}. {_ADVICE}"
    if said == _HELD:
        return ""
    what = "none is reached" if said.startswith("named: ") else "a command still managed to"
    return f"{what}: {said.removeprefix('named: ')}. {_ADVICE}"


def _said(level: Level) -> str:
    with tempfile.TemporaryDirectory() as name, _listening(Path(os.path.realpath(name))) as (places, port):
        folder = Path(os.path.realpath(name))
        inside, program = folder / "inside", Path(sys.executable)
        inside.mkdir()
        grant = Grant(
            program=program,
            root=inside,
            private=(inside,),
            sockets=(str(folder / "named"),),
            namespaces=level == "namespaces",
        )
        with confined(grant, find=Path) as confinement:
            command = RunningCommand(
                [str(program), "-I", "-S", "-c", _CANARY, *places, str(port)],
                cwd=inside,
                environment={"LANG": "C.UTF-8", MARKER: secrets.token_hex(16)},
                confinement=confinement,
            )
        try:
            command.wait(_PATIENCE_S)
        finally:
            ended = command.end()
        said = bytes(ended.stdout.content).decode(errors="replace").strip()
        if ended.exit != 0 or not said:
            words = bytes(ended.stderr.content).decode(errors="replace").strip()[-300:]
            raise OSError(f"the canary ended with {ended.exit}, signal {ended.signal}: {words!r}")
        return said


@contextlib.contextmanager
def _listening(folder: Path) -> Iterator[tuple[tuple[str, str, str], int]]:
    abstract = f"workflow-exec-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.socket(family)) for family in (socket.AF_UNIX,) * 3 + (socket.AF_INET,)]
        # By a short way to the folder: addresses are short, and temporary folders may lie deep.
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        for listener, name in zip(made, ("named", "other"), strict=False):
            listener.bind(f"/proc/self/fd/{descriptor}/{name}")
        made[2].bind("\0" + abstract)
        made[3].bind(("127.0.0.1", 0))
        for listener in made:
            listener.listen()
        yield ("../named", "../other", abstract), made[3].getsockname()[1]
