"""Several eyes: who counts, for what and how often, and what ends a request."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.approval import (
    Approved,
    Counted,
    Expired,
    Missing,
    Open,
    QuorumRules,
    Rejected,
    Role,
    Vote,
    quorum,
    roles_of,
    shortage,
)

ASKED = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
LATER = ASKED + 2 * HOUR
PMC, SECURITY = frozenset({"ann", "bob", "cid", "dan"}), frozenset({"dan", "eve"})


def _rules(required: int | dict[str, int] = 2) -> QuorumRules:
    return QuorumRules(roles=roles_of({"pmc": PMC, "security": SECURITY}, required), requested_at=ASKED)


def _yes(principal: str, *, key: str = "", after: timedelta = HOUR) -> Vote:
    return Vote(principal=principal, key=key or f"key of {principal}", approves=True, at=ASKED + after)


def _no(principal: str, *, key: str = "") -> Vote:
    return replace(_yes(principal, key=key), approves=False)


def test_enough_persons_of_any_group_approve() -> None:
    """A number asks for so many different persons of all groups together."""
    assert quorum(_rules(), [], LATER) == Open(missing=(Missing(role="pmc or security", count=2),), not_before=None)
    assert quorum(_rules(), [_yes("ann")], LATER) == Open(
        missing=(Missing(role="pmc or security", count=1),), not_before=None
    )

    found = quorum(_rules(), [_yes("eve"), _yes("ann")], LATER)

    assert found == Approved(
        by=(
            Counted(role="pmc or security", vote=_yes("ann")),
            Counted(role="pmc or security", vote=_yes("eve")),
        )
    )


def test_each_role_is_filled_by_persons_of_its_own() -> None:
    """Who is in two groups fills one role: the one where nobody else could stand in."""
    rules = _rules({"pmc": 3, "security": 1})
    three = [_yes("ann"), _yes("bob"), _yes("dan")]

    assert quorum(rules, three, LATER) == Open(missing=(Missing(role="security", count=1),), not_before=None)
    by_cid = quorum(rules, [*three, _yes("cid")], LATER)
    assert isinstance(by_cid, Approved)
    assert {each.vote.principal: each.role for each in by_cid.by} == {
        "ann": "pmc", "bob": "pmc", "cid": "pmc", "dan": "security",
    }  # fmt: skip
    by_eve = quorum(rules, [*three, _yes("eve")], LATER)
    assert isinstance(by_eve, Approved)
    assert {each.vote.principal: each.role for each in by_eve.by}["dan"] == "pmc"


def test_a_person_counts_once() -> None:
    """Twice the same name, one name with two keys, one key under two names, and chains of those: one person."""
    same: list[list[Vote]] = [
        [_yes("ann"), _yes("ann", after=HOUR / 2)],
        [_yes("ann", key="a"), _yes("ann", key="b")],
        [_yes("ann", key="a"), _yes("bob", key="a")],
        [_yes("ann", key="a"), _yes("ann", key="b"), _yes("bob", key="b")],
        [_yes("ann", key="a"), _yes("stranger", key="a"), _yes("stranger", key="b"), _yes("bob", key="b")],
    ]
    for votes in same:
        assert quorum(_rules(), votes, LATER) == Open(
            missing=(Missing(role="pmc or security", count=1),), not_before=None
        )
        assert isinstance(quorum(_rules(), [*votes, _yes("cid")], LATER), Approved)


def test_only_listed_principals_decide() -> None:
    """Who is in no group neither approves nor rejects."""
    assert isinstance(quorum(_rules(), [_yes("ann"), _yes("mallory")], LATER), Open)
    assert isinstance(quorum(_rules(), [_yes("ann"), _yes("bob"), _no("mallory")], LATER), Approved)


def test_one_rejection_ends_it() -> None:
    """However many agree, before or after, in time or not."""
    votes = [_yes("ann"), _yes("bob"), _yes("cid"), _no("eve")]

    assert quorum(_rules(), votes, LATER) == Rejected(by=(_no("eve"),))
    ended = replace(_rules(), expires=HOUR)
    assert quorum(ended, votes, LATER) == Rejected(by=(_no("eve"),))
    late = replace(_no("eve"), at=LATER + HOUR)
    assert quorum(_rules(), [*votes[:3], late], LATER) == Rejected(by=(late,))


def test_without_veto_a_rejection_is_a_vote_that_is_missing() -> None:
    """Who rejected does not agree, also where they did; it ends when too few are left who could."""
    rules = replace(_rules({"pmc": 3}), veto=False)

    assert isinstance(quorum(rules, [_no("dan"), _yes("ann"), _yes("bob"), _yes("cid")], LATER), Approved)
    assert isinstance(quorum(rules, [_no("dan"), _yes("dan"), _yes("ann"), _yes("bob")], LATER), Open)
    assert isinstance(quorum(rules, [_no("dan"), _yes("cid", key="key of dan"), _yes("ann")], LATER), Rejected)
    both = [_no("cid"), _no("dan"), _yes("ann"), _yes("bob")]
    assert quorum(rules, both, LATER) == Rejected(by=(_no("cid"), _no("dan")))


def test_the_starter_does_not_approve() -> None:
    """Neither under their name nor by a key of theirs; but they may reject."""
    rules = replace(_rules(), starter="ann", starter_keys=frozenset({"laptop"}))

    assert isinstance(quorum(rules, [_yes("ann"), _yes("bob")], LATER), Open)
    assert isinstance(quorum(rules, [_yes("cid", key="laptop"), _yes("bob")], LATER), Open)
    assert isinstance(quorum(rules, [_yes("ann", key="desk"), _yes("cid", key="desk"), _yes("bob")], LATER), Open)
    assert isinstance(quorum(rules, [_yes("cid"), _yes("bob")], LATER), Approved)
    assert isinstance(quorum(rules, [_yes("cid"), _yes("bob"), _no("ann")], LATER), Rejected)
    outside = replace(_rules(), starter="mallory", starter_keys=frozenset({"laptop"}))
    assert isinstance(quorum(outside, [_yes("cid", key="laptop"), _yes("bob")], LATER), Open)


def test_it_stays_open_for_its_time() -> None:
    """Before `min_wait` is over it is open whoever agreed, and then it is approved."""
    rules = replace(_rules(), min_wait=3 * HOUR)
    votes = [_yes("ann"), _yes("bob")]
    end = ASKED + 3 * HOUR

    assert quorum(rules, votes, end - timedelta(microseconds=1)) == Open(missing=(), not_before=end)
    assert isinstance(quorum(rules, votes, end), Approved)
    assert quorum(rules, votes[:1], end) == Open(missing=(Missing(role="pmc or security", count=1),), not_before=None)


def test_it_expires() -> None:
    """From `expires` on nothing is approved any more, also not by votes that came in time."""
    rules = replace(_rules(), expires=2 * HOUR)
    votes = [_yes("ann"), _yes("bob")]

    assert isinstance(quorum(rules, votes, LATER - timedelta(microseconds=1)), Approved)
    assert quorum(rules, votes, LATER) == Expired(at=LATER)
    assert quorum(rules, [], LATER) == Expired(at=LATER)


def test_votes_of_another_time_do_not_approve() -> None:
    """A vote from before the request, or from after now, does not count."""
    for after in (-timedelta(seconds=1), 3 * HOUR):
        assert isinstance(quorum(_rules(), [_yes("ann"), _yes("bob", after=after)], LATER), Open)
    early = [_yes("ann", after=-HOUR), _yes("ann"), _yes("bob")]
    found = quorum(_rules(), early, LATER)
    assert isinstance(found, Approved)
    assert all(each.vote.at >= ASKED for each in found.by), "what it rests on are votes that count"


def test_what_nobody_could_approve_is_known_before() -> None:
    """Groups too small for what they must bring, also without the starter, are told with how many are missing."""
    assert shortage(_rules({"pmc": 3, "security": 2})) == ()
    assert shortage(replace(_rules({"pmc": 3, "security": 2}), starter="ann")) == (Missing(role="security", count=1),)
    assert shortage(_rules({"security": 3})) == (Missing(role="security", count=1),)
    assert shortage(_rules(6)) == (Missing(role="pmc or security", count=1),)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"roles": ()}, "needs roles"),
        ({"roles": (Role(name="a", principals=PMC, required=1),) * 2}, "each once"),
        ({"roles": (Role(name="a", principals=PMC, required=0),)}, "open by itself"),
        ({"roles": (Role(name="a", principals=PMC, required=101),)}, "more than 100"),
        ({"requested_at": ASKED.replace(tzinfo=None)}, "needs its zone"),
        ({"min_wait": -HOUR}, "before it could be approved"),
        ({"expires": HOUR, "min_wait": HOUR}, "before it could be approved"),
        ({"expires": timedelta(0)}, "before it could be approved"),
        ({"expires": timedelta.max}, "end of time"),
    ],
)
def test_rules_that_mean_nothing_are_refused(change: dict[str, object], reason: str) -> None:
    """No quorum is made of nobody, of no time, or of times that can't be compared."""
    with pytest.raises(ValueError, match=reason):
        replace(_rules(), **change)  # type: ignore[arg-type]  # one field, as the case says


