"""`workflow-exec attack`: tries to get past gates, policy and evidence, as the project's configuration holds them."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import PinPlaces, find_pin, pin_places
from pytest_workflow_exec.settings import differences, load_settings

from ._attacks import ATTEMPTS, PRESENCE, Attempt, Present, ScratchError, Tried, present, scratch_for, tried
from ._find import project
from ._text import escape

_AS_DOCUMENTED, _GOT_THROUGH = 0, 1
_SIGNALLED = 128
_WIDTH, _INDENT = 100, 15


def attack(
    arguments: argparse.Namespace, *, places: PinPlaces | None = None, attempts: Sequence[Attempt] = ATTEMPTS
) -> int:
    """Make every attempt and print what came of it; return 0 if all is as documented, else 1.

    Args:
        places: Where the project's own pin lies; None for this machine's and this user's.
        attempts: What is tried.

    Raises:
        LogUnreadableError: There is no project here.
        SettingsError: Its configuration can't be used.
        PinError: Its pin can't be believed, or none can be made for the scratch project.
        ScratchError: Nothing can be tried here.
    """
    settings = load_settings(project())
    pin = find_pin(settings.root, pin_places() if places is None else places)
    if pin is not None and differences(pin.trusted, settings.policy.trusted):
        raise ScratchError("the project is not what its pin holds, and no run begins: `workflow-exec trust --show`")
    now = present(settings, pin=pin)
    done = list[Tried]()
    with _ended_in_order(), scratch_for(now) as scratch:
        scratch.demand_running()
        for number, each in enumerate(attempts, start=1):
            _progress(f"{number}/{len(attempts)} {each.name}")
            done.append(tried(each, scratch, now))
    _progress("")
    if arguments.json:
        sys.stdout.write(json.dumps(_data(now, done), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{escape(line)}\n" for line in _lines(now, done))
    return _AS_DOCUMENTED if all(each.is_as_documented for each in done) else _GOT_THROUGH


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let a process that is told to end take back what it made: its pin lies where the user's own are."""

    def end(number: int, _: object) -> None:
        raise SystemExit(_SIGNALLED + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress(text: str) -> None:
    # It takes a minute; but what is no terminal keeps every line.
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{escape(text)}")
        sys.stderr.flush()


def _data(now: Present, done: Sequence[Tried]) -> Json:
    return {
        "project": str(now.settings.root),
        "policy": now.settings.policy.digest,
        "pin": now.pin,
        "signers": now.signers,
        "level": now.level,
        "as_documented": all(each.is_as_documented for each in done),
        "attempts": [each.to_data() for each in done],
        "not_tried_here": PRESENCE,
    }


def _lines(now: Present, done: Sequence[Tried]) -> Iterator[str]:
    yield f"policy {now.settings.policy.digest}, {now.pin}; signers {now.signers}; commands at level {now.level}"
    headings = {1: "gates at assurance 1, terminal", 2: "gates at assurance 2, signature", 0: "policy and evidence"}
    for assurance, heading in headings.items():
        yield heading
        for each in done:
            if each.attempt.assurance == assurance:
                yield from _said(each)
    yield PRESENCE
    wrong = [each.attempt.name for each in done if not each.is_as_documented]
    known = sum(each.result.outcome == "not stopped" for each in done if each.is_as_documented)
    if wrong:
        yield f"{len(wrong)} of {len(done)} not as documented: {'; '.join(wrong)}"
    else:
        yield f"all as documented: {known} of {len(done)} not stopped, as docs/threat-model.md says"


def _said(each: Tried) -> Iterator[str]:
    mark = "" if each.is_as_documented else f"  <-- documented: {each.documented}"
    yield f"  {each.result.outcome:<{_INDENT}}{each.attempt.name}{mark}"
    yield from textwrap.wrap(
        each.result.says, width=_WIDTH, initial_indent=" " * (_INDENT + 2), subsequent_indent=" " * (_INDENT + 2)
    )
