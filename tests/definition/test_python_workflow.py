"""Rules of workflows in Python."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from pytest_workflow_exec.definition import (
    DeclaredFunction,
    Workflow,
    check_python_source,
    options_of,
    plugin_active,
    python_workflow,
)
from pytest_workflow_exec.errors import DefinitionError, Problem
from pytest_workflow_exec.model import Function, Gate, Retry
from pytest_workflow_exec.model import Workflow as ReadWorkflow

from ._samples import contents

AUDIT = '''\
from pytest_workflow_exec import Workflow, gate, step

WORKFLOW = Workflow(
    inputs={"version": {"pattern": "(?P<series>.*)", "default": "1.0"}}, vars={"tag": "v${inputs.version}"}
)


@step(timeout="5m")
def build(workflow, sandbox) -> dict:
    """Build the wheel.

    With everything.
    """
    return {"wheel": "x"}


def test_changelog(workflow):
    assert workflow


@gate(question="Publish ${vars.tag} as ${steps.build.wheel}?", show=["build", "build.wheel"], timeout="10m")
def approve(workflow) -> str:
    """Publish the release?"""
    return "words"


@gate
def approve_again():
    """Sure?"""
'''
HEAD = "from pytest_workflow_exec import Workflow, gate, step\nWORKFLOW = Workflow({})\n"


@pytest.fixture(autouse=True)
def active() -> Iterator[None]:
    """Let workflows be declared."""
    with plugin_active():
        yield


def collect(
    project: Path, source: str, *, without: Iterable[str] = (), name: str = "workflow_audit.py"
) -> ReadWorkflow:
    """Return the workflow of the source, importing it and collecting its functions as pytest does."""
    path = project / "wf" / name
    path.write_text(source, encoding="utf-8")
    check_python_source(path, source.encode())
    module = ModuleType("workflow_audit")
    exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - importing without a module cache
    functions = [
        _declared(key, value)
        for key, value in vars(module).items()
        if isinstance(value, FunctionType) and (key.startswith("test") or options_of(value) is not None)
    ]
    return python_workflow(
        path,
        root=project,
        source=source.encode(),
        declaration=module.__dict__["WORKFLOW"],
        entries=[function for function in functions if function.name not in without],
    )


def _declared(name: str, function: FunctionType) -> DeclaredFunction:
    plain: Any = getattr(function, "__wrapped__", function)
    return DeclaredFunction(
        name=name, line=plain.__code__.co_firstlineno, marks=options_of(function), doc=function.__doc__
    )


def refused(
    project: Path, source: str, *, without: Iterable[str] = (), name: str = "workflow_audit.py"
) -> list[Problem]:
    """Return everything that is wrong with the source."""
    (project / "wf" / name).write_text(source, encoding="utf-8")
    before = contents(project)
    with pytest.raises(DefinitionError) as caught:
        collect(project, source, without=without, name=name)
    assert contents(project) == before
    return list(caught.value.problems)


def test_functions_become_steps_in_source_order(project: Path) -> None:
    """Decorated functions and plain tests are the steps, named by their function, described by their documentation."""
    workflow = collect(project, AUDIT)

    assert (workflow.name, workflow.mode) == ("audit", "python")
    assert [(item.id, item.kind, item.name, item.location.line) for item in workflow.steps] == [
        ("build", "step", "Build the wheel.", 9),
        ("test_changelog", "step", "test_changelog", 17),
        ("approve", "gate", "Publish the release?", 22),
        ("approve_again", "gate", "Sure?", 28),
    ]
    assert workflow.steps[0].description == "Build the wheel.\n\nWith everything."
    assert workflow.steps[0].timeout_s == 300.0


def test_bodies_say_what_runs(project: Path) -> None:
    """A step returns outputs, a plain test none; a gate asks its question, else its documentation's first line."""
    build, test, approve, again = (item.body for item in collect(project, AUDIT).steps)

    assert build == Function(name="build", returns_outputs=True)
    assert test == Function(name="test_changelog", returns_outputs=False)
    assert isinstance(approve, Gate)
    assert approve.question.text == "Publish ${vars.tag} as ${steps.build.wheel}?"
    assert approve.show == (("build", None), ("build", "wheel"))
    assert (approve.timeout_s, approve.function) == (600.0, "approve")
    assert isinstance(again, Gate)
    assert (again.question.text, again.timeout_s) == ("Sure?", 3600.0)


