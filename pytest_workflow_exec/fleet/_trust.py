"""Whose submissions count: signatures of people whom the pin of this host's own project lists."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.errors import PinError
from pytest_workflow_exec.evidence import find_pin, pin_places, remove_pin, write_pin
from pytest_workflow_exec.settings import Pin, differences

from ._errors import FleetError, FleetRefusedError
from ._project import ProjectState

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Trust
    from pytest_workflow_exec.approval.signature import PublicKey

UNSIGNED = "unsigned"


def pin_of(project: ProjectState) -> Pin | None:
    """Return the pin of a host's own project; None if there is none.

    Raises:
        FleetError: It says something else than the project does, or can't be believed.
    """
    try:
        pin = find_pin(project.root, pin_places())
    except PinError as error:
        raise FleetError(str(error)) from error
    if pin is not None and differences(pin.trusted, project.settings.policy.trusted):
        raise FleetError(
            f"the project's policy or signers are not what {pin.place} holds: `workflow-exec trust` shows what differs"
        )
    return pin


def submitter_of(content: str, armor: str, project: ProjectState, *, may_be_unsigned: bool) -> str:
    """Return who submitted something, proven by a signature, or `unsigned`.

    Raises:
        FleetRefusedError: Nobody did whose signature counts.
    """
    if not armor:
        if may_be_unsigned:
            return UNSIGNED
        raise FleetRefusedError("it is not signed: give `workflow-exec fleet submit` a --key")
    from pytest_workflow_exec.approval import NAMESPACE
    from pytest_workflow_exec.approval.signature import (
        SignatureRefusedError,
        SignatureToolError,
        read_signature,
        verify_signature,
    )

    trust = _trust(project)
    try:
        key = read_signature(armor).key
        names = _names(key, trust)
        allowed = sorted(names & _submitters(project, trust))
        if not allowed:
            who = ", ".join(sorted(names)) or "nobody that is listed"
            raise FleetRefusedError(f"its key belongs to {who}, who may not submit here")
        verify_signature(
            content.encode("ascii"),
            armor,
            principal=allowed[0],
            namespace=NAMESPACE,
            signers=trust.signers,
            at=datetime.now(timezone.utc),
            revoked=trust.revoked,
        )
    except (SignatureRefusedError, SignatureToolError, UnicodeEncodeError) as error:
        raise FleetRefusedError(f"its signature does not count: {error}") from error
    return allowed[0]


def names_of_key(armor: str, project: ProjectState) -> frozenset[str]:
    """Return whose key made a signature, by the list of signers; whether it is good is judged elsewhere."""
    from pytest_workflow_exec.approval.signature import SignatureRefusedError, read_signature

    try:
        key, trust = read_signature(armor).key, _trust(project)
    except (SignatureRefusedError, FleetError):
        return frozenset()
    return _names(key, trust)


def pin_checkout(root: Path, pin: Pin | None) -> None:
    """Pin a checkout as the project that it is of is pinned; nothing if that is not.

    Raises:
        FleetError: It can't be written.
    """
    if pin is None:
        return
    place = pin_places().user
    if place is None:
        raise FleetError("this user has no home, so that no checkout can be pinned")
    try:
        write_pin(root, place, pin.trusted)
    except PinError as error:
        raise FleetError(str(error)) from error


def unpin_checkout(root: Path, pin: Pin | None) -> None:
    """Remove the pin of a checkout.

    Raises:
        FleetError: It can't be removed.
    """
    place = pin_places().user
    if pin is None or place is None:
        return
    try:
        remove_pin(root, place)
        place.path_of(root).parent.rmdir()
    except FileNotFoundError:
        return
    except OSError:
        # Something else lies beside the pin, and is somebody's.
        return
    except PinError as error:
        raise FleetError(str(error)) from error


def _names(key: PublicKey, trust: Trust) -> frozenset[str]:
    return frozenset(
        name for line in trust.signers.signers if line.key.blob == key.blob for name in line.principals.plain_names()
    )


def _trust(project: ProjectState) -> Trust:
    from pytest_workflow_exec.run import trust_in

    pin = pin_of(project)
    if pin is None:
        raise FleetRefusedError(
            f"{project.root} is not pinned here, so that nobody's signature counts: workflow-exec trust"
        )
    try:
        return trust_in(pin)
    except PinError as error:
        raise FleetRefusedError(str(error)) from error


def _submitters(project: ProjectState, trust: Trust) -> set[str]:
    policy = project.settings.policy
    if policy.submitters:
        return {name for group in policy.submitters for name in policy.approvers.get(group, ())}
    return {name for line in trust.signers.signers for name in line.principals.plain_names()}
