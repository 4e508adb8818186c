"""What was said in conversations that an earlier attempt, or a session that was killed, left unfinished."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError
from pytest_workflow_exec.evidence import Record, read_log
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTurn:
    """One turn as the log has it."""

    who: str
    text: str
    reply: str
    """What the model said; empty if the turn has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTalk:
    """What a step said to a model so far."""

    turns: tuple[PastTurn, ...] = ()
    """Those of the conversation that was held last, under the very same definition of the step."""
    count: int = 0
    """How often the model was spoken to under it in all."""
    cost_usd: float = 0.0
    """What all of it cost, whatever the step was then."""


def past_talk(log: Path, step: StepId, *, digest: str) -> PastTalk:
    """Return what a step said to a model so far, by the run's log.

    Args:
        digest: The step's, as it is now.

    Raises:
        EvidenceError: The log can't be read.
    """
    turns: list[PastTurn] = []
    count, cost_usd, same = 0, 0.0, False
    try:
        for record in read_log(log, unended=True):
            if record.step != step:
                continue
            if record.type == "step.started":
                same = record.data.get("digest") == digest
            if record.type in ("ai.reply", "ai.response"):
                cost_usd += _cost(record.data)
            if not same:
                turns.clear()
                continue
            if record.type == "ai.turn":
                if record.data.get("earlier") == 0 and record.data.get("opens") is True:
                    turns.clear()
                turns.append(PastTurn(who=str(record.data.get("who")), text=_words(record), reply=""))
                count += 1
            elif record.type == "ai.reply" and turns:
                turns[-1] = PastTurn(who=turns[-1].who, text=turns[-1].text, reply=_words(record))
    except LogUnreadableError as error:
        raise EvidenceError(f"what was said to models can't be read back: {error}") from error
    return PastTalk(turns=tuple(turns), count=count, cost_usd=cost_usd)


def _words(record: Record) -> str:
    text = record.data.get("text")
    return text if isinstance(text, str) else ""


def _cost(data: Mapping[str, Json]) -> float:
    usage = data.get("usage")
    cost = usage.get("cost_usd") if isinstance(usage, Mapping) else None
    return float(cost) if isinstance(cost, (int, float)) and not isinstance(cost, bool) else 0.0
