"""What has to be true of a run that goes on, as the contract says it; it knows nothing of how the engine finds out."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Literal

STEPS = ("a", "b", "c", "d")
USES = {"a": (), "b": (), "c": ("a",), "d": ()}
READS_INPUT = frozenset({"a"})
LEAVES_FILE = frozenset({"b"})
CHECKED = frozenset({"d"})
PROGRAM = {"a": "echo", "b": "cp", "c": "echo", "d": "echo"}


@dataclass(frozen=True)
class World:
    """What a person can change between two sessions."""

    version: tuple[int, ...] = (0, 0, 0, 0)
    idempotent: tuple[bool, ...] = (False, False, False, False)
    value: str = "x"
    rules: tuple[int, int] = (0, 0)
    """The spelling of the rules for echo and cp."""
    file: str | None = None
    """What the file that `b` leaves holds; None: there is none."""
    effect: bool = False
    """Whether the check of `d` finds anything."""

    def definition(self, step: str) -> object:
        """Return what the file says of a step."""
        place = STEPS.index(step)
        return self.version[place], self.idempotent[place]

    def is_idempotent(self, step: str) -> bool:
        """Return whether the file says that a second time does no harm."""
        return self.idempotent[STEPS.index(step)]

    def rule(self, program: str) -> int:
        """Return the spelling of a program's rule."""
        return self.rules[("echo", "cp").index(program)]


@dataclass(frozen=True)
class Past:
    """What is known of a step."""

    status: Literal["passed", "unknown"]
    at: World
    """The world as it was then."""
    programs: frozenset[str] = frozenset()
    """What it ran under a rule that may change."""
    stale: bool = False
    """Whether an earlier session found that it has to run again."""


@dataclass
class Model:
    """One run."""

    past: dict[str, Past] = field(default_factory=dict)

    def carried(self, now: World, redo: str | None = None) -> set[str]:
        """Return the steps that count as they are."""
        kept: set[str] = set()
        for step in STEPS:
            past = self.past.get(step)
            if past is None or past.status != "passed" or past.stale or step == redo:
                continue
            same = past.at.definition(step) == now.definition(step)
            same = same and (step not in READS_INPUT or past.at.value == now.value)
            same = same and (step not in LEAVES_FILE or past.at.file == now.file)
            same = same and all(past.at.rule(program) == now.rule(program) for program in past.programs)
            if same and kept.issuperset(USES[step]):
                kept.add(step)
        return kept

    def probed(self, now: World, redo: str | None = None) -> set[str]:
        """Return the steps whose check is asked before anything else."""
        return {
            step
            for step, past in self.past.items()
            if step in CHECKED
            and past.status == "unknown"
            and not past.at.is_idempotent(step)
            and past.at.definition(step) == now.definition(step)
            and step != redo
        }

    def asked(self, now: World, redo: str | None = None) -> set[str]:
        """Return the steps that may run again only if a person agrees."""
        again = self.past.keys() - self.carried(now, redo) - self.probed(now, redo)
        # Who wants a step again wants what uses it again, too; of a step that was broken off nobody knows what it did.
        wanted = {step for step in again & _with_dependents(redo) if step == redo or self.past[step].status == "passed"}
        return {step for step in again if not self.past[step].at.is_idempotent(step)} - wanted

    def resume(self, carried: AbstractSet[str]) -> None:
        """Take note that a session began in which these steps are carried."""
        for step, past in self.past.items():
            if past.status == "passed" and step not in carried:
                self.past[step] = replace(past, stale=True)

    def passed(self, step: str, now: World, *, by_check: bool = False) -> None:
        """Take note that a step passed."""
        programs = frozenset() if by_check else frozenset({PROGRAM[step]})
        self.past[step] = Past("passed", now, programs)

    def failed(self, step: str) -> None:
        """Take note that a step failed: it may be tried again."""
        self.past.pop(step, None)

    def broken_off(self, step: str, now: World) -> None:
        """Take note that a step was started, and that nobody knows what became of it."""
        self.past[step] = Past("unknown", now)


def _with_dependents(step: str | None) -> set[str]:
    wanted = set() if step is None else {step}
    for each in STEPS:
        if wanted.intersection(USES[each]):
            wanted.add(each)
    return wanted
