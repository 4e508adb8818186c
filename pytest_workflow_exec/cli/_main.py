"""What stands on the command line, and which of our functions that means."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError, SettingsError, WorkflowExecError
from pytest_workflow_exec.evidence import find_run
from pytest_workflow_exec.settings import find_project

from ._text import lines

_DISTRIBUTION = "pytest-workflow-exec"
_USAGE = 2
_INTERRUPTED = 130
_RUN_HELP = "a run's id, the unique beginning of one, 'latest', or the path of a run's folder or log"


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
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return _USAGE
    log = _find(arguments.run)
    if arguments.command == "verify":
        from ._verify import verify

        code = verify(log, expect_head=arguments.expect_head, chain_only=arguments.chain_only, as_json=arguments.json)
    else:
        from ._show import show

        code = show(log, as_json=arguments.json)
    sys.stdout.flush()
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workflow-exec", description="Look at the evidence of workflow runs.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"workflow-exec {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    verify = commands.add_parser(
        "verify",
        allow_abbrev=False,
        help="say whether a run's evidence can be believed",
        description="Say whether a run's evidence can be believed. Exit codes: 0 verified, 1 broken, 2 unreadable or "
        "usage, 3 bounded (intact, but unfinished or not anchored), 4 not passed, 5 ends in a torn tail.",
    )
    verify.add_argument("run", metavar="RUN", help=_RUN_HELP)
    verify.add_argument("--expect-head", metavar="HASH", type=_hash, help="the head that pytest printed last")
    verify.add_argument("--chain-only", action="store_true", help="look at the chain alone; never better than bounded")
    verify.add_argument("--json", action="store_true", help="print the verdict as JSON")
    show = commands.add_parser(
        "show", allow_abbrev=False, help="show what happened in a run", description="Show what happened in a run."
    )
    show.add_argument("run", metavar="RUN", help=_RUN_HELP)
    show.add_argument("--json", action="store_true", help="print it as JSON")
    return parser


def _find(reference: str) -> Path:
    # A run's path needs no project: a project that can't be read only matters if nothing else was found.
    root, problem = None, None
    try:
        root = find_project(Path.cwd())
    except (SettingsError, OSError) as error:
        problem = error
    try:
        return find_run(reference, root=root)
    except LogUnreadableError as error:
        if problem is None:
            raise
        raise LogUnreadableError(f"{error}\n{problem}") from error


def _hash(text: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", text.lower(), re.ASCII):
        return text.lower()
    raise argparse.ArgumentTypeError("a head is the whole hash: 64 hexadecimal digits")


def _version() -> str:
    try:
        return importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown (not installed)"
