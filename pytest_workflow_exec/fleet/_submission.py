"""What is submitted: which workflow of which commit with which inputs, in the text that its submitter signs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.strict_json import StrictJsonError, parse

from ._errors import FleetRefusedError
from ._project import project_digest

_HEAD = "pytest-workflow-exec submission 1\n"
_ID = re.compile(r"[0-9a-f-]{1,64}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""How queues and groups are called."""
MAX_PRIORITY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One run that is wanted."""

    id: str
    queue: str
    team: str
    """Of which group's runs only so many go on at once."""
    priority: int
    """The lower, the earlier; from 1."""
    workflow: str
    file: str
    """Its file, from the project's root."""
    inputs: Mapping[str, str]
    """As they would be typed on the command line."""
    plan: str
    """The digest of the plan, in hex."""
    commit: str
    lock: str
    policy: str
    place: str
    """Where in its repository the project is."""

    @property
    def digest(self) -> str:
        """The digest of the project that it is for."""
        return project_digest(commit=self.commit, lock=self.lock, policy=self.policy, place=self.place)

    def content(self) -> str:
        """Return the text that is signed: ASCII, one canonical spelling."""
        return f"{_HEAD}{canonical_json(asdict(self))}\n"


def submission_in(content: str) -> Submission:
    """Return the submission in a text.

    Raises:
        FleetRefusedError: It is none as it is written here.
    """
    head, data = content[: len(_HEAD)], content[len(_HEAD) :]
    try:
        found = _submission(parse(data))
    except (StrictJsonError, TypeError, ValueError, KeyError) as error:
        raise FleetRefusedError("it is no submission as `workflow-exec fleet submit` writes it") from error
    if head != _HEAD or found.content() != content:
        raise FleetRefusedError("it is no submission as `workflow-exec fleet submit` writes it")
    return found


def _submission(data: Json) -> Submission:
    names = {field.name for field in fields(Submission)}
    if not isinstance(data, Mapping) or set(data) != names:
        raise TypeError
    texts = {name: data[name] for name in names - {"inputs", "priority"}}
    inputs, priority = data["inputs"], data["priority"]
    if not all(isinstance(text, str) for text in texts.values()) or type(priority) is not int:
        raise TypeError
    if not isinstance(inputs, Mapping) or not all(isinstance(text, str) for text in inputs.values()):
        raise TypeError
    found = Submission(**{**texts, "inputs": inputs, "priority": priority})  # type: ignore[arg-type]  # as looked at above
    _demand_form(found)
    return found


def _demand_form(found: Submission) -> None:
    digests = (found.plan, found.lock, found.policy)
    inside = (found.file, found.place)
    if (
        not _ID.fullmatch(found.id)
        or not _COMMIT.fullmatch(found.commit)
        or not all(_SHA256.fullmatch(digest) for digest in digests)
        or not all(NAME.fullmatch(name) for name in (found.queue, found.team))
        or not 1 <= found.priority <= MAX_PRIORITY
        or any(path.startswith("/") or ".." in path.split("/") or "\0" in path for path in inside)
        or any(not name or "=" in name or "\0" in name + text for name, text in found.inputs.items())
    ):
        raise ValueError
