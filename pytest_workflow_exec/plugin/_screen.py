"""Where the steps under way can be shown: pytest's terminal, by a descriptor that capturing does not redirect."""

from __future__ import annotations

import os
import sys
from typing import Protocol, cast

import pytest

from pytest_workflow_exec.progress import Screen

_SHOWN_UNCAPTURED = ("no", "tee-sys")
_SIGNS = "⠋━─…"


def open_screen(config: pytest.Config) -> Screen | None:
    """Return where the steps under way are to be shown, while nothing is captured; None if nowhere."""
    reporter: object = config.pluginmanager.get_plugin("terminalreporter")
    if type(reporter) is not pytest.TerminalReporter or config.get_verbosity() < 0:
        return None
    terminal = cast("_Terminal", reporter)
    try:
        fd = os.dup(1)
    except OSError:
        return None
    dumb = os.environ.get("TERM", "dumb") == "dumb" or bool(os.environ.get("CI"))
    return Screen(
        fd=fd,
        drawn=os.isatty(fd) and terminal.isatty and not dumb,
        shared=_shares(config),
        color=terminal.hasmarkup and not os.environ.get("NO_COLOR"),
        unicode=_can_show_signs(),
    )


class _Terminal(Protocol):
    """What this module uses of pytest's terminal reporter."""

    isatty: bool
    hasmarkup: bool


def _shares(config: pytest.Config) -> bool:
    # What is logged live appears in the middle of a step, like what is printed with `-s`.
    return (
        config.getoption("capture", "no") in _SHOWN_UNCAPTURED
        or not config.pluginmanager.has_plugin("capturemanager")
        or config.getoption("log_cli_level", None) is not None
        # Only pytest's logging knows that setting, and `-p no:logging` leaves it out.
        or (config.pluginmanager.has_plugin("logging") and bool(config.getini("log_cli")))
    )


def _can_show_signs() -> bool:
    try:
        _SIGNS.encode(getattr(sys.__stdout__, "encoding", None) or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
