"""What a run's log says of the models that were asked: whose answers it goes by, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Ai, Session, Workflow

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came of a run's requests so far, over all its sessions."""

    proposals: tuple[Proposal, ...]
    """The accepted answers: of each step those of the last attempt that got any."""
    cost_usd: float
    """What all requests cost, those without an answer too."""

    @property
    def unreal(self) -> Proposal | None:
        """The first answer that no model gave in this run; None if there is none."""
        return next((each for each in self.proposals if each.source != "live"), None)


_FREE = frozenset({"replay", "scripted"})
"""Sources whose answers cost nothing now, whatever they cost once."""
NO_ANSWERS = Answers(proposals=(), cost_usd=0.0)


def may_ask(workflow: Workflow) -> bool:
    """Return whether a workflow's steps may ask a model at all."""
    return workflow.mode != "python" or any(isinstance(step.body, (Ai, Session)) for step in workflow.steps)


def answers_of(workflow: Workflow, log: Path) -> Answers:
    """Return what came of a run's requests, by its log.

    Raises:
        EvidenceError: The log can't be read.
    """
    from pytest_workflow_exec.evidence import read_log

    if not may_ask(workflow):
        return NO_ANSWERS
    cost_usd = 0.0
    found: dict[str, tuple[int | None, list[Proposal]]] = {}
    try:
        for record in read_log(log):
            if record.type not in ("ai.response", "ai.reply"):
                continue
            if record.data.get("source") not in _FREE:
                cost_usd += _cost(record.data)
            if record.type != "ai.response" or record.data.get("outcome") != "accepted":
                continue
            step = str(record.step)
            if step not in found or found[step][0] != record.attempt:
                found[step] = (record.attempt, [])
            found[step][1].append(_proposal(step, record.data))
    except LogUnreadableError as error:
        raise EvidenceError(f"what models answered can't be read back: {error}") from error
    return Answers(proposals=tuple(_without_twins(found)), cost_usd=cost_usd)


def _proposal(step: str, data: Mapping[str, Json]) -> Proposal:
    from pytest_workflow_exec.approval import Proposal

    options = data.get("options")
    told = options if isinstance(options, Mapping) else {}
    at = str(told.get("base_url", ""))
    if told.get("proxy"):
        at += f" through {told['proxy']}"
    return Proposal(step=step, model=str(data.get("model")), source=str(data.get("source")), at=at)


def _without_twins(found: Mapping[str, tuple[int | None, list[Proposal]]]) -> Iterator[Proposal]:
    for _, proposals in found.values():
        yield from dict.fromkeys(proposals)


def _cost(data: Mapping[str, Json]) -> float:
    usage = data.get("usage")
    cost = usage.get("cost_usd") if isinstance(usage, Mapping) else None
    return float(cost) if isinstance(cost, (int, float)) and not isinstance(cost, bool) else 0.0
