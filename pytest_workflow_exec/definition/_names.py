"""Names: of workflow files, of steps, inputs and outputs, and of what this version does not know yet."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

from pytest_workflow_exec.lazy_patterns import lazy_pattern

_YAML_SUFFIXES = (".workflow.yaml", ".workflow.yml")
_PYTHON_PREFIX, _PYTHON_SUFFIX = "workflow_", ".py"

MAX_NAME_LENGTH = 64
_MAX_KNOWN = 30

STEP_ID = lazy_pattern(r"[a-z][a-z0-9_-]*", re.ASCII)
_CLASS_NAME = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
VALUE_NAME = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)

WORKFLOW_LATER: frozenset[str] = frozenset()
STEP_LATER = frozenset({
    "defaults", "concurrency",
    "policy",
})  # fmt: skip
BLOCK_LATER = frozenset({
    "retry", "poll", "defaults", "timeout", "env", "cwd", "concurrency", "policy", "waive",
})  # fmt: skip
INPUT_LATER = frozenset({"optional", "required"})
WAIVE_LATER = frozenset({"form", "meaning", "min_wait", "refs", "required", "show", "veto", "wait"})
CHECK_LATER = frozenset({"timeout", "skips"})
VERIFY_LATER = frozenset({"env", "args"})


def is_fragment(path: Path) -> bool:
    """Return whether the file's name says that other workflows include it and nobody runs it alone."""
    name = path.name
    return name.startswith("_") and _is_named_like_a_workflow(name[1:])


def is_workflow_file(path: Path) -> bool:
    """Return whether the file's name says that it is a workflow."""
    return not path.name.startswith("_") and _is_named_like_a_workflow(path.name)


def _is_named_like_a_workflow(name: str) -> bool:
    return name.endswith(_YAML_SUFFIXES) or (name.startswith(_PYTHON_PREFIX) and name.endswith(_PYTHON_SUFFIX))


def name_from_file(path: Path) -> str:
    """Return the name of the workflow in a file that does not say it: the file's, without prefix or suffix."""
    for suffix in _YAML_SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.name.removesuffix(_PYTHON_SUFFIX).removeprefix(_PYTHON_PREFIX)


def step_id_problem(text: str) -> str | None:
    """Return what is wrong with the id of a step or the name of a workflow, or None."""
    return _name_problem(text, STEP_ID, "[a-z][a-z0-9_-]*")


def function_id_problem(text: str) -> str | None:
    """Return what is wrong with the id that a function of a Python workflow gives its step, or None.

    Args:
        text: The function's name, behind the names of the classes that it stands in: `TestSite.deploy`.
    """
    *classes, function = text.split(".")
    problem = step_id_problem(function)
    if problem is not None:
        return f"the function's name is the step's id: {problem}"
    problems = [problem for name in classes if (problem := _name_problem(name, _CLASS_NAME, "[A-Za-z_][A-Za-z0-9_]*"))]
    return f"the class's name is part of the step's id: {problems[0]}" if problems else None


def value_name_problem(text: str) -> str | None:
    """Return what is wrong with the name of an input, a variable or an output, or None."""
    return _name_problem(text, VALUE_NAME, "[A-Za-z_][A-Za-z0-9_-]*")


def _name_problem(text: str, pattern: re.Pattern[str], shown: str) -> str | None:
    if len(text) > MAX_NAME_LENGTH:
        return f"{quoted(text)} is longer than {MAX_NAME_LENGTH} characters"
    if pattern.fullmatch(text) is None:
        return f"{quoted(text)} is not a name: it must match {shown}"
    return None


def one_line_problem(text: str) -> str | None:
    """Return what is wrong with a text that stands in one line of a screen, or None."""
    if not text.strip():
        return "is empty"
    if not text.isprintable():
        return "must be one line of printable characters"
    return None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` with the nearest known name, else all of them, to stand behind a message."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name[:MAX_NAME_LENGTH], names, n=1)
    if near:
        return f" (did you mean {near[0]!r}?)"
    more = ", ..." if len(names) > _MAX_KNOWN else ""
    return f" (known: {', '.join(names[:_MAX_KNOWN])}{more})" if names else " (there are none)"


def quoted(text: str) -> str:
    """Return a text as it can stand in a message: in quotes, escaped, short."""
    return repr(str(text) if len(text) <= MAX_NAME_LENGTH else f"{text[: MAX_NAME_LENGTH - 1]}...")
