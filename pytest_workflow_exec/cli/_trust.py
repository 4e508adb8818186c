"""`workflow-exec trust`: a copy of the project's policy and signers outside the project, typed by a person."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_workflow_exec.approval import ConfirmationError, confirm
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import PinError
from pytest_workflow_exec.evidence import PinPlace, PinPlaces, find_pin, pin_places, read_pin, remove_pin, write_pin
from pytest_workflow_exec.settings import Pin, Trusted, differences, load_settings, spelled

from ._find import project
from ._text import escape

_SAME, _NONE, _DIFFERS = 0, 3, 4


def trust(arguments: argparse.Namespace, *, places: PinPlaces | None = None) -> int:
    """Pin the project, show its pin or remove it; return 0, or for `--show` 3 without a pin and 4 if it differs.

    Args:
        places: Where pins lie; None for this machine's and this user's.

    Raises:
        ConfirmationError: Nobody gave their word at a terminal; nothing was written.
        PinError: A pin can't be believed, written or removed.
        LogUnreadableError: There is no project here.
        SettingsError: The project's configuration can't be used.
    """
    root = project()
    known = pin_places() if places is None else places
    if arguments.remove:
        return _remove(root, _place(known, for_machine=arguments.system))
    now = load_settings(root).policy.trusted
    if arguments.show:
        return _show(root, now, known)
    return _pin(root, now, known, for_machine=arguments.system)


def _show(root: Path, now: Trusted, places: PinPlaces) -> int:
    pin = find_pin(root, places)
    if pin is None:
        _print([f"project  {root}", "pin      none: the policy is unpinned", "", *spelled(now)])
        return _NONE
    changed = differences(pin.trusted, now)
    said = "the project differs from it:" if changed else "the project is what it holds:"
    shown = changed or spelled(now)
    _print([f"project  {root}", f"pin      {pin}", f"file     {pin.place}", said, "", *shown])
    return _DIFFERS if changed else _SAME


def _pin(root: Path, now: Trusted, places: PinPlaces, *, for_machine: bool) -> int:
    place = _place(places, for_machine=for_machine)
    if not for_machine and (holding := read_pin(root, places.machine)) is not None:
        raise PinError(f"the machine's pin {holding.place} goes first: change that one, as root, with --system")
    pin, problem = _there(root, place)
    if pin is not None and pin.trusted == now:
        _print([f"nothing to do: {pin.place} holds the project's policy and signers, {pin}"])
        return _SAME
    facts: dict[str, Json] = {
        "root": os.fsencode(root).hex(),
        "place": str(place.path_of(root)),
        "now": [*spelled(now)],
    }
    _confirm(list(_about(root, place, pin, problem, now)), facts, verb="trust")
    # What was shown, not what the project says by now.
    _print([f"{place.path_of(root)}: {write_pin(root, place, now)}"])
    return _SAME


def _remove(root: Path, place: PinPlace) -> int:
    pin, problem = _there(root, place)
    if pin is None and problem is None:
        _print([f"there is no pin {place.path_of(root)}"])
        return _NONE
    path = str(place.path_of(root))
    lines = [f"project   {root}", f"pin       {problem or pin}", "Without it nobody sees when the policy is loosened."]
    _confirm(lines, {"root": os.fsencode(root).hex(), "place": path, "remove": True}, verb="remove the pin")
    remove_pin(root, place)
    _print([f"{path} is removed: the policy is unpinned"])
    return _SAME


def _confirm(lines: Iterable[str], facts: dict[str, Json], *, verb: str) -> None:
    try:
        confirm(lines, facts, verb=verb)
    except ConfirmationError as error:
        raise ConfirmationError(f"nothing was written: {error}") from error


def _there(root: Path, place: PinPlace) -> tuple[Pin | None, str | None]:
    # One that can't be believed is replaced or removed by whoever is asked about it.
    try:
        return read_pin(root, place), None
    except PinError as error:
        return None, str(error)


def _about(root: Path, place: PinPlace, pin: Pin | None, problem: str | None, now: Trusted) -> Iterator[str]:
    yield f"project   {root}"
    yield f"pin there {problem or pin or 'none'}"
    yield f"pin to be {place.path_of(root)}"
    if pin is not None:
        yield "What changes:"
        yield from (f"  {line}" for line in differences(pin.trusted, now))
    yield "All that will be trusted:"
    yield from (f"  {line}" for line in spelled(now))


def _place(places: PinPlaces, *, for_machine: bool) -> PinPlace:
    if for_machine:
        return places.machine
    if places.user is None:
        raise PinError("you have no home directory to keep a pin in: use --system, as root")
    return places.user


def _print(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{escape(line)}\n" for line in lines))
