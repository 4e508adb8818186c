"""Who looks at the reports of steps besides pytest itself: where nobody does, a carried step needs one, and no three."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

import pytest

_HOOKS = ("pytest_runtest_makereport", "pytest_runtest_logreport", "pytest_report_teststatus")
_OF_CALLS = frozenset(
    {
        "lfplugin",
        "logging-plugin",
        "runner",
        "session",
        "skipping",
        "stepwiseplugin",
        "subtests",
        "terminal",
        "terminalreporter",
        "tmpdir",
        "unittest",
    }
)
"""pytest's own plugins that take nothing from a setup or a teardown which passed, and in which nothing ran.

JUnit files are not among them: they take a step's properties from its teardown.
"""
_PYTEST = pytest.Item.__module__.partition(".")[0]
_OURS = __name__.partition(".")[0]


class _Implementation(Protocol):
    """What is used of an implementation of a hook."""

    plugin: object
    plugin_name: str


class Listeners:
    """Who implements the hooks that see reports, looked at again whenever somebody comes or goes."""

    def __init__(self, config: pytest.Config) -> None:
        self._callers = [getattr(config.hook, name) for name in _HOOKS]
        self._known: Sequence[Sequence[object]] = ()
        self._calls_alone = False

    @property
    def look_at_calls_alone(self) -> bool:
        """Whether nobody would miss the reports of a setup and a teardown that passed, and in which nothing ran."""
        now = [caller.get_hookimpls() for caller in self._callers]
        if now != self._known:
            self._calls_alone = all(_looks_at_calls_alone(each) for implementations in now for each in implementations)
            self._known = now
        return self._calls_alone


def _looks_at_calls_alone(implementation: _Implementation) -> bool:
    plugin = implementation.plugin
    module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    package = module.partition(".")[0]
    # The name alone says little: another plugin may have taken the place of one of pytest's.
    return package == _OURS or (package == _PYTEST and implementation.plugin_name in _OF_CALLS)