def test_groups_that_mean_nothing_are_refused() -> None:
    """A role for no group, and no groups at all."""
    with pytest.raises(ValueError, match="no such group of approvers: board"):
        roles_of({"pmc": PMC}, {"pmc": 1, "board": 1})
    with pytest.raises(ValueError, match="no group of approvers"):
        roles_of({}, 1)


def test_naive_times_are_refused() -> None:
    """A time without a zone is no time to judge by."""
    with pytest.raises(ValueError, match="needs its zone"):
        quorum(_rules(), [], LATER.replace(tzinfo=None))
    with pytest.raises(ValueError, match="needs its zone"):
        quorum(_rules(), [replace(_yes("ann"), at=LATER.replace(tzinfo=None))], LATER)


PEOPLE = ["ann", "bob", "cid", "dan", "eve"]
groups = st.frozensets(st.sampled_from(PEOPLE), max_size=5)
votes = st.lists(
    st.builds(
        Vote,
        principal=st.sampled_from([*PEOPLE, "stranger"]),
        key=st.sampled_from(["k1", "k2", "k3", "k4", "k5", "k6"]),
        approves=st.booleans(),
        at=st.sampled_from([ASKED - HOUR, ASKED, ASKED + HOUR, LATER + HOUR]),
    ),
    max_size=7,
)
rules = st.builds(
    QuorumRules,
    roles=st.tuples(
        st.builds(Role, name=st.just("pmc"), principals=groups, required=st.integers(1, 2)),
        st.builds(Role, name=st.just("security"), principals=groups, required=st.integers(1, 2)),
    ),
    requested_at=st.just(ASKED),
    starter=st.sampled_from([None, "ann", "stranger"]),
    starter_keys=st.frozensets(st.sampled_from(["k1", "k6"]), max_size=1),
    veto=st.booleans(),
    min_wait=st.sampled_from([timedelta(0), HOUR, 3 * HOUR]),
    expires=st.sampled_from([None, 5 * HOUR]),
)


