"""The tests with every supported pytest on the oldest and the newest Python.

`nox` runs all of it, `nox -s neighbours` or `nox -s "tests-3.10(pytest='9.0')"` a part. An interpreter that is
not there is an error: what was not run has not passed.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.10.9"
nox.options.error_on_missing_interpreters = True
nox.options.default_venv_backend = "venv"

PYTHONS = ("3.10", "3.13")
PYTESTS = ("8.4", "9.0", "9.1", "newest")
IN_THE_MATRIX = ("pytest-cov", "pytest-dependency", "pytest-randomly", "pytest-sugar")
"""What the matrix meets beyond what the extra `dev` brings."""
NEIGHBOURS = (
    *IN_THE_MATRIX,
    "flaky",
    "pytest-asyncio",
    "pytest-bdd",
    "pytest-json-report",
    "pytest-mock",
    "pytest-reportlog",
    "pytest-workflow",
)
TAVERN = "tavern>=3.7"
"""It needs Python 3.11. Its last release, 3.7.1, fails to import under pytest 9.2, and takes every session down with it."""
QUIET = ("randomly", "sugar", "asyncio", "flaky")
"""Neighbours that act without being asked; the sessions that test them are other ones, in processes of their own."""

each_pytest = nox.parametrize("pytest", PYTESTS)


@nox.session(python=PYTHONS)
@each_pytest
def tests(session: nox.Session, pytest: str) -> None:
    """Run the project's tests."""
    _install(session, pytest)
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
@each_pytest
def matrix(session: nox.Session, pytest: str) -> None:
    """Run every flow under every flag and plugin, and compare with the page that shows what happens."""
    _install(session, pytest, *IN_THE_MATRIX)
    whole = {"WORKFLOW_EXEC_MATRIX": "whole"}
    session.run("pytest", *_quietly(), "tests/plugin/test_matrix.py", *session.posargs, env=whole)


@nox.session(python=PYTHONS)
@each_pytest
def neighbours(session: nox.Session, pytest: str) -> None:
    """Run workflows beside other plugins."""
    tavern = session.python != "3.10" and pytest != "newest"
    _install(session, pytest, *NEIGHBOURS, *([TAVERN] if tavern else []))
    without = () if tavern else ("-k", "not tavern")
    every = {"WORKFLOW_EXEC_NEIGHBOURS": "all"}
    session.run("pytest", *_quietly(), "tests/plugin/test_neighbours.py", *without, *session.posargs, env=every)


@nox.session(python=PYTHONS[-1])
def hot_paths(session: nox.Session) -> None:
    """Count the instructions that a step takes, and compare with what it took before; needs valgrind."""
    session.install("--editable", ".")
    session.run("python", "-m", "benchmarks.hot_paths", *session.posargs)


@nox.session(python=PYTHONS[-1])
def fuzz(session: nox.Session) -> None:
    """Let a fuzzer look for ten minutes for a rule that allows too much, and for ten at the files that people write."""
    session.install("--editable", ".[dev,fuzz]")
    for module in ("tests.sandbox.fuzz", "tests.definition.fuzz"):
        session.run("python", "-m", module, *(session.posargs or ("-max_total_time=600",)))


@nox.session(python=PYTHONS[-1])
def docs(session: nox.Session) -> None:
    """Build the documentation; whatever mkdocs would warn of is an error."""
    session.install("--editable", ".[docs]")
    session.run("mkdocs", "build", "--strict", *session.posargs)


def _install(session: nox.Session, pytest: str, *plugins: str) -> None:
    wanted = "pytest" if pytest == "newest" else f"pytest=={pytest}.*"
    session.install("--upgrade", "--editable", ".[dev]", wanted, *plugins)


def _quietly() -> tuple[str, ...]:
    return tuple(argument for name in QUIET for argument in ("-p", f"no:{name}"))
