"""From the command line to one of our functions, and from its errors to words and exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from pytest_workflow_exec.errors import WorkflowExecError

from ._arguments import parser
from ._text import lines

_USAGE = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of the command that `argv` (default: the process's own arguments) asks for."""
    for stream in (sys.stdout, sys.stderr):
        # A log may hold any character; a terminal that can't show one is no reason to fall over.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else _USAGE
    except WorkflowExecError as error:
        sys.stderr.write("workflow-exec: error: " + "\n".join(lines(str(error))) + "\n")
        return _USAGE
    except BrokenPipeError:
        # The reader went away; Python's own flush at exit must not fail on the same pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED


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