def test_only_the_functions_own_source_changes_its_digest(project: Path) -> None:
    """A step's digest is over its own source with its decorators and what steps share; the file's is in the plan."""
    before = collect(project, AUDIT)
    moved = collect(project, AUDIT.replace("WORKFLOW =", "\n\n# A remark.\nWORKFLOW ="))
    helped = collect(project, AUDIT.replace("WORKFLOW =", "HELPER = 1\nWORKFLOW ="))
    edited = collect(project, AUDIT.replace("    assert workflow\n", "    assert not workflow\n"))
    decorated = collect(project, AUDIT.replace('timeout="5m"', "timeout='300s'"))

    assert [item.digest for item in before.steps] == [item.digest for item in moved.steps]
    assert before.sources != moved.sources
    assert all(one.digest != two.digest for one, two in zip(before.steps, helped.steps, strict=True))
    assert [one.id for one, two in zip(before.steps, edited.steps, strict=True) if one.digest != two.digest] == [
        "test_changelog"
    ]
    assert [one.id for one, two in zip(before.steps, decorated.steps, strict=True) if one.digest != two.digest] == [
        "build"
    ]


def test_name_of_a_step_hides_no_source(project: Path) -> None:
    """Whatever a step is called, a change of it changes its digest, and its alone."""
    source = HEAD.format("") + "@step\ndef module(): return 1\ndef test_a(): ...\n"
    before, after = collect(project, source), collect(project, source.replace("return 1", "return 2"))

    assert [one.digest != two.digest for one, two in zip(before.steps, after.steps, strict=True)] == [True, False]


@pytest.mark.parametrize(
    ("declared", "fragment"),
    [
        ("'Bad Name'", "workflow: 'Bad Name' is not a name"),
        ("mode='pyhton'", "mode: must be 'python'"),
        ("inputs=['x']", "inputs: must be a mapping, not a list"),
        ("inputs={'x': {'type': 'str'}}", "inputs.x.type: must be 'string'"),
        ("inputs={'x': {'type': 'secert'}}", "inputs.x.type: must be 'string'"),
        ("inputs={'x': {'patern': 'a'}}", "inputs.x: unknown key 'patern' (did you mean 'pattern'?)"),
        ("inputs={'x': {'pattern': '('}}", "inputs.x.pattern: is no regular expression"),
        ("inputs={'x': {'pattern': 3}}", "inputs.x.pattern: must be a text, not 3"),
        ("inputs={'x': {'type': 'integer', 'default': 'many'}}", "inputs.x.default: the default of input 'x' must be"),
        ("inputs={'x': {'default': 3}}", "must be of type string, not '3'"),
        ("inputs={3: {}}", "inputs.3"),
        ("inputs={'1st': {}}", "is not a name"),
        ("vars={'x': 3}", "vars.x: must be a text"),
        ("vars={'x': '${vars.y}'}", "vars.x: ${vars.y}: unknown variable 'y'"),
    ],
)
def test_declaration_is_checked_where_it_stands(project: Path, declared: str, fragment: str) -> None:
    """What is wrong with WORKFLOW is reported at its line, with the way to the value."""
    [problem] = refused(project, f"{HEAD.format(declared)}def test_a(): ...\n")

    assert fragment in problem.message
    assert (problem.line, problem.column) == (2, 1)


@pytest.mark.parametrize(
    ("functions", "expected"),
    [
        ("", [(2, "has no steps")]),
        ("def test_A(): ...\n", [(3, "the function's name is the step's id: 'test_A' is not a name")]),
        ("@step\ndef _a(): ...\n", [(4, "'_a' is not a name")]),
        ("@gate(question='${inputs.x}')\ndef a(): ...\n", [(4, "unknown input 'x'")]),
        ("@gate\ndef a():\n    '''Go ${x?'''\n", [(4, "is not closed")]),
        ("@gate(question=' ')\ndef a(): ...\n", [(4, "asks nothing")]),
        ("@gate(show=['b'])\ndef a(): ...\ndef test_c(): ...\n", [(4, "unknown step 'b'")]),
        ("@gate(show=['test_c'])\ndef a(): ...\ndef test_c(): ...\n", [(4, "step 'test_c' comes later")]),
        ("def test_c(): ...\n@gate(show=['test_c.x'])\ndef a(): ...\n", [(5, "no value 'x'")]),
        ("@gate\ndef b(): ...\n@gate(show=['b'])\ndef a(): ...\n", [(6, "step 'b' is a gate")]),
        ("def test_a():\n    '''Esc\\x1bhere'''\n", [(3, "must be one line of printable characters")]),
        ("def test_a(): ...\ntest_b = test_a\n", [(3, "'test_b' is not a function of this file's top level")]),
        ("def test_A(): ...\n@step\ndef B(): ...\n", [(3, "'test_A'"), (5, "'B'")]),
    ],
)
def test_functions_are_checked_where_they_stand(project: Path, functions: str, expected: list[tuple[int, str]]) -> None:
    """What is wrong with a step is reported at its function, all steps together."""
    problems = refused(project, HEAD.format("") + functions)

    assert [problem.line for problem in problems] == [line for line, _ in expected]
    for problem, (_, fragment) in zip(problems, expected, strict=True):
        assert fragment in problem.message


def test_step_that_was_not_collected_is_refused(project: Path) -> None:
    """A decorated function that pytest did not collect would be a step left out without a word."""
    [problem] = refused(project, HEAD.format("") + "@step\ndef a(): ...\n@step\ndef b(): ...\n", without=["b"])

    assert "the step 'b' was not collected" in problem.message
    assert problem.line == 6


