"""`workflow-exec context`: which CLAUDE.md files matter for a piece of work, and why."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.context import Context, ContextError, Query, load_context
from pytest_workflow_exec.model import DEFAULT_CONTEXT_TOKENS

from ._find import project_of
from ._text import escape, lines


def context(arguments: argparse.Namespace) -> int:
    """Print what is loaded, or with `--explain` why; return 0.

    Raises:
        ContextError: The place is not there, or what is required can't be loaded whole.
        LogUnreadableError: There is no project.
        SettingsError: A configuration file on the way can't be read.
    """
    found = load_context(*_places(arguments.path), _query(arguments))
    if arguments.json:
        sys.stdout.write(json.dumps({**found.to_data(), "text": found.text}, indent=2, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.write("".join(f"{line}\n" for line in _explained(found)) if arguments.explain else _text(found))
    sys.stdout.flush()
    for warning in found.warnings:
        sys.stderr.write(f"workflow-exec: warning: {escape(warning)}\n")
    return 0


def _text(found: Context) -> str:
    # A prompt gets what the files hold; a terminal gets nothing that acts on it.
    return "".join(f"{line}\n" for line in lines(found.text)) if sys.stdout.isatty() else found.text


def _places(path: Path | None) -> tuple[Path, Path]:
    at = Path.cwd() if path is None else path.absolute()
    if not at.exists():
        raise ContextError(f"there is nothing at {path}")
    folder = at if at.is_dir() else at.parent
    return project_of(folder), folder


def _query(arguments: argparse.Namespace) -> Query:
    most = DEFAULT_CONTEXT_TOKENS if arguments.max_tokens is None else arguments.max_tokens
    try:
        return Query(
            task_type=arguments.task_type,
            keywords=tuple(arguments.keyword),
            max_tokens=most,
            required=tuple(arguments.require),
        )
    except ValueError as error:
        raise ContextError(str(error)) from error


def _explained(found: Context) -> Iterator[str]:
    paths = [*(file.path for file in found.files), *(omitted.path for omitted in found.omitted)]
    width = max((len(escape(path)) for path in paths), default=0)
    for file in found.files:
        cut = "" if file.cut is None else f", without its last {file.cut.sections} of {file.cut.of_sections} sections"
        path = escape(file.path).ljust(width)
        yield f"loaded   {path}  {file.tokens:>6} tokens  {escape(file.reason)}{cut}"
    for omitted in found.omitted:
        yield f"omitted  {escape(omitted.path).ljust(width)}  {'':>6}         {escape(omitted.reason)}"
    yield f"{found.tokens} of {found.max_tokens} tokens, estimated"
