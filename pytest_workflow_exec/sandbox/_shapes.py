"""Reading a rule's table: into a shape, or into what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.settings import RuleSettings

from ._runners import Runner, names_its_work, runner_of, runs_code
from ._shape import END_OF_OPTIONS, Arguments, Option, Shape, knows_end_of_options
from ._tokens import RuleTextError, check_regex, has_control

_NAME = lazy_pattern(r"--?[A-Za-z0-9][A-Za-z0-9_.-]*")
_SUBCOMMAND = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9._:+-]*")
_KINDS = ("none", "any", "workspace")
_OPEN = ("value", "workspace")


def read_shape(written: RuleSettings) -> Shape:
    """Return the shape that a rule's table describes.

    Raises:
        RuleTextError: It is none, or leaves open what an interpreter or a wrapper runs.
    """
    program = written.program or ""
    options = tuple(_option(spelled) for spelled in written.options if spelled != END_OF_OPTIONS)
    _check_once(written.options, options)
    shape = Shape(
        subcommands=tuple(_subcommand(text) for text in written.subcommand),
        options=options,
        arguments=_arguments(written.arguments),
        ends_options=END_OF_OPTIONS in written.options or knows_end_of_options(program),
    )
    return _closed(program, shape)


def _option(spelled: str) -> Option:
    name, equals, value = spelled.partition("=")
    if not _NAME.fullmatch(name):
        raise RuleTextError(
            f"option {spelled!r} must be an exact name, such as '--all', '--out=' (takes a value), "
            f"'--out=ws' (a path in the project) or '--format=json' (this value)"
        )
    if has_control(value):
        raise RuleTextError(f"option {name!r} has a value with control characters")
    if not equals:
        return Option(name=name)
    if value in ("", "ws"):
        return Option(name=name, takes="value" if value == "" else "workspace")
    if value.startswith("-"):
        raise RuleTextError(f"option {spelled!r} has a value that begins with '-', which may be read as an option")
    return Option(name=name, takes="exactly", value=value)


def _check_once(written: Sequence[str], options: Sequence[Option]) -> None:
    twice = next((spelled for at, spelled in enumerate(written) if spelled in written[:at]), None)
    if twice is not None:
        raise RuleTextError(f"option {twice!r} is written twice")
    for option in options:
        same = [other for other in options if other.name == option.name and other is not option]
        if option.takes == "value" and any(other.takes != "nothing" for other in same):
            raise RuleTextError(f"option {option.name!r} may have any value and also says which; keep one of the two")
        if option.takes == "nothing" and same and not option.name.startswith("--"):
            raise RuleTextError(
                f"option {option.name!r} is written with and without a value, so what follows it can be read in two "
                f"ways; keep one of the two"
            )


def _subcommand(text: str) -> tuple[str, ...]:
    words = tuple(text.split(" "))
    if not all(_SUBCOMMAND.fullmatch(word) for word in words):
        raise RuleTextError(
            f"subcommand {text!r} must be exact words, separated by one space each, none of them an option"
        )
    return words


def _arguments(written: str | tuple[str, ...]) -> Arguments:
    if isinstance(written, tuple):
        for word in written:
            if word == "" or word.startswith("-") or has_control(word):
                raise RuleTextError(f"argument {word!r} must not be empty, an option, or hold control characters")
        return Arguments(kind="list", words=written)
    if written in _KINDS:
        return Arguments(kind="none" if written == "none" else "any" if written == "any" else "workspace")
    check_regex(written, "arguments")
    return Arguments(kind="regex", regex=written)


def _closed(program: str, shape: Shape) -> Shape:
    runner = runner_of(program)
    if runner is None:
        words = [" ".join(words) for words in shape.subcommands] or [END_OF_OPTIONS]
        if not shape.arguments.closed and not names_its_work(program, words):
            raise RuleTextError(f"what {program!r} does is named by a sub-command: say which with subcommand")
        return shape
    if runner.kind == "interpreter" and runner.modules:
        return _python(program, runner, shape)
    if runner.leading is None or not shape.subcommands or _leads(runner, shape):
        _check_closed(program, runner, shape)
    return replace(shape, bare=False, ends_options=False)


def _leads(runner: Runner, shape: Shape) -> bool:
    return any(word in (runner.leading or {}) for words in shape.subcommands for word in words)


def _python(program: str, runner: Runner, shape: Shape) -> Shape:
    first = tuple(option for option in shape.options if runner.code.fullmatch(option.name))
    others = tuple(option for option in shape.options if option not in first)
    for option in first:
        code = option.name.endswith("c")
        if option.takes != "exactly" and not (code and option.takes == "value"):
            raise RuleTextError(f"option {option.name!r} of {program!r} must say which module it runs: '-m=build'")
    if shape.subcommands:
        raise RuleTextError(f"{program!r} is an interpreter and has no sub-commands")
    if not first or any(_opens(option) for option in first):
        _check_closed(program, runner, replace(shape, options=others))
    return replace(shape, options=others, first=first, bare=False, ends_options=False)


def _opens(option: Option) -> bool:
    if option.name.endswith("c"):
        return False
    known = runner_of(option.value)
    return runs_code(option.value) or (known is not None and known.leading is not None)


def _check_closed(program: str, runner: Runner, shape: Shape) -> None:
    open_parts = [*_open_parts(shape)]
    if open_parts:
        article = "an" if runner.kind == "interpreter" else "a"
        raise RuleTextError(
            f"{program!r} is {article} {runner.kind}: {open_parts[0]} may be what it runs. Name every value and "
            f"argument that it may have: '--option=value', arguments = [\"…\"]"
        )
    if not shape.options and not shape.first and shape.arguments.kind == "none" and not shape.subcommands:
        raise RuleTextError(f"{program!r} runs what it reads if it has no arguments; name what it may run")


def _open_parts(shape: Shape) -> Iterator[str]:
    yield from (f"the value of {option.name!r}" for option in shape.options if option.takes in _OPEN)
    if not shape.arguments.closed:
        yield "an argument"