def test_test_that_was_not_collected_is_refused(project: Path) -> None:
    """So would a plain test be, in a class that pytest does not take for one of tests; a fixture is none."""
    source = (
        "import pytest\n@step\ndef a(): ...\n@pytest.fixture\ndef test_data(): ...\n"
        "class Deploy:\n    def test_it(self): ...\ndef test_b(): ...\n"
    )
    problems = refused(project, HEAD.format("") + source, without=["Deploy.test_it", "test_b", "test_data"])

    assert [
        "the step 'Deploy.test_it' was not" in problems[0].message,
        "the step 'test_b' was" in problems[1].message,
    ] == [
        True,
        True,
    ]
    assert len(problems) == 2


def test_values_of_steps_are_known_when_they_ran(project: Path) -> None:
    """A gate may show any value of a `@step`, as what it returns isn't known before."""
    workflow = collect(project, HEAD.format("") + "@step\ndef a(): ...\n@gate(show=['a.any'])\ndef b(): ...\n")

    assert len(workflow.steps) == 2


def test_file_name_that_is_no_name_must_be_replaced(project: Path) -> None:
    """A workflow whose file gives it no name must say one."""
    [problem] = refused(project, HEAD.format("") + "def test_a(): ...\n", name="workflow_.py")

    assert "gives no name for the workflow" in problem.message


def test_sources_hold_the_file_as_it_was_imported(project: Path) -> None:
    """The digest in the plan is that of the source that was given, whatever stands in the file by now."""
    source = b"WORKFLOW = 1\ndef test_a(): ...\n"
    (project / "wf" / "workflow_audit.py").write_text("# something else\n", encoding="utf-8")

    workflow = python_workflow(
        project / "wf" / "workflow_audit.py",
        root=project,
        source=source,
        declaration=Workflow(),
        entries=[DeclaredFunction(name="test_a", line=2, marks=None)],
    )

    from pytest_workflow_exec.digests import digest_of_bytes

    assert workflow.sources["wf/workflow_audit.py"] == digest_of_bytes(source)
    assert "workflow_audit" not in sys.modules


RETRIED = """
from pytest_workflow_exec import Workflow, gate, step

WORKFLOW = Workflow(defaults={{"retry": 2}})


@step(retry={retry})
def first():
    pass


def test_second():
    pass


@gate
def third():
    '''Go on?'''
"""


def test_a_decorator_says_how_often_a_step_is_tried(project: Path) -> None:
    """A number, a mapping or the workflow's defaults; gates are not tried again."""
    workflow = collect(project, RETRIED.format(retry="{'attempts': 3, 'for': ['business']}"))

    assert [item.retry for item in workflow.steps] == [
        Retry(attempts=3, classes=("business",)),
        Retry(attempts=2),
        None,
    ]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("True", "retry: must be a mapping"),
        ("{'attempts': 3, 'for': ['policy']}", "not 'policy'"),
        ("{'attempts': 3, 'fro': ['transient']}", "did you mean 'for'?"),
        ("{'attempts': 0}", "retry.attempts: must be from 1 to 100"),
    ],
)
def test_what_a_decorator_says_of_attempts_is_checked(project: Path, said: str, message: str) -> None:
    """`@step(retry=...)` takes what `retry:` takes, and says the same of mistakes, at the function."""
    [problem] = refused(project, RETRIED.format(retry=said))

    assert message in problem.message
    assert problem.line == 8


def test_a_declaration_says_what_a_run_leaves(project: Path) -> None:
    """Its outputs are texts that may name the values of steps, inputs and variables."""
    declared = 'name="w", inputs={"v": {"default": "1"}}, outputs={"wheel": "${steps.a.wheel}", "v": "v${inputs.v}"}'
    workflow = collect(project, HEAD.format(declared) + "@step\ndef a() -> dict: ...\n")

    assert {name: text.text for name, text in workflow.outputs.items()} == {
        "wheel": "${steps.a.wheel}",
        "v": "v${inputs.v}",
    }
    assert workflow.plan["outputs"] == {"v": "v${inputs.v}", "wheel": "${steps.a.wheel}"}


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ('{"x": "${steps.b.y}"}', "unknown step 'b'"),
        ('{"x": "${steps.test_a.y}"}', "step 'test_a' has no value 'y'"),
        ('{"x": "${inputs.y}"}', "unknown input 'y'"),
        ('{"x-": "1", "1": "2"}', "'1' is not a name"),
        ('{"x": 1}', "must be a text"),
        ('["x"]', "must be a mapping"),
    ],
)
def test_what_a_run_leaves_is_checked(project: Path, outputs: str, said: str) -> None:
    """What can't be had is refused at the declaration."""
    problems = refused(project, HEAD.format(f"outputs={outputs}") + "def test_a(): ...\n")

    assert any(said in problem.message for problem in problems), problems
