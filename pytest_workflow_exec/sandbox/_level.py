"""Which confinement this machine really gives: a canary tries to break out, and what it managed decides."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_workflow_exec.settings import PolicySettings, SandboxMode

from ._confinement import Grant, NotConfinableError, confined
from ._environment import MARKER
from ._landlock import LEAST_ABI, landlock_abi
from ._process import RunningCommand
from ._seccomp import is_known_machine

Level = Literal["none", "landlock"]
"""The kernel confinement that commands run under."""

_PATIENCE_S = 20.0
_HELD = "held"

# Prints what it managed. Each attempt is one that the level promises to stop.
_CANARY = """
import os, signal, socket, sys
outside, inside, engine, port, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
def read(path):
    with open(path, "rb") as file:
        # Some kernels let it be opened and then show nothing of it.
        if not file.read(1):
            raise PermissionError(path)
def connect(family, address):
    made = socket.socket(family)
    made.settimeout(2)
    made.connect(address)
attempts = {
    "create a file": lambda: open(outside + "/new", "x"),
    "empty a file": lambda: os.close(os.open(outside + "/kept", os.O_RDONLY | os.O_TRUNC)),
    "change a file": lambda: open(outside + "/kept", "a"),
    "rename a file": lambda: os.rename(outside + "/kept", outside + "/moved"),
    "take a file": lambda: os.rename(outside + "/kept", inside + "/moved"),
    "delete a file": lambda: os.unlink(outside + "/kept"),
    "read a file": lambda: open(outside + "/kept"),
    "signal the engine": lambda: os.kill(engine, 0),
    "read the engine's variables": lambda: read(f"/proc/{engine}/environ"),
    "read the engine's memory": lambda: open(f"/proc/{engine}/mem", "rb"),
    "connect to a port": lambda: connect(socket.AF_INET, ("127.0.0.1", port)),
    "connect to a socket": lambda: connect(socket.AF_UNIX, "\\0" + name),
    "start a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
}
managed = []
for what, attempt in attempts.items():
    try:
        attempt()
    except OSError:
        continue
    managed.append(what)
open(inside + "/mine", "w").close()
print(", ".join(managed) or "held")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What this machine gives."""

    level: Level
    reason: str = ""
    """Why it is no more, and what to do; empty at the highest level."""


def level_for(
    settings: PolicySettings, offered: Callable[[], Offer] | None = None, *, tests: bool = False
) -> tuple[Level, str]:
    """Return the level that commands of this policy run at, and why it can't be used; empty if it can.

    Nothing is tried where no rule could start a command, or where the project wants no confinement.

    Args:
        tests: Whether tests of `verify:` steps are to run, which need no rule.
    """
    mode = mode_of(settings)
    if mode == "required:namespaces":
        return "none", (
            'sandbox is "required:namespaces", which this version does not offer; "required:landlock" is its highest'
        )
    has_rules = bool(settings.rules) or any(settings.workflow_rules.values())
    if mode == "none" or not (has_rules or tests):
        return "none", ""
    offer = (offered or offered_level)()
    if mode == "required:landlock" and offer.level == "none":
        said = "not set, which requires landlock" if settings.sandbox is None else f"{mode!r}"
        return "none", f"sandbox is {said}, but commands can't be confined here: {offer.reason}"
    return offer.level, ""


def level_words(settings: PolicySettings, *, tests: bool = False) -> str:
    """Return the level of a policy's commands in a few words, for a person.

    Args:
        tests: As for `level_for`.
    """
    level, problem = level_for(settings, tests=tests)
    mode = mode_of(settings)
    if problem:
        return f"{mode} not met"
    if mode == "available" and level == "none" and offered_level().level == "none":
        return "NONE (available: commands are not confined here)"
    return level if level != "none" else mode


def mode_of(settings: PolicySettings) -> SandboxMode:
    """Return what the policy asks for; on Linux confinement, if it does not say."""
    return settings.sandbox or ("required:landlock" if sys.platform == "linux" else "available")


@functools.cache
def offered_level() -> Offer:
    """Return what this machine gives; tried once in each process."""
    return try_level(None)


def try_level(abi: int | None) -> Offer:
    """Return what this machine gives with no newer Landlock than `abi`: let a canary try to break out."""
    problem = _missing(abi)
    if problem:
        return Offer(level="none", reason=problem)
    try:
        managed = _managed(abi)
    except (OSError, NotConfinableError) as error:
        return Offer(level="none", reason=f"a command could not be confined ({error}). {_ADVICE}")
    if managed != _HELD:
        return Offer(level="none", reason=f"a confined command still managed to: {managed}. {_ADVICE}")
    return Offer(level="landlock")


_ADVICE = (
    'In a container, allow the landlock_* and seccomp calls in its seccomp profile; or set sandbox = "available" in '
    "the policy to run commands without confinement where there is none."
)


def _missing(abi: int | None) -> str:
    if sys.platform != "linux":
        return f"there is no kernel confinement on {sys.platform}. {_ADVICE}"
    if not is_known_machine():
        return f"the system calls of this kind of machine are not known. {_ADVICE}"
    try:
        known = landlock_abi()
    except OSError as error:
        switched_off = error.errno == errno.EOPNOTSUPP
        what = "Landlock is switched off: add it to the kernel's lsm= list" if switched_off else "there is no Landlock"
        return f"{what} ({error.strerror}); it needs Linux 6.2 or newer. {_ADVICE}"
    known = known if abi is None else min(abi, known)
    if known < LEAST_ABI:
        return f"the kernel's Landlock has version {known}, and {LEAST_ABI} is needed (Linux 6.2). {_ADVICE}"
    return ""


def _managed(abi: int | None) -> str:
    with tempfile.TemporaryDirectory() as name, _listening() as (port, abstract):
        folder = Path(os.path.realpath(name))
        outside, inside = folder / "outside", folder / "inside"
        outside.mkdir()
        inside.mkdir()
        (outside / "kept").write_text("kept")
        program = Path(sys.executable)
        argv = [str(program), "-I", "-S", "-c", _CANARY, str(outside), str(inside), str(os.getpid())]
        grant = Grant(program=program, root=inside, private=(inside,))
        with confined(grant, find=Path, abi=abi) as confinement:
            command = RunningCommand(
                [*argv, str(port), abstract],
                cwd=inside,
                environment={"LANG": "C.UTF-8", MARKER: secrets.token_hex(16)},
                confinement=confinement,
            )
        try:
            command.wait(_PATIENCE_S)
        finally:
            ended = command.end()
        if ended.exit != 0 or not (inside / "mine").exists():
            said = bytes(ended.stderr.content).decode(errors="replace").strip()[-300:]
            raise OSError(f"the canary ended with {ended.exit}, signal {ended.signal}: {said!r}")
        return bytes(ended.stdout.content).decode(errors="replace").strip()


@contextlib.contextmanager
def _listening() -> Iterator[tuple[int, str]]:
    abstract = f"workflow-exec-{secrets.token_hex(8)}"
    with socket.socket() as by_port, socket.socket(socket.AF_UNIX) as by_name:
        by_port.bind(("127.0.0.1", 0))
        by_port.listen()
        by_name.bind("\0" + abstract)
        by_name.listen()
        yield by_port.getsockname()[1], abstract
