"""The plan and the policy that somebody wants a run to have had, from a digest or from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.settings import load_file

_MAX_BYTES = 64 << 20
_BESIDE_THE_PLAN = frozenset({"digest", "values", "resolved", "problems", "warnings"})
"""What pytest prints with a plan, about it or about what is around it: none of it is part of what its digest is of."""


class WantedError(WorkflowExecError):
    """A file does not say what is wanted."""


def wanted_plan(given: str | Path | None, *, workflow: str | None) -> str | None:
    """Return the digest of the plan that is wanted, if any is.

    Args:
        given: A digest, or a file that holds what `pytest --workflow-plan-json` printed.
        workflow: Whose plan is wanted, of those in the file; None if that is not known.

    Raises:
        WantedError: The file holds no plan that can be used.
    """
    if not isinstance(given, Path):
        return given
    plans = _plans_in(given)
    # A run of a workflow that is not among them has not the plan that is wanted, whichever of them that is.
    printed = plans.get(workflow or "", next(iter(plans.values())))
    plan = {key: value for key, value in printed.items() if key not in _BESIDE_THE_PLAN}
    said = printed.get("digest")
    if not isinstance(said, str) or said != digest_of(plan):
        raise WantedError(f"{given} is not what pytest printed: its plan has another digest than it says")
    return said


def wanted_policy(given: str | Path | None) -> str | None:
    """Return the digest of the policy that is wanted, if any is.

    Args:
        given: A digest, or the file of a configuration; nothing of the project is run.

    Raises:
        SettingsError: The file can't be read, or holds no configuration.
    """
    return load_file(given).policy.digest if isinstance(given, Path) else given


def wanted_approvers(given: str | Path | None) -> Mapping[str, tuple[str, ...]] | None:
    """Return the groups of approvers that are wanted; None if a digest says nothing of them.

    Raises:
        SettingsError: The file can't be read, or holds no configuration.
    """
    return load_file(given).policy.approvers if isinstance(given, Path) else None


def wanted_glass(given: str | Path | None, *, workflow: str | None) -> bool | None:
    """Return whether the policy that is wanted lets a person go past signatures; None if a digest says nothing of it.

    Raises:
        SettingsError: The file can't be read, or holds no configuration.
    """
    if not isinstance(given, Path):
        return None
    policy = load_file(given).policy
    return policy.break_glass or workflow in policy.break_glass_in


def _plans_in(path: Path) -> Mapping[str, Mapping[str, Json]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise WantedError(f"{path} is longer than any plan")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WantedError(f"{path} can't be read: {error}") from error
    # pytest says more than the plan, unless it was told to be quiet.
    start = 0 if text.startswith("{") else text.find("\n{") + 1
    try:
        listed = json.JSONDecoder().raw_decode(text, start)[0]["plans"]
        plans: dict[str, Mapping[str, Json]] = {plan["workflow"]: {**plan} for plan in listed}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WantedError(f"{path} holds no plans as `pytest --workflow-plan-json` prints them") from error
    if not plans:
        raise WantedError(f"{path} holds no plan: pytest selected no workflow when it was printed")
    return plans
