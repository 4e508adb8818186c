"""A pin: a copy of a project's policy and keys, kept where nobody who can edit the project can edit it, as a text."""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.digests import Json, canonical_json, digest_of_bytes
from pytest_workflow_exec.errors import PinError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._values import SignersFile, Trusted

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What somebody trusted, who and when."""

    trusted: Trusted
    root: str
    """The project's real path."""
    by: str
    """Who pinned it, by the system's word."""
    at: str
    """When, UTC."""
    place: Path
    """Where it was read from."""
    for_machine: bool
    """Whether it is the machine's own, which only root can change; else it is its user's."""
    digest: str
    """SHA-256 of the whole pin, in hex."""

    def __str__(self) -> str:
        """Return it in one line, as a gate and the evidence say it."""
        whose = "for this machine " if self.for_machine else ""
        return f"pinned {whose}by {self.by} {self.at} sha256 {self.digest}"


def pin_content(trusted: Trusted, *, root: str, by: str, at: str) -> bytes:
    """Return a pin as its file holds it: one canonical spelling."""
    fields: Mapping[str, Json] = {
        "v": _VERSION,
        "root": root,
        "policy": json.loads(trusted.policy),
        "policy_sha256": digest_of_bytes(trusted.policy.encode("ascii")),
        "signers": _file_data(trusted.signers),
        "revoked": _file_data(trusted.revoked),
        "by": by,
        "at": at,
    }
    return canonical_json(fields).encode("ascii") + b"\n"


def parse_pin(content: bytes, *, root: str, place: Path, for_machine: bool) -> Pin:
    """Return the pin that a file holds.

    Args:
        root: The real path of the project that it has to be of.
        place: The file.
        for_machine: Whether it is the machine's own.

    Raises:
        PinError: It is damaged, or of another project.
    """
    try:
        fields = json.loads(content.decode("ascii"))
        pin = Pin(
            trusted=Trusted(
                policy=canonical_json(fields["policy"]),
                signers=_file(fields["signers"]),
                revoked=_file(fields["revoked"]),
            ),
            root=fields["root"],
            by=fields["by"],
            at=fields["at"],
            place=place,
            for_machine=for_machine,
            digest=digest_of_bytes(content),
        )
        # Nothing is in it that was not understood, nothing is spelled in another way, and every digest fits.
        is_whole = pin_content(pin.trusted, root=pin.root, by=pin.by, at=pin.at) == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PinError(f"the pin {place} can't be used: it is no pin, or was changed") from error
    texts = (pin.root, pin.by, pin.at)
    if not is_whole or not all(isinstance(text, str) for text in texts) or not isinstance(fields["policy"], dict):
        raise PinError(f"the pin {place} can't be used: it is no pin, or was changed")
    if pin.root != root:
        raise PinError(f"the pin {place} can't be used: it is of the project {pin.root!r}, not of {root!r}")
    return pin


def differences(pinned: Trusted, now: Trusted) -> Sequence[str]:
    """Return what differs between a pin and the project, as the lines of a unified diff; none if they are the same.

    The lines are as they are: whoever shows them makes them harmless.
    """
    return list(difflib.unified_diff(spelled(pinned), spelled(now), "the pin", "the project", lineterm=""))


def spelled(trusted: Trusted) -> Sequence[str]:
    """Return all that is trusted in lines, as they are: whoever shows them makes them harmless."""
    policy = json.dumps(json.loads(trusted.policy), sort_keys=True, indent=2, ensure_ascii=True).split("\n")
    return ["policy", *policy, *_spelled_file("signers", trusted.signers), *_spelled_file("revoked", trusted.revoked)]


def _spelled_file(what: str, file: SignersFile | None) -> Sequence[str]:
    if file is None:
        return [f"{what}: none"]
    # With the digest: a difference that no line shows is seen, too.
    head = f"{what}: {file.path} sha256 {file.sha256}"
    try:
        return [head, *file.content.decode("utf-8").split("\n")]
    except UnicodeDecodeError:
        return [head, f"({len(file.content)} bytes that are no text)"]


def _file_data(file: SignersFile | None) -> Json:
    if file is None:
        return None
    return {"path": file.path, "sha256": file.sha256, "base64": base64.b64encode(file.content).decode("ascii")}


def _file(data: Mapping[str, str] | None) -> SignersFile | None:
    if data is None:
        return None
    return SignersFile(path=data["path"], content=base64.b64decode(data["base64"], validate=True))
