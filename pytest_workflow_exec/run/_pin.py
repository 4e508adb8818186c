"""The pin of a workflow's project: found before the run, compared, said, and looked at again before an approval is used."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_workflow_exec.errors import PinError, SettingsError
from pytest_workflow_exec.evidence import PinPlaces, pin_places, read_pin
from pytest_workflow_exec.model import Workflow
from pytest_workflow_exec.sandbox import Policy
from pytest_workflow_exec.settings import Pin, Trusted, differences, load_settings

UNPINNED = "unpinned"
_MAX_LINES = 100
_MAX_LINE_CHARACTERS = 500


def demanded_pin(workflow: Workflow, trusted: Trusted, *, places: PinPlaces | None = None) -> Pin | None:
    """Return the pin that holds for a workflow; None if there is none.

    Args:
        trusted: What the project says now.
        places: Where pins lie; None for this machine's and this user's.

    Raises:
        PinError: It says something else than the project does, can't be believed, or is of another folder: somebody
            moved the project's configuration to or from a folder in between.
    """
    found = _nearest(workflow, pin_places() if places is None else places)
    if found is None:
        return None
    folder, pin = found
    if folder != os.path.realpath(workflow.root):
        raise PinError(
            f"{folder} is a pinned project ({pin.place}), and {workflow.file} now belongs to the project "
            f"{workflow.root} instead. Look at what made it one; `workflow-exec trust` there pins it."
        )
    if changed := differences(pin.trusted, trusted):
        shown = "\n".join(f"    {line}" for line in bounded(changed))
        raise PinError(
            f"the project's policy or signers are not what {pin.place} holds, {pin}:\n{shown}\n"
            f"  Undo the change, or look at it and pin it with `workflow-exec trust{_option(pin)}`."
        )
    return pin


def pin_text(policy: Policy) -> str:
    """Return what a gate and the evidence say of the pin."""
    return UNPINNED if policy.pin is None else str(policy.pin)


def signers_text(policy: Policy) -> str:
    """Return what a gate and the evidence say of the lists of keys."""
    named = (("", policy.trusted.signers), ("revoked: ", policy.trusted.revoked))
    return ", ".join(f"{word}{file.path} sha256 {file.sha256}" for word, file in named if file is not None) or "none"


def changed_trust(workflow: Workflow, policy: Policy) -> Sequence[str]:
    """Return what is not any more as it was when the run began, as a person calls it."""
    return list(_changed(workflow, policy))


def bounded(lines: Sequence[str]) -> Iterator[str]:
    """Give lines of strangers made harmless, and no more of them than a message can hold."""
    from pytest_workflow_exec.approval import escape_line

    for line in lines[:_MAX_LINES]:
        yield escape_line(line, max_chars=_MAX_LINE_CHARACTERS)
    if len(lines) > _MAX_LINES:
        yield f"[... {len(lines) - _MAX_LINES} more lines]"


def _changed(workflow: Workflow, policy: Policy) -> Iterator[str]:
    try:
        now = load_settings(workflow.root).policy.trusted
    except SettingsError:
        yield "the project's configuration"
        return
    if now.policy != policy.trusted.policy:
        yield "the policy"
    if (now.signers, now.revoked) != (policy.trusted.signers, policy.trusted.revoked):
        yield "the signers"
    try:
        found = _nearest(workflow, pin_places())
    except PinError:
        yield "the pin"
        return
    if (None if found is None else found[1].digest) != (None if policy.pin is None else policy.pin.digest):
        yield "the pin"


def _nearest(workflow: Workflow, places: PinPlaces) -> tuple[str, Pin] | None:
    """Return the pinned folder nearest to a workflow's file, and its pin: of the machine's pins, else of the user's."""
    for place in places.all:
        for folder in _folders(workflow):
            if (pin := read_pin(Path(folder), place)) is not None:
                return folder, pin
    return None


def _folders(workflow: Workflow) -> Iterator[str]:
    # Not only the project's own: with a configuration that is added or removed, another folder becomes the project.
    here = workflow.file.parent
    yield from dict.fromkeys(os.path.realpath(folder) for folder in (here, *here.parents))


def _option(pin: Pin) -> str:
    return " --system" if pin.for_machine else ""
