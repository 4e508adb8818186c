"""A run as `show` tells it: each end of a command belongs to one start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.cli._view import RunView
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import EvidenceLog, Record, create_run_directory, new_run_id
from pytest_workflow_exec.redaction import Redactor

Happening = tuple[Literal["start", "end"], str, int]


@pytest.fixture
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvidenceLog]:
    """A new log."""
    run = new_run_id()
    directory = create_run_directory(tmp_path_factory.mktemp("project"), run)
    opened = EvidenceLog.create(directory, run, redactor=Redactor({}), durability="process")
    yield opened
    opened.close()


def _told(log: EvidenceLog, *happened: Happening) -> RunView:
    view = RunView()
    view.take([_record(log, each) for each in happened])
    return view


def _record(log: EvidenceLog, happened: Happening) -> Record:
    what, program, status = happened
    argv: dict[str, Json] = {"argv": [program]}
    if what == "start":
        return log.append(events.command_started("build", attempt=1, facts=argv))
    return log.append(events.command_finished("build", attempt=1, facts={**argv, "exit": status}))


def test_ends_of_equal_commands_belong_to_the_first_that_has_none(log: EvidenceLog) -> None:
    """Of commands with one command line, the one that started first gets the first end."""
    view = _told(log, ("start", "a", 0), ("start", "a", 0), ("start", "b", 0), ("end", "a", 3), ("end", "b", 4))

    assert [command.exit for command in view.commands] == [3, None, 4]
    assert [command.ended is None for command in view.commands] == [False, True, False]


def test_an_end_that_nothing_began_changes_nothing(log: EvidenceLog) -> None:
    """An end without a start, or a second one, is no command's."""
    view = _told(log, ("end", "a", 1), ("start", "a", 0), ("end", "a", 2), ("end", "a", 5))

    assert [command.exit for command in view.commands] == [2]
