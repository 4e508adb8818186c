"""Lists of patterns as OpenSSH has them: `*@example.org,!mallory@example.org`."""

from __future__ import annotations

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._wire import MalformedError

_MAX_PATTERN = 1022
_ANY, _ONE = ord("*"), ord("?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternList:
    """Names that are meant, and names that are not although a pattern means them."""

    meant: tuple[bytes, ...]
    not_meant: tuple[bytes, ...]

    def plain_names(self) -> tuple[str, ...]:
        """Return the names that stand in the list as they are, without those that are not meant."""
        names = (each.decode("utf-8") for each in self.meant if not {_ANY, _ONE} & set(each))
        return tuple(name for name in names if self.matches(name))

    def matches(self, name: str) -> bool:
        """Return whether a name is meant."""
        # Bytes, as OpenSSH does: a `?` that stood for one long character would mean more names here than there.
        raw = name.encode("utf-8", "surrogatepass")
        return any(_matches(raw, each) for each in self.meant) and not any(
            _matches(raw, each) for each in self.not_meant
        )


def patterns_in(text: str) -> PatternList:
    """Return the list that a text spells.

    Raises:
        MalformedError: It is none, or one that can mean nobody.
    """
    each = [part.encode("utf-8") for part in text.split(",")]
    not_meant = tuple(part[1:] for part in each if part.startswith(b"!"))
    meant = tuple(part for part in each if not part.startswith(b"!"))
    if not all((*meant, *not_meant)):
        raise MalformedError(f"{text!r} has an empty pattern")
    if not meant:
        raise MalformedError(f"{text!r} says only what is not meant")
    if max(map(len, (*meant, *not_meant))) > _MAX_PATTERN:
        raise MalformedError("a pattern is longer than any")
    return PatternList(meant=meant, not_meant=not_meant)


def _matches(name: bytes, pattern: bytes) -> bool:
    at = place = 0
    # Where the last star stands, and how much of the name it was tried with: only the last one needs another try.
    star, tried = -1, 0
    while at < len(name):
        if place < len(pattern) and pattern[place] == _ANY:
            star, tried = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in (_ONE, name[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            tried += 1
            at, place = tried, star + 1
        else:
            return False
    return pattern[place:].strip(b"*") == b""
