"""Rules of `@each`: one step of a Python workflow for each value of a list."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.definition import (
    DeclaredFunction,
    EachLists,
    EachOptions,
    GateOptions,
    StepOptions,
    Workflow,
    check_python_source,
    each,
    each_of,
    gate,
    options_of,
    plugin_active,
    python_workflow,
    step,
)
from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.model import CaseValue, EachReference, Gate
from pytest_workflow_exec.model import Workflow as ReadWorkflow

SOURCE = b"""\
WORKFLOW = 1
def deploy(host): ...
def check(): ...
def ask(): ...
"""


class Colour(enum.IntEnum):
    """Numbers that are written as something else."""

    RED = 1


class Word(str):
    """A text that is written as something else."""

    __slots__ = ()


@pytest.fixture(autouse=True)
def active() -> Iterator[None]:
    """Let workflows be declared."""
    with plugin_active():
        yield


@each(host=["a"])
@step
def _above(host: str) -> None: ...


@step
@each(host=["a"])
def _below(host: str) -> None: ...


@gate
def _asks(host: str) -> None: ...


def _other(host: str) -> None: ...


_each: Any = each
_step: Any = step


def options(listed: object, *, allow_empty: bool = False) -> EachOptions:
    """Return the options of a function with `@each(host=listed)`."""
    found = each_of(_each(host=listed, allow_empty=allow_empty)(lambda host: host))
    assert found is not None
    return found


def lists(project: Path, declaration: object, given: dict[str, str] | None = None) -> EachLists:
    """Return the lists of a workflow with that declaration."""
    return EachLists.of_workflow(
        project / "wf" / "workflow_rollout.py",
        root=project,
        source=SOURCE,
        declaration=declaration,
        given=lambda _: given or {},
    )


def workflow_of(project: Path, functions: Sequence[DeclaredFunction]) -> ReadWorkflow:
    """Return the workflow that the functions are."""
    path = project / "wf" / "workflow_rollout.py"
    path.write_bytes(SOURCE)
    return python_workflow(path, root=project, source=SOURCE, declaration=Workflow(), entries=functions)


def deploy(cases: Sequence[str], values: Sequence[CaseValue], *, when: str | None = None) -> DeclaredFunction:
    """Return a function with cases."""
    names = tuple(f"deploy[{case}]" for case in cases)
    return DeclaredFunction(
        name="deploy",
        line=2,
        marks=StepOptions(when=when),
        cases=names,
        variables=("host",),
        values={name: {"host": value} for name, value in zip(names, values, strict=True)},
    )


def test_the_order_of_the_decorators_does_not_count() -> None:
    """Above and below @step, the function keeps both."""
    for function in (_above, _below):
        found = each_of(function)
        assert found is not None
        assert (found.lists, found.allow_empty) == ({"host": ("a",)}, False)
        assert options_of(function) is not None


def test_list_is_what_it_was_when_the_function_was_decorated(project: Path) -> None:
    """A list that the module changes later gives no other cases."""
    hosts = ["a"]
    found = options(hosts)

    hosts.append("b")

    assert [case.each["host"] for case in lists(project, Workflow()).cases(found)] == ["a"]


@pytest.mark.parametrize(
    ("decorate", "fragment"),
    [
        (lambda: each(step), "@each needs its list"),
        (each, "takes a parameter with its list, or several of them, not none"),
        (lambda: _each(a=["x"], b=3), "b must be a list"),
        (lambda: each(a=["x"], b=["y"])(lambda a: a), "the parameter 'b', which it does not have"),
        (lambda: _each(host=3), "host must be a list"),
        (lambda: _each(host={"a": 1}), "host must be a list"),
        (lambda: _each(host=["a"], allow_empty="yes"), "allow_empty must be True or False"),
        (lambda: each(host=["a"])(Workflow), "it belongs on a function"),
        (lambda: each(host=["a"])(staticmethod(lambda host: host)), "it belongs on a function"),
        (lambda: each(host=["a"])(lambda other: other), "the parameter 'host', which it does not have"),
        (lambda: each(host=["a"])(lambda *host: host), "the parameter 'host', which it does not have"),
        (lambda: each(host=["a"])(lambda host="b": host), "which has a default already"),
        (
            lambda: each(host=["a"])(each(host=["a"])(lambda host: host)),
            "twice; write several lists into one: @each(host=[...], region=[...])",
        ),
        (lambda: each(host=["a"])(_asks), "stands on the gate _asks; a gate asks once"),
        (lambda: gate(each(host=["a"])(_other)), "which has @each; a gate asks once"),
        (lambda: _step(foreach={"host": ["a"]})(_other), "cases are written @each(host=[...])"),
        (lambda: _step(allow_empty=True)(_other), "cases are written @each(host=[...])"),
    ],
)
def test_misuse_is_refused_in_this_file(decorate: Callable[[], object], fragment: str) -> None:
    """What can't have cases is refused where it stands."""
    with pytest.raises(DefinitionError) as caught:
        decorate()

    [problem] = caught.value.problems
    assert problem.path == Path(__file__)
    assert fragment in problem.message


def test_lists_come_from_literals_inputs_and_variables(project: Path) -> None:
    """The values keep their types, inputs are what was given, and what was looked at is known."""
    declaration = Workflow(
        inputs={"hosts": {"type": "list"}, "count": {"type": "integer", "default": 3}}, vars={"more": "x,y"}
    )
    found = lists(project, declaration, {"hosts": "a,b"})

    cases = [
        [case.each["host"] for case in found.cases(options(listed))]
        for listed in ([1, 2.5, True, "t", "${inputs.count}"], "${inputs.hosts}", "${vars.more}")
    ]

    found.raise_if_any()
    assert cases == [[1, 2.5, True, "t", 3], ["a", "b"], ["x", "y"]]
    assert [case.of("deploy") for case in found.cases(options(["a/b"]))] == ["deploy[a%2Fb]"]
    assert found.inputs == {"hosts": ("a", "b"), "count": 3}


