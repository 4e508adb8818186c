"""The variables of the environment that say settings: never looser than the project's file, and never the policy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import get_args

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.errors import Problem, SettingsError
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._values import MAX_RETENTION_S, MAX_SEGMENT_MIB, MIN_SEGMENT_MIB, MONEY, Durability, Filesystem, Said, Settings

PREFIX = "WORKFLOW_EXEC_"
INPUTS = f"{PREFIX}INPUTS"
SUMMARY = f"{PREFIX}SUMMARY"

FOR_CHILDREN = frozenset(
    PREFIX + name for name in ("COMMAND", "CHILD_REPORT", "EVENT", "RUN", "WORKFLOW", "STEP", "RESULT")
)
"""What commands, tests and notifications are told: whoever starts a run from one of them has it set."""
FOR_THE_TOOL = frozenset({f"{PREFIX}FLEET"})
"""What the command line tool alone is told: where the database of a fleet is. No run asks for it."""
FOR_TESTS = frozenset(
    PREFIX + name
    for name in ("CORPUS", "FAULTS", "FAULTS_TABLE", "FUZZ", "MATRIX", "MATRIX_TABLE", "MUTATIONS", "NEIGHBOURS")
)
"""What the tests of this package itself are told."""
_MIB = 1 << 20
_MAX_SHOWN = 80
_HELD = lazy_pattern(
    r"POLICY.*|.*SANDBOX.*|.*SIGNERS?|.*PIN|.*APPROVE[RS]*|COMMANDS?|PATH|CARRY|REVOKED|NOTIFY|PYTHON_PROCESSES"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    key: str
    """Of the file."""
    read: Callable[[str, Settings], tuple[Json, Settings]]
    """Gives the value, and the settings with it; raises ValueError with what the variable must be."""


def with_variables(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """Return a project's settings as they hold here: its file's, made stricter by variables.

    Raises:
        SettingsError: A variable does not exist, can't be set from outside, or is looser than the file; all of them.
    """
    problems: list[Problem] = []
    said: dict[str, Said] = {}
    held = settings
    for name in sorted(each for each in environment if each.startswith(PREFIX)):
        text = environment[name]
        if name in FOR_CHILDREN or name in FOR_TESTS or name in FOR_THE_TOOL:
            continue
        if name not in VARIABLES:
            problems.append(Problem(message=_unknown(name)))
        elif not text.strip():
            problems.append(Problem(message=f"the variable {name} is empty: unset it, or give it a value"))
        elif (setting := _SETTINGS.get(name)) is None:
            said[VARIABLES[name]] = Said(variable=name, value=text)
        else:
            try:
                value, held = setting.read(text, held)
            except ValueError as error:
                problems.append(Problem(message=f"the variable {name} {error}, not {_shown(text)}"))
                continue
            said[setting.key] = Said(variable=name, value=value)
    if problems:
        raise SettingsError(problems)
    return replace(held, said=MappingProxyType(said))


def said_by_variable(environment: Mapping[str, str], name: str) -> str | None:
    """Return what a variable of `VARIABLES` says, or None if it says nothing; that it may, `with_variables` judges."""
    return environment.get(name, "").strip() or None


def _unknown(name: str) -> str:
    bare = name.removeprefix(PREFIX)
    if _HELD.fullmatch(bare):
        return (
            f"the variable {ascii(name)[1:-1]} says nothing: policy, signers, pin, sandbox and decisions are not for "
            "the environment to say; the project's file says what may be said. Unset it"
        )
    near = difflib.get_close_matches(bare, [each.removeprefix(PREFIX) for each in VARIABLES], n=1)
    meant = f"; did you mean {PREFIX}{near[0]}?" if near else f" (there are {', '.join(VARIABLES)})."
    return f"there is no variable {ascii(name)[1:-1]}{meant} Unset it"


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}...")


def _durability(text: str, settings: Settings) -> tuple[Json, Settings]:
    _check_word(text, get_args(Durability), stricter="power", file=settings.durability, key="durability")
    return text, replace(settings, durability="power" if text == "power" else "process")


def _filesystem(text: str, settings: Settings) -> tuple[Json, Settings]:
    _check_word(text, get_args(Filesystem), stricter="local", file=settings.filesystem, key="filesystem")
    return text, replace(settings, filesystem="local" if text == "local" else "any")


def _check_word(text: str, words: tuple[str, ...], *, stricter: str, file: str, key: str) -> None:
    if text not in words:
        raise ValueError(f"must be {' or '.join(words)}")
    if text != stricter and file == stricter:
        raise ValueError(f'must be {stricter}: {key} is "{file}" in the project, which no variable loosens')


def _retention(text: str, settings: Settings) -> tuple[Json, Settings]:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ValueError('must be a duration such as "90d"') from error
    if seconds > MAX_RETENTION_S:
        raise ValueError("must be a duration of 36500d at most")
    if settings.retention_s is not None and seconds < settings.retention_s:
        raise ValueError(f"must be {settings.retention_s / 86_400:g}d at least: no variable shortens retention")
    return text, replace(settings, retention_s=seconds)


def _segment_mib(text: str, settings: Settings) -> tuple[Json, Settings]:
    try:
        size = float(text)
    except ValueError:
        size = -1.0
    if not MIN_SEGMENT_MIB <= size <= MAX_SEGMENT_MIB:
        raise ValueError(f"must be a number of MiB from {MIN_SEGMENT_MIB} (1 KiB) to {MAX_SEGMENT_MIB}")
    return size, replace(settings, segment_bytes=int(size * _MIB))


def _ai(text: str, settings: Settings) -> tuple[Json, Settings]:
    # Nothing of the environment makes a session pay, or turns what was recorded into an answer.
    if text != "off":
        raise ValueError("must be off: only --workflow-ai asks a model or has recorded answers replayed")
    return text, replace(settings, ai="off")


def _ai_budget(text: str, settings: Settings) -> tuple[Json, Settings]:
    amount = float(text) if MONEY.fullmatch(text) else 0.0
    if not amount:
        raise ValueError("must be an amount of US dollars such as 2.50")
    if settings.ai_budget_usd is not None and amount > settings.ai_budget_usd:
        raise ValueError(f"must be {settings.ai_budget_usd:g} at most: no variable raises ai_budget")
    return amount, replace(settings, ai_budget_usd=amount)


_SETTINGS: Mapping[str, _Setting] = {
    f"{PREFIX}AI": _Setting(key="ai", read=_ai),
    f"{PREFIX}AI_BUDGET": _Setting(key="ai_budget", read=_ai_budget),
    f"{PREFIX}DURABILITY": _Setting(key="durability", read=_durability),
    f"{PREFIX}FILESYSTEM": _Setting(key="filesystem", read=_filesystem),
    f"{PREFIX}RETENTION": _Setting(key="retention", read=_retention),
    f"{PREFIX}SEGMENT_MIB": _Setting(key="segment_mib", read=_segment_mib),
}
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        **{name: setting.key for name, setting in _SETTINGS.items()},
        INPUTS: "--workflow-inputs",
        SUMMARY: "--workflow-summary",
    }
)
"""Every variable that there is, with the key of the file, or else the option, that says the same."""
