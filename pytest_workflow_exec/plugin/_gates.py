"""A gate inside a pytest session: everything that counts or draws holds still while a person decides."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_workflow_exec.model import Gate, Manual, Step
from pytest_workflow_exec.run import Run, StepOutputs

from ._body_timer import paused_timer
from ._keys import SESSION


def ask_at(item: pytest.Item, run: Run, step: Step, gate: Gate, *, words: str) -> StepOutputs:
    """Ask at a gate, and return only if the answer is yes.

    Args:
        words: What the `@gate` function returned; empty for YAML gates.

    Raises:
        GateDeniedError: Anything but an approval.
        OutputError: An output to be shown is not there, or its file changed.
    """
    _hold_still(item, shows=not gate.suspends or run.glass_to_break == step.id)
    return run.decide(step, gate, words=words)


def attest_at(item: pytest.Item, run: Run, step: Step, manual: Manual) -> StepOutputs:
    """Tell a person what to do by hand, and return only if they say that it was done.

    Raises:
        ManualFailedError: Nobody said so.
        OutputError: A value in the instruction is not there.
    """
    _hold_still(item, shows=True)
    return run.attest(step, manual)


def hold_still(item: pytest.Item) -> None:
    """Let nothing count or draw from here on: a person is about to be asked."""
    _hold_still(item, shows=True)


@contextmanager
def holding_still(item: pytest.Item, step: Step) -> Iterator[None]:
    """Let nothing count or draw as long as the context lasts: a person is asked before the step may start."""
    hold_still(item)
    with paused_timer(item, step):
        yield


def _hold_still(item: pytest.Item, *, shows: bool) -> None:
    # Armed by pytest's own faulthandler_timeout for a hung test; a person who thinks is none.
    faulthandler.cancel_dump_traceback_later()
    if shows:
        item.config.stash[SESSION].lines.pause()
