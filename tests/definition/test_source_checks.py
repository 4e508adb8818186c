"""Rules that the source of a Python workflow keeps, checked before it is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition import check_python_source
from pytest_workflow_exec.errors import DefinitionError

HEAD = "from pytest_workflow_exec import Workflow, gate, step\nWORKFLOW = Workflow()\n"
FILE = Path("wf/workflow_audit.py")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", [(1, 1, "must define WORKFLOW = Workflow(name=...)")]),
        ("if True:\n    WORKFLOW = 1\n", [(1, 1, "must define WORKFLOW")]),
        ("from x import WORKFLOW\n", [(1, 1, "must define WORKFLOW")]),
        ("WORKFLOW: object\n", [(1, 1, "must define WORKFLOW")]),
        (HEAD + "WORKFLOW = 2\n", [(3, 1, "a second time")]),
        (HEAD + "def f(): ...\ndef f(): ...\n", [(4, 1, "'f' is defined twice, first in line 3")]),
        (HEAD + "@step\ndef f(): ...\n\n@step\ndef f(): ...\n", [(7, 1, "'f' is defined twice, first in line 4")]),
        (HEAD + "@step\ndef f(): ...\n@x.register\ndef f(): ...\n", [(6, 1, "'f' is defined twice, first in line 4")]),
        (HEAD + "async def f(): ...\ndef f(): ...\n", [(4, 1, "'f' is defined twice")]),
        (HEAD + "class A:\n    def f(): ...\n    def f(): ...\n", [(5, 5, "'A.f' is defined twice, first in line 4")]),
        (HEAD + "if x:\n    def f(): ...\n    def f(): ...\n", [(5, 5, "'f' is defined twice")]),
        (HEAD + "def a():\n    @step\n    def f(): ...\n", [(5, 5, "inside a function, where it is never collected")]),
        (
            HEAD + "class A:\n    @step\n    def f(self): ...\n    @step\n    def f(self): ...\n",
            [(7, 5, "'A.f' is defined twice, first in line 5")],
        ),
        (HEAD + "class A:\n    if x:\n        @gate\n        def f(self): ...\n", [(6, 9, "stands under 'if'")]),
        (HEAD + "if x:\n    class A:\n        @step\n        def f(self): ...\n", [(6, 9, "stands under 'if'")]),
        (HEAD + "if x:\n    class TestA:\n        def test_f(self): ...\n", [(5, 9, "'test_f' stands under 'if'")]),
        (HEAD + "class TestA:\n    if x:\n        def test_f(self): ...\n", [(5, 9, "'test_f' stands under 'if'")]),
        (
            HEAD + "def a():\n    class A:\n        @step\n        def f(self): ...\n",
            [(6, 9, "inside a function, where it is never collected")],
        ),
        (HEAD + "class A:\n    @property\n    @step\n    def f(self): ...\n", [(6, 5, "stands on a property")]),
        (HEAD + "class A:\n    @step\n    def f(self): ...\n    f = 1\n", [(6, 5, "the step 'f' is replaced here")]),
        (
            HEAD + "class TestA:\n    def test_f(self): ...\n    test_f = None\n",
            [(5, 5, "the step 'test_f' is replaced here")],
        ),
        (
            HEAD + "class TestA:\n    def test_f(self): ...\nclass TestA:\n    def test_g(self): ...\n",
            [(5, 1, "the class 'TestA', which holds steps, is replaced here")],
        ),
        (
            HEAD + "class A:\n    class B:\n        @step\n        def f(self): ...\n    del B\n",
            [(7, 9, "the class 'B', which holds steps, is replaced here")],
        ),
        (HEAD + "@step\nclass A: ...\n", [(4, 1, "@step stands on the class 'A'")]),
        (HEAD + "if x:\n    @step\n    def f(): ...\n", [(5, 5, "stands under 'if'")]),
        (
            HEAD + "try:\n    pass\nexcept E:\n    @step(timeout='5m')\n    def f(): ...\n",
            [(7, 5, "stands under 'except'")],
        ),
        (HEAD + "with x:\n    @step\n    async def f(): ...\n", [(5, 5, "stands under 'with'")]),
        (HEAD + "if x:\n    def test_f(): ...\n", [(4, 5, "the step 'test_f' stands under 'if'")]),
        (HEAD + "class A(unittest.TestCase):\n    def test_f(self): ...\n", [(3, 1, "is a unittest.TestCase")]),
        (HEAD + "@step\ndef f(): ...\nf = None\n", [(5, 1, "the step 'f' is replaced here")]),
        (HEAD + "def test_f(): ...\ndel test_f\n", [(4, 5, "the step 'test_f' is replaced here")]),
        (HEAD + "def test_f(): ...\nfrom x import *\nimport y as test_f\n", [(5, 8, "the step 'test_f' is replaced")]),
        (HEAD + "def test_f(): ...\nfor test_f in x: ...\n", [(4, 5, "the step 'test_f' is replaced here")]),
        (HEAD + "def test_f(): ...\nif (test_f := 1): ...\n", [(4, 5, "the step 'test_f' is replaced here")]),
        (
            HEAD + "def test_f(): ...\ntry: ...\nexcept E:\n    def test_f(): ...\n",
            [(6, 5, "stands under 'except'"), (6, 5, "the step 'test_f' is replaced here")],
        ),
        (
            "import pytest_workflow_exec as pwe\nWORKFLOW = pwe.Workflow()\ndef a():\n    @pwe.step\n    def f(): ...\n",
            [(5, 5, "@step on 'f' stands inside a function")],
        ),
        (
            "from pytest_workflow_exec import gate as g\nWORKFLOW = 1\nif x:\n    @g(show=['x'])\n    def f(): ...\n",
            [(5, 5, "@gate on 'f' stands under 'if'")],
        ),
        (
            "from pytest_workflow_exec import *\nWORKFLOW = Workflow()\ndef a():\n    @step\n    def f(): ...\n",
            [(5, 5, "@step on 'f' stands inside a function")],
        ),
        (
            "def f(): ...\ndef f(): ...\nclass A:\n    def g(): ...\n    def g(): ...\n",
            [(1, 1, "WORKFLOW"), (2, 1, "'f'"), (5, 5, "'A.g'")],
        ),
    ],
)
def test_source_that_would_lose_a_step_is_refused(source: str, expected: list[tuple[int, int, str]]) -> None:
    """What Python or pytest would drop, hide or replace without a word is a problem at its own place; all together."""
    with pytest.raises(DefinitionError) as caught:
        check_python_source(FILE, source.encode())

    found = caught.value.problems
    assert [(problem.line, problem.column) for problem in found] == [(line, column) for line, column, _ in expected], (
        found
    )
    assert all(problem.path == FILE for problem in found)
    for problem, (_, _, fragment) in zip(found, expected, strict=True):
        assert fragment in problem.message


@pytest.mark.parametrize(
    "source",
    [
        HEAD,
        HEAD + "@step\ndef f(): ...\n@gate(show=['f'])\ndef g(): ...\ndef test_h(): ...\n",
        HEAD.replace("WORKFLOW =", "WORKFLOW: Workflow ="),
        HEAD + "if x:\n    def helper(): ...\nelse:\n    def helper(): ...\n",
        HEAD + "@overload\ndef f(a: int): ...\n@overload\ndef f(a: str): ...\ndef f(a): ...\n",
        HEAD + "class A:\n    @property\n    def f(self): ...\n    @f.setter\n    def f(self, value): ...\n",
        HEAD + "@show.register\ndef _(a: int): ...\n@show.register\ndef _(a: str): ...\n",
        HEAD + "class Helper:\n    def test_connection(self): ...\n    test_connection = None\n",
        HEAD + "if x:\n    class Helper:\n        def test_connection(self): ...\n",
        HEAD + "class TestA:\n    @step\n    def f(self): ...\n    class TestB:\n        def test_g(self): ...\n",
        HEAD + "class TestA: ...\nclass TestA: ...\n",
        HEAD + "def a():\n    @allure.step('x')\n    def f(): ...\n    def test_inner(): ...\n",
        "from allure import step\nWORKFLOW = 1\ndef a():\n    @step('x')\n    def f(): ...\n",
        HEAD + "x = [test_f for test_f in ()]\ndef test_f(): ...\n",
        HEAD + "pattern = '\\d'\n",
    ],
)
def test_ordinary_source_is_let_through(source: str) -> None:
    """Overloads, setters, helpers in branches and other packages' decorators are none of the checks' business."""
    check_python_source(FILE, source.encode())


@pytest.mark.parametrize("source", [b"def f(:\n", b"\xff", b"x = '\0'", b"(" * 100_000, b"-" * 100_000 + b"1"])
def test_source_that_is_no_python_is_left_to_python(source: bytes) -> None:
    """Python's own import says better what is wrong with a file that it can't read."""
    check_python_source(FILE, source)
    with pytest.raises((SyntaxError, ValueError, RecursionError, MemoryError)):
        compile(source, "x", "exec")
