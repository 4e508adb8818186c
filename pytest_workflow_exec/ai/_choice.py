"""Who answers in a session: chosen by its options alone, and known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from pytest_workflow_exec.ai._backend import AiBackend, Source
from pytest_workflow_exec.ai._cassette import Redact
from pytest_workflow_exec.ai._cassettes import RecordingBackend, ReplayingBackend
from pytest_workflow_exec.ai._claude import ClaudeBackend
from pytest_workflow_exec.ai._off import OffBackend
from pytest_workflow_exec.ai._program import ai_problems
from pytest_workflow_exec.ai._scripted import ScriptedBackend, ScriptError, read_script
from pytest_workflow_exec.errors import PreflightError, Problem
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.settings import MONEY, AiMode

Mode: TypeAlias = Literal["live", "record", "replay", "off", "scripted"]

MODES: tuple[Mode, ...] = ("live", "record", "replay", "off")
"""What `--workflow-ai` takes; a script is named by its file."""
_SOURCES: Mapping[Mode, Source] = {"replay": "replay", "scripted": "scripted"}
_CI = "CI"


@dataclass(frozen=True, slots=True, kw_only=True)
class AiChoice:
    """Who answers, and for how much."""

    mode: Mode
    said: bool
    """Whether somebody asked for it; else it is what is done unasked."""
    script: Path | None = None
    budget_usd: float | None = None
    by: str = "--workflow-ai=off"
    """What said that nobody is asked, if that was said."""

    @property
    def source(self) -> Source:
        """Where its answers come from."""
        return _SOURCES.get(self.mode, "live")

    @property
    def asks(self) -> bool:
        """Whether a model is asked."""
        return self.mode in ("live", "record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds where no option says anything: by the project's configuration and by variables of the environment."""

    mode: AiMode | None = None
    by: str = ""
    """What says the mode."""
    budget_usd: float | None = None
    most_usd: float | None = None
    """What no option goes above: the project's own word."""


def choose(
    *,
    mode: str | None,
    script: str | None,
    budget: str | None,
    environment: Mapping[str, str],
    folder: Path,
    standing: Standing | None = None,
) -> AiChoice:
    """Return who answers in a session.

    Args:
        mode: `--workflow-ai`; None if it was not given: then a model is asked, but in CI nobody is.
        script: `--workflow-ai-answers`: a file, from `folder`.
        budget: `--workflow-ai-budget`, in US dollars.
        environment: The engine's own; only whether it is CI is read from it.
        standing: What holds where they say nothing.

    Raises:
        PreflightError: The options can't be used.
    """
    held = Standing() if standing is None else standing
    problems: list[str] = []
    if mode is not None and mode not in MODES:
        problems.append(f"--workflow-ai takes {', '.join(MODES)}, not {mode!r}")
    if script is not None and mode is not None:
        problems.append("--workflow-ai-answers scripts all answers; leave out --workflow-ai")
    if budget is not None and (MONEY.fullmatch(budget) is None or not float(budget)):
        problems.append(f"--workflow-ai-budget takes an amount of US dollars such as 2.50, not {budget!r}")
    elif budget is not None and held.most_usd is not None and float(budget) > held.most_usd:
        problems.append(f"--workflow-ai-budget={budget} is more than the {held.most_usd:g} of ai_budget in the project")
    if problems:
        raise PreflightError([Problem(message=problem) for problem in problems])
    # Never by a variable but towards nobody: none may turn a script into an answer, or make a session pay.
    unasked: Mode = held.mode or ("off" if environment.get(_CI) else "live")
    chosen = unasked if mode is None else next(each for each in MODES if each == mode)
    return AiChoice(
        mode="scripted" if script is not None else chosen,
        said=mode is not None or script is not None or held.mode is not None,
        script=None if script is None else folder / script,
        budget_usd=held.budget_usd if budget is None else float(budget),
        by="--workflow-ai=off" if mode is not None or held.mode is None else held.by,
    )


def why_off(choice: AiChoice) -> str | None:
    """Return why nobody is asked, with the way on; None if somebody is."""
    if choice.mode != "off":
        return None
    if choice.said:
        return f"{choice.by}. Leave it out, or give --workflow-ai=live"
    return "the variable CI is set, and there models are only asked with --workflow-ai=live"


def choice_problems(choice: AiChoice, environment: Mapping[str, str]) -> list[str]:
    """Return why the chosen one can't answer, each with what to do; it is asked only if a step needs it.

    Args:
        environment: Where a login is looked for.
    """
    reason = why_off(choice)
    if reason is not None:
        return [f"asks a model, and none is to be asked: {reason}"]
    if choice.script is not None:
        try:
            read_script(choice.script)
        except ScriptError as error:
            return [f"asks a model, and {choice.script} {error}"]
        return []
    if not choice.asks:
        # What was recorded shows only where it is asked: it belongs to the whole prompt.
        return []
    return [f"asks a model: {problem}" for problem in ai_problems(environment)]


def backend_of(choice: AiChoice, *, recordings: Path, redact: Redact, record_with: str) -> AiBackend:
    """Return what answers.

    Args:
        recordings: The folder of what was recorded.
        redact: Takes known secrets out of what is recorded and compared.
        record_with: The command that records again.

    Raises:
        PreflightError: It can't.
    """
    if choice.script is not None:
        try:
            return ScriptedBackend(read_script(choice.script))
        except ScriptError as error:
            raise PreflightError([Problem(path=choice.script, message=str(error))]) from error
    if choice.mode == "replay":
        return ReplayingBackend(folder=recordings, redact=redact, record_with=record_with)
    if choice.mode == "record":
        return RecordingBackend(ClaudeBackend(), folder=recordings, redact=redact)
    return ClaudeBackend() if choice.mode == "live" else OffBackend(why_off(choice) or "it is off")
