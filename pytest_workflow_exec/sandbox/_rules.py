"""Rules: one allowed shape of a command each, read from its text and held against an argument list."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._code_options import begins_open, is_option_to
from ._limits import Limits
from ._tokens import RuleTextError, Token, has_control, parse_token, token_is_possible, token_matches

if TYPE_CHECKING:
    from ._shape import Shape


_BREADTH_OF_ARGUMENTS = {"none": 0, "list": 1, "workspace": 2, "regex": 3, "any": 4}
_RIGHTS = ("exec", "env", "secrets", "network", "read", "write", "cwd")
BARE_NAME = lazy_pattern(r"[A-Za-z0-9._+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """What a person's decision must be worth before a command may run."""

    assurance: int
    approvers: tuple[str, ...] = ()
    """The groups of the policy of which a person must have agreed; empty: it does not matter who did."""

    @property
    def words(self) -> str:
        """What kind of decision that is, for a person."""
        by = f" by one of {', '.join(self.approvers)}" if self.approvers else ""
        return f"a decision of assurance {self.assurance}{by}" if self.assurance > 1 or by else "a decision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One allowed shape of a command, with the rights it gives."""

    text: str
    """As its author wrote it; a table as one line."""
    tokens: tuple[Token, ...]
    """What it says, word by word; of a table, the program alone."""
    shape: Shape | None = None
    """What a table says of all that follows the program; None for a short rule."""
    sha256: str | None = None
    """The digest that its program must have, in hex; None for whatever lies on the path."""
    gated: Gated | None = None
    """Set if its commands run only after a decision that listed them."""
    exec: tuple[str, ...] = ()
    """Other programs that it may start; `("any",)` for all."""
    env: tuple[str, ...] = ()
    """Variables of the engine's environment that it receives if they are set."""
    secrets: tuple[str, ...] = ()
    """Variables of the engine's environment that it needs, and that nobody may see."""
    network: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    cwd: tuple[str, ...] = ()
    """Folders of the project that it may run in though it runs the files that its arguments name."""
    sockets: tuple[str, ...] = ()
    """Sockets in the file system that it may connect to."""
    needs: tuple[str, ...] = ()
    """`shared-memory`; and what only the tests of `verify:` steps may have: `pty`, `loopback`, `namespaces`."""
    home: bool = False
    """Whether it sees the user's own home folder instead of a private, empty one."""
    limits: Limits = field(default_factory=Limits)
    """What its commands may use up."""

    @property
    def digest(self) -> str:
        """SHA-256 over what it allows and which rights it gives, in hex."""
        rights = {name: getattr(self, name) for name in _RIGHTS}
        said: dict[str, Json] = {"text": self.text, **{name: list(right) for name, right in rights.items()}}
        if self.shape is not None:
            # Not the text alone: a word in a list may hold what parts the words there.
            said["table"] = repr(self.shape)
        if self.sockets:
            said["sockets"] = list(self.sockets)
        if self.needs:
            said["needs"] = list(self.needs)
        if self.sha256 is not None:
            said["sha256"] = self.sha256
        if self.gated is not None:
            said["gated"] = {"assurance": self.gated.assurance, "approvers": list(self.gated.approvers)}
        if self.limits != Limits():
            said["limits"] = self.limits.facts()
        return digest_of({**said, "home": self.home})

    @property
    def rights(self) -> str:
        """Its rights in words, for a person; empty if it has none."""
        given = [f"{name} {', '.join(right)}" for name, right in self.given.items() if not isinstance(right, bool)]
        return "; ".join([*given, *(["home"] if self.home else [])])

    @property
    def given(self) -> Mapping[str, tuple[str, ...] | bool]:
        """Its rights as the policy spells them, without those that it does not have."""
        rights = {name: right for name in (*_RIGHTS, "sockets", "needs") if (right := getattr(self, name))}
        return {**rights, **({"home": True} if self.home else {})}

    @property
    def program(self) -> str:
        """The program's name or absolute path."""
        return self.tokens[0].text


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where an argument list is not what a rule says."""

    position: int
    """0 is the program, 1 the first argument."""
    token: Token | None
    """What the rule says there; None if it ends before."""
    says: str = ""
    """The same in words, for a rule in table form."""


def parse_tokens(text: str) -> tuple[Token, ...]:
    """Return the tokens of a rule's text: split at single spaces, no quoting.

    Raises:
        RuleTextError: The text is no rule.
    """
    _check_characters(text)
    words = text.split(" ")
    if "" in words:
        raise RuleTextError("tokens are separated by exactly one space, with none at either end")
    tokens = tuple(parse_token(word) for word in words)
    if any(token.kind == "rest" for token in tokens[:-1]):
        raise RuleTextError("'**' stands for the rest of the arguments: only as the last token")
    _check_program(tokens[0])
    return tokens


def program_token(text: str) -> Token:
    """Return the token of a rule's program.

    Raises:
        RuleTextError: The text names no program.
    """
    _check_characters(text)
    token = parse_token(text)
    _check_program(token)
    return token


def difference(rule: Rule, argv: Sequence[str | None], inputs: Mapping[str, str]) -> Difference | None:
    """Return where `argv` first differs from a rule, or None if it matches.

    Args:
        argv: None stands for an argument that is not known yet; it differs from nothing that can match at all.
    """
    if rule.shape is not None and argv and _may_match(rule.tokens[0], argv[0], inputs):
        from ._shape import shape_mismatch

        found = shape_mismatch(rule.shape, argv)
        if found is None and rule.shape.arguments.kind == "any":
            return _option_among(rule, argv)
        return None if found is None else Difference(position=found.position, token=None, says=found.says)
    for position, token in enumerate(rule.tokens):
        if token.kind == "rest":
            return _rest_difference(token, position, argv)
        if position >= len(argv) or not _may_match(token, argv[position], inputs):
            return Difference(position=position, token=token)
        if begins_open(token) and is_option_to(rule.program, argv[position] or ""):
            return Difference(position=position, token=token)
    return Difference(position=len(rule.tokens), token=None) if len(argv) > len(rule.tokens) else None


def _option_among(rule: Rule, argv: Sequence[str | None]) -> Difference | None:
    for position, argument in enumerate(argv):
        if position and is_option_to(rule.program, argument or ""):
            return Difference(
                position=position, token=None, says="any argument that is no option, nor a file of options"
            )
    return None


def breadth(rule: Rule) -> tuple[int, ...]:
    """Return how much a rule leaves open, token by token: the lower, the narrower."""
    words = tuple(_BREADTH[token.kind] for token in rule.tokens)
    return words if rule.shape is None else (*words, _BREADTH_OF_ARGUMENTS[rule.shape.arguments.kind] + 1)


_BREADTH = {"exact": 0, "input": 1, "mixed": 2, "regex": 3, "any": 4, "rest": 5}


def _check_characters(text: str) -> None:
    if not text:
        raise RuleTextError("it is empty")
    bad = next((character for character in text if character != " " and not character.isprintable()), None)
    if bad is not None:
        raise RuleTextError(f"it holds {bad!a}, but only characters that can be seen and single spaces may stand there")


def _check_program(token: Token) -> None:
    if token.kind != "exact":
        raise RuleTextError(f"its program {token.text!r} must be exact: without '*' and '{{…}}'")
    if token.text.startswith("/"):
        # normpath keeps two leading slashes, which POSIX lets mean something else.
        if os.path.normpath(token.text) != token.text or token.text.startswith("//"):
            raise RuleTextError(f"its program {token.text!r} must be a canonical path: no '.', '..' or doubled slash")
    elif not BARE_NAME.fullmatch(token.text) or token.text in {".", ".."}:
        raise RuleTextError(f"its program {token.text!r} must be a name without slashes, or an absolute path")


def _rest_difference(token: Token, start: int, argv: Sequence[str | None]) -> Difference | None:
    for position in range(start, len(argv)):
        argument = argv[position]
        if argument is not None and has_control(argument):
            return Difference(position=position, token=token)
    return None


def _may_match(token: Token, argument: str | None, inputs: Mapping[str, str]) -> bool:
    if argument is None:
        return token_is_possible(token, inputs)
    return token_matches(token, argument, inputs)
