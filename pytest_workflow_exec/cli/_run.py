"""`workflow-exec run`: pytest in a process below this one, whose exit status counts only as far as the evidence bears it."""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.verify import Verdict, verify_log

from ._text import escape

_NOT_HELD = 1
_SIGNALLED = 128
_TICK_S = 0.2
_MAX_QUESTION_BYTES = 1 << 16


class RunError(WorkflowExecError):
    """What is to be run can't be supervised."""


def run(arguments: argparse.Namespace) -> int:
    """Run pytest, and return its status; 0 only if each run that it began or went on with has ended, and passed.

    Raises:
        RunError: It can't be started.
    """
    if sys.platform == "win32":
        raise RunError("workflows run on Linux and macOS")
    given: Sequence[str] = arguments.arguments
    if not given or given[0] in ("-h", "--help"):
        raise RunError(
            "name the workflow's file, or its folder, and what else pytest is to be told: workflow-exec run FILE -s"
        )
    if any(each.split("=")[0] == "--workflow-witness" for each in given):
        raise RunError("--workflow-witness is what workflow-exec run gives to pytest itself: leave it away")
    status, heads = _watched(given)
    if status != 0:
        return status
    problems = list(_problems(heads))
    for problem in problems:
        # Whatever ended pytest left its last line as it was.
        sys.stderr.write(f"\nworkflow-exec: NOT PASSED, though pytest exited with 0: {escape(problem)}\n")
    return _NOT_HELD if problems else 0


def _watched(given: Sequence[str]) -> tuple[int, Mapping[Path, str]]:
    """Return how pytest exited, and the last head of each log that it wrote to, as it told them on the way."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-m", "pytest", *given, f"--workflow-witness={theirs.fileno()}"]
        try:
            child = subprocess.Popen(command, pass_fds=(theirs.fileno(),))  # noqa: S603  # this interpreter
        except OSError as error:
            raise RunError(f"pytest can't be started: {error.strerror}") from error
        with _passing_signals_on(child):
            theirs.close()
            heads = _heads_told(child, ours)
            status = child.wait()
    return (_SIGNALLED - status if status < 0 else status), heads


@contextlib.contextmanager
def _passing_signals_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    # What the terminal sends, pytest gets as well: passed on, a second Ctrl-C would cut `finally:` short.
    handlers = {kind: signal.signal(kind, lambda *_: None) for kind in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)}
    handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM))
    try:
        yield
    finally:
        for kind, handler in handlers.items():
            signal.signal(kind, handler)


def _heads_told(child: subprocess.Popen[bytes], ours: socket.socket) -> Mapping[Path, str]:
    heads: dict[Path, str] = {}
    buffer = b""
    while True:
        ended = child.poll() is not None
        if not select.select([ours], [], [], 0 if ended else _TICK_S)[0]:
            if ended:
                return heads
            continue
        try:
            chunk = ours.recv(_MAX_QUESTION_BYTES)
        except ConnectionError:
            chunk = b""
        if not chunk:
            # Nothing is asked any more, and nothing goes on that would have to be.
            return heads
        buffer += chunk
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            try:
                question = json.loads(line)
                number, log, head = int(question["n"]), Path(question["log"]), str(question["hash"])
            except (ValueError, KeyError, TypeError):
                # Something else speaks there. Whoever waits for an answer has none, and does not go on.
                ours.close()
                return heads
            heads[log] = head
            with contextlib.suppress(OSError):
                ours.sendall(f"ok {number}\n".encode("ascii"))


def _problems(heads: Mapping[Path, str]) -> Iterator[str]:
    """Give what is missing of runs that passed."""
    if not heads:
        yield (
            "it ran no workflow to an end. Name its file, or its folder; what only lists, plans or collects is for pytest "
            "itself"
        )
    for log, head in heads.items():
        verdict = _judged(log, head)
        if isinstance(verdict, str):
            yield verdict
        elif not _is_done(verdict):
            yield _said(verdict, log)


def _judged(log: Path, head: str) -> Verdict | str:
    try:
        return verify_log(log, expect_head=head)
    except WorkflowExecError as error:
        return f"{log}: {error}"


def _is_done(verdict: Verdict) -> bool:
    # Stopped as `--workflow-until` asked, it is whole as far as it goes; `verify` says so with a code of its own.
    return verdict.exit_code == 0 or (verdict.result == "partial" and verdict.word == "not passed")


def _said(verdict: Verdict, log: Path) -> str:
    run = verdict.run or log.parent.name
    if verdict.word == "bounded" and verdict.result is None:
        return (
            f"run {run} of workflow {verdict.workflow!r} has no end: its process ended in the middle of it, as with "
            f"os._exit(). `workflow-exec show {run}` says where; pytest with --workflow-resume goes on"
        )
    return f"run {run} of workflow {verdict.workflow!r} is {verdict.word}: {verdict.message}"
