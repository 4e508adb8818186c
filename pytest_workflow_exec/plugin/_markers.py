"""Marks for other plugins on the items that are steps: what they may and may not do to them."""

from __future__ import annotations

import functools

import pytest

from pytest_workflow_exec.model import Command, Execute, Gate, Manual, Pause, Session, Step, Verify


def mark_step(item: pytest.Item, step: Step) -> None:
    """Tell pytest-timeout the step's own timeout, and pytest-rerunfailures to leave it alone."""
    plugins = item.config.pluginmanager
    if plugins.hasplugin("timeout"):
        if step.times_itself or isinstance(step.body, (Gate, Manual, Pause, Session)):
            # Each attempt at a step that is tried again has a timer of its own. A person may take as long as the step allows, and a pause as long as it says; both count that themselves.
            item.add_marker(pytest.mark.timeout(0), append=False)
        elif step.timeout_s is not None and not isinstance(step.body, (Command, Execute, Verify)):
            # The method "thread" ends the whole process, and the evidence with it.
            item.add_marker(pytest.mark.timeout(step.timeout_s, method="signal"), append=False)
    # Where the plugin "flaky" is, the mark of that name is its own, and it takes no reruns=: rerunfailures then
    # tries, and the judge of the step refuses.
    if plugins.hasplugin("rerunfailures") and not plugins.hasplugin("flaky"):
        item.add_marker(_no_reruns(), append=False)


@functools.cache
def _no_reruns() -> pytest.MarkDecorator:
    # Not made on import: pytest knows the mark only where the plugin is.
    return pytest.mark.flaky(reruns=0)
