"""What the models of all runs of one pytest session may cost together, also where several processes ask."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_workflow_exec.errors import AiError
from pytest_workflow_exec.run import Run

_NAME = "costs.json"
_MAX_BYTES = 1 << 20
_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Purse:
    """Bounds what runs spend. A request that is under way counts with all that is left: nobody knows what it will cost."""

    def __init__(self, budget_usd: float | None, *, shared: Path | None = None) -> None:
        """Begin with nothing spent.

        Args:
            budget_usd: What all requests may cost together, those of earlier sessions of the same runs too; None for no
                bound.
            shared: A private folder in which several processes note what they spend; None if there is only this one.
        """
        self._budget_usd = budget_usd
        self._file = None if shared is None or budget_usd is None else shared / _NAME
        self._spent: dict[str, float] = {}

    @contextmanager
    def held(self, run: Run) -> Iterator[None]:
        """Let one run ask as long as the context lasts; in other processes nobody asks meanwhile.

        Raises:
            AiError: What others spent can't be known.
        """
        if self._budget_usd is None:
            yield
            return
        if self._file is None:
            try:
                yield
            finally:
                self._spent[run.id] = run.answers.cost_usd
            return
        with _locked(self._file) as file:
            self._spent = _read(file)
            own = run.answers.cost_usd
            # Whoever dies in between has spent it all: what the model took is then in no log.
            _write(file, {**self._spent, run.id: max(own, self._budget_usd - self._others(run))})
            try:
                yield
            finally:
                self._spent[run.id] = run.answers.cost_usd
                _write(file, self._spent)

    def left(self, run: Run, own_usd: float | None) -> float | None:
        """Return what a run may still spend, None for no bound.

        Args:
            own_usd: What the step may spend; None for no bound of its own.

        Raises:
            AiError: Nothing is left.
        """
        if self._budget_usd is None:
            return own_usd
        spent, others = run.answers.cost_usd, self._others(run)
        left = self._budget_usd - spent - others
        if left <= 0:
            of = "the runs of this session" if others else "this run"
            by = f"${spent:.4f}, and ${others:.4f} by other runs of this session" if others else f"${spent:.4f}"
            raise AiError(
                f"the budget of ${self._budget_usd:g} for {of} is spent ({by}); nothing was asked. "
                "Give more with --workflow-ai-budget, and go on with --workflow-resume."
            )
        return left if own_usd is None else min(left, own_usd)

    def _others(self, run: Run) -> float:
        return math.fsum(cost for each, cost in self._spent.items() if each != run.id)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    try:
        file = os.open(path, _OPEN, 0o600)
    except OSError as error:
        raise _unknown(path, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _read(file: int) -> dict[str, float]:
    try:
        content = os.pread(file, _MAX_BYTES, 0)
        found = json.loads(content) if content else {}
        costs = {str(run): float(cost) for run, cost in found.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise _unknown(_NAME, error) from error
    if not all(math.isfinite(cost) and cost >= 0 for cost in costs.values()):
        raise _unknown(_NAME, ValueError("a cost is none"))
    return costs


def _write(file: int, costs: dict[str, float]) -> None:
    content = json.dumps(costs).encode()
    try:
        os.ftruncate(file, 0)
        if os.pwrite(file, content, 0) != len(content):
            raise _unknown(_NAME, ValueError("it was not written whole"))
    except OSError as error:
        raise _unknown(_NAME, error) from error


def _unknown(what: object, error: Exception) -> AiError:
    return AiError(f"what other workers spent on models can't be known ({what}: {error}); nothing was asked. Add -n0.")
