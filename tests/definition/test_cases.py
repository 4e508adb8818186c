"""Steps with cases: one step for each value of a list that is known when the workflow is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError, PreflightError, Problem
from pytest_workflow_exec.model import Call, Command, Comparison, EachReference, Gate, Workflow

from ._samples import contents, read, write_workflow

ROLLOUT = """\
workflow: rollout
inputs:
  hosts: {type: list, default: [web1, web2]}
  first: {pattern: '(?P<zone>.)-.*', default: a-1}
vars: {others: "x, y", spare: "${inputs.first}-spare"}
steps:
  - {id: deploy, foreach: {host: "${inputs.hosts}"}, run: [deploy, "${each.host}"]}
"""


def read_given(project: Path, text: str, given: Mapping[str, str]) -> Workflow:
    """Return the workflow that the text is, its inputs given these texts."""
    return read_yaml_workflow(write_workflow(project, text), root=project, given=lambda _: given)


def ids(workflow: Workflow) -> list[str]:
    """Return the ids of the steps."""
    return [step.id for step in workflow.steps]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("[b, a]", ["b", "a"]),
        ("[1, 2.5, true, '1.0', a+b_c-d~e.f]", ["1", "2.5", "true", "1.0", "a+b_c-d~e.f"]),
        ("[a/b, 'a b', 'ä', 'x[y]', '100%', 'a:b']", ["a%2Fb", "a%20b", "%C3%A4", "x%5By%5D", "100%25", "a%3Ab"]),
        ("'${inputs.hosts}'", ["web1", "web2"]),
        ("'${vars.others}'", ["x", "y"]),
        (
            "['${inputs.first}', '${inputs.first.zone}', 'v${inputs.first}', '${vars.spare}']",
            ["a-1", "a", "va-1", "a-1-spare"],
        ),
    ],
)
def test_each_value_is_a_step_in_the_order_of_the_list(project: Path, listed: str, expected: list[str]) -> None:
    """A step has one case for each value, called by its text, with what can't stand in a name as in a URL."""
    workflow = read(project, ROLLOUT.replace('"${inputs.hosts}"', listed))

    assert ids(workflow) == [f"deploy[{name}]" for name in expected]


def test_list_stays_open_where_nothing_will_run(project: Path) -> None:
    """A session that only looks needs no input: one open case stands for all, and references to cases wait for a run."""
    open_ = ROLLOUT.replace("{type: list, default: [web1, web2]}", "{type: list}")
    text = open_ + (
        "  - {id: more, foreach: {x: ['a', '${inputs.first}']}, run: [touch, '${each.x}']}\n"
        "  - {id: check, run: [echo, '${steps.deploy[web1].stdout}']}\n"
        "  - {id: ask, gate: {question: Go?, show: [deploy]}}\n"
    )
    path = write_workflow(project, text)

    looked = read_yaml_workflow(path, root=project, looking=True)

    assert ids(looked) == ["deploy[?]", "more[a]", "more[a-1]", "check", "ask"]
    assert ids(read_yaml_workflow(path, root=project, given=lambda _: {"hosts": "web1"}, looking=True))[0] == (
        "deploy[web1]"
    )
    with pytest.raises(DefinitionError, match="input 'hosts' has no value"):
        read_yaml_workflow(path, root=project)
    with pytest.raises(DefinitionError, match="must be a list of texts"):
        read_yaml_workflow(path, root=project, given=lambda _: {"hosts": "[1]"}, looking=True)


def test_given_input_goes_before_the_default(project: Path) -> None:
    """The list is what the input is in this run, and the workflow says which inputs it was read from."""
    asked: list[str] = []

    def given(workflow: str) -> Mapping[str, str]:
        asked.append(workflow)
        return {"hosts": "db1,db2,db3"}

    path = write_workflow(project, ROLLOUT)
    workflow = read_yaml_workflow(path, root=project, given=given)

    assert ids(workflow) == ["deploy[db1]", "deploy[db2]", "deploy[db3]"]
    assert workflow.listed == {"hosts": ("db1", "db2", "db3")}
    assert asked == ["rollout"]


def test_inputs_are_looked_at_only_if_a_list_needs_them(project: Path) -> None:
    """A workflow whose lists are written out can be read without any input."""
    text = ROLLOUT.replace('"${inputs.hosts}"', "[a]").replace("default: a-1", "description: x")

    def given(_: str) -> Mapping[str, str]:
        raise AssertionError("nobody needs it")

    workflow = read_yaml_workflow(write_workflow(project, text), root=project, given=given)

    assert (ids(workflow), workflow.listed) == (["deploy[a]"], {})


def test_inputs_that_can_not_be_told_are_a_problem_of_the_file(project: Path) -> None:
    """What keeps the given values from being read is said once, however many lists need them."""
    path = write_workflow(project, ROLLOUT + "  - {id: b, foreach: {h: ['${inputs.first}']}, run: [x]}\n")
    before = contents(project)

    def given(_: str) -> Mapping[str, str]:
        raise PreflightError([Problem(message="--workflow-input 'x' must be NAME=VALUE")])

    with pytest.raises(DefinitionError) as caught:
        read_yaml_workflow(path, root=project, given=given)

    assert [problem.message for problem in caught.value.problems] == ["--workflow-input 'x' must be NAME=VALUE"]
    assert contents(project) == before


