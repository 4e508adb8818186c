"""Whose signatures count: the allowed signers file of OpenSSH, where no line is skipped for being wrong."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._files import content_of, lines_of
from ._keys import PublicKey, blob_in, key_words, public_key
from ._options import Options, options_in
from ._patterns import PatternList, patterns_in
from ._refusals import SignatureRefusedError, SignersError
from ._wire import MalformedError

_PRINCIPALS = lazy_pattern(r'(?:"(?P<quoted>[^"]*)"|(?P<plain>[^ \t"]+))[ \t]+')
_OPTIONS = lazy_pattern(r'(?P<options>(?:[^ \t"\\]|\\"|\\(?!")|"(?:[^"\\]|\\"|\\(?!"))*")+)[ \t]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """One line: who may use which key, when and for what."""

    line: int
    principals: PatternList
    key: PublicKey
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedSigners:
    """All lines of a list."""

    file: str
    """Its name, for messages."""
    signers: tuple[Signer, ...]


def read_allowed_signers(path: Path) -> AllowedSigners:
    """Return the signers that a file lists.

    Raises:
        SignersError: It can't be read, or a line of it can't.
    """
    return allowed_signers(content_of(path), file=str(path))


def allowed_signers(content: bytes, *, file: str) -> AllowedSigners:
    """Return the signers that the content of a file lists.

    Args:
        file: What the file is called in messages.

    Raises:
        SignersError: A line of it can't be read.
    """
    return AllowedSigners(
        file=file, signers=tuple(_signer(text, line, file) for line, text in lines_of(content, file=file))
    )


def _signer(text: str, line: int, file: str) -> Signer:
    try:
        return _parsed(text, line)
    except (MalformedError, SignatureRefusedError) as error:
        raise SignersError(file=file, line=line, message=str(error)) from error


def _parsed(text: str, line: int) -> Signer:
    head = _PRINCIPALS.match(text)
    if head is None:
        raise MalformedError("it is no signer: a line is `principals [options] key-type key [comment]`")
    principals = patterns_in(head["plain"] if head["quoted"] is None else head["quoted"])
    rest, options = text[head.end() :], Options()
    words = key_words(rest)
    if words is None:
        found = _OPTIONS.match(rest)
        if found is None:
            raise MalformedError("it has no key, or a quote without its end")
        options = options_in(found["options"])
        words = key_words(rest[found.end() :])
    if words is None:
        raise MalformedError("it has no key where one is due")
    key = public_key(blob_in(words))
    if options.verify_required and key.application is None:
        raise MalformedError(f"verify-required can't be met: a key of type {key.type} is no token's")
    return Signer(line=line, principals=principals, key=key, options=options)
