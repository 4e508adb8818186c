"""Who has to sign an answer to a gate's question: a part of the question, and the rules of its count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._quorum import QuorumRules, roles_of

_ASSURANCES = {2: "a signature", 3: "a signature of a token that was touched (presence)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRules:
    """Who has to sign, how many of them, when, and who can't."""

    assurance: int
    """2 for a signature, 3 for one of a token that was touched."""
    approvers: Mapping[str, tuple[str, ...]]
    """The principals of each group, as the policy has them."""
    required: int | Mapping[str, int]
    """So many persons of any of the groups, or of which group how many."""
    min_wait_s: float = 0.0
    """How long the question stays open whoever agreed, in seconds."""
    veto: bool = True
    """Whether one rejection ends it."""
    starter_excluded: bool = True
    """Whether who started the run may not approve it."""
    starter: str = ""
    """The principal who signed the start of the run; empty if nobody did."""
    starter_key: str = ""
    """The fingerprint of the key that signed it."""
    refuse_reachable: bool = False
    """Whether a key within the reach of the run's user is worth no more than a code typed at a terminal."""
    in_advance: bool = False
    """Whether signatures count that were made before the question, for the plan that it lets run."""
    break_glass: bool = False
    """Whether a person at the run's terminal may go past all this, by the policy."""

    @property
    def principals(self) -> tuple[str, ...]:
        """Everybody whose word counts, in order."""
        return tuple(sorted({principal for group in self.approvers.values() for principal in group}))

    def to_data(self) -> Mapping[str, Json]:
        """Return the rules as evidence keeps them."""
        return {
            "assurance": self.assurance,
            "approvers": {name: list(group) for name, group in self.approvers.items()},
            "required": self.required if isinstance(self.required, int) else dict(self.required),
            "min_wait_s": self.min_wait_s,
            "veto": self.veto,
            "starter_excluded": self.starter_excluded,
            "starter": self.starter,
            "starter_key": self.starter_key,
            "refuse_reachable": self.refuse_reachable,
            # Without it, a question has the digest that it had before plans could be approved in advance.
            **({"in_advance": True} if self.in_advance else {}),
            # Without it, a question has the digest that it had before there was such a grant.
            **({"break_glass": True} if self.break_glass else {}),
        }

    def quorum(self, *, issued: str, expires: str) -> QuorumRules:
        """Return the rules by which votes are counted.

        Args:
            issued: When the question was asked, UTC in ISO 8601.
            expires: When it can't be answered any more.

        Raises:
            ValueError: They can't be kept.
        """
        begun = moment_of(issued)
        return QuorumRules(
            roles=roles_of({name: frozenset(group) for name, group in self.approvers.items()}, self.required),
            requested_at=begun,
            starter=self.starter if self.starter and self.starter_excluded else None,
            starter_keys=frozenset({self.starter_key} if self.starter_key and self.starter_excluded else ()),
            veto=self.veto,
            min_wait=timedelta(seconds=self.min_wait_s),
            expires=moment_of(expires) - begun,
        )

    def said(self) -> Iterator[str]:
        """Give the rules as a person reads them."""
        yield f"assurance {self.assurance}: {_ASSURANCES.get(self.assurance, 'unknown')}"
        for name, group in self.approvers.items():
            count = f"{self.required[name]} of " if not isinstance(self.required, int) else ""
            yield f"{count}{name}: {', '.join(group)}"
        if isinstance(self.required, int):
            yield f"{self.required} of them must approve"
        yield "one rejection ends it" if self.veto else "a rejection is a vote, and ends it only if too few are left"
        if self.min_wait_s:
            yield f"not before {self.min_wait_s:g} s after it was issued"
        if self.refuse_reachable:
            yield "a key within the reach of the run's user does not count"
        if self.in_advance:
            yield "a plan that was approved in advance goes through without this question"
        if self.break_glass:
            yield "a person at the run's terminal may break the glass, for a reason: the policy grants it"

    def said_of_starter(self) -> str:
        """Return what is known of who started the run."""
        if not self.starter_excluded:
            return "may approve, by the policy"
        if not self.starter:
            return "may not approve, but exclusion unproven: the start of the run was not signed"
        return f"may not approve: {self.starter}, {self.starter_key}, who signed the start of the run"


def moment_of(text: str) -> datetime:
    """Return the moment that a text names, in ISO 8601 with its zone.

    Raises:
        ValueError: It names none.
    """
    # Python 3.10 does not know the Z.
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} is no time with its zone")
    return moment


def rules_of(data: Mapping[str, Json]) -> SignatureRules:
    """Return the rules that evidence holds.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another kind.
        ValueError: They are none that this version writes.
    """
    given = cast("Mapping[str, Any]", data)
    approvers, required = given["approvers"], given["required"]
    rules = SignatureRules(
        assurance=given["assurance"],
        approvers={str(name): tuple(map(str, group)) for name, group in approvers.items()},
        required=required if isinstance(required, int) else {str(name): count for name, count in required.items()},
        min_wait_s=given["min_wait_s"],
        veto=given["veto"],
        starter_excluded=given["starter_excluded"],
        starter=given["starter"],
        starter_key=given["starter_key"],
        refuse_reachable=given["refuse_reachable"],
        in_advance=given.get("in_advance", False),
        break_glass=given.get("break_glass", False),
    )
    flags = (rules.veto, rules.starter_excluded, rules.refuse_reachable, rules.in_advance, rules.break_glass)
    numbers = [rules.required] if isinstance(rules.required, int) else list(rules.required.values())
    is_known = (
        rules.to_data() == data
        and type(rules.assurance) is int
        and rules.assurance in _ASSURANCES
        and all(type(flag) is bool for flag in flags)
        and all(type(number) is int for number in numbers)
        and type(rules.min_wait_s) in (int, float)
        and all(isinstance(text, str) for text in (rules.starter, rules.starter_key))
    )
    if not is_known:
        raise ValueError("the rules of its signatures are none that this version writes")
    return rules