@pytest.mark.parametrize("given", ["", "[1]", "[x"])
def test_given_list_that_is_none_is_refused(project: Path, given: str) -> None:
    """A list that is given wrong or empty is refused when the workflow is read."""
    with pytest.raises(DefinitionError) as caught:
        read_given(project, ROLLOUT, {"hosts": given})

    assert len(caught.value.problems) == 1


def test_empty_list_that_is_allowed_has_no_step(project: Path) -> None:
    """With allow_empty the step is not in the plan, and the rest of the workflow is."""
    text = ROLLOUT.replace("run: [deploy", "allow_empty: true, run: [deploy") + (
        "  - {id: ask, gate: {question: Go on, show: [deploy]}}\n"
    )

    workflow = read_given(project, text, {"hosts": ""})

    assert ids(workflow) == ["ask"]
    assert isinstance(workflow.steps[0].body, Gate)
    assert workflow.steps[0].body.show == ()


EVERYWHERE = """\
steps:
  - id: a
    foreach: {n: [1, "x.y"]}
    when: each.n == 1 and not (each.n != 1 or each.n in [2])
    run: [git, "${each.n}", "v${each.n}", "$${each.n}"]
    expect: {exit: {lt: "${each.n}"}, stdout: {matches: "${each.n}"}}
    outputs: {o: {stdout: "${each.n}", default: "${each.n}"}}
  - id: b
    foreach: {n: [true]}
    call: {function: "checks:mentions", with: {version: "${each.n}", strict: ["no ${each.n}"]}}
finally:
  - {id: c, foreach: {n: [z]}, run: [git, "${each.n}"]}
"""


def test_value_stands_wherever_references_stand(project: Path) -> None:
    """Each case holds its own value, with its type, and beside it the text that its author wrote."""
    one, other, call, last = read(project, EVERYWHERE).steps

    assert isinstance(one.body, Command)
    assert isinstance(other.body, Command)
    assert [argument.shown for argument in one.body.argv] == ["git", "1", "v1", "$${each.n}"]
    assert [argument.shown for argument in other.body.argv] == ["git", "x.y", "vx.y", "$${each.n}"]
    assert other.body.argv[1].text == "${each.n}"
    assert one.body.argv[1].parts == (EachReference(scope="each", path=("n",), value=1),)
    assert other.body.expect.stdout[0].operands[0].shown == "x.y"
    assert other.body.outputs[0].pattern.shown == "x.y"
    assert other.body.outputs[0].default is not None
    assert other.body.outputs[0].default.shown == "x.y"
    assert other.when is not None
    assert {
        str(reference): reference.value for reference in other.when.references if isinstance(reference, EachReference)
    } == {"${each.n}": "x.y"}
    assert isinstance(call.body, Call)
    assert call.body.arguments["version"].parts[0].value is True  # type: ignore[union-attr]  # a text with one value
    assert (last.id, last.always, last.name) == ("c[z]", True, "c[z]")


def test_digest_covers_the_value(project: Path) -> None:
    """Cases differ in their digests, also in the type of their value; the same case in another list has the same one."""

    def digest(listed: str, step: str) -> str:
        return read(project, ROLLOUT.replace('"${inputs.hosts}"', listed)).step(step).digest

    assert digest("[a, b]", "deploy[a]") != digest("[a, b]", "deploy[b]")
    assert digest("[1]", "deploy[1]") != digest("['1']", "deploy[1]")
    assert digest("[a, b]", "deploy[a]") == digest("[c, a]", "deploy[a]") == digest("[a]", "deploy[a]")


def test_cases_are_named_by_later_steps(project: Path) -> None:
    """One case is a step like any other for texts, conditions and gates; a gate shows all of them by the bare id."""
    text = (
        "steps:\n"
        "  - {id: a, foreach: {v: [v1.0, b]}, run: [git], outputs: {o: {stdout: .}}}\n"
        "  - {id: b, when: \"steps.a[v1.0].exit == 0 and 'x' in['x']\", run: [git, '${steps.a[v1.0].o}']}\n"
        "  - {id: c, gate: {question: 'Go ${steps.a[b].o}', show: [a, a.o, 'a[v1.0]', 'a[v1.0].o']}}\n"
    )
    _, _, step, gate = read(project, text).steps

    assert step.when is not None
    assert isinstance(step.when.condition.parts[0], Comparison)  # type: ignore[union-attr]  # it is a junction
    assert isinstance(step.body, Command)
    assert step.body.argv[1].references[0].path == ("a[v1.0]", "o")
    assert isinstance(gate.body, Gate)
    assert gate.body.show == (("a", None), ("a", "o"), ("a[v1.0]", None), ("a[v1.0]", "o"))
