"""The commands of the step that is under way: none may begin before it, outlive it, or be lost behind its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.errors import StepOrderError, StillRunningError
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.sandbox import PLAIN

if TYPE_CHECKING:
    from pytest_workflow_exec.sandbox import CommandResult, CommandRunner, Surroundings


class StepCommands:
    """Runs commands as long as their step does."""

    def __init__(self, make_runner: Callable[[], CommandRunner], *, running: Callable[[], StepId | None]) -> None:
        """Begin without commands.

        Args:
            make_runner: Makes what runs commands, once one is to run.
            running: Tells which step is under way.
        """
        self._make_runner, self._running = make_runner, running
        self._made: CommandRunner | None = None
        self._count = 0
        # A step's own threads may run commands; none may begin while the step ends, or go on after it.
        self._lock = threading.Lock()

    def run(
        self,
        step: StepId,
        argv: Sequence[str],
        *,
        attempt: int,
        timeout_s: float | None,
        surroundings: Surroundings = PLAIN,
        planned: bool = False,
    ) -> CommandResult:
        """Run one command of the step.

        Args:
            planned: Whether it is the command of a `run:` step, or of a plan that was approved; no other can be gated.

        Raises:
            StepOrderError: The step is not under way: its right to run commands ended with it.
            CommandRefusedError: The policy does not allow it; nothing was started.
            CommandNotFoundError: Its program does not exist.
            CommandTimeoutError: It took longer than `timeout_s`.
        """
        __tracebackhide__ = True
        with self.one_of(step):
            return self._runner().run(
                argv, step=step, attempt=attempt, timeout_s=timeout_s, surroundings=surroundings, planned=planned
            )

    def run_tests(
        self,
        step: StepId,
        argv: Sequence[str],
        *,
        attempt: int,
        timeout_s: float | None,
        variables: Mapping[str, str],
        folder: Path,
    ) -> CommandResult:
        """Run the engine's own child pytest for the step; it needs no rule, and has the rights of tests.

        Args:
            folder: Where it leaves its report.

        Raises:
            StepOrderError: The step is not under way.
            CommandTimeoutError: It took longer than `timeout_s`.
        """
        __tracebackhide__ = True
        with self.one_of(step):
            return self._runner().run_trusted(
                argv, step=step, attempt=attempt, timeout_s=timeout_s, extra_environment=variables, folder=folder
            )

    def check_quiet(self, step: StepId) -> None:
        """Return if no command of the step is running any more.

        Raises:
            StillRunningError: One is: the step returned while a thread of it goes on.
        """
        if self._count:
            raise StillRunningError(step=step, commands=self._count)

    def held(self) -> AbstractContextManager[object]:
        """Let no command begin as long as the context lasts."""
        return self._lock

    @contextmanager
    def one_of(self, step: StepId) -> Iterator[None]:
        """Count as something of the step that is under way, as long as the context lasts.

        Raises:
            StepOrderError: The step is not under way.
        """
        with self._lock:
            if self._running() != step:
                raise StepOrderError(step=step, waiting_for=step, because="it is not under way")
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1

    def _runner(self) -> CommandRunner:
        with self._lock:
            if self._made is None:
                self._made = self._make_runner()
            return self._made