def _persons(given_rules: QuorumRules, cast: Sequence[Vote]) -> dict[str, frozenset[str]]:
    """Return the names of the same person for each name, found by joining until nothing changes."""
    keys: dict[str, set[str]] = {name: set() for name in [*PEOPLE, "stranger"]}
    for vote in cast:
        keys[vote.principal].add(vote.key)
    if given_rules.starter is not None:
        keys[given_rules.starter] |= given_rules.starter_keys
    sets = {name: {name} for name in keys}
    changed = True
    while changed:
        changed = False
        for one, other in itertools.permutations(keys, 2):
            if (keys[one] & keys[other] or sets[one] & sets[other]) and sets[one] != sets[other] | sets[one]:
                sets[one] |= sets[other]
                changed = True
            if keys[one] & keys[other] and keys[one] != keys[other]:
                keys[one] |= keys[other]
                keys[other] |= keys[one]
                changed = True
    return {name: frozenset(names) for name, names in sets.items()}


def _could_be_filled(given_rules: QuorumRules, cast: Sequence[Vote]) -> bool:
    """Return whether the seats can be filled, by trying every way to fill them."""
    persons = _persons(given_rules, cast)
    out = {persons[vote.principal] for vote in cast if not vote.approves}
    if given_rules.starter is not None:
        out.add(persons[given_rules.starter])
    counting = {vote.principal for vote in cast if vote.approves and ASKED <= vote.at <= LATER}
    roles: dict[frozenset[str], set[str]] = {}
    for name in counting:
        if persons[name] not in out:
            listed = {role.name for role in given_rules.roles if name in role.principals}
            roles.setdefault(persons[name], set()).update(listed)
    seats = [role.name for role in given_rules.roles for _ in range(role.required)]
    return any(
        all(seat in roles[person] for seat, person in zip(seats, filled, strict=True))
        for filled in itertools.permutations(roles, len(seats))
    )


