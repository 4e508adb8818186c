"""What a `run:` step gives its command besides arguments, with the run's values filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.model import Command, Template
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import (
    Rule,
    Surroundings,
    SurroundingsError,
    check_folder,
    check_variables,
    stdin_bytes,
)


def surroundings_of(command: Command, values: Values) -> Surroundings:
    """Return what a command is given, secrets and all.

    Raises:
        OutputError: A value is not there, or leads the folder out of the project.
    """
    return Surroundings(
        cwd=None if command.cwd is None else _folder(command.cwd, values),
        env={name: values.text_with_secrets(text) for name, text in command.env.items()},
        stdin=None if command.stdin is None else values.text_with_secrets(command.stdin),
    )


def surroundings_problems(command: Command, values: Values, rule: Rule | None) -> Iterator[str]:
    """Return what is wrong, as far as it is known before any step ran, with what a command is to be given.

    Args:
        rule: The one that will allow it; None if that is not known yet.
    """
    try:
        if command.cwd is not None and values.known_text(command.cwd) is not None:
            folder = _folder(command.cwd, values)
            if rule is not None:
                check_folder(PurePosixPath(folder).as_posix(), rule)
        if rule is not None:
            check_variables(
                {name: values.known_text(text) or "" for name, text in _without_secrets(command.env, values)}, rule
            )
        if command.stdin is not None and not _holds_secret(command.stdin, values):
            stdin_bytes(values.known_text(command.stdin) or "")
    except (OutputError, SurroundingsError) as error:
        yield str(error)


def _without_secrets(env: Mapping[str, Template], values: Values) -> Iterator[tuple[str, Template]]:
    for name, text in env.items():
        yield name, Template(text="", parts=()) if _holds_secret(text, values) else text


def _holds_secret(text: Template, values: Values) -> bool:
    return any(each.scope == "inputs" and each.path[0] in values.secrets for each in text.references)


def _folder(template: Template, values: Values) -> str:
    text = values.text(template)
    if ".." in PurePosixPath(text).parts or not text:
        message = f"{template.text!r} becomes {text!r}, which is no folder below the project"
        raise OutputError(message)
    return text


def shown_surroundings(command: Command, values: Values, spell: Callable[[str], str]) -> str:
    """Return what a command is given besides arguments as a person reads it; empty if it is given nothing."""

    def say(template: Template) -> str:
        try:
            return ascii(spell(values.text(template)))
        except OutputError:
            return ascii(template.shown)

    said = [] if command.cwd is None else [f"in {say(command.cwd)}"]
    said += [f"with {name}={say(text)}" for name, text in command.env.items()]
    said += [] if command.stdin is None else [f"reading {_shown_stdin(command.stdin, values)}"]
    return "".join(f", {each}" for each in said)


def _shown_stdin(template: Template, values: Values) -> str:
    # What a command reads may be long, and is kept by its digest only.
    try:
        content = stdin_bytes(values.text(template))
    except (OutputError, SurroundingsError):
        return f"a text with {', '.join(str(each) for each in template.references)}"
    return f"{len(content)} bytes, sha256 {digest_of_bytes(content)}"
