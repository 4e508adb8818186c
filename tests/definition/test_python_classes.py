"""Rules of steps that are methods: their ids, what their source is, and which class must have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.definition import (
    DeclaredFunction,
    GateOptions,
    StepOptions,
    Workflow,
    check_python_source,
    plugin_active,
    python_workflow,
)
from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.model import Comparison, Gate, Reference
from pytest_workflow_exec.model import Workflow as ReadWorkflow

SITE = """\
from pytest_workflow_exec import Workflow, gate, step
WORKFLOW = Workflow()
class Base:
    word = "x"
    @step
    def build(self): ...
class TestSite(Base):
    @step(when="steps.TestSite.build.wheel == 'x'")
    def deploy(self): ...
    class TestPage:
        def test_page(self): ...
    @gate
    def approve(self): ...
"""
SITE_FUNCTIONS = (
    DeclaredFunction(
        name="TestSite.build", line=5, marks=StepOptions(), written_as="Base.build", classes=("TestSite", "Base")
    ),
    DeclaredFunction(
        name="TestSite.deploy",
        line=8,
        marks=StepOptions(when="steps.TestSite.build.wheel == 'x'"),
        written_as="TestSite.deploy",
        classes=("TestSite", "Base"),
    ),
    DeclaredFunction(
        name="TestSite.TestPage.test_page",
        line=11,
        marks=None,
        written_as="TestSite.TestPage.test_page",
        classes=("TestSite.TestPage", "object"),
    ),
    DeclaredFunction(
        name="TestSite.approve",
        line=12,
        marks=GateOptions(
            question="Take ${steps.TestSite.build.wheel}?", show=("TestSite.build", "TestSite.build.wheel")
        ),
        written_as="TestSite.approve",
        classes=("TestSite", "Base"),
    ),
)


@pytest.fixture(autouse=True)
def active() -> Iterator[None]:
    """Let workflows be declared."""
    with plugin_active():
        yield


def read(project: Path, source: str, *functions: DeclaredFunction) -> ReadWorkflow:
    """Return the workflow that the source and the functions collected from it are."""
    path = project / "wf" / "workflow_site.py"
    check_python_source(path, source.encode())
    return python_workflow(
        path, root=project, source=source.encode(), declaration=Workflow(), entries=functions or SITE_FUNCTIONS
    )


def changed(project: Path, old: str, new: str) -> list[str]:
    """Return the steps whose digest changes with the source."""
    assert old in SITE
    steps = zip(read(project, SITE).steps, read(project, SITE.replace(old, new)).steps, strict=True)
    return [before.id for before, after in steps if before.digest != after.digest]


def test_ids_hold_the_classes(project: Path) -> None:
    """A method's id is its name behind those of the classes that it is collected in, inherited or not."""
    workflow = read(project, SITE)

    assert [(step.id, step.kind, step.location.line) for step in workflow.steps] == [
        ("TestSite.build", "step", 6),
        ("TestSite.deploy", "step", 9),
        ("TestSite.TestPage.test_page", "step", 11),
        ("TestSite.approve", "gate", 13),
    ]


def test_references_name_methods(project: Path) -> None:
    """The id of a method is one name in conditions, in texts and in what a gate shows."""
    steps = read(project, SITE).steps

    when, gate = steps[1].when, steps[3].body
    assert when is not None
    assert isinstance(when.condition, Comparison)
    assert when.condition.left == Reference(scope="steps", path=("TestSite.build", "wheel"))
    assert isinstance(gate, Gate)
    assert gate.question.references == (Reference(scope="steps", path=("TestSite.build", "wheel")),)
    assert gate.show == (("TestSite.build", None), ("TestSite.build", "wheel"))
    assert str(gate.question.references[0]) == "${steps.TestSite.build.wheel}"


def test_digest_of_a_method_covers_what_the_steps_share(project: Path) -> None:
    """A step changes with its own source and with everything in the file that is no step, not with another step."""
    every = ["TestSite.build", "TestSite.deploy", "TestSite.TestPage.test_page", "TestSite.approve"]
    assert changed(project, "def deploy(self): ...", "def deploy(self): pass") == ["TestSite.deploy"]
    assert changed(project, "def build(self): ...", "def build(self): pass") == ["TestSite.build"]
    assert changed(project, 'word = "x"', 'word = "y"') == every
    assert changed(project, "class TestPage:", "class TestPage(object):") == every
    assert changed(project, "class TestPage:", "class TestPage:  # a remark") == []


@pytest.mark.parametrize(
    ("left_out", "line", "fragment"),
    [
        (0, 6, "the step 'Base.build' was not collected; no class that pytest collects has it"),
        (3, 13, "the step 'TestSite.approve' was not collected"),
    ],
)
def test_method_that_no_class_brings_is_refused(project: Path, left_out: int, line: int, fragment: str) -> None:
    """A decorated method of a class that pytest does not collect would be a step left out without a word."""
    functions = [function for index, function in enumerate(SITE_FUNCTIONS) if index != left_out]
    source = SITE.replace("@step(when=\"steps.TestSite.build.wheel == 'x'\")", "@step")

    with pytest.raises(DefinitionError) as caught:
        read(project, source, *[function for function in functions if function.name != "TestSite.deploy"])

    found = [(problem.line, problem.message) for problem in caught.value.problems]
    assert any(where == line and fragment in message for where, message in found), found


@pytest.mark.parametrize(
    ("name", "written_as", "classes", "fragment"),
    [
        ("TestSite.Deploy", "TestSite.Deploy", ("TestSite",), "the function's name is the step's id: 'Deploy'"),
        ("Tést.deploy", "Tést.deploy", ("Tést",), "the class's name is part of the step's id"),
        ("TestSite.other", "TestSite.deploy", ("TestSite",), "'TestSite.other' is not a method of a class"),
        ("TestSite.build", "Base.build", ("TestSite",), "'TestSite.build' is not a method of a class"),
        ("TestSite.made", "TestSite.made", ("TestSite",), "'TestSite.made' is not a method of a class"),
    ],
)
def test_method_that_is_not_written_in_its_class_is_refused(
    project: Path, name: str, written_as: str, classes: tuple[str, ...], fragment: str
) -> None:
    """A method under another name, or from elsewhere, has no source here that a digest could cover."""
    odd = DeclaredFunction(name=name, line=1, marks=None, written_as=written_as, classes=classes)

    with pytest.raises(DefinitionError) as caught:
        read(project, SITE, odd)

    assert any(fragment in problem.message for problem in caught.value.problems), caught.value.problems


def test_unknown_method_is_refused(project: Path) -> None:
    """A condition that names a step which does not exist is refused with the nearest that does."""
    odd = DeclaredFunction(
        name="TestSite.approve",
        line=12,
        marks=GateOptions(show=("TestSite.biuld",)),
        written_as="TestSite.approve",
        classes=("TestSite",),
    )

    with pytest.raises(DefinitionError) as caught:
        read(project, SITE, *SITE_FUNCTIONS[:3], odd)

    assert "unknown step 'TestSite'" in str(caught.value)
