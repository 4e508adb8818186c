"""What to do next, as commands that can be typed where pytest was started."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import SettingsError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Gate, Outcome, Workflow
from pytest_workflow_exec.run import Run, needs_person
from pytest_workflow_exec.settings import find_project

_REPEATED = ("workflow_ai", "workflow_ai_answers", "workflow_session_input", "workflow_ai_budget")
"""The options that say who answers, and for what money: without them, a run that was replayed would go on live."""

_BEGINNING = (
    "workflow_resume",
    "workflow_new",
    "workflow_run",
    "workflow_redo",
    "workflow_until",
    "workflow_inputs",
    "workflow_input",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaysOn:
    """Knows where and how pytest was started, and so how one goes on from there.

    A command stands alone in its line, and what is said of it above: whoever copies the line can paste it.
    """

    here: Path
    """Where pytest was started."""
    options: tuple[str, ...]
    """What has to be said again when a run goes on."""
    typed: tuple[str, ...]
    """What else was typed that says how a run begins, and how far it goes."""

    @classmethod
    def of(cls, config: pytest.Config) -> WaysOn:
        """Return those of a session."""
        return cls(
            here=config.invocation_params.dir, options=_words(config, _REPEATED), typed=_words(config, _BEGINNING)
        )

    def going_on(self, run: Run, *, redo: str | None = None) -> str:
        """Return the command that goes on with a run.

        Args:
            redo: The step that is to be run again, or the gate that is to ask again; None for none.
        """
        return self._resuming(run, redo, self.options)

    def recording(self, run: Run) -> str:
        """Return the command that goes on with a run and records what models answer from there on."""
        return self._resuming(run, None, ("--workflow-ai=record",))

    def recorded(self, workflow: Workflow) -> str:
        """Return the command that does what was typed, and records what models answer."""
        words = ["pytest", os.path.relpath(workflow.file, self.here), *self.typed, "--workflow-ai=record"]
        return shlex.join([*words, *(["-s"] if needs_person(workflow) else [])])

    def named(self, run: Run) -> str:
        """Return what the command line tool knows a run by: its id in its project, its path elsewhere."""
        try:
            at_home = find_project(self.here) == run.workflow.root
        except (SettingsError, OSError):
            at_home = False
        return run.id if at_home else shlex.quote(os.path.relpath(run.log_path.parent, self.here))

    def next_lines(self, run: Run) -> list[str]:
        """Return what a person is told to do with a run that has ended."""
        if run.suspended is not None:
            return list(self._waiting(run, run.suspended))
        if run.state.complete and not run.results_problem:
            return [f"next      workflow-exec verify {self.named(run)} --expect-head {run.head.hash}"]
        if run.until is not None and run.fulfilled:
            return [f"next      {self.going_on(run)}"]
        if run.denied_at is not None:
            return ["next      to ask again, which wants a reason:", _alone(self.going_on(run, redo=run.denied_at))]
        stop = run.state.stop
        broken_off = stop is not None and stop.outcome in (Outcome.INTERRUPTED, Outcome.BLOCKED)
        what = "once it is to go on" if broken_off else "put right what is wrong"
        return [f"next      workflow-exec show {self.named(run)}", *after(what, self.going_on(run))]

    def _waiting(self, run: Run, step: str) -> Iterator[str]:
        body, name = run.workflow.step(step).body, f"{self.named(run)} {shlex.quote(step)}"
        if not isinstance(body, Gate):
            yield f"step {step} waits"
            yield from after("once its time has come", self.going_on(run))
            return
        if body.signed is None:
            yield f"gate {step} waits for a decision (approve, or reject):"
            yield _alone(f"workflow-exec approve {name}")
        else:
            fills = "".join(f" --fill {field.name}=VALUE" for field in body.form)
            early = " (with --in-advance: for later runs, too)" if body.signed.in_advance else ""
            yield f"gate {step} waits for signatures; what to sign, and how{early}:"
            yield _alone(f"workflow-exec challenge {name}{fills} --out challenge")
        yield from after("once it is decided", self.going_on(run))

    def _resuming(self, run: Run, redo: str | None, options: tuple[str, ...]) -> str:
        words = ["pytest", os.path.relpath(run.workflow.file, self.here), "--workflow-resume"]
        words += ["--workflow-redo", redo] if redo is not None else []
        words += options
        # A person who is asked has to see it: pytest's capturing would be in the way.
        words += ["-s"] if redo is not None or needs_person(run.workflow) else []
        return shlex.join(words)


def after(what: str, command: str) -> list[str]:
    """Return lines that tell to type a command after something."""
    join = ":" if what.startswith("once") else ", then:"
    return [f"next      {what}{join}", _alone(command)]


def _alone(command: str) -> str:
    return f"          {command}"


def _words(config: pytest.Config, options: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        word for option in options for word in _spelled(f"--{option.replace('_', '-')}", config.getoption(option, None))
    )


def _spelled(option: str, value: object) -> Iterator[str]:
    if isinstance(value, list):
        yield from (f"{option}={each}" for each in value)
    elif value is True:
        yield option
    elif isinstance(value, str):
        yield f"{option}={value}"
