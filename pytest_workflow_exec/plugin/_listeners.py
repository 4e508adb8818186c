"""Who looks at steps besides pytest itself: where nobody would miss its set-up and teardown, a step needs one report, no three."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Protocol

import pytest

_REPORTS = ("pytest_runtest_makereport", "pytest_runtest_logreport", "pytest_report_teststatus")
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
"""pytest's own plugins that take nothing from a setup or a teardown which passed, and for which no fixture was made.

JUnit files are not among them: they take a step's properties from its teardown.
"""
_COLLECTING = ("pytest_pycollect_makeitem", "pytest_generate_tests")
_OF_COROUTINES = frozenset({"anyio"})
"""Others that look at functions as they are collected, and leave those alone that are no coroutine functions."""
_TELL_ALL = ("usepdb", "setupshow", "setuponly", "setupplan")
"""Options with which pytest itself has something to show of each phase, or to do between them."""
_PYTEST = pytest.Item.__module__.partition(".")[0]
_OURS = __name__.partition(".")[0]


class _Implementation(Protocol):
    """What is used of an implementation of a hook."""

    plugin: object
    plugin_name: str
    wrapper: bool
    hookwrapper: bool


class _Question:
    """Whether all implementations of some hooks are harmless, asked again whenever somebody comes or goes."""

    def __init__(
        self, config: pytest.Config, hooks: Iterable[str], harmless: Callable[[_Implementation], bool]
    ) -> None:
        self._callers = [getattr(config.hook, name) for name in hooks]
        self._harmless = harmless
        self._known: Sequence[Sequence[object]] = ()
        self._answer = False

    def __bool__(self) -> bool:
        now = [caller.get_hookimpls() for caller in self._callers]
        if now != self._known:
            self._answer = all(self._harmless(each) for implementations in now for each in implementations)
            self._known = now
        return self._answer


class Listeners:
    """Who implements the hooks that see steps."""

    def __init__(self, config: pytest.Config) -> None:
        self._reports = _Question(config, _REPORTS, _looks_at_calls_alone)
        self._teardown = _Question(config, ("pytest_runtest_teardown",), _is_known)
        self._protocol = _Question(config, ("pytest_runtest_protocol",), _only_goes_along)
        self._collecting = _Question(config, _COLLECTING, _leaves_functions_alone)
        self._tells_all = any(config.getoption(name, False) for name in _TELL_ALL) or _times(config)

    @property
    def look_at_calls_alone(self) -> bool:
        """Whether nobody would miss the reports of a setup and a teardown that passed, and in which nothing ran."""
        return bool(self._reports)

    @property
    def miss_no_phase(self) -> bool:
        """Whether nobody would miss them though both ran, but no fixture was made; and nobody else runs items."""
        return not self._tells_all and bool(self._reports) and bool(self._teardown) and bool(self._protocol)

    @property
    def leave_functions_alone(self) -> bool:
        """Whether nobody but pytest has a say in which items a plain function makes."""
        return bool(self._collecting)


def _times(config: pytest.Config) -> bool:
    if config.getoption("durations", None) is not None:
        return True
    # Then the lines of a terminal show how long all phases took together.
    return config.pluginmanager.has_plugin("terminal") and config.getini("console_output_style") == "times"


def _looks_at_calls_alone(implementation: _Implementation) -> bool:
    package = _package(implementation)
    # The name alone says little: another plugin may have taken the place of one of pytest's.
    return package == _OURS or (package == _PYTEST and implementation.plugin_name in _OF_CALLS)


def _leaves_functions_alone(implementation: _Implementation) -> bool:
    return _is_known(implementation) or _package(implementation) in _OF_COROUTINES


def _only_goes_along(implementation: _Implementation) -> bool:
    return _is_known(implementation) or implementation.wrapper or implementation.hookwrapper


def _is_known(implementation: _Implementation) -> bool:
    return _package(implementation) in (_OURS, _PYTEST)


def _package(implementation: _Implementation) -> str:
    plugin = implementation.plugin
    module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    return module.partition(".")[0]
