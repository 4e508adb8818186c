"""The programs of a run as they were when it was checked: one that is another one later does not run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import CommandNotFoundError, CommandRefusedError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._policy import Policy
from ._program import Identity, identify, resolve_program
from ._programs import NotStartableError, startable
from ._rules import Rule

_ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedProgram:
    """What a program's name meant."""

    path: Path
    files: Mapping[str, str]
    """The digest of the program, and of each interpreter and loader that starting it opens, by real path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPins:
    """The programs that the rules of a policy name, as they were at one moment."""

    programs: Mapping[str, PinnedProgram | None] = field(default_factory=dict)
    """By the name in the rule; None: there was no such program."""

    def check(self, name: str, program: Path, policy: Policy, *, identity: Identity | None = None) -> None:
        """Return if a program is still what it was; one that no rule names was never looked at.

        Args:
            program: What its name means now.
            identity: What that is, if it was looked at just now.

        Raises:
            CommandRefusedError: It is another one, another file, or was not there.
        """
        if name not in self.programs:
            return
        pinned = self.programs[name]
        if pinned is None:
            raise _changed(name, f"it was not there then and is {program} now")
        now = _pinned(program, policy, identity)
        if now.path != pinned.path:
            raise _changed(name, f"it was {pinned.path} and is {now.path}")
        for file, digest in now.files.items():
            if pinned.files.get(file) != digest:
                raise _changed(name, f"{file} has another content (SHA-256 {digest})")

    def to_data(self) -> Json:
        """Return them as evidence holds them."""
        return {
            name: None if pinned is None else {"path": str(pinned.path), "files": dict(pinned.files)}
            for name, pinned in self.programs.items()
        }


def pin_programs(policy: Policy) -> ProgramPins:
    """Return the programs that the policy's rules start, and let start, as they are now."""
    programs: dict[str, PinnedProgram | None] = {}
    for name, rule in _named(policy):
        try:
            programs[name] = _pinned(resolve_program(name, policy, rule), policy)
        except CommandNotFoundError:
            programs[name] = None
        except CommandRefusedError:
            # Nobody could say later what was run: it is refused then as well.
            continue
    return ProgramPins(programs=programs)


def _named(policy: Policy) -> Iterator[tuple[str, Rule | None]]:
    for rule in policy.rules:
        yield rule.program, rule
        yield from ((name, None) for name in rule.exec if name != _ANY)


def _pinned(program: Path, policy: Policy, identity: Identity | None = None) -> PinnedProgram:
    # Once each: of machine code, it is the first of what is started.
    others = dict.fromkeys(file for file in _started_with(program, policy) if file != program)
    identities = [identify(program) if identity is None else identity, *map(identify, others)]
    return PinnedProgram(path=program, files={str(each.real_path): each.sha256 for each in identities})


def _started_with(program: Path, policy: Policy) -> tuple[Path, ...]:
    try:
        found = startable(program, lambda name: resolve_program(name, policy))
    except (OSError, NotStartableError, CommandNotFoundError, CommandRefusedError):
        # Of another kind than this system's kernel starts, or not startable: then the program alone is known.
        return ()
    return (*found.scripts[1:], found.machine_code, *found.others)


def _changed(name: str, how: str) -> CommandRefusedError:
    reason = (
        f"the program is not the one that was there when the run was checked: {how}. If that is meant to be so, "
        f"--workflow-resume checks it anew"
    )
    return CommandRefusedError(argv=[name], reason=reason)
