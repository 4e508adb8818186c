"""The test timeout of a step that may be tried again: for the body of each attempt, never for the time in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import pytest

from pytest_workflow_exec.model import Command, Execute, Step, Verify


class _Settings(Protocol):
    """What is used of pytest-timeout's settings."""

    @property
    def timeout(self) -> float | None: ...

    @property
    def func_only(self) -> bool: ...

    def _replace(self, **values: object) -> _Settings: ...


class _Timeout(Protocol):
    """What is used of the plugin pytest-timeout."""

    def get_env_settings(self, config: pytest.Config) -> _Settings: ...


@contextmanager
def body_timer(item: pytest.Item, step: Step) -> Iterator[None]:
    """Let pytest-timeout end what takes too long, as long as the context lasts."""
    settings = _settings(item, step)
    if settings is None:
        yield
        return
    item.config.hook.pytest_timeout_set_timer(item=item, settings=settings)
    try:
        yield
    finally:
        item.config.hook.pytest_timeout_cancel_timer(item=item)


@contextmanager
def paused_timer(item: pytest.Item, step: Step) -> Iterator[None]:
    """Let pytest-timeout end nothing as long as the context lasts; the item has its whole time behind it."""
    settings = _settings(item, step)
    if settings is None:
        yield
        return
    item.config.hook.pytest_timeout_cancel_timer(item=item)
    yield
    marker = item.get_closest_marker("timeout")
    if not settings.func_only and (marker is None or _seconds(marker)):
        item.config.hook.pytest_timeout_set_timer(item=item, settings=settings)


def _settings(item: pytest.Item, step: Step) -> _Settings | None:
    plugin = item.config.pluginmanager.get_plugin("timeout")
    if plugin is None:
        return None
    settings = cast("_Timeout", plugin).get_env_settings(item.config)
    marked = next((seconds for mark in item.iter_markers("timeout") if (seconds := _seconds(mark))), None)
    if marked is not None:
        settings = settings._replace(timeout=marked)
    if step.timeout_s is not None and not isinstance(step.body, (Command, Execute, Verify)):
        # The method "thread" ends the whole process, and the evidence with it.
        settings = settings._replace(timeout=step.timeout_s, method="signal")
    return settings if settings.timeout else None


def _seconds(mark: pytest.Mark) -> object:
    # Our own mark says 0: the whole item has no timer.
    return mark.args[0] if mark.args else mark.kwargs.get("timeout")