@pytest.mark.parametrize(
    ("listed", "fragment"),
    [
        ([], "the list is empty"),
        (["a", "a"], "'a' stands twice"),
        ([None], "must be a text, a number of up to 64 digits"),
        ([float("nan")], "must be a text, a number of up to 64 digits"),
        ([10**5000], "must be a text, a number of up to 64 digits"),
        ([Colour.RED], "must be a text, a number of up to 64 digits"),
        ([Word("a")], "must be a text, a number of up to 64 digits"),
        ([b"a"], "must be a text, a number of up to 64 digits"),
        (["\ud800"], "no text that evidence can hold"),
        ("${steps.a.b}", "a list must be known before any step runs"),
        ("${inputs.hosts}", "unknown input 'hosts'"),
        ("hosts", "must be a list, or one reference"),
    ],
)
def test_list_that_is_none_is_refused_at_its_decorator(project: Path, listed: object, fragment: str) -> None:
    """What is wrong with a list is said at the line of its @each, and its function has no case."""
    found, wrong = lists(project, Workflow()), options(listed)

    assert found.cases(wrong) == ()
    with pytest.raises(DefinitionError) as caught:
        found.raise_if_any()
    [problem] = caught.value.problems
    assert problem.line == wrong.place.line
    assert fragment in problem.message
    assert problem.message.startswith("@each.host")


@pytest.mark.parametrize("declaration", [None, Workflow(inputs={"hosts": {"type": "lst"}}), Workflow(inputs={3: 4})])  # type: ignore[dict-item]  # wrong on purpose
def test_broken_declaration_is_left_to_the_workflow(project: Path, declaration: object) -> None:
    """Reading lists neither repeats what is wrong with the declaration nor fails because of it."""
    found = lists(project, declaration)

    assert [case.each["host"] for case in found.cases(options(["a"]))] == ["a"]
    found.raise_if_any()


def test_cases_become_steps_with_their_own_conditions_and_digests(project: Path) -> None:
    """Each case is a step; its condition and its digest hold its value."""
    one, other = workflow_of(project, [deploy("ab", ["a", "b"], when="each.host != 'b'")]).steps
    [number] = workflow_of(project, [deploy("1", [1])]).steps
    [text] = workflow_of(project, [deploy("1", ["1"])]).steps

    assert [(case.id, case.name) for case in (one, other)] == [("deploy[a]", "deploy[a]"), ("deploy[b]", "deploy[b]")]
    assert other.when is not None
    [reference] = other.when.references
    assert isinstance(reference, EachReference)
    assert reference.value == "b"
    assert len({one.digest, other.digest, number.digest, text.digest}) == 4


def test_function_without_a_case_is_no_step(project: Path) -> None:
    """An empty list leaves its function out of the plan; a gate that shows it has nothing of it to show."""
    question = DeclaredFunction(name="ask", line=4, marks=GateOptions(question="Go on?", show=("deploy",)))

    workflow = workflow_of(project, [deploy([], []), question])

    assert [found.id for found in workflow.steps] == ["ask"]
    assert isinstance(workflow.steps[0].body, Gate)
    assert workflow.steps[0].body.show == ()


@pytest.mark.parametrize(
    ("functions", "fragment"),
    [
        ([deploy([], [])], "no step is left: the list of each @each is empty"),
        ([deploy("aa", ["a", "a"])], "two cases have the id 'deploy[a]'"),
        ([deploy([], [], when="each.hst == 'a'")], "unknown variable of foreach 'hst'"),
    ],
)
def test_cases_that_lose_a_step_are_refused(
    project: Path, functions: Sequence[DeclaredFunction], fragment: str
) -> None:
    """A plan without a step, and two steps of one id, are refused."""
    with pytest.raises(DefinitionError) as caught:
        workflow_of(project, functions)

    assert fragment in caught.value.problems[0].message


def test_bare_id_names_no_values(project: Path) -> None:
    """A question names a case of a parametrized step, never all of them at once."""
    marks = GateOptions(question="Go ${steps.deploy.x}, ${steps.deploy[a].x}?")
    question = DeclaredFunction(name="ask", line=4, marks=marks)

    with pytest.raises(DefinitionError) as caught:
        workflow_of(project, [deploy("ab", ["a", "b"]), question])

    [problem] = caught.value.problems
    assert "step 'deploy' has cases; name one of them: deploy[a], deploy[b]" in problem.message


@pytest.mark.parametrize(
    ("function", "refused"),
    [
        ("@each(host=['a'])\ndef deploy(host): ...\n", True),
        ("class TestSite:\n    @each(host=['a'])\n    def deploy(self, host): ...\n", True),
        ("@pwe.each(host=['a'])\ndef deploy(host): ...\n", True),
        ("@each(host=['a'])\ndef test_deploy(host): ...\n", False),
        ("@step\n@each(host=['a'])\ndef deploy(host): ...\n", False),
    ],
)
def test_each_without_step_is_refused(tmp_path: Path, function: str, refused: bool) -> None:
    """A function with cases that is no step would never run, and nothing would say so."""
    source = (
        "import pytest_workflow_exec as pwe\nfrom pytest_workflow_exec import Workflow, each, step\n"
        f"WORKFLOW = Workflow()\n{function}"
    )
    try:
        check_python_source(tmp_path / "workflow_a.py", source.encode())
    except DefinitionError as error:
        assert refused
        [problem] = error.problems
        assert "@each stands on 'deploy', which is no step" in problem.message
    else:
        assert not refused
