"""What `doctor` finds out about Python and what is installed in it, without importing any of it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping

from ._arguments import DISTRIBUTION, version
from ._finding import Finding, attention, note

_LEAST_PYTHON = (3, 10)
_LEAST_PYTEST = (8, 4)
_GROUP = "pytest11"
_OWN_NAME = "workflow_exec"
_NEIGHBOURS: Mapping[str, str] = {
    "pytest-xdist": "spreads whole workflows over workers; a gate at a terminal needs -n0",
    "pytest-rerunfailures": "never runs a step again; --force-reruns is refused; beside pytest-xdist it keeps confined "
    "tests of verify: steps from starting (docs/sandbox.md)",
    "flaky": "never runs a step again; --force-flaky is refused",
    "pytest-sugar": "draws its own lines instead of ours",
    "pytest-workflow": "takes every YAML file whose name begins with test",
    "pytest-bdd": "collects its own files",
    "tavern": "collects its own files; 3.7.1 does not load under pytest 9.2",
    "pytest-randomly": "orders ordinary tests; steps stay in the order of the plan",
    "pytest-random-order": "orders ordinary tests; steps stay in the order of the plan",
    "pytest-order": "orders ordinary tests; steps stay in the order of the plan",
}
"""What the plugins that matter do beside workflows, in short: docs/neighbours.md has all of it."""


def package_findings() -> Iterator[Finding]:
    """Give what there is to say of versions, plugins and extras."""
    yield _python()
    yield _pytest()
    yield Finding(about="plugin", says=f"{DISTRIBUTION} {version()}")
    yield Finding(about="pydantic", says=_version_of("pydantic") or "not installed")
    yield from _loading()
    yield from _neighbours()
    yield _timeouts()
    yield _signatures()
    yield _ai()


def _python() -> Finding:
    says = f"{platform.python_version()}, {sys.executable}"
    if sys.version_info[:2] < _LEAST_PYTHON:
        return attention("Python", says, f"use Python {'.'.join(map(str, _LEAST_PYTHON))} or newer")
    return Finding(about="Python", says=says)


def _pytest() -> Finding:
    found, least = _version_of("pytest"), ".".join(map(str, _LEAST_PYTEST))
    if found is None:
        return attention("pytest", "not installed in this environment", f"pip install 'pytest>={least}'")
    if tuple(map(int, re.findall(r"\d+", found)[:2])) < _LEAST_PYTEST:
        return attention("pytest", found, f"pip install 'pytest>={least}'")
    return Finding(about="pytest", says=found)


def _loading() -> Iterator[Finding]:
    """Say what keeps pytest from loading the plugin."""
    if _version_of(DISTRIBUTION) is None:
        yield attention(
            "loading", "the plugin is not installed, so pytest does not load it", f"pip install {DISTRIBUTION}"
        )
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        says = "PYTEST_DISABLE_PLUGIN_AUTOLOAD is set: pytest loads no plugin by itself"
        yield attention("loading", says, "unset it, or run pytest -p pytest_workflow_exec.plugin")
    try:
        options = shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    except ValueError:
        options = []
    if f"no:{_OWN_NAME}" in options or f"-pno:{_OWN_NAME}" in options:
        yield attention("loading", "PYTEST_ADDOPTS switches the plugin off", "take -p no:workflow_exec out of it")


def _neighbours() -> Iterator[Finding]:
    plugins = {
        point.dist.name: point.dist.version
        for point in importlib.metadata.entry_points(group=_GROUP)
        if point.dist is not None and point.dist.name != DISTRIBUTION
    }
    for name in sorted(plugins.keys() & _NEIGHBOURS.keys()):
        yield note("pytest plugin", f"{name} {plugins[name]}: {_NEIGHBOURS[name]}")
    others = sorted(f"{name} {plugins[name]}" for name in plugins.keys() - _NEIGHBOURS.keys())
    if others:
        yield Finding(about="pytest plugins", says=", ".join(others))


def _timeouts() -> Finding:
    found = _version_of("pytest-timeout")
    if found is None:
        says = "pytest-timeout is not installed: a Python step with a timeout is refused"
        return attention("timeouts", says, "pip install pytest-timeout")
    return Finding(about="timeouts", says=f"pytest-timeout {found}")


def _signatures() -> Finding:
    found = _version_of("cryptography")
    if found is not None:
        return Finding(about="signatures", says=f"checked in process, by cryptography {found}")
    tool = shutil.which("ssh-keygen")
    if tool is not None:
        return Finding(about="signatures", says=f"checked by {tool}")
    says = "nothing here checks signatures: gates of assurance 2 and more can't be opened"
    return note("signatures", says, f"pip install '{DISTRIBUTION}[sign]'")


def _ai() -> Finding:
    # Importing it would cost a second, and could run anything.
    extra = importlib.util.find_spec("claude_agent_sdk") is not None
    tool = shutil.which("claude")
    if not extra:
        return note(
            "AI", "the extra is not installed: workflows with AI steps are refused", f"pip install '{DISTRIBUTION}[ai]'"
        )
    of_tool = "no claude program on the PATH; the extra may bring its own" if tool is None else tool
    return Finding(about="AI", says=f"claude-agent-sdk {_version_of('claude-agent-sdk') or '?'}, {of_tool}")


def _version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
