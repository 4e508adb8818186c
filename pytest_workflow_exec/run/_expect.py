"""Whether a command did what its step expects of it."""

from __future__ import annotations

from collections.abc import Callable

from pytest_workflow_exec.bounded_matching import search
from pytest_workflow_exec.errors import ExpectationError, PollFailedError
from pytest_workflow_exec.model import Expectation, Matcher, Poll
from pytest_workflow_exec.run._json import check_json
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import CommandResult

_SHOWN_CHARACTERS = 500


def check_expectation(expectation: Expectation, result: CommandResult, values: Values) -> None:
    """Return if the result is as expected; without a word on the exit status, it must be 0.

    Raises:
        ExpectationError: It is not; says what was expected and what was found.
        OutputError: A value in the expectation is not there.
    """
    _check_exit(expectation, result, values)
    for name, matchers, text in (
        ("stdout", expectation.stdout, result.stdout),
        ("stderr", expectation.stderr, result.stderr),
    ):
        if matchers and result.truncated:
            raise ExpectationError(
                argv=result.argv, what=name, expected="that could be compared", found="more output than is kept"
            )
        for matcher in matchers:
            if not _holds(matcher, text.removesuffix("\n"), values):
                raise ExpectationError(
                    argv=result.argv, what=name, expected=_wanted(matcher, values), found=_short(text)
                )

    check_json(expectation.json, result, values)


def check_poll(poll: Poll | None, result: CommandResult, values: Values) -> None:
    """Return if nothing of the result is what a step that is polled must not see.

    Raises:
        PollFailedError: Something is; says what.
        OutputError: A value in it is not there.
    """
    found = None if poll is None or poll.fail_on is None else _first_of(poll.fail_on, result, values)
    if found is not None:
        raise PollFailedError(argv=result.argv, found=found)


def _first_of(named: Expectation, result: CommandResult, values: Values) -> str | None:
    status = f"signal {result.signal}" if result.exit is None else str(result.exit)
    if named.exit and all(_holds(each, status, values) for each in named.exit):
        return f"it ended with {status}"
    for name, matchers, text in (
        ("stdout", named.stdout, result.stdout),
        ("stderr", named.stderr, result.stderr),
    ):
        if matchers and result.truncated:
            return f"it printed more to {name} than is kept"
        if matchers and all(_holds(each, text.removesuffix("\n"), values) for each in matchers):
            return f"{name} is {_short(text)}"
    try:
        check_json(named.json, result, values)
    except ExpectationError:
        return None
    return f"it printed {_short(result.stdout)}" if named.json else None


def _check_exit(expectation: Expectation, result: CommandResult, values: Values) -> None:
    found = f"signal {result.signal}" if result.exit is None else str(result.exit)
    if result.flooded:
        found += " (it printed more than is read, and was killed for that)"
    if result.limit:
        found += f" (it was killed at the policy's limit {result.limit!r})"
    wanted = [_wanted(each, values) for each in expectation.exit] or ["0"]
    # A command that a signal ended has no exit status; it is never "not 0" by accident.
    as_wanted = result.exit is not None and (
        all(_holds(each, found, values) for each in expectation.exit) if expectation.exit else result.exit == 0
    )
    if not as_wanted:
        raise ExpectationError(
            argv=result.argv,
            what="exit status",
            expected=" and ".join(wanted),
            found=_with_tail(found, result.stderr.strip() or result.stdout.strip()),
            exit_status=result.exit,
            printed=result.stderr.strip() or result.stdout.strip(),
        )


def _holds(matcher: Matcher, found: str, values: Values) -> bool:
    if matcher.operator in _PATTERNS:
        [pattern] = matcher.operands
        return _PATTERNS[matcher.operator](search(values.pattern(pattern), found) is not None)
    wanted = [values.text(operand).removesuffix("\n") for operand in matcher.operands]
    if matcher.operator in _NUMBERS:
        return _compare(_NUMBERS[matcher.operator], found, wanted[0])
    if matcher.operator == "contains":
        return wanted[0] in found
    equal = found in wanted
    return not equal if matcher.operator == "not" else equal


_PATTERNS: dict[str, Callable[[bool], bool]] = {"matches": lambda hit: hit, "not_matches": lambda hit: not hit}
_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda found, wanted: found < wanted,
    "le": lambda found, wanted: found <= wanted,
    "gt": lambda found, wanted: found > wanted,
    "ge": lambda found, wanted: found >= wanted,
}


def _compare(holds: Callable[[float, float], bool], found: str, wanted: str) -> bool:
    try:
        return holds(float(found), float(wanted))
    except ValueError:
        return False


def _wanted(matcher: Matcher, values: Values) -> str:
    texts = [_short(values.text(operand)) for operand in matcher.operands]
    shown = " or ".join(texts)
    return shown if matcher.operator in ("equals", "in") else f"{matcher.operator.replace('_', ' ')} {shown}"


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")


def _with_tail(found: str, printed: str) -> str:
    tail = printed[-_SHOWN_CHARACTERS:]
    return f"{found}:\n{tail}" if tail else found
