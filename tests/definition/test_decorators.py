"""Rules of `Workflow`, `@step` and `@gate`."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.definition import (
    GateOptions,
    StepOptions,
    Workflow,
    activate,
    deactivate,
    gate,
    options_of,
    plugin_active,
    step,
)
from pytest_workflow_exec.errors import DefinitionError, WorkflowExecError

any_step: Any = step
any_gate: Any = gate
AnyWorkflow: Any = Workflow


@step
def bare() -> int:
    """Return a number."""
    return 1


@step(name="A name", description="Text", timeout="5m")
def described() -> None:
    """Do nothing."""


@gate
def asked() -> str:
    """Go on?"""
    return "words"


@gate(question="Publish?", show=["bare"], timeout="10m", meaning="review", refs=["REL-1"])
def asked_more() -> None:
    """Do nothing."""


def plain() -> None:
    """Do nothing."""


def generator() -> Any:
    """Never run when called."""
    yield


def first_argument(cls: type) -> None:
    """Do nothing."""


async def async_generator() -> Any:
    """Never run when called."""
    yield


def test_decorators_keep_what_they_say() -> None:
    """A decorated function carries the options of its decorator, with and without arguments."""
    assert options_of(bare) == StepOptions()
    assert options_of(described) == StepOptions(name="A name", description="Text", timeout_s=300.0)
    assert options_of(asked) == GateOptions()
    assert options_of(asked_more) == GateOptions(
        question="Publish?", show=("bare",), timeout_s=600.0, meaning="review", refs=("REL-1",)
    )
    assert options_of(plain) is None


def test_decorated_function_is_still_itself() -> None:
    """Name, documentation and behaviour of a decorated function are unchanged."""
    assert (bare.__name__, bare.__doc__, bare()) == ("bare", "Return a number.", 1)


@pytest.mark.parametrize(
    ("decorate", "fragment"),
    [
        (lambda: any_step(concurrency="Go"), "@step: 'concurrency' can't be used yet"),
        (lambda: any_step(always="yes"), "@step: always must be True or False, not 'yes'"),
        (lambda: any_step(when=3), "@step: when must be a text, not 3"),
        (lambda: any_step(tiemout="5m"), "unknown keyword 'tiemout' (did you mean 'timeout'?)"),
        (lambda: any_step(id="x"), "the id of a step is its function's name"),
        (lambda: any_step(timeout=5), "timeout must be a text, not 5"),
        (lambda: any_step(timeout="5"), "timeout '5' is no duration"),
        (lambda: any_step(name="a\nb"), "name must be one line"),
        (lambda: any_step(question="x"), "unknown keyword 'question'"),
        (lambda: any_gate(approvers=["x"]), "@gate: approvers: a code typed at a terminal proves nobody"),
        (lambda: any_gate(required=2), "@gate: required: a code typed at a terminal proves nobody"),
        (lambda: any_gate(assurance=2, required=2), "@gate: required: several persons never meet at one terminal"),
        (lambda: any_gate(assurance=2, required="2"), "@gate: required must be a number"),
        (lambda: any_gate(assurance=2, min_wait="1h"), "@gate: min_wait: nobody waits at a terminal"),
        (lambda: any_gate(assurance=4), "@gate: assurance: must be 1 (terminal), 2 (signature) or 3 (presence)"),
        (lambda: any_gate(assurance=True), "assurance must be 1, 2 or 3, not True"),
        (lambda: any_gate(show="build"), "show must be a list of texts"),
        (lambda: any_gate(show=[1]), "show holds 1"),
        (lambda: any_gate(shwo=[]), "did you mean 'show'?"),
        (lambda: any_step("build"), "it belongs on a function, as @step or @step(...)"),
        (lambda: any_step(3), "it belongs on a function"),
        (lambda: any_step(functools.partial(plain)), "it belongs on a function"),
        (lambda: any_step(Path), "stands on the class Path"),
        (lambda: any_gate()(Path), "stands on the class Path"),
        (lambda: any_step(bare), "is a step or gate already"),
        (lambda: any_gate(bare), "is a step or gate already"),
        (lambda: any_step(lambda: None), "inside a function"),
        (lambda: any_step(generator), "a generator; calling one runs nothing"),
        (lambda: any_step(async_generator), "a generator; calling one runs nothing"),
        (lambda: any_step(staticmethod(plain)), "stands above @staticmethod; write it below"),
        (lambda: any_gate()(classmethod(first_argument)), "stands above @classmethod; write it below"),
    ],
)
def test_misuse_is_refused_at_its_line(decorate: Callable[[], object], fragment: str) -> None:
    """What a decorator can't do is an error with file and line, never an exception from inside."""
    with pytest.raises(DefinitionError) as caught:
        decorate()

    [problem] = caught.value.problems
    assert fragment in problem.message
    assert problem.path == Path(__file__)
    assert problem.line is not None


def test_workflow_keeps_its_declaration() -> None:
    """A declaration holds what it was given; what it was not given is empty."""
    with plugin_active():
        declared = Workflow("audit", description="d", inputs={"version": {"type": "string"}})
        empty = Workflow()

    assert (declared.name, declared.description, declared.mode, declared.vars) == ("audit", "d", "python", {})
    assert declared.inputs == {"version": {"type": "string"}}
    assert empty.name is None


@pytest.mark.parametrize(
    ("keyword", "fragment"),
    [
        ("nmae", "did you mean 'name'?"),
        ("steps", "unknown keyword"),
    ],
)
def test_workflow_refuses_other_keywords(keyword: str, fragment: str) -> None:
    """A keyword that a workflow does not have, or not yet, is refused by name."""
    with plugin_active(), pytest.raises(DefinitionError, match="Workflow: ") as caught:
        AnyWorkflow(**{keyword: "x"})

    assert fragment in caught.value.problems[0].message


def test_workflow_needs_the_plugin(tmp_path: Path) -> None:
    """Without the plugin nothing holds the order, so declaring a workflow ends the file before its tests exist."""
    script = tmp_path / "workflow_x.py"
    script.write_text(
        "from pathlib import Path\nfrom pytest_workflow_exec import Workflow\n"
        "WORKFLOW = Workflow(name='x')\nPath(__file__).with_name('ran').touch()\n",
        encoding="utf-8",
    )

    result = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=Path.cwd(), env=_path()
    )

    assert result.returncode != 0
    assert "this file is a workflow; run it with pytest and the workflow_exec plugin" in result.stderr
    assert not (tmp_path / "ran").exists()


def _path() -> dict[str, str]:
    import pytest_workflow_exec

    return {"PYTHONPATH": str(Path(pytest_workflow_exec.__file__).parents[1])}


def test_activity_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One session that ends does not switch off another that runs around it."""
    monkeypatch.setattr("pytest_workflow_exec.plugin_sessions", 0)

    activate()
    with plugin_active():
        Workflow()
    Workflow()
    deactivate()

    with pytest.raises(WorkflowExecError, match="switched off"):
        Workflow()
