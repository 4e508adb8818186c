"""Steps on pytest's terminal: one line each, our words, and the last word on the run and its evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, cast

import pytest

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.errors import SettingsError
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import Outcome, Workflow
from pytest_workflow_exec.progress import Live, opening, outcome_style, spent
from pytest_workflow_exec.run import Batch
from pytest_workflow_exec.settings import load_settings

from ._planned import PlannedItem
from ._run_end import RunEnd
from ._screen import open_screen

if TYPE_CHECKING:
    from pytest_workflow_exec.progress import Several


REPORT_OUTCOME = "workflow_exec_outcome"
"""The attribute of a report that says how its step stands; a plain text, so that it survives serialising."""
REPORT_LOG = "workflow_exec_log"
"""The attribute of a report that says where the evidence of its step is."""
REPORT_SAID = "workflow_exec_said"
"""The attribute of a report that holds what a worker would have said until then, if it had a terminal."""
REPORT_LINE = "workflow_exec_line"
"""The attribute of a report that says in one line of a failed step what is said beneath other styles of traceback."""

_WITHOUT_TIME = (Outcome.BLOCKED, Outcome.NOT_APPLICABLE, Outcome.CARRIED)


class Terminal(Protocol):
    """What this module uses of pytest's terminal reporter."""

    showfspath: bool
    stats: Mapping[str, Sequence[object]]
    isatty: bool

    def write(self, content: str, *, flush: bool = False, **markup: bool) -> None: ...
    def write_line(self, line: str, **markup: bool) -> None: ...
    def ensure_newline(self) -> None: ...
    def rewrite(self, line: str, **markup: bool) -> None: ...


class Capture(Protocol):
    """What this module uses of pytest's capture manager."""

    def global_and_fixture_disabled(self) -> AbstractContextManager[None]: ...


def plan_line(workflow: Workflow) -> str:
    """Return the workflow's line in pytest's header."""
    return f"workflow {workflow.name}: {counted(len(workflow.steps), 'step')}, {_sandbox(workflow)}, plan {workflow.digest}"


def _sandbox(workflow: Workflow) -> str:
    from pytest_workflow_exec.sandbox import level_words

    try:
        return f"sandbox {level_words(load_settings(workflow.root).policy, tests=workflow.has_tests)}"
    except SettingsError:
        # Said in full, with its place, before the first step.
        return "policy unreadable"


