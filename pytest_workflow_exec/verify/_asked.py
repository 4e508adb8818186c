"""What the verifier wants of a run beyond its having passed: which plan, which policy, what its approvals are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._verdict import EXIT_CODES, Verdict, glass_said

_STANDS = frozenset({"broken", "unreadable", "not passed"})
"""Verdicts that say more than that something else was wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the verifier supplies; None where nothing is wanted."""

    plan: str | None = None
    """SHA-256 of the plan that the run must have followed last, in hex."""
    policy: str | None = None
    """SHA-256 of the policy that every session of it must have run under, in hex."""
    approvers: Mapping[str, tuple[str, ...]] | None = None
    """The groups of approvers that the policy has."""
    glass_granted: bool | None = None
    """Whether the policy lets a person go past signatures."""
    min_assurance: int | None = None
    """What each decision that let anything go on must be worth at least."""


def held_to(verdict: Verdict, asked: Asked) -> Verdict:
    """Return the verdict on a run that has to be what was asked for, too."""
    if verdict.word in _STANDS:
        return verdict
    differences = list(_differences(verdict, asked))
    if differences:
        message = "the run is not what was asked for: " + "; ".join(differences)
        return replace(verdict, exit_code=EXIT_CODES["not as asked"], word="not as asked", message=message)
    return verdict


def _differences(verdict: Verdict, asked: Asked) -> Iterator[str]:
    if asked.plan is not None and verdict.plan_digest != asked.plan:
        yield f"its plan is {verdict.plan_digest or 'not known'}, not {asked.plan}"
    yield from _past_signatures(verdict, asked)
    if asked.policy is not None and set(verdict.policies) != {asked.policy}:
        yield f"it ran under policy {' and '.join(verdict.policies) or 'not known'}, not {asked.policy}"
    if asked.approvers is not None:
        for name, group in verdict.asked_of:
            # A group of the policy has no spaces in its name: another one is everybody who was listed.
            if " " not in name and sorted(asked.approvers.get(name, ())) != list(group):
                yield f"its approvers {name} ({', '.join(group)}) are not those of your policy"
    if asked.min_assurance is None:
        return
    if verdict.chain_only:
        yield "what its approvals are worth was not read"
    elif verdict.assurance is None and asked.min_assurance:
        yield f"no approval let anything go on in it, and one worth {asked.min_assurance} or more was asked for"
    elif verdict.assurance is not None and verdict.assurance < asked.min_assurance:
        why = "".join(f" ({doubt})" for doubt in verdict.doubts)
        yield f"an approval in it is worth {verdict.assurance}, not {asked.min_assurance} or more{why}"


def _past_signatures(verdict: Verdict, asked: Asked) -> Iterator[str]:
    if verdict.broken_glass and asked.plan is not None:
        yield f"its plan wants signatures, and {glass_said(verdict.broken_glass)}"
    if verdict.broken_glass and asked.glass_granted is False:
        yield f"your policy lets nobody go past signatures, and {glass_said(verdict.broken_glass)}"
