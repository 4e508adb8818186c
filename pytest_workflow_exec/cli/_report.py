"""`workflow-exec report`: a run as one page of HTML, or an index of all runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError, WorkflowExecError
from pytest_workflow_exec.evidence import STATE_DIRECTORY, KnownRun, list_runs, read_ledgers, read_log, state_directory
from pytest_workflow_exec.report import RunLine, RunStory, index_page, moment, raw_records, run_page
from pytest_workflow_exec.verify import Verdict, verify_log

from ._find import log_of, project
from ._page_file import put_page
from ._text import escape

_READABLE, _BROKEN = 0, 1
_NOT_BELIEVED = frozenset({"broken", "unreadable"})
_FOLDER = "reports"


class ReportError(WorkflowExecError):
    """A page can't be made as it was asked for."""


def report(arguments: argparse.Namespace) -> int:
    """Write a page; return 0, or 1 if a log is broken or unreadable.

    Raises:
        ReportError: What is asked for does not go together, or there is no place for the page.
        PageFileError: The page can't be written.
        TemplatesMissingError: Jinja2 is not installed.
        LogUnreadableError: There is no such run.
    """
    if arguments.all == (arguments.run is not None):
        raise ReportError("give one RUN, or --all for an index of all runs")
    anchors = (arguments.expect_head, arguments.signers, arguments.revoked)
    if arguments.all and any(each is not None for each in anchors):
        raise ReportError("--expect-head, --signers and --revoked are for the page of one run")
    if arguments.revoked is not None and arguments.signers is None:
        raise ReportError("--revoked is for the keys of --signers: give both")
    code, page = _index(arguments) if arguments.all else _run(arguments)
    if arguments.open:
        import webbrowser

        if not webbrowser.open(page.resolve().as_uri()):
            sys.stderr.write("workflow-exec: no browser could be started; open the page yourself\n")
    return code


def _run(arguments: argparse.Namespace) -> tuple[int, Path]:
    log = log_of(arguments.run)
    place = arguments.html or _place_of(log)
    verdict = verify_log(log, expect_head=arguments.expect_head, signers=arguments.signers, revoked=arguments.revoked)
    story, problem = _story_of(log)
    put_page(run_page(story, verdict, raw_records(log), problem=problem), place, own_folder=arguments.html is None)
    sys.stdout.write(f"report    {escape(str(place))}\nevidence  {verdict.word}: {escape(verdict.message)}\n")
    return _code_of(verdict, problem), place


def _index(arguments: argparse.Namespace) -> tuple[int, Path]:
    root = project()
    place = arguments.html or state_directory(root) / _FOLDER / "index.html"
    known, ledgers = list_runs(root), read_ledgers(root)
    lines = list(_lines(known, place.parent))
    put_page(index_page(lines, problems=ledgers.problems), place, own_folder=arguments.html is None)
    sys.stdout.write(f"report    {escape(str(place))}\nruns      {len(lines)}\n")
    broken = any(line.verdict in _NOT_BELIEVED or line.problem for line in lines)
    return _BROKEN if broken else _READABLE, place


def _lines(known: tuple[KnownRun, ...], folder: Path) -> Iterator[RunLine]:
    for run in known:
        verdict, story, problem = None, RunStory(), ""
        if run.directory is not None:
            log = log_of(str(run.directory))
            verdict = verify_log(log)
            story, problem = _story_of(log)
        begin, end = moment(run.started), moment(story.finished)
        yield RunLine(
            run=run.run,
            workflow=run.workflow or "unknown",
            verdict=verdict.word if verdict else "no log",
            result=run.result or "not finished",
            started=run.started,
            duration_s=None if begin is None or end is None else max(end - begin, 0.0),
            steps={step.id: step.outcome for step in story.steps.values()},
            page=f"{run.run}.html" if (folder / f"{run.run}.html").is_file() else None,
            problem="; ".join(filter(None, (problem, *run.problems))),
        )


def _story_of(log: Path) -> tuple[RunStory, str]:
    story = RunStory()
    try:
        story.take(read_log(log))
    except LogUnreadableError as error:
        return story, str(error)
    return story, ""


def _code_of(verdict: Verdict, problem: str) -> int:
    return _BROKEN if problem or verdict.word in _NOT_BELIEVED else _READABLE


def _place_of(log: Path) -> Path:
    folder = log.absolute().parent
    if folder.parent.parent.name != STATE_DIRECTORY:
        raise ReportError(f"{log} lies in no project's {STATE_DIRECTORY}: say where the page goes, with --html FILE")
    return log.parent.parent.parent / _FOLDER / f"{folder.name}.html"
