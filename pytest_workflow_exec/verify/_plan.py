"""The plan of a run as its first record states it, and which gate stands before each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import BlockId, StepId

from ._contradiction import ContradictionError, text_in
from ._told import Told

_GATE = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCheck:
    """What tells whether a step's effect is there."""

    argv: tuple[str, ...]
    """As its author wrote it, with references; of tests, the path alone."""
    tests: bool
    exits: tuple[int, ...]
    """The exit statuses with which it says that the effect is there."""
    calls: bool = False
    """Whether it is a function, of which only the end of its step tells what it found."""

    def runs(self, argv: Sequence[str]) -> bool:
        """Return whether a command line is the planned one, as far as its words hold no reference."""
        if self.calls:
            # What its code runs, no plan says; the policy allowed it.
            return True
        if self.tests:
            return bool(argv) and argv[-1].endswith(self.argv[0])
        return len(argv) == len(self.argv) and all(
            "$" in planned or word == planned for planned, word in zip(self.argv, argv, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRetry:
    """How often a step is tried in one session."""

    attempts: int
    classes: tuple[str, ...]
    """The classes of errors after which it is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPoll:
    """How a step is repeated until it is as expected."""

    every_s: float
    timeout_s: float
    suspends: bool = False
    """Whether the run ends between two attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One step of the plan."""

    id: StepId
    kind: str
    digest: str
    position: int
    always: bool
    """Whether it stands in `finally`."""
    block: BlockId | None
    """The block in whose `finally` it stands; None if it stands in none, or in that of the workflow."""
    gate: StepId | None
    """The gate whose decision covers it; None if none does."""
    check: PlannedCheck | None = None
    signed: Json = None
    """What a gate wants beyond a code typed at a terminal; None if it wants nothing more."""
    undoes: tuple[StepId, ...] = ()
    """The earlier steps that it reverts when it passes."""
    retry: PlannedRetry | None = None
    poll: PlannedPoll | None = None
    waivable: bool = False
    """Whether a person may accept that it fails."""

    @property
    def is_gate(self) -> bool:
        """Whether a person decides at it."""
        return self.kind == _GATE


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run, in the order in which they must be satisfied."""

    steps: tuple[PlannedStep, ...] = ()
    by_id: Mapping[StepId, PlannedStep] = field(default_factory=dict)
    digest: str = ""
    """SHA-256 of the plan as the record states it, in hex: not what the record says of it."""
    cleaned: frozenset[BlockId] = frozenset()
    """The blocks with a `finally`."""

    def step_of(self, record: Told) -> PlannedStep:
        """Return the step that a record is about.

        Raises:
            ContradictionError: It names none, or one that is not in the plan.
        """
        return self.named(record.step, record.type)

    def named(self, step: object, by: str) -> PlannedStep:
        """Return the step of that id.

        Args:
            by: What names it, for the error.

        Raises:
            ContradictionError: It is not in the plan.
        """
        if not isinstance(step, str) or step not in self.by_id:
            raise ContradictionError(f"{by} names step {step!r}, which is not in the plan")
        return self.by_id[step]


def read_plan(data: Mapping[str, Json]) -> Plan:
    """Return the plan in the data of `run.started`.

    Raises:
        ContradictionError: It holds no plan.
    """
    plan = data.get("plan")
    listed = plan.get("steps") if isinstance(plan, Mapping) else None
    by_id: dict[StepId, PlannedStep] = {}
    gate: StepId | None = None
    for entry in listed if isinstance(listed, list) else []:
        step = _step(entry, len(by_id), gate)
        if step.id in by_id:
            raise ContradictionError(f"its plan holds step {step.id!r} twice: each has an id of its own")
        by_id[step.id] = step
        gate = step.id if step.is_gate else gate
    if not by_id:
        raise ContradictionError("its plan has no steps")
    cleaned = frozenset(step.block for step in by_id.values() if step.block is not None)
    return Plan(tuple(by_id.values()), by_id, digest_of(plan), cleaned)


def policy_in(data: Mapping[str, Json]) -> str:
    """Return the digest of the policy in the data of `run.started` or `run.resumed`.

    Raises:
        ContradictionError: It holds none.
    """
    policy = data.get("policy")
    if not isinstance(policy, Mapping):
        raise ContradictionError("it names no policy")
    return text_in(policy, "digest")


def grants_glass(data: Mapping[str, Json]) -> bool:
    """Return whether the policy in the data of `run.started` or `run.resumed` lets a person go past signatures."""
    policy = data.get("policy")
    return isinstance(policy, Mapping) and policy.get("break_glass") is True


def _step(entry: Json, position: int, gate: StepId | None) -> PlannedStep:
    if not isinstance(entry, Mapping):
        raise ContradictionError("its plan is not a list of steps")
    kind, always = text_in(entry, "kind"), entry.get("always", False)
    if not isinstance(always, bool):
        raise ContradictionError("its plan does not say whether a step runs always")
    # A gate asks for itself, and steps of `finally` run whatever was decided.
    covered = kind != _GATE and not always
    return PlannedStep(
        id=text_in(entry, "id"),
        kind=kind,
        digest=text_in(entry, "digest"),
        position=position,
        always=always,
        block=_block(entry, always=always),
        gate=gate if covered else None,
        check=_check(entry.get("check")),
        signed=entry.get("signed"),
        undoes=tuple(map(str, _list(entry.get("undoes", [])))),
        retry=_retry(entry.get("retry")),
        poll=_poll(entry.get("poll")),
        waivable=isinstance(entry.get("waive"), str),
    )


def _retry(entry: Json) -> PlannedRetry | None:
    if entry is None:
        return None
    attempts = entry.get("attempts") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or type(attempts) is not int:
        raise ContradictionError("its plan does not say how often a step is tried")
    return PlannedRetry(attempts=attempts, classes=tuple(map(str, _list(entry.get("for")))))


def _poll(entry: Json) -> PlannedPoll | None:
    if entry is None:
        return None
    times = [entry.get(key) for key in ("every_s", "timeout_s")] if isinstance(entry, Mapping) else []
    numbers = [float(time) for time in times if isinstance(time, (int, float)) and time > 0]
    if len(numbers) != 2:  # noqa: PLR2004  # both
        raise ContradictionError("its plan does not say how often a step is repeated")
    suspends = isinstance(entry, Mapping) and entry.get("wait") == "suspend"
    return PlannedPoll(every_s=numbers[0], timeout_s=numbers[1], suspends=suspends)


def _block(entry: Mapping[str, Json], *, always: bool) -> BlockId | None:
    if "block" not in entry:
        return None
    block = text_in(entry, "block")
    if not (always and text_in(entry, "id").startswith(f"{block}/")):
        raise ContradictionError("its plan does not say what a step of finally cleans up after")
    return block


def _check(entry: Json) -> PlannedCheck | None:
    if entry is None:
        return None
    if not isinstance(entry, Mapping):
        raise ContradictionError("its plan does not say what a check is")
    tests = text_in(entry, "kind") == "verify"
    if entry["kind"] == "call":
        return PlannedCheck(argv=(text_in(entry, "function"),), tests=False, exits=(), calls=True)
    exits = _list(entry.get("exits"))
    return PlannedCheck(
        argv=(text_in(entry, "path"),) if tests else tuple(map(str, _list(entry.get("argv")))),
        tests=tests,
        exits=tuple(each for each in exits if type(each) is int),
    )


def _list(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise ContradictionError("its plan is not a list of steps")
    return value
