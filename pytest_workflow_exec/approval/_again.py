"""Why a question is asked anew that was approved before: what it was given for is not what is there now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.lean_dataclasses import dataclass

# Which session asks, and what that carries, is not what was decided about.
_OF_THE_SESSION = frozenset({"attempt", "carried", "starter"})

_SPOKEN = {
    "commit": "the commit",
    "changes": "a file of the working tree",
    "covers": "what runs after it",
    "form": "what it asks for",
    "dirty": "whether the working tree is clean",
    "policy_digest": "the policy",
    "rules": "who has to sign",
    "shown": "an output that was shown",
    "waived": "which failures were accepted",
    "broken_glass": "which gates were gone past",
    "starter": "who runs it",
    "proposals": "whose answers the run goes by",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One fact that is no longer what was approved."""

    fact: str
    before: Json
    """What was approved; of a list or table only what is not there now."""
    after: Json
    """What is there now; of a list or table only what was not approved."""

    def to_data(self) -> Mapping[str, Json]:
        """Return it as evidence keeps it."""
        return {"fact": self.fact, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """The approval that is not used, and why."""

    of: str
    """The digest of the request that was approved."""
    approver: str
    """Who approved it."""
    used_by: str
    """The step that was about to use it."""
    changes: tuple[Difference, ...]
    answers: Mapping[str, Json]
    """What was filled into its form then, and stays."""

    def to_data(self) -> Mapping[str, Json]:
        """Return it as evidence keeps it."""
        return {
            "of": self.of,
            "approver": self.approver,
            "used_by": self.used_by,
            "changes": [each.to_data() for each in self.changes],
            "answers": dict(self.answers),
        }


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[Difference, ...]:
    """Return what differs between the facts of two requests, by the names of the facts.

    Args:
        before: The facts of the earlier one, as evidence keeps them.
        after: Those of the later one.
    """
    names = sorted({*before, *after} - _OF_THE_SESSION)
    return tuple(_difference(name, before.get(name), after.get(name)) for name in names if _differ(name, before, after))


def spoken(fact: str) -> str:
    """Return a fact of a request as a person calls it."""
    return _SPOKEN.get(fact, fact)


def again_of(data: Mapping[str, Json]) -> Again:
    """Return what evidence holds of an approval that was not used.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another kind.
        ValueError: It is none that this version writes.
    """
    changes, answers = data["changes"], data["answers"]
    if not isinstance(changes, list) or not isinstance(answers, Mapping):
        message = "it holds no changes"
        raise TypeError(message)
    again = Again(
        of=_text(data["of"]),
        approver=_text(data["approver"]),
        used_by=_text(data["used_by"]),
        changes=tuple(_change_of(each) for each in changes),
        answers=dict(answers),
    )
    if again.to_data() != data:
        raise ValueError("it says more of an earlier approval than this version writes")
    return again


def _differ(name: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> bool:
    if name == "pin" and {name} <= before.keys() & after.keys():
        # Another checkout has a pin of its own. What it pins, policy and signers, are facts themselves.
        return str(before[name]).partition(" by ")[0] != str(after[name]).partition(" by ")[0]
    return canonical_json(_of(before, [name])) != canonical_json(_of(after, [name]))


def _difference(fact: str, before: Json, after: Json) -> Difference:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [name for name in {**before, **after} if _differ(name, before, after)]
        return Difference(fact=fact, before=_of(before, names), after=_of(after, names))
    if isinstance(before, Sequence) and isinstance(after, Sequence) and not isinstance(before, str):
        gone, new = _without(before, after), _without(after, before)
        # In another order it is another list, though nothing of it is gone or new.
        return Difference(fact=fact, before=gone, after=new) if gone or new else _whole(fact, before, after)
    return _whole(fact, before, after)


def _whole(fact: str, before: Json, after: Json) -> Difference:
    return Difference(fact=fact, before=before, after=after)


def _of(table: Mapping[str, Json], names: Iterable[str]) -> Mapping[str, Json]:
    return {name: table[name] for name in names if name in table}


def _without(items: Sequence[Json], others: Sequence[Json]) -> list[Json]:
    there = {canonical_json(each) for each in others}
    return [each for each in items if canonical_json(each) not in there]


def _change_of(data: Json) -> Difference:
    if not isinstance(data, Mapping):
        message = "a change is no table"
        raise TypeError(message)
    return Difference(fact=_text(data["fact"]), before=data["before"], after=data["after"])


def _text(value: Json) -> str:
    if not isinstance(value, str):
        message = "it is no text"
        raise TypeError(message)
    return value