class StepLines:
    """Writes the steps' lines at pytest's normal verbosity, and stays out of the way at any other."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._open = False
        self.summarising = False
        self.unsaid: list[str] = []
        self.letters = False
        """Whether letters stand on the line where the cursor is, of ordinary tests or, with `-q`, of steps."""
        self.live = Live()
        self._own_lines: bool | None = None
        self._started = False

    @property
    def _terminal(self) -> Terminal | None:
        if hasattr(self._config, "workerinput"):
            # A worker of pytest-xdist has a reporter, whose lines nobody sees.
            return None
        terminal: Terminal | None = self._config.pluginmanager.get_plugin("terminalreporter")
        return terminal

    @property
    def own_lines(self) -> bool:
        """Whether a step gets a line of ours instead of pytest's letters."""
        if self._own_lines is not None:
            return self._own_lines
        # A reporter of another plugin, as pytest-sugar's, draws lines of its own.
        reporter: object = self._terminal
        own = type(reporter) is pytest.TerminalReporter and self._config.get_verbosity() == 0
        if self._started:
            # From the first step's line on, nobody changes it; to find it out takes longer than to use it.
            self._own_lines = own
        return own

    def start(self, step: PlannedItem | None, workflow: Workflow | None) -> None:
        """Begin a step's line; an ordinary test gets pytest's own again."""
        terminal, self._started = self._terminal, True
        if terminal is None or not self.own_lines:
            return
        terminal.showfspath = step is None
        if step is None or workflow is None:
            return
        terminal.ensure_newline()
        terminal.write(_opening(step, workflow), flush=True)
        self._open = True

    def open_screen(self) -> None:
        """Show what goes on in steps from now on; nothing is captured at the moment."""
        screen = open_screen(self._config)
        if screen is not None:
            self.live.open(screen, broken_line=self._leave)

    def open_for_workers(self) -> Several:
        """Show what goes on in workers from now on; what their steps print does not appear here."""
        from pytest_workflow_exec.progress import Several

        self.live = several = Several()
        screen = open_screen(self._config)
        if screen is not None:
            several.open(replace(screen, shared=False), broken_line=self._leave)
        return several

    def go(self, step: PlannedItem, workflow: Workflow, nodeid: str) -> None:
        """Show what goes on in a step whose line has begun."""
        if not self.live.shows:
            return
        said = _opening(step, workflow)
        # At a higher verbosity pytest has written its node id.
        self.live.begin(said.removesuffix(" ... "), column=len(said if self.own_lines else f"{nodeid} "))

    def batch(self, batch: Batch) -> None:
        """Show how far a step's code has come, or that it has come to the end."""
        self.live.batch(batch)

    def pause(self) -> None:
        """Leave the line, because something else is going to be shown, and show nothing more of the step."""
        self.live.end()
        self._new_line()

    def _new_line(self) -> None:
        if self._open and self._terminal is not None:
            self._terminal.write("\n", flush=True)
        self._leave()

    def _leave(self) -> None:
        self._open = False

    def finish(self, step: PlannedItem, workflow: Workflow, outcome: Outcome, seconds: float) -> None:
        """End a step's line."""
        self.live.end()
        terminal, style = self._terminal, outcome_style(outcome)
        if terminal is None or not self.own_lines:
            return
        if not self._open:
            terminal.write(_opening(step, workflow))
        terminal.write(style.word, **{style.color: True})
        terminal.write_line("" if outcome in _WITHOUT_TIME else f" {spent(seconds)}")
        self._open = False

    def whole(self, step: PlannedItem, workflow: Workflow, outcome: Outcome, seconds: float) -> None:
        """Write a step's line at once: several workflows are under way, so it names its own."""
        terminal, style = self._terminal, outcome_style(outcome)
        if terminal is None or not self.own_lines:
            return
        self._after_letters(terminal)
        terminal.ensure_newline()
        terminal.write(f"{whose(step, workflow)} ")
        terminal.write(style.word, **{style.color: True})
        terminal.write_line("" if outcome in _WITHOUT_TIME else f" {spent(seconds)}")

    def note_letter(self, report: pytest.TestReport) -> None:
        """Take note of a report for which pytest has written a letter, and nothing else."""
        if not self.letters and self._config.get_verbosity() <= 0 and (report.when == "call" or not report.passed):
            self.letters = True

    def _after_letters(self, terminal: Terminal) -> None:
        if self.letters:
            terminal.write("\n")
        self.letters = False

    def status(self, report: pytest.TestReport) -> tuple[str, str, str | tuple[str, Mapping[str, bool]]] | None:
        """Return category, letter and word of a step's report; None for ordinary tests."""
        said = getattr(report, REPORT_OUTCOME, None)
        if said is None:
            return None
        outcome = Outcome(said)
        if report.when != "call" and report.passed:
            return "", "", ""
        style = outcome_style(outcome)
        # A step whose check was in doubt counts as failed, as its reason is shown among the failures.
        category = "failed" if outcome in (Outcome.DENIED, Outcome.INTERRUPTED) else outcome.words
        if self.own_lines and not self.summarising:
            return category, "", ""
        return category, style.letter, (style.word, {style.color: True})

    def failures(self) -> None:
        """Write a line for each step that failed, where a line is all that pytest shows of one."""
        terminal = self._terminal
        if terminal is None:
            return
        for reports in list(terminal.stats.values()):
            for line in (getattr(report, REPORT_LINE, None) for report in reports):
                if line is not None:
                    terminal.write_line(str(line))

    def blocked(self, steps: Iterable[tuple[str, str]]) -> None:
        """Write the blocked steps below pytest's short summary, but for those that are in it already."""
        terminal = self._terminal
        if terminal is None:
            return
        # A reporter that knows no category of ours has counted them as failed, and named them.
        named = {getattr(report, "nodeid", None) for report in terminal.stats.get("failed", ())}
        for nodeid, reason in steps:
            if nodeid not in named:
                terminal.write("BLOCKED", red=True)
                terminal.write_line(f" {nodeid} - {reason}")

    def say(self, line: str) -> None:
        """Write a line of its own; without a terminal it is kept for whoever has one."""
        if self._terminal is None:
            self.unsaid.append(line)
            return
        with self.live.hidden(new_line=True):
            self._new_line()
            self._after_letters(self._terminal)
            self._terminal.write_line(line)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let lines reach the terminal in the middle of a step, whose own output is captured."""
        capture = cast("Capture | None", self._config.pluginmanager.get_plugin("capturemanager"))
        if capture is None:
            yield
            return
        with capture.global_and_fixture_disabled():
            yield

    @contextmanager
    def countdown(self, what: str) -> Iterator[Callable[[float], None]]:
        """Return what shows on a screen in how many seconds something happens; elsewhere it shows nothing."""
        terminal = self._terminal
        if self.live.draws:
            with self.live.waiting(what) as tell:
                yield tell
            return
        if terminal is None or not terminal.isatty:
            yield _say_nothing
            return
        try:
            yield lambda left_s: terminal.rewrite(f"  {what} in {left_s:.0f} s", erase=True)
        finally:
            # To the end of the line: pytest counts what stands on it, and knows of no way back but a new one.
            terminal.rewrite(f"  {what}", erase=True)
            terminal.write("\n", flush=True)

    def last_words(self, ends: Iterable[RunEnd], *, lost: str | None) -> None:
        """Write how each run ended and where its evidence is; the very last line is the head.

        Args:
            lost: Why evidence could not be written; None if all of it was.
        """
        terminal = self._terminal
        if terminal is None:
            return
        if lost is not None:
            terminal.write_line(f"evidence can't be written, so nothing here counts as passed: {lost}", red=True)
        for end in ends:
            for number, line in enumerate(end.lines):
                color = {"green" if end.fulfilled else "red": True} if number == 0 else {}
                terminal.write_line(line, **color)


def _say_nothing(_left_s: float) -> None:
    return None


def whose(step: PlannedItem, workflow: Workflow) -> str:
    """Return what a step is called where several workflows are under way."""
    return f"[{workflow.name} {step.position + 1}/{len(workflow.steps)}] {step.step.id}"


def _opening(step: PlannedItem, workflow: Workflow) -> str:
    return opening(step.step.id, number=step.position + 1, total=len(workflow.steps))
