"""The open corpus of attacks, each case with its oracle, at each level, as this user and as one without privilege.

`WORKFLOW_EXEC_CORPUS=docs/sandbox-corpus.md pytest tests/sandbox/test_corpus.py` writes the page with the results, beside
a runner that refuses everything and one that confines nothing.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_workflow_exec.sandbox._level import offer_of

from ._corpus import CASES
from .test_namespaces import NOBODY, ROOT, USERS, run_as

PAGE = ROOT / "docs/sandbox-corpus.md"
BY_ID = {case["id"]: case for case in CASES}
LEVELS = [
    pytest.param(
        level, marks=pytest.mark.skipif(offer_of(level).level != level, reason=offer_of(level).reason or level)
    )
    for level in ("landlock", "namespaces")
]
# What a level is said not to keep from a command, or not to let it do: docs/sandbox.md has both.
UNCLAIMED = {("SIG-06", "landlock"): "the engine's scheduling can be changed"}
# Nothing keeps it from doing it, but it fails for it.
FOUND_OUT = {("STATE-08", "landlock"): "where that is protected"}
UNOFFERED = {("OK-07", "landlock"): "no repository can be written in"}


@functools.cache
def found(level: str, user: str) -> dict[str, dict[str, Any]]:
    """Return what became of every case."""
    with tempfile.TemporaryDirectory() as name:
        if user == "nobody":
            os.chown(name, NOBODY, NOBODY)
        done = run_as(user, "-m", "tests.sandbox._corpus", level, name)
    if done.returncode != 0:
        raise AssertionError(done.returncode, done.stderr)
    result: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", BY_ID)
def test_case_is_held(name: str, level: str, user: str) -> None:
    """What is to be refused starts nothing, what is to be contained runs and does no harm, and the rest works."""
    case, seen = BY_ID[name], found(level, user)[name]
    if seen["how"] == "not installed":
        pytest.skip(f"{case['argv'][0]} is not installed")
    if (name, level) in UNCLAIMED:
        pytest.skip(UNCLAIMED[name, level])
    if (name, level) in UNOFFERED:
        assert seen["how"] == "refused"
        return
    if (name, level) in FOUND_OUT:
        assert FOUND_OUT[name, level] in seen["said"]
        return

    assert (
        seen["how"]
        in {"denied": ("refused", "refused at load"), "contained": ("ran",), "allowed": ("ran",)}[case["expect"]]
    ), seen
    assert seen["broken"] == [], seen


def test_attacks_are_attacks() -> None:
    """Started by `subprocess` most of the corpus does its harm here: held cases are not held by accident."""
    harmful = [name for name, seen in found("bare", "own").items() if _did_harm(name, seen)]

    assert len(harmful) >= 50, harmful


def test_page_has_every_case() -> None:
    """The page with the results tells of every case, and of none that is gone."""
    rows = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]

    assert [row.strip("`") for row in rows] == list(BY_ID)


@pytest.mark.skipif("WORKFLOW_EXEC_CORPUS" not in os.environ, reason="writes a page of the documentation")
def test_page_is_written() -> None:
    """The page is what was found here."""
    path = ROOT / os.environ["WORKFLOW_EXEC_CORPUS"]
    path.write_text("\n".join(_page()) + "\n")


def _did_harm(name: str, seen: dict[str, Any]) -> bool:
    return BY_ID[name]["expect"] != "allowed" and bool(seen.get("broken"))


def _page() -> Iterator[str]:
    runners = [("bare", "own"), *((level, user) for user in ("own", "nobody") for level in ("landlock", "namespaces"))]
    names = {"own": "root" if os.geteuid() == 0 else "a user", "nobody": "nobody"}
    titles = ["`subprocess`", *(f"`{level}`, {names[user]}" for level, user in runners[1:])]
    yield from _INTRODUCTION.splitlines()
    yield ""
    yield f"| | refuse all | {' | '.join(titles)} |"
    yield "|---" * (len(titles) + 2) + "|"
    for expect in ("denied", "contained", "allowed"):
        cases = [name for name in BY_ID if BY_ID[name]["expect"] == expect]
        scores = [_score(cases, found(level, user), level) for level, user in runners]
        yield f"| {expect} | {0 if expect == 'allowed' else len(cases)} of {len(cases)} | {' | '.join(scores)} |"
    yield from ("", "## Each case", "")
    yield f"| case | is to be | what it does | {' | '.join(titles)} |"
    yield "|---" * (len(titles) + 3) + "|"
    for name, case in BY_ID.items():
        results = [_word(name, found(level, user)[name], level) for level, user in runners]
        why = (
            case["why"]
            .replace("|", "\\|")
            .replace("`", "'")
            .replace("*", "\\*")
            .replace("_", "\\_")
            .replace("<", "\\<")
        )
        yield f"| `{name}` | {case['expect']} | {why} | {' | '.join(results)} |"


def _score(names: list[str], seen: dict[str, dict[str, Any]], level: str) -> str:
    there = [name for name in names if seen[name]["how"] not in ("not installed", "not run")]
    counted = [name for name in there if (name, level) not in UNCLAIMED | UNOFFERED | FOUND_OUT]
    good = [name for name in counted if _is_good(name, seen[name])]
    return f"{len(good)} of {len(counted)}"


def _is_good(name: str, seen: dict[str, Any]) -> bool:
    expect = BY_ID[name]["expect"]
    if expect == "denied":
        return bool(seen["how"].startswith(("refused", "did not")))
    return bool(seen["how"] == "ran" and seen["broken"] == [])


def _word(name: str, seen: dict[str, Any], level: str) -> str:
    if (name, level) in UNCLAIMED:
        return "not claimed"
    if (name, level) in UNOFFERED:
        return "not offered"
    if (name, level) in FOUND_OUT:
        return "found out"
    if level == "bare" and _did_harm(name, seen):
        return "**harm**"
    return str(seen["how"]) if not seen.get("broken") else "**broken**"


_INTRODUCTION = """\
# The corpus of attacks

Commands that try to get out: by what tools can start, write and read, by paths, links, variables and characters, at the
network, the terminal, the engine, the evidence, and by staying alive. Each says whether it is to be *denied* (nothing
starts, and the refusal is recorded), *contained* (it runs and does no harm) or *allowed* (it works). Each has an oracle:
a file that must not be there, a listener that must hear nothing, a process that must be gone.

`pytest tests/sandbox/test_corpus.py` plays all of it at every level that the machine has, as the user who runs it and,
for root, as one without any privilege. This page is what it found on one machine with Linux 6.18.

- A contained case is given a rule that is far too loose. Most policies with such a rule do not load. So that the kernel
  is tried nevertheless, the command then runs by a rule for exactly its arguments, which no policy can hold: *ran* means that it
  really did.
- *refuse all* is what a runner gets that refuses every command; `subprocess` is Python's, with a timeout and nothing else,
  and *harm* there means that the oracle saw it. Cases without an oracle, or that did no harm on this machine, say *ran*.
- *not installed* is a program that the machine does not have, *not claimed* what the level is said not to keep from a
  command, *not offered* what it is said not to let a command do, *found out* what it lets happen and fails the command for
  ([sandbox.md](sandbox.md)). None of them is counted.
- *refused at load* is a policy that does not load, *refused* a command that was judged and not started.
- Under `subprocess`, *not run* would have filled the memory or the disk, or needs a runner to have a meaning."""
