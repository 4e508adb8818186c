"""What is loaded when it is first used is the same as what would have been loaded at once."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module

import pytest

from pytest_workflow_exec.lazy_patterns import lazy_pattern

PACKAGES = ("approval", "definition", "evidence", "progress", "redaction", "run", "sandbox", "settings")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_found(name: str) -> None:
    """Whatever a package names as its own can be had from it, and nothing else."""
    package = import_module(f"pytest_workflow_exec.{name}")

    found = {each for each in package.__all__ if hasattr(package, each)}

    assert found == set(package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nobody_has_this'"):
        package.nobody_has_this  # noqa: B018  # asking is what fails


def test_a_package_loads_only_what_is_asked_for() -> None:
    """A name of a package loads the module that holds it, not the package's others."""
    code = (
        "import sys\nfrom pytest_workflow_exec.evidence import Head\n"
        "print(*sorted(n for n in sys.modules if n.startswith('pytest_workflow_exec.evidence.')))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["pytest_workflow_exec.evidence._record"]


@pytest.mark.parametrize("method", ["fullmatch", "match", "search"])
@pytest.mark.parametrize("text", ["ab", "xab", "AB\n", ""])
def test_a_pattern_finds_what_it_would_have_found(method: str, text: str) -> None:
    """A pattern that is compiled late is the pattern."""
    late, early = lazy_pattern("(?P<a>a)b", re.IGNORECASE), re.compile("(?P<a>a)b", re.IGNORECASE)

    for _ in range(2):
        ours, theirs = getattr(late, method)(text), getattr(early, method)(text)
        assert (ours and (ours.span(), ours["a"])) == (theirs and (theirs.span(), theirs["a"]))
    assert (late.pattern, late.flags, late.groups, late.groupindex) == (
        early.pattern,
        early.flags,
        early.groups,
        early.groupindex,
    )


def test_a_pattern_says_what_is_wrong_with_it() -> None:
    """What no pattern is, is said when it is used."""
    with pytest.raises(re.error):
        lazy_pattern("(").search("")
