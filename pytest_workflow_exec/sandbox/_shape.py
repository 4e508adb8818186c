"""Rules in table form: a program, its sub-command, its options by exact name, and what its arguments may be.

Whatever could be read in two ways is no match: bundled or shortened options, an option behind an argument, `--`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._tokens import has_control, matches_whole
from ._workspace import workspace_problem

Takes = Literal["nothing", "value", "workspace", "exactly"]
ArgumentsKind = Literal["none", "any", "workspace", "list", "regex"]

END_OF_OPTIONS = "--"

# POSIX lets `--` end the options of these, and their own manuals keep to it.
_COMMON = (
    "basename cat cksum cmp comm cp cut diff dirname du file fold grep head join ln ls md5sum mkdir mktemp mv nl paste "
    "readlink realpath rm rmdir sha1sum sha224sum sha256sum sha384sum sha512sum sort stat tac tail tee touch tr uniq wc"
)
_KNOWN_TO_END_OPTIONS = frozenset(_COMMON.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option that a command may have."""

    name: str
    """With its dashes."""
    takes: Takes = "nothing"
    value: str = ""
    """What must follow; for `exactly` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What a command's arguments may be: each of them, however many there are."""

    kind: ArgumentsKind = "none"
    words: tuple[str, ...] = ()
    regex: str = ""

    @property
    def closed(self) -> bool:
        """Whether its author wrote every word that may stand there."""
        return self.kind in ("none", "list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What may follow a program."""

    subcommands: tuple[tuple[str, ...], ...] = ()
    """One of them must come first, word by word; empty: none."""
    options: tuple[Option, ...] = ()
    arguments: Arguments = Arguments()
    first: tuple[Option, ...] = ()
    """One of these must come before all else: it decides what the rest is for."""
    bare: bool = True
    """Whether the program may stand alone."""
    ends_options: bool = False
    """Whether `--` makes arguments of all that follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """The first place where an argument list is not of a shape."""

    position: int
    says: str
    """What the rule says there."""


def knows_end_of_options(program: str) -> bool:
    """Return whether a program is one of those that are known to take `--` as the end of its options."""
    return program.rpartition("/")[2] in _KNOWN_TO_END_OPTIONS


def shape_mismatch(shape: Shape, argv: Sequence[str | None]) -> Mismatch | None:
    """Return where the arguments first differ from a shape, or None if they have it.

    Args:
        argv: With the program, which is not looked at. None stands for an argument that is not known yet: from there
            on everything is taken to be possible.
    """
    if len(argv) == 1 and not shape.bare:
        return Mismatch(position=1, says="it must have an argument")
    start = _after_subcommand(shape, argv)
    if isinstance(start, Mismatch):
        return start
    return _Reading(shape, argv, start).mismatch()


def is_text(word: str) -> bool:
    """Return whether a word may stand where anything may: it is not empty, and looks like what it is but for lines."""
    return word != "" and not has_control(word.replace("\n", "").replace("\t", ""))


def _after_subcommand(shape: Shape, argv: Sequence[str | None]) -> int | Mismatch:
    if not shape.subcommands:
        return 1
    found = [words for words in shape.subcommands if _begins(argv[1:], words)]
    if found:
        return 1 + max(len(words) for words in found)
    return Mismatch(position=1, says=" or ".join(" ".join(words) for words in shape.subcommands))


def _begins(argv: Sequence[str | None], words: Sequence[str]) -> bool:
    return len(argv) >= len(words) and all(
        given is None or given == word for given, word in zip(argv, words, strict=False)
    )


class _Reading:
    """One pass over the arguments, from left to right."""

    def __init__(self, shape: Shape, argv: Sequence[str | None], start: int) -> None:
        self._shape, self._argv, self._at, self._start = shape, argv, start, start
        self._operands = self._ended = False

    def mismatch(self) -> Mismatch | None:
        if self._shape.first and self._at >= len(self._argv):
            return self._differs(" or ".join(_spelled(option) for option in self._shape.first))
        while self._at < len(self._argv):
            word = self._argv[self._at]
            if word is None:
                return None if self._anything_follows() else self._differs("nothing")
            found = self._step(word)
            if found is not None:
                return found
            self._at += 1
        return None

    def _anything_follows(self) -> bool:
        return bool(self._shape.options or self._shape.first) or self._shape.arguments.kind != "none"

    def _step(self, word: str) -> Mismatch | None:
        if self._shape.first and self._at == self._start:
            return self._option(word, self._shape.first)
        if self._ended or word == "-" or not word.startswith("-"):
            self._operands = True
            return self._operand(word)
        if self._operands:
            return self._differs("options before arguments")
        if word == END_OF_OPTIONS:
            self._ended = True
            return None if self._shape.ends_options else self._differs("no '--'")
        return self._option(word, self._shape.options)

    def _option(self, word: str, among: Sequence[Option]) -> Mismatch | None:
        if any(option.name == word and option.takes == "nothing" for option in among):
            return None
        name, equals, attached = word.partition("=")
        if equals and name.startswith("--"):
            return self._value(attached, [option for option in among if option.name == name])
        valued = [option for option in among if option.name == word and option.takes != "nothing"]
        if not valued:
            return self._differs(" or ".join(_spelled(option) for option in among) or "no option")
        self._at += 1
        if self._at >= len(self._argv):
            return self._differs(" or ".join(_said(option) for option in valued))
        value = self._argv[self._at]
        if value is None:
            return None
        # What begins with a dash may be the next option to a program that sees no value here.
        return self._differs(f"a value of {word}") if value.startswith("-") else self._value(value, valued)

    def _value(self, value: str, options: Sequence[Option]) -> Mismatch | None:
        if any(_takes(option, value) for option in options):
            return None
        return self._differs(" or ".join(_said(option) for option in options) or "no such option")

    def _operand(self, word: str) -> Mismatch | None:
        arguments = self._shape.arguments
        if arguments.kind == "workspace":
            problem = workspace_problem(word, dashed=self._ended)
            return None if problem is None else self._differs(f"a path in the project, which {problem}")
        return None if _allowed(arguments, word, ended=self._ended) else self._differs(said_arguments(arguments))

    def _differs(self, says: str) -> Mismatch:
        return Mismatch(position=self._at, says=says)


def _takes(option: Option, value: str) -> bool:
    if option.takes == "exactly":
        return value == option.value
    if option.takes == "workspace":
        return workspace_problem(value) is None
    return option.takes == "value" and is_text(value)


def _allowed(arguments: Arguments, word: str, *, ended: bool) -> bool:
    if word == "-" or (word.startswith("-") and not ended):
        return False
    if arguments.kind == "list":
        return word in arguments.words
    if arguments.kind == "regex":
        return not has_control(word) and matches_whole(arguments.regex, word)
    return arguments.kind == "any" and is_text(word)


def said_arguments(arguments: Arguments) -> str:
    """Return what the arguments may be, as a message says it."""
    if arguments.kind == "list":
        return " or ".join(arguments.words) or "no argument"
    if arguments.kind == "regex":
        return arguments.regex
    return {"none": "no argument", "any": "any argument that is no option", "workspace": "a path"}[arguments.kind]


def _spelled(option: Option) -> str:
    return {"nothing": option.name, "value": f"{option.name}=", "workspace": f"{option.name}=ws"}.get(
        option.takes, f"{option.name}={option.value}"
    )


def _said(option: Option) -> str:
    values = {"value": "a value", "workspace": "a path in the project", "exactly": option.value}
    return f"{values.get(option.takes, 'no value')} for {option.name}"


def shape_text(program: str, shape: Shape) -> str:
    """Return a table as one line, for messages and records."""
    return " ".join(_parts(program, shape))


def _parts(program: str, shape: Shape) -> Iterator[str]:
    yield program
    if shape.subcommands:
        yield "|".join(" ".join(words) for words in shape.subcommands)
    named = [_spelled(option) for option in shape.options]
    if shape.ends_options and not knows_end_of_options(program):
        named.append(END_OF_OPTIONS)
    yield from (f"[{option}]" for option in named)
    kind = shape.arguments.kind
    if kind == "list":
        yield f"({'|'.join(shape.arguments.words)})"
    elif kind == "regex":
        yield f"{{:{shape.arguments.regex}}}"
    elif kind != "none":
        yield f"({kind})"