@settings(deadline=None, max_examples=400)
@given(rules, votes)
def test_approved_is_what_trying_every_way_finds(given_rules: QuorumRules, cast: list[Vote]) -> None:
    """Approved exactly if different persons fill all seats, the time has come, and no rejection that counts ends it."""
    listed = {name for role in given_rules.roles for name in role.principals}
    vetoed = given_rules.veto and any(not vote.approves and vote.principal in listed for vote in cast)
    expected = not vetoed and given_rules.min_wait <= LATER - ASKED and _could_be_filled(given_rules, cast)

    found = quorum(given_rules, cast, LATER)

    assert isinstance(found, Approved) == expected
    if isinstance(found, Approved):
        names = [each.vote.principal for each in found.by]
        keys = [each.vote.key for each in found.by]
        assert len(set(names)) == len(names) == len(set(keys)) == sum(role.required for role in given_rules.roles)
        assert given_rules.starter not in names
        assert not given_rules.starter_keys & set(keys) or given_rules.starter is None
        assert all(each.vote in cast and each.vote.approves for each in found.by)


@settings(deadline=None)
@given(rules, votes, st.randoms())
def test_the_order_of_votes_makes_no_difference(given_rules: QuorumRules, cast: list[Vote], chance: object) -> None:
    """Decision files come in any order; what they amount to is the same."""
    shuffled = cast[:]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random

    assert quorum(given_rules, shuffled, LATER) == quorum(given_rules, cast, LATER)


@settings(deadline=None)
@given(rules, votes)
def test_what_is_open_says_how_much_is_missing(given_rules: QuorumRules, cast: list[Vote]) -> None:
    """As many new persons as are missing, each of the right role, and it is open for no want of them."""
    found = quorum(given_rules, cast, LATER)
    assume(isinstance(found, Open))
    assert isinstance(found, Open)
    newcomers = [(f"{each.role} {at}", each.role) for each in found.missing for at in range(each.count)]
    roles = tuple(
        replace(role, principals=role.principals | {name for name, of in newcomers if of == role.name})
        for role in given_rules.roles
    )

    again = quorum(replace(given_rules, roles=roles), [*cast, *(_yes(name) for name, _ in newcomers)], LATER)

    assert isinstance(again, Approved | Open)
    assert not (isinstance(again, Open) and again.missing)
