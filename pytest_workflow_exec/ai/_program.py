"""The claude-agent-sdk and the program that it brings: whether they are there, without importing anything of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ._room import LOGINS

SDK = "claude_agent_sdk"
DISTRIBUTION = "claude-agent-sdk"
MIN_SDK = (0, 2, 187)
_EXTRA = 'pip install "pytest-workflow-exec[ai]"'


def ai_problems(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return what keeps a model from being asked, each with what to do about it; empty if nothing is known to.

    Nothing is imported, started or asked: whether the login is right shows only when a model is asked.

    Args:
        environment: What to look for a login in; this process's own if it is None.
    """
    given = os.environ if environment is None else environment
    return tuple(problem for problem in (_sdk_problem(), _login_problem(given)) if problem is not None)


def bundled_program() -> Path | None:
    """Return the program that the SDK brings, None if it brings none that can be started."""
    spec = find_spec(SDK)
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        program = Path(folder) / "_bundled" / "claude"
        if program.is_file() and os.access(program, os.X_OK):
            return program
    return None


def sdk_version() -> str:
    """Return the SDK's version, `unknown` if it says none."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"


def _sdk_problem() -> str | None:
    if find_spec(SDK) is None:
        return f"AI steps need {DISTRIBUTION}, which is not installed for {sys.executable}: {_EXTRA}"
    found = sdk_version()
    if _numbers(found) < MIN_SDK:
        wanted = ".".join(map(str, MIN_SDK))
        return f"AI steps need {DISTRIBUTION} {wanted} or newer, and {found} is installed: {_EXTRA} --upgrade"
    if bundled_program() is None:
        return (
            f"{DISTRIBUTION} {found} was installed without the program that it starts, as on systems for which there is "
            f"no wheel; AI steps start no other one"
        )
    return None


def _login_problem(environment: Mapping[str, str]) -> str | None:
    if any(environment.get(name) for name in LOGINS):
        return None
    return f"nothing logs in to the model: set {', '.join(LOGINS[:-1])} or {LOGINS[-1]}"


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(".")[: len(MIN_SDK)]
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()
