"""A command of the project's configuration that tells people something: no rule allows it, and nothing depends on it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import CommandNotFoundError, CommandRefusedError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._argv import checked_argv
from ._environment import base_environment
from ._policy import Policy
from ._process import Ended, RunningCommand
from ._program import Identity, identify, resolve_program
from ._signals import held_signals
from ._surroundings import readable

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a command is to tell."""

    command: Sequence[str]
    stdin: bytes
    variables: Mapping[str, str]


def give_notice(
    notice: Notice,
    *,
    policy: Policy,
    root: Path,
    folders: tuple[Path, Path],
    announce: Callable[[Mapping[str, Json]], None],
) -> str:
    """Run the command, unconfined and for a bounded time, and return why nobody can be sure that it told; empty if it did.

    Signals are held until it has ended with all it started, and delivered then.

    Args:
        folders: Its home and its temporary folder.
        announce: Keeps what is about to be started. If it raises, nothing is.
    """
    try:
        words = checked_argv(notice.command)
        # A file off the policy's path is taken by its whole name: the configuration says it, and a pin holds that.
        program = Path(words[0]) if Path(words[0]).is_absolute() else resolve_program(words[0], policy)
        identity = identify(program)
    except (CommandRefusedError, CommandNotFoundError) as error:
        return str(error)
    announce(_facts(words, identity))
    home, tmp = folders
    base = base_environment(path=policy.path, root=root, home=home, tmp=tmp, marker=secrets.token_hex(16))
    with held_signals() as held:
        if held.arrived:
            return "a signal arrived before it was started"
        try:
            stdin = readable(notice.stdin, tmp)
            try:
                command = RunningCommand(
                    (str(program), *words[1:]), cwd=root, environment={**base, **notice.variables}, stdin=stdin
                )
            finally:
                os.close(stdin)
        except OSError as error:
            return f"it could not be started: {error.strerror or error}"
        try:
            command.wait(TIMEOUT_S, arrived=held.arrived)
        finally:
            ended = command.end()
    return _problem(ended)


def _facts(words: Sequence[str], identity: Identity) -> Mapping[str, Json]:
    return {"argv": list(words), "program": str(identity.real_path), "program_sha256": identity.sha256}


def _problem(ended: Ended) -> str:
    if ended.timed_out:
        return f"it took longer than {TIMEOUT_S:g} s and was killed"
    if ended.interrupted_by is not None:
        return f"it was ended because {ended.interrupted_by.name} arrived"
    if not ended.sweep.clean:
        return "some processes that it started could not be ended; end them by hand"
    if ended.signal is not None:
        return f"signal {ended.signal} ended it"
    if ended.exit != 0:
        # Of what it printed the last line is enough to look further.
        said = ended.stderr.content.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return f"it exited with {ended.exit}{f': {said[:200]}' if said else ''}"
    return ""
