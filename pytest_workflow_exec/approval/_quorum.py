"""Several eyes: whether the decisions of several persons are an approval, by rules that know no files and no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._seats import Person, persons_of, seated

_NOW = timedelta(0)
_MAX_REQUIRED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One kind of approver, and how many of them must agree."""

    name: str
    principals: frozenset[str]
    required: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumRules:
    """Who must agree, and when.

    Raises:
        ValueError: No roles, two of one name, one that needs nobody, or times that can't be kept.
    """

    roles: tuple[Role, ...]
    requested_at: datetime
    """When the request was made, aware."""
    starter: str | None = None
    """The principal who started the run and may not approve it; None if anybody may."""
    starter_keys: frozenset[str] = frozenset()
    """Fingerprints of the starter's keys, which count as the starter's under any name."""
    veto: bool = True
    """Whether one rejection ends it; else a person who rejects only does not agree."""
    min_wait: timedelta = _NOW
    """How long after the request it stays open, whoever agreed."""
    expires: timedelta | None = None
    """How long after the request it can be approved; None for ever."""

    def __post_init__(self) -> None:
        names = [role.name for role in self.roles]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a quorum needs roles, each once: {names}")
        if sum(role.required for role in self.roles) > _MAX_REQUIRED:
            raise ValueError(f"more than {_MAX_REQUIRED} persons are never brought together")
        if any(role.required < 1 for role in self.roles):
            raise ValueError("a role that needs nobody would open by itself")
        if self.requested_at.tzinfo is None:
            raise ValueError("the time of the request needs its zone")
        if self.min_wait < _NOW or (self.expires is not None and self.expires <= self.min_wait):
            raise ValueError("it would expire before it could be approved")
        try:
            _ = self.requested_at + max(self.min_wait, self.expires or _NOW)
        except OverflowError as error:
            raise ValueError("it would wait or expire beyond the end of time") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one person decided, proven by a key."""

    principal: str
    key: str
    """The key's fingerprint."""
    approves: bool
    at: datetime
    """When it was decided, aware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A vote that an approval rests on, and the role that it fills."""

    role: str
    vote: Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """How many of a role have not agreed yet."""

    role: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Neither approved nor ended."""

    missing: tuple[Missing, ...]
    """Empty if only time is missing."""
    not_before: datetime | None
    """Until when it stays open whoever agrees; None if that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Enough persons agreed."""

    by: tuple[Counted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Somebody whose word counts said no, or so many did that the rest is too few."""

    by: tuple[Vote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """It was not approved in time."""

    at: datetime


Quorum = Open | Approved | Rejected | Expired


def roles_of(approvers: Mapping[str, frozenset[str]], required: int | Mapping[str, int]) -> tuple[Role, ...]:
    """Return the roles of a gate: one of all its groups together for a number, else one for each group that is named.

    Args:
        approvers: The principals of each group.
        required: So many persons of any of the groups, or of which group how many.

    Raises:
        ValueError: A group is not among the approvers, or there is none.
    """
    if not approvers:
        raise ValueError("there is no group of approvers")
    if isinstance(required, int):
        principals = frozenset[str]().union(*approvers.values())
        return (Role(name=" or ".join(sorted(approvers)), principals=principals, required=required),)
    unknown = sorted(required.keys() - approvers.keys())
    if unknown:
        raise ValueError(f"no such group of approvers: {', '.join(unknown)}")
    return tuple(Role(name=name, principals=approvers[name], required=count) for name, count in required.items())


def shortage(rules: QuorumRules) -> tuple[Missing, ...]:
    """Return what would still be missing if everybody agreed who may: with anything in it, nobody can approve."""
    return _Count(rules, ()).missing(_Count(rules, ()).could_agree())


def quorum(rules: QuorumRules, votes: Iterable[Vote], now: datetime) -> Quorum:
    """Return what the votes amount to at a time; their order makes no difference.

    A rejection counts whenever it was made. Approvals count from the request on, until it expires; not those of a person
    who also rejected or started the run, and once for a person who agreed under several names or with several keys.

    Args:
        votes: Of this request alone, each with its signature verified.
        now: Aware.

    Raises:
        ValueError: A time is naive.
    """
    ordered = tuple(sorted(votes, key=lambda vote: (vote.at, vote.principal, vote.key, vote.approves)))
    if now.tzinfo is None or any(vote.at.tzinfo is None for vote in ordered):
        raise ValueError("the time of a decision needs its zone")
    count = _Count(rules, ordered)
    against = tuple(vote for vote in ordered if not vote.approves and count.roles_of(vote.principal))
    if against and (rules.veto or count.missing(count.could_agree())):
        return Rejected(by=against)
    end = None if rules.expires is None else rules.requested_at + rules.expires
    if end is not None and now >= end:
        return Expired(at=end)
    counting = tuple(vote for vote in ordered if vote.approves and rules.requested_at <= vote.at <= now)
    agreed = count.agreed(counting)
    missing, opens = count.missing(agreed), rules.requested_at + rules.min_wait
    if missing or now < opens:
        return Open(missing=missing, not_before=opens if now < opens else None)
    return Approved(by=count.seats_taken(counting))


class _Count:
    """The votes of a request, by the persons behind them."""

    def __init__(self, rules: QuorumRules, votes: Sequence[Vote]) -> None:
        self._rules, self._votes = rules, votes
        listed = {principal for role in rules.roles for principal in role.principals}
        starters = () if rules.starter is None else (rules.starter,)
        pairs = [(vote.principal, vote.key) for vote in votes]
        pairs += [(starter, key) for starter in starters for key in rules.starter_keys]
        self._persons = persons_of([*listed, *starters], pairs)
        against = [vote.principal for vote in votes if not vote.approves]
        self._out = {self._persons[principal] for principal in (*against, *starters)}
        self._seats = [role.name for role in rules.roles for _ in range(role.required)]

    def roles_of(self, principal: str) -> frozenset[str]:
        """Return the roles that a principal is listed for."""
        return frozenset(role.name for role in self._rules.roles if principal in role.principals)

    def agreed(self, votes: Sequence[Vote]) -> Mapping[Person, frozenset[str]]:
        """Return who may agree and did by these votes, and the roles that they can fill by their names in them."""
        return self._by_person(vote.principal for vote in votes)

    def could_agree(self) -> Mapping[Person, frozenset[str]]:
        """Return who has agreed or still may."""
        return self._by_person(sorted(principal for role in self._rules.roles for principal in role.principals))

    def missing(self, persons: Mapping[Person, frozenset[str]]) -> tuple[Missing, ...]:
        """Return the seats that stay empty."""
        filled = seated(self._seats, persons)
        empty = Counter(role for seat, role in enumerate(self._seats) if seat not in filled)
        return tuple(Missing(role=role, count=count) for role, count in empty.items())

    def seats_taken(self, votes: Sequence[Vote]) -> tuple[Counted, ...]:
        """Return the vote behind each seat."""
        return tuple(
            Counted(role=self._seats[seat], vote=self._vote_of(person, self._seats[seat], votes))
            for seat, person in sorted(seated(self._seats, self.agreed(votes)).items())
        )

    def _by_person(self, principals: Iterable[str]) -> Mapping[Person, frozenset[str]]:
        roles: dict[Person, frozenset[str]] = {}
        for principal in principals:
            person = self._persons[principal]
            if person not in self._out and self.roles_of(principal):
                roles[person] = roles.get(person, frozenset()) | self.roles_of(principal)
        return roles

    def _vote_of(self, person: Person, role: str, votes: Sequence[Vote]) -> Vote:
        return next(
            vote for vote in votes if self._persons[vote.principal] == person and role in self.roles_of(vote.principal)
        )
