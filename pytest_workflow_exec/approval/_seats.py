"""Who sits where: persons and the roles that they can fill, each person in one seat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Person = int
"""A person's number: whoever shares a key or a name with another is the same one."""


def persons_of(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> Mapping[str, Person]:
    """Return the person behind each principal.

    One key under two names, and one name with two keys, are one person: more cannot be told apart by what they signed.

    Args:
        names: Principals, whether they were seen with a key or not.
        pairs: Principals and keys that were seen together.
    """
    leader: dict[tuple[str, str], tuple[str, str]] = {}

    def first(node: tuple[str, str]) -> tuple[str, str]:
        while leader.setdefault(node, node) != node:
            node = leader[node]
        return node

    for principal in names:
        first(("principal", principal))
    for principal, key in pairs:
        leader[first(("key", key))] = first(("principal", principal))
    numbers: dict[tuple[str, str], Person] = {}
    return {
        name: numbers.setdefault(first((kind, name)), len(numbers))
        for kind, name in sorted(leader)
        if kind == "principal"
    }


def seated(seats: Sequence[str], can_fill: Mapping[Person, frozenset[str]]) -> Mapping[int, Person]:
    """Return who sits in which seat, so that as many seats as possible are filled.

    Args:
        seats: The role that each seat is for.
        can_fill: The roles that each person can fill.
    """
    sits: dict[int, Person] = {}
    for seat in range(len(seats)):
        _fill(seat, seats, can_fill, sits, set())
    return sits


def _fill(
    seat: int,
    seats: Sequence[str],
    can_fill: Mapping[Person, frozenset[str]],
    sits: dict[int, Person],
    tried: set[Person],
) -> bool:
    taken = {person: taken_seat for taken_seat, person in sits.items()}
    # Nobody is moved who need not be: the first who agreed fill the first seats.
    for person in sorted((each for each, roles in can_fill.items() if seats[seat] in roles), key=taken.__contains__):
        if person in tried:
            continue
        tried.add(person)
        # Somebody who sits elsewhere may move here if their seat can be filled by another.
        if person not in taken or _fill(taken[person], seats, can_fill, sits, tried):
            sits[seat] = person
            return True
    return False
