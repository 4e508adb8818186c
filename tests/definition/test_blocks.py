"""Rules of blocks: what they make of their steps, and what names mean in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.model import Command, EachReference, Gate, Reference, Workflow

from ._broken import Expected
from ._broken_blocks import BLOCKS
from ._samples import places, problems_of, read, write_workflow

ROLLING = """\
inputs: {hosts: {type: list, default: [web1, web2]}, careful: {type: boolean, default: true}}
steps:
  - {id: build, run: [make], outputs: {version: {stdout: '(.*)'}}}
  - id: update
    foreach: {host: "${inputs.hosts}"}
    when: inputs.careful
    steps:
      - {id: drain, run: [drain, "${each.host}"]}
      - id: node
        steps:
          - {id: install, foreach: {part: [a, b]}, run: [install, "${each.host}", "${each.part}", "${steps.build.version}"]}
          - {id: seen, when: steps.drain.exit == 0, run: [see, "${steps.install[a].stdout}", "${steps.drain.stdout}"]}
      - {id: ok, gate: {question: "Go on?", show: [drain, node/install]}}
    finally:
      - {id: undrain, run: [undrain, "${each.host}", "${steps.drain.outcome}"], undoes: [drain]}
  - {id: done, when: inputs.careful, gate: {question: Done?, show: [update/drain, "update[web2]/node/install"]}}
"""


@pytest.mark.parametrize(("text", "expected"), BLOCKS.values(), ids=BLOCKS)
def test_broken_block_is_refused_once_at_its_place(project: Path, text: str, expected: list[Expected]) -> None:
    """What is wrong with a block is said once, however many cases it has."""
    problems = problems_of(project, text)

    assert places(problems) == [place for place, _ in expected], "\n".join(map(str, problems))
    for problem, (_, fragment) in zip(problems, expected, strict=True):
        assert fragment in problem.message


def test_all_steps_for_one_value_stand_before_those_of_the_next(project: Path) -> None:
    """The plan is flat: each case's steps, then what cleans up after it, then the next case."""
    workflow = read(project, ROLLING)

    of_a_host = ["drain", "node/install[a]", "node/install[b]", "node/seen", "ok", "undrain"]
    assert [step.id for step in workflow.steps] == [
        "build",
        *(f"update[{host}]/{name}" for host in ("web1", "web2") for name in of_a_host),
        "done",
    ]
    cleaning = {step.id: step.block for step in workflow.steps if step.always}
    assert cleaning == {f"update[{host}]/undrain": f"update[{host}]" for host in ("web1", "web2")}
    planned = {entry["id"]: entry for entry in workflow.plan["steps"]}  # type: ignore[union-attr,index,call-overload]  # a plan is data
    assert planned["update[web1]/undrain"]["block"] == "update[web1]"  # type: ignore[index,call-overload]  # a plan is data


def test_names_mean_the_same_case(project: Path) -> None:
    """A short name means the step of the same case; what is not there is looked for in the blocks around."""
    workflow = read(project, ROLLING)
    install, seen = workflow.step("update[web2]/node/install[b]"), workflow.step("update[web2]/node/seen")

    assert isinstance(install.body, Command)
    assert [part for text in install.body.argv for part in text.parts] == [
        "install",
        EachReference(scope="each", path=("host",), value="web2"),
        EachReference(scope="each", path=("part",), value="b"),
        Reference(scope="steps", path=("build", "version")),
    ]
    assert isinstance(seen.body, Command)
    assert [str(reference) for text in seen.body.argv for reference in text.references] == [
        "${steps.update[web2]/node/install[a].stdout}",
        "${steps.update[web2]/drain.stdout}",
    ]
    assert workflow.step("update[web2]/undrain").undoes == ("update[web2]/drain",)


def test_condition_of_a_block_is_that_of_all_its_steps(project: Path) -> None:
    """A step of a block with a condition applies where both hold; what shares the block's needs no more."""
    workflow = read(project, ROLLING)

    said = {step.id: "" if step.when is None else step.when.text for step in workflow.steps}
    assert said["update[web1]/node/seen"] == "(inputs.careful) and (steps.drain.exit == 0)"
    assert said["update[web1]/drain"] == said["update[web1]/undrain"] == "inputs.careful"
    seen = workflow.step("update[web1]/node/seen").when
    assert seen is not None
    assert [str(reference) for reference in seen.references] == [
        "${inputs.careful}",
        "${steps.update[web1]/drain.exit}",
    ]


def test_gate_shows_steps_of_its_case_and_of_all_cases(project: Path) -> None:
    """Inside, `show` means the same case; outside, a name without the case stands for all."""
    workflow = read(project, ROLLING)
    inside, outside = workflow.step("update[web1]/ok").body, workflow.step("done").body

    assert isinstance(inside, Gate)
    assert inside.show == (("update[web1]/drain", None), ("update[web1]/node/install", None))
    assert isinstance(outside, Gate)
    assert outside.show == (
        ("update[web1]/drain", None),
        ("update[web2]/drain", None),
        ("update[web2]/node/install", None),
    )


def _digest(workflow: Workflow, step: str) -> str:
    return workflow.step(step).digest


def test_digest_says_what_a_name_means(project: Path) -> None:
    """A step that another one comes between and what it names is another step, though no letter of it changed."""
    before = "steps:\n  - {id: a, run: [x]}\n  - id: u\n    steps:\n      - {id: b, run: [x, '${steps.a.stdout}']}\n"
    after = before.replace("      - {id: b", "      - {id: a, run: [y]}\n      - {id: b")

    old, new, cases = read(project, before), read(project, after), read(project, ROLLING)

    assert _digest(old, "u/b") != _digest(new, "u/b")
    assert _digest(cases, "update[web1]/drain") != _digest(cases, "update[web2]/drain")
    assert _digest(read(project, ROLLING), "update[web1]/drain") == _digest(cases, "update[web1]/drain")


def test_empty_list_leaves_the_block_out_if_that_is_allowed(project: Path) -> None:
    """A block without cases makes no step, and what shows all of them shows none."""
    text = ROLLING.replace("[web1, web2]", "[]").replace("    when:", "    allow_empty: true\n    when:")
    text = text.replace(', "update[web2]/node/install"', "")

    workflow = read(project, text)

    assert [step.id for step in workflow.steps] == ["build", "done"]
    gate = workflow.steps[-1].body
    assert isinstance(gate, Gate)
    assert gate.show == ()


def test_list_that_is_not_given_stays_open_where_nothing_runs(project: Path) -> None:
    """Looking at a workflow whose list nobody gave shows its block once."""
    path = write_workflow(project, ROLLING.replace(", default: [web1, web2]", ""))

    workflow = read_yaml_workflow(path, root=project, looking=True)

    assert "update[?]/drain" in [step.id for step in workflow.steps]


def test_number_of_steps_is_bounded(project: Path) -> None:
    """Lists in lists make no more steps than a workflow may have, and reading ends."""
    hundred = ", ".join(map(str, range(100)))
    text = (
        f"steps:\n  - id: a\n    foreach: {{x: [{hundred}]}}\n    steps:\n      - id: b\n"
        f"        foreach: {{y: [{hundred}]}}\n        steps:\n"
        "          - {id: c, foreach: {z: [1, 2, 3]}, run: [x]}\n"
    )

    problems = problems_of(project, text)

    assert places(problems) == ["2:5", "5:9"]
    assert all("more than 20000 steps" in problem.message for problem in problems)
