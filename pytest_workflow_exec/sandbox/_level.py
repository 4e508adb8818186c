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
from pathlib import Path
from typing import Literal

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.settings import PolicySettings, SandboxMode

Level = Literal["none", "landlock", "namespaces"]
"""The kernel confinement that commands run under."""

_PATIENCE_S = 20.0
_HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What this machine gives."""

    level: Level
    reason: str = ""
    """Why it is no more, and what to do; empty at the highest level."""


def level_for(
    settings: PolicySettings, offered: Callable[[Level], Offer] | None = None, *, tests: bool = False
) -> tuple[Level, str]:
    """Return the level that commands of this policy run at, and why it can't be used; empty if it can.

    Nothing is tried where no rule could start a command, or where the project wants no confinement.

    Args:
        tests: Whether tests of `verify:` steps are to run, which need no rule.
    """
    mode, offered = mode_of(settings), offered or offer_of
    has_rules = bool(settings.rules) or any(settings.workflow_rules.values())
    if mode == "none" or not (has_rules or tests):
        return "none", ""
    if mode == "available":
        higher = offered("namespaces")
        return (higher if higher.level != "none" else offered("landlock")).level, ""
    wanted: Level = "namespaces" if mode == "required:namespaces" else "landlock"
    offer = offered(wanted)
    if offer.level == "none":
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
    if level != "none":
        return level
    if mode == "available" and "none" == offer_of("namespaces").level == offer_of("landlock").level:
        return "NONE (available: commands are not confined here)"
    return mode


def mode_of(settings: PolicySettings) -> SandboxMode:
    """Return what the policy asks for; on Linux confinement, if it does not say."""
    return settings.sandbox or ("required:landlock" if sys.platform == "linux" else "available")


@functools.cache
def offer_of(level: Level) -> Offer:
    """Return whether this machine gives a level; tried once in each process."""
    return try_level(None, level)


def offered_level() -> Offer:
    """Return whether this machine gives level `landlock`."""
    return offer_of("landlock")


def highest_offer() -> Offer:
    """Return the highest level that this machine gives."""
    higher = offer_of("namespaces")
    return higher if higher.level != "none" else offer_of("landlock")


def try_level(abi: int | None, level: Level = "landlock") -> Offer:
    """Return whether this machine gives a level with no newer Landlock than `abi`: let a canary try to break out."""
    from ._confinement import NotConfinableError

    problem = _missing(abi)
    if problem:
        return Offer(level="none", reason=problem)
    advice = _ADVICE if level == "landlock" else _ADVICE_ON_NAMESPACES
    try:
        managed = _managed(abi, level)
    except (OSError, NotConfinableError) as error:
        return Offer(level="none", reason=f"a command could not be confined ({error}). {advice}")
    if managed != _HELD:
        return Offer(level="none", reason=f"a confined command still managed to: {managed}. {advice}")
    return Offer(level=level)


_ADVICE = (
    'In a container, allow the landlock_* and seccomp calls in its seccomp profile; or set sandbox = "available" in '
    "the policy to run commands without confinement where there is none."
)
_ADVICE_ON_NAMESPACES = (
    "It needs namespaces for users without privilege: on Ubuntu an AppArmor profile that allows them (or sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0), in a container a seccomp profile that allows clone and mount, and "
    'no masks over /proc; or set sandbox = "required:landlock" in the policy.'
)


def _missing(abi: int | None) -> str:
    from ._landlock import LEAST_ABI, landlock_abi
    from ._seccomp import is_known_machine

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


def _managed(abi: int | None, level: Level) -> str:
    from ._canary import CANARY, IN_NAMESPACES, VERDICT
    from ._confinement import Grant, confined
    from ._environment import MARKER
    from ._process import RunningCommand

    with tempfile.TemporaryDirectory() as name, _listening() as (port, abstract):
        folder = Path(os.path.realpath(name))
        outside, inside, project = folder / "outside", folder / "inside", folder / "project"
        for each in (outside, inside, project / "open", project / "closed"):
            each.mkdir(parents=True)
        for each in (outside / "kept", project / "closed/kept", project / "open/conftest.py"):
            each.write_text("kept")
        program = Path(sys.executable)
        attempts = CANARY + (IN_NAMESPACES if level == "namespaces" else "") + VERDICT
        argv = [str(program), "-I", "-S", "-c", attempts, str(outside), str(inside), str(os.getpid()), str(port)]
        grant = Grant(
            program=program,
            root=project if level == "namespaces" else inside,
            private=(inside,),
            write=("open",) if level == "namespaces" else (),
            namespaces=level == "namespaces",
            hidden=project / "closed",
        )
        with confined(grant, find=Path, abi=abi) as confinement:
            command = RunningCommand(
                [*argv, abstract, str(project)],
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
