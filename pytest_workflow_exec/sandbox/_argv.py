"""Argument lists before any rule is asked: what no program could be given is refused here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_workflow_exec.errors import CommandRefusedError

# The kernel's own bounds on Linux: one argument with its final NUL, and a safe part of the whole.
_MAX_ARGUMENT_BYTES = 128 * 1024 - 1
_MAX_TOTAL_BYTES = 1024 * 1024 - 1


def checked_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a copy of `argv` that can be started as it is.

    Raises:
        CommandRefusedError: It is no list of texts, is empty or too long, or holds what no argument can hold.
    """
    reason = _reason(argv)
    if reason is not None:
        raise CommandRefusedError(argv=shown_argv(argv), reason=reason)
    # A copy of plain texts: a list, or a subclass of str, could read differently the second time.
    return tuple(str.__str__(argument) for argument in argv)


def shown_argv(argv: object, *, mask: Callable[[str], str] = str) -> tuple[str, ...]:
    """Return whatever was given as an argument list, as bounded texts for a message or a record.

    Args:
        argv: What was given.
        mask: Takes secrets out of a text, before it is cut: of half a secret, nobody would know the rest.
    """
    if isinstance(argv, str) or not isinstance(argv, Sequence):
        return (_bounded(argv, mask),)
    return tuple(_bounded(argument, mask) for argument in argv[:_SHOWN_ARGUMENTS])


_SHOWN_ARGUMENTS = 1000
_SHOWN_CHARACTERS = 4096


def _bounded(argument: object, mask: Callable[[str], str]) -> str:
    text = mask(argument if isinstance(argument, str) else repr(argument))
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _reason(argv: object) -> str | None:
    if isinstance(argv, str) or not isinstance(argv, Sequence):
        return "a command is a list of arguments, not a text: it is never split, and there is no shell"
    if not argv:
        return "it is empty; name a program"
    total = 0
    for position, argument in enumerate(argv):
        reason = _argument_reason(argument)
        if reason is not None:
            return f"argument {position} {reason}"
        total += len(argument.encode()) + 1
    too_long = total > _MAX_TOTAL_BYTES
    return f"its arguments are {total} bytes long together; {_MAX_TOTAL_BYTES} are allowed" if too_long else None


def _argument_reason(argument: object) -> str | None:
    if not isinstance(argument, str):
        return f"is a {type(argument).__name__}, not a text"
    if "\0" in argument:
        return "holds a NUL character, at which a program would stop reading"
    try:
        size = len(argument.encode())
    except UnicodeEncodeError:
        return "holds half a surrogate pair, which is no character"
    return f"is {size} bytes long; {_MAX_ARGUMENT_BYTES - 1} are allowed" if size >= _MAX_ARGUMENT_BYTES else None
