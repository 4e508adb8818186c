"""From the command line to one of our functions, and from its errors to words and exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pytest_workflow_exec.errors import WorkflowExecError

from ._arguments import parser
from ._text import lines

_USAGE = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of the command that `argv` (default: the process's own arguments) asks for."""
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        # A log may hold any character; a terminal that can't show one is no reason to fall over.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else _USAGE
    except WorkflowExecError as error:
        _say(str(error))
        return _USAGE
    except BrokenPipeError:
        # The reader went away, and wants no words.
        return _USAGE
    except OSError as error:
        # A disk that is full must not look like a verdict: Python's own exit code for a traceback is also `broken`.
        _say(f"{error.strerror or error}: {error.filename}" if error.filename else f"{error.strerror or error}")
        return _USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        _let_go_of_output()


def _open_streams() -> None:
    # Closed by whoever started the tool. Their descriptors are taken, too: a log that is opened would get number 1, and
    # what a program below prints would be written into it.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # until the process ends


def _say(message: str) -> None:
    with suppress(OSError):
        sys.stderr.write("workflow-exec: error: " + "\n".join(lines(message)) + "\n")


def _let_go_of_output() -> None:
    # What could not be delivered is not tried again at exit, which would fail once more, and change the exit code.
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _run(argv: Sequence[str] | None) -> int:
    tool = parser()
    arguments = tool.parse_args(argv)
    if arguments.command is None:
        tool.print_help()
        return _USAGE
    module = importlib.import_module(_COMMANDS[arguments.command], __package__)
    # Python keeps some words for itself: `list` is `list_`.
    name = arguments.command if hasattr(module, arguments.command) else f"{arguments.command}_"
    run: Callable[[argparse.Namespace], int] = getattr(module, name)
    code = run(arguments)
    sys.stdout.flush()
    return code


# Loaded when it is wanted: a verdict needs neither tables nor colours.
_COMMANDS = {
    "run": "._run",
    "verify": "._verify",
    "show": "._show",
    "report": "._report",
    "watch": "._watch",
    "runs": "._runs",
    "list": "._list",
    "export": "._export",
    "import": "._import",
    "seal": "._seal",
    "note": "._note",
    "redact": "._redact",
    "review": "._review",
    "pending": "._pending",
    "due": "._due",
    "challenge": "._signed",
    "approve": "._decide",
    "reject": "._decide",
    "require": "._require",
    "attack": "._attack",
    "context": "._context",
    "prune": "._prune",
    "trust": "._trust",
    "policy": "._policy",
    "init": "._init",
    "doctor": "._doctor",
    "schema": "._schema",
    "fleet": "._fleet",
}
"""The module of each command; its function has the command's name."""
