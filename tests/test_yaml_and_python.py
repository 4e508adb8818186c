"""The page that has each key of YAML beside Python: complete, and true of what Python takes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_workflow_exec import Fragment, Workflow, gate, include, step
from pytest_workflow_exec.definition import options_of, workflow_schema
from pytest_workflow_exec.plugin._talks import Claude
from pytest_workflow_exec.run import Sandbox, WorkflowHandle

from ._published import ROOT

PAGE = (ROOT / "docs" / "yaml-and-python.md").read_text(encoding="utf-8")
SAME_IN_PYTHON = frozenset({
    "AiContext", "Check", "Default", "DefaultEnv", "Defaults", "Entry", "Expect", "FormField", "Input", "JsonMatch", "Match",
    "Narrowing", "Retry",
})  # fmt: skip
"""What is a mapping with the same keys in Python, or, of `expect`, an assertion."""
TAKERS: Mapping[str, Callable[..., object]] = {
    "Workflow": Workflow.__init__,
    "Fragment": Fragment.__init__,
    "include": include,
    "sandbox.run": Sandbox.run,
    "workflow.ai": WorkflowHandle.ai,
    "claude.session": Claude.session,
}


def tables() -> dict[str, dict[str, str]]:
    """Return the page's tables by the titles above them, each with what stands beside a key."""
    found: dict[str, dict[str, str]] = {}
    for part in PAGE.split("\n## ")[1:]:
        title, _, rest = part.partition("\n")
        found[title] = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", rest, re.MULTILINE))
    return found


def keys() -> dict[str, set[str]]:
    """Return the keys that YAML has, by the name of their table in the schema."""
    schema: Any = workflow_schema()
    parts: Any = {"File": schema, "Fragment": workflow_schema(fragment=True), **schema["$defs"]}
    return {name: set(part.get("properties", {})) for name, part in parts.items()}


def test_every_key_stands_beside_what_python_says() -> None:
    """No key of the schema is left out, and none on the page is made up."""
    known = keys()

    assert known.keys() - SAME_IN_PYTHON == tables().keys()
    for title, rows in tables().items():
        assert rows.keys() == known[title], title


@pytest.mark.parametrize("said", sorted({said for rows in tables().values() for said in rows.values()}))
def test_python_takes_the_keywords_that_the_page_names(said: str) -> None:
    """Each keyword exists where the page says."""
    for taker, keyword in re.findall(r"`([\w.]+)\([^`]*?\b(\w+)=", said):
        assert keyword in inspect.signature(TAKERS[taker]).parameters, said
    for word, keyword in re.findall(r"`@(step|gate)\((\w+)=", said):
        values = {
            "always": True, "idempotent": True, "retry": 3, "evidence": ["a"], "check": ["a"], "undoes": ["a"], "show": ["a"],
            "refs": ["a"], "assurance": 1, "approvers": ["a"], "required": 1, "min_wait": "5m", "veto": True, "wait": "suspend",
            "on_timeout": "suspend", "form": {"a": {}}, "timeout": "5m", "expires": "5m", "max_age": "5m",
        }  # fmt: skip
        needs: dict[str, object] = (
            {"assurance": 2, "approvers": ["a"], "wait": "suspend"}
            if keyword in ("approvers", "required", "min_wait", "veto")
            else {}
        )
        value: object = values.get(keyword, "a")
        options = {**needs, keyword: value}
        decorated = (step if word == "step" else gate)(**options)(_function)  # type: ignore[call-overload]  # any of them
        assert options_of(decorated) is not None


def _function() -> None: ...
