"""What is kept of conversations, so that one can be held again without a model: each turn, with what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from pytest_workflow_exec.digests import Json

from ._backend import AiUsage
from ._cassette import Redact, cassette_path
from ._kept import Kept, KeptUsage, OfStep, read_kept
from ._talker import Reply, ReplyOutcome, TalkSetup, Wish

_ENDING = ".conversation.json"


class Said(Kept):
    """What decides a reply; something else was never replied to."""

    model: str
    system: str
    tools: tuple[str, ...]
    text: str
    """All that was sent, with secrets taken out."""
    opens: bool
    """Whether a program began with it, which was told all that came before."""

    @classmethod
    def of(cls, setup: TalkSetup, text: str, redact: Redact, *, opens: bool) -> Said:
        """Return what of a turn is kept and compared."""
        return cls(
            model=setup.model,
            system=_spelled(str(redact(setup.system))),
            tools=setup.workspace.tools,
            text=_spelled(str(redact(text))),
            opens=opens,
        )

    def differs_in(self, other: Said) -> str:
        """Return in words what differs."""
        words = {
            "model": "model",
            "system": "system prompt",
            "tools": "tools",
            "text": "text",
            "opens": "place in the conversation",
        }
        return ", ".join(said for name, said in words.items() if getattr(self, name) != getattr(other, name))


class Look(Kept):
    """What a model wanted to look at, and whether it might."""

    tool: str
    arguments: dict[str, Any]
    problem: str | None


class Exchange(Kept):
    """One turn."""

    said: Said
    wishes: tuple[Look, ...]
    outcome: ReplyOutcome
    text: str
    error: str
    kind: str
    looks: tuple[dict[str, Any], ...]
    usage: KeptUsage
    versions: dict[str, str]
    over: bool
    """Whether nothing more could be said to the program."""

    @classmethod
    def of(cls, said: Said, wishes: Sequence[Wish], reply: Reply, redact: Redact, *, over: bool) -> Exchange:
        """Return what is kept of a turn, with secrets taken out of it."""
        asked = [{"tool": each.tool, "arguments": dict(each.arguments), "problem": each.problem} for each in wishes]
        kept = cast(
            "Mapping[str, Json]",
            redact(
                cast(
                    "Json",
                    {
                        "wishes": asked,
                        "text": _spelled(reply.text),
                        "error": _spelled(reply.error),
                        "looks": [dict(each) for each in reply.looks],
                        "versions": dict(reply.versions),
                    },
                )
            ),
        )
        return cls.model_validate(
            {
                "said": said,
                **kept,
                "outcome": reply.outcome,
                "kind": reply.kind,
                "usage": {
                    "input_tokens": reply.usage.input_tokens,
                    "output_tokens": reply.usage.output_tokens,
                    "cost_usd": reply.usage.cost_usd,
                },
                "over": over,
            }
        )

    def reply(self) -> Reply:
        """Return what came of it, as it was."""
        return Reply(
            outcome=self.outcome,
            text=self.text,
            error=self.error,
            kind=self.kind,
            looks=self.looks,
            usage=AiUsage(
                input_tokens=self.usage.input_tokens,
                output_tokens=self.usage.output_tokens,
                cost_usd=self.usage.cost_usd,
            ),
            versions=self.versions,
        )


class TalkCassette(OfStep):
    """All turns of a step's conversations, in order."""

    format: Literal["workflow-exec-conversation/1"] = "workflow-exec-conversation/1"
    turns: tuple[Exchange, ...] = ()

    @classmethod
    def read(cls, text: str, *, step: str) -> TalkCassette:
        """Return the conversations of a step.

        Raises:
            CassetteError: The text holds none, or those of another step.
        """
        return read_kept(cls, text, step=step)


def talk_path(folder: Path, step: str) -> Path:
    """Return where the conversations of a step lie; no answers of a step lie under such a name."""
    return folder / f"{cassette_path(folder, step).name.removesuffix('.json')}{_ENDING}"


def _spelled(text: str) -> str:
    """Return a text in which halves of characters are spelled out: pydantic takes none."""
    return text.encode("utf-8", "backslashreplace").decode()
