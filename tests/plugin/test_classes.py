"""Classes of steps: collected, named, run with their fixtures, and refused where pytest would leave a step out."""

from __future__ import annotations

from .conftest import Project

HEAD = "from pytest_workflow_exec import Workflow, gate, step\nWORKFLOW = Workflow()\n"

SITE = """
from unittest import TestCase

import pytest
from pydantic import BaseModel
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="site")
SEEN = []

class Built(BaseModel):
    number: int

@step
def first() -> None:
    SEEN.append("first")

class Base:
    @step
    def prepare(self) -> dict:
        return {"who": type(self).__name__}

class TestSite(Base):
    @classmethod
    def setup_class(cls):
        SEEN.append("setup_class")

    def setup_method(self, method):
        self.here = method.__name__

    @pytest.fixture
    def number(self):
        return 7

    @step
    def build(self, number, sandbox) -> Built:
        assert self.here == "build"
        sandbox.run(["touch", "ran-build"])
        return Built(number=number)

    def test_built(self, workflow):
        assert self.here == "test_built"
        assert workflow.outputs["TestSite.build"] == Built(number=7)
        assert workflow.outputs["TestSite.prepare"] == {"who": "TestSite"}

    class TestInner:
        def test_inner(self):
            assert self.here == "test_inner"

        def setup_method(self, method):
            self.here = method.__name__

    @pytest.mark.parametrize("word", ["a", "b"])
    @step
    def spell(self, word) -> str:
        return word

    @staticmethod
    @step
    def static(workflow) -> str:
        return workflow.outputs["TestSite.spell[b]"]

    @classmethod
    def test_class(cls):
        assert SEEN == ["first", "setup_class"]

    @step(always=True)
    def tidy(self) -> None:
        assert self.here == "tidy"

    async def test_later(self):
        assert self.here == "test_later"

@step(when="steps.TestSite.build.number == 7")
def last(workflow) -> None:
    assert workflow.outputs["TestSite.static"] == "b"
"""
STEPS = [
    "first",
    "TestSite.prepare",
    "TestSite.build",
    "TestSite.test_built",
    "TestSite.TestInner.test_inner",
    "TestSite.spell[a]",
    "TestSite.spell[b]",
    "TestSite.static",
    "TestSite.test_class",
    "TestSite.test_later",
    "last",
    "TestSite.tidy",
]

BROKEN = {
    "init": (
        "class TestX:\n    def __init__(self): ...\n    @step\n    def one(self): open('ran-one', 'w')\n",
        "it has __init__",
    ),
    "new": (
        "class TestX:\n    def __new__(cls): ...\n    def test_one(self): open('ran-one', 'w')\n",
        "it has __new__",
    ),
    "unittest": (
        "from unittest import TestCase as C\nclass A(C): ...\nclass Site(A):\n    @step\n    def one(self): ...\n",
        "the class Site: it is a unittest.TestCase",
    ),
    "whole": (
        "from unittest import TestCase as C\ndef test_one(): ...\nclass Site(C):\n    def runTest(self): ...\n",
        "the class Site: it is a unittest.TestCase",
    ),
    "name": ("class Site:\n    @step\n    def one(self): ...\n", "'Site.one' was not collected; no class"),
    "off": ("class TestX:\n    __test__ = False\n    @step\n    def one(self): ...\n", "'TestX.one' was not collected"),
    "lost": (
        "class Base:\n    def test_one(self): ...\nclass TestX(Base):\n    test_one = None\n",
        "its 'test_one' stands in place of the step Base.test_one, and is none",
    ),
    "undecorated": (
        "class TestX:\n    @step\n    def one(self): ...\nclass TestY(TestX):\n    def one(self): ...\n",
        "its 'one' stands in place of the step TestX.one",
    ),
    "twice": ("class TestX:\n    def test_one(self): ...\nTestY = TestX\n", "it is another name of TestX"),
    "imported": ("from helper import TestElsewhere\n", "it is imported from helper"),
    "base": ("from helper import Base\nclass TestX(Base): ...\n", "is imported from helper"),
    "gate": (
        "import pytest\n@pytest.mark.parametrize('x', [1])\nclass TestX:\n    @gate\n    def ask(self, x): ...\n",
        "a gate asks once",
    ),
    "property": ("class TestX:\n    @step\n    @property\n    def one(self): ...\n", "stands on a property"),
}


def test_methods_are_steps_with_the_fixtures_of_their_class(project: Project) -> None:
    """Steps of a class run in source order, inherited first, with its fixtures; `TestX.name` names them everywhere."""
    project.write("wf/workflow_site.py", SITE)

    listed = project.pytest("wf", "--collect-only", "-q")
    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert list(project.outcomes()) == STEPS
    assert set(project.outcomes().values()) == {"passed"}
    nodes = [line for line in listed.text.splitlines() if "::" in line]
    assert [node.rpartition("::")[2] for node in nodes] == STEPS
    assert nodes[2] == "wf/workflow_site.py::TestSite::TestSite.build"
    assert "[3/12] TestSite.build ... PASSED" in session.text
    [command] = project.of_type("command.started")
    assert command["step"] == "TestSite.build"


def test_method_stops_a_run_and_blocks_what_follows(project: Project) -> None:
    """The id of a method is what `--workflow-until` takes; a method that fails blocks the next."""
    project.write("wf/workflow_site.py", SITE.replace('assert self.here == "test_built"', "assert False"))

    until = project.pytest("wf", "--workflow-until", "TestSite.build")
    assert until.status == 0, until.text
    assert list(project.outcomes()) == STEPS[:3]
    (project.root / "ran-build").unlink()
    cut = project.pytest("wf/workflow_site.py::TestSite", "--workflow-new")
    whole = project.pytest("wf/workflow_site.py", "--workflow-resume")

    assert cut.status == 4
    assert "would run without first, last" in cut.text
    assert not (project.root / "ran-build").exists()
    assert whole.status == 1
    assert "BLOCKED wf/workflow_site.py::last - waits for TestSite.test_built (failed)" in whole.text
    assert "3 carried" in whole.text


def test_class_that_would_lose_a_step_is_refused(project: Project) -> None:
    """What pytest would leave out of a class with a warning or without a word is exit 4, with its place."""
    project.write(
        "wf/helper.py",
        "class TestElsewhere:\n    def test_one(self): ...\n" + "class Base:\n    def test_one(self): ...\n",
    )
    for name, (source, _) in BROKEN.items():
        project.write(f"wf/workflow_{name}.py", HEAD + source)

    session = project.pytest("wf")

    assert session.status == 4, session.text
    for name, (_, message) in BROKEN.items():
        lines = [line for line in session.text.splitlines() if f"wf/workflow_{name}.py:" in line]
        assert any(message in line for line in lines), (name, lines, session.text)
    assert "Traceback" not in session.text
    assert project.untouched
