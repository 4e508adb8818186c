"""Fragments are read where they are included: their own names, their own places, and what they are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.model import Command, Gate, Step, Workflow

from ._broken_includes import GOOD, INCLUDES, PLAIN, Broken
from ._samples import contents

CALLING = """\
inputs:
  version: {default: '1.2.3'}
  hosts: {type: list, default: [a, b]}
  token: {type: secret}
steps:
  - include: _prepare.workflow.yaml
    with: {version: '${inputs.version}'}
  - include: _images.workflow.yaml
    id: final
    with:
      tag: 'v${inputs.version}'
      hosts: '${inputs.hosts}'
      made: '${steps.checkout.word}'
      key: '${inputs.token}'
  - {id: ask, gate: {question: Go?, show: [final, final.image]}}
  - {id: after, run: [echo, "${steps.final.image}", "${steps.checkout.word}", "${steps.final.images[*]}"], undoes: [final]}
"""
PREPARE = """\
inputs: {version: {pattern: '(?P<series>\\d+\\.\\d+)\\.\\d+'}}
steps:
  - {id: checkout, run: [echo, '${inputs.version.series}'], outputs: {word: {stdout: '(.+)'}}}
"""
IMAGES = """\
inputs: {tag: {}, hosts: {type: list}, made: {}, key: {type: secret}, level: {type: integer, default: 3}}
vars: {name: 'img-${inputs.tag}-${inputs.level}'}
defaults: {timeout: 5m}
outputs: {image: '${steps.push.image}', images: '${steps.push.images}'}
steps:
  - {id: one, foreach: {host: '${inputs.hosts}'}, run: [echo, '${each.host}', '${inputs.made}'], env: {KEY: '${inputs.key}'}}
  - id: push
    when: inputs.tag == 'v1.2.3'
    run: [echo, '${vars.name}', '${inputs.hosts[*]}']
    outputs: {image: {stdout: '(.+)', default: none}, images: {stdout: '(.)', type: list, default: ''}}
finally:
  - {id: clean, run: [echo, bye]}
"""


def write(project: Path, text: str, **fragments: str | bytes) -> Path:
    """Write a workflow with its fragments and return its path."""
    for name, fragment in fragments.items():
        content = fragment if isinstance(fragment, bytes) else fragment.encode()
        (project / "wf" / f"{name}.workflow.yaml").write_bytes(content)
    path = project / "wf" / "w.workflow.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(project: Path, text: str, **fragments: str | bytes) -> Workflow:
    """Return a workflow with its fragments."""
    return read_yaml_workflow(write(project, text, **fragments), root=project)


def shown(step: Step) -> list[str]:
    """Return the command of a step as a plan shows it."""
    assert isinstance(step.body, Command)
    return [argument.shown for argument in step.body.argv]


@pytest.mark.parametrize("broken", INCLUDES.values(), ids=INCLUDES)
def test_broken_include_is_refused_at_its_own_place(project: Path, broken: Broken) -> None:
    """Mistakes in a fragment are said at its own line and column, with who includes it; those of an include at it."""
    wf = project / "wf"
    (project.parent / "_o.workflow.yaml").write_text(PLAIN, encoding="utf-8")
    (wf / "_d.workflow.yaml").mkdir()
    (wf / "_workflow_p.py").write_text("", encoding="utf-8")
    (wf / "_workflow_q.py").write_text("FRAGMENT = 1\n", encoding="utf-8")
    (wf / "_l.workflow.yaml").symlink_to(project.parent / "_o.workflow.yaml")
    (wf / "_w.workflow.yaml").symlink_to("w.workflow.yaml")
    path = write(project, broken.text, **broken.fragments)
    before = contents(project)

    with pytest.raises(DefinitionError) as caught:
        read_yaml_workflow(path, root=project)

    problems = caught.value.problems
    found = [((p.path or Path()).name.partition(".")[0], f"{p.line}:{p.column}") for p in problems]
    assert found == [(file, place) for file, place, _ in broken.expected], "\n".join(map(str, problems))
    for problem, (_, _, part) in zip(problems, broken.expected, strict=True):
        assert part in problem.message
    assert contents(project) == before


def test_fragments_stand_where_they_are_included(project: Path) -> None:
    """Steps take the include's place and id; each knows the fragment's file and line that it comes from."""
    workflow = read(project, CALLING, _prepare=PREPARE, _images=IMAGES)

    assert [step.id for step in workflow.steps] == [
        "checkout",
        "final/one[a]",
        "final/one[b]",
        "final/push",
        "final/clean",
        "ask",
        "after",
    ]
    push = workflow.step("final/push")
    assert (push.location.path.name, push.location.line, push.timeout_s) == ("_images.workflow.yaml", 7, 300.0)
    assert workflow.step("final/clean").block == "final"
    assert workflow.step("after").timeout_s is None
    assert [step.fragment for step in workflow.steps] == [
        "wf/_prepare.workflow.yaml",
        *["wf/_images.workflow.yaml"] * 4,
        None,
        None,
    ]
    assert workflow.plan["steps"][1]["fragment"] == "wf/_images.workflow.yaml"  # type: ignore[index,call-overload]
    assert {"wf/_images.workflow.yaml", "wf/_prepare.workflow.yaml"} <= workflow.sources.keys()


def test_what_a_fragment_is_given_is_shown_in_words_of_the_workflow(project: Path) -> None:
    """Plans show the including file's references, and values where they are known."""
    workflow = read(project, CALLING, _prepare=PREPARE, _images=IMAGES)

    assert shown(workflow.step("final/one[a]")) == ["echo", "a", "${steps.checkout.word}"]
    assert shown(workflow.step("final/push")) == ["echo", "img-v${inputs.version}-3", "${inputs.hosts[*]}"]
    assert shown(workflow.step("after")) == [
        "echo",
        "${steps.final.image}",
        "${steps.checkout.word}",
        "${steps.final.images[*]}",
    ]


def test_declared_outputs_lead_to_the_steps_inside(project: Path) -> None:
    """An output is the value of the step that it names; a gate shows all that are declared; undoing means all steps."""
    workflow = read(project, CALLING, _prepare=PREPARE, _images=IMAGES)

    ask, after = workflow.step("ask").body, workflow.step("after")
    assert isinstance(ask, Gate)
    assert ask.show == (("final/push", "image"), ("final/push", "images"), ("final/push", "image"))
    assert isinstance(after.body, Command)
    assert [reference.path for argument in after.body.argv for reference in argument.references] == [
        ("final/push", "image"),
        ("checkout", "word"),
        ("final/push", "images"),
    ]


def digests(workflow: Workflow) -> dict[str, str]:
    """Return the digests of a workflow's steps by their ids."""
    return {step.id: step.digest for step in workflow.steps}


def changed(project: Path, *, text: str = CALLING, prepare: str = PREPARE, images: str = IMAGES) -> set[str]:
    """Return the steps whose digests a change changes."""
    before = digests(read(project, CALLING, _prepare=PREPARE, _images=IMAGES))
    after = digests(read(project, text, _prepare=prepare, _images=images))
    return {step for step, digest in after.items() if before.get(step) != digest}


def test_digests_cover_what_steps_are_made_of_and_no_more(project: Path) -> None:
    """A step's digest changes with its own lines, with what it uses of what the fragment is given, and nothing else."""
    assert changed(project, prepare=f"# a remark\n{PREPARE}") == set()
    assert changed(project, images=IMAGES.replace("[echo, bye]", "[echo, goodbye]")) == {"final/clean"}
    assert changed(project, text=CALLING.replace("'v${inputs.version}'", "'w${inputs.version}'")) == {"final/push"}
    assert changed(project, images=IMAGES.replace("default: 3", "default: 4")) == {"final/push"}
    assert changed(project, images=IMAGES.replace("tag: {}", "tag: {pattern: 'v.+'}")) == {"final/push"}
    assert changed(project, text=CALLING.replace("checkout.word}'\n", "checkout.stdout}'\n")) == {
        "final/one[a]",
        "final/one[b]",
    }


def test_fragments_include_fragments_from_their_own_folder(project: Path) -> None:
    """A path counts from the file that says it, ids join, and values are handed through."""
    (project / "wf" / "lib" / "_inner.workflow.yaml").write_text(GOOD, encoding="utf-8")
    outer = (
        "inputs: {x: {}}\noutputs: {word: '${steps.inner.word}'}\nsteps:\n"
        "  - {include: lib/_inner.workflow.yaml, id: inner, with: {v: '<${inputs.x}>'}}\n"
    )
    text = (
        "inputs: {y: {default: hello}}\nsteps:\n"
        "  - {id: u, foreach: {h: [a, b]}, steps: [{include: _outer.workflow.yaml, id: o, with: {x: '${each.h}'}}]}\n"
        "  - {include: _outer.workflow.yaml, id: o, with: {x: '${inputs.y}'}}\n"
        "  - {id: last, run: [echo, '${steps.o.word}']}\n"
    )

    workflow = read(project, text, _outer=outer)

    assert [step.id for step in workflow.steps] == ["u[a]/o/inner/push", "u[b]/o/inner/push", "o/inner/push", "last"]
    assert [shown(step) for step in workflow.steps[:3]] == [["echo", f"<{x}>"] for x in ("a", "b", "${inputs.y}")]
    last = workflow.step("last").body
    assert isinstance(last, Command)
    assert last.argv[1].references[0].path == ("o/inner/push", "word")
    assert len({step.digest for step in workflow.steps}) == 4


ASKS = """\
outputs: {commands: '${steps.ask.commands}'}
steps:
  - {id: ask, ai: {prompt: What is to be done?, output: CommandPlan}}
"""
SHOWS = "  - {id: go, gate: {question: Go?, show: [f]}}\n"


def test_commands_that_a_fragment_declares_are_executed_behind_a_gate(project: Path) -> None:
    """A plan may come from a fragment: it is that of the step inside, and a gate has to show it."""
    text = "steps:\n  - {include: _f.workflow.yaml, id: f}\n" + SHOWS + "  - {id: do, execute: '${steps.f.commands}'}\n"

    workflow = read(project, text, _f=ASKS)

    assert [step.id for step in workflow.steps] == ["f/ask", "go", "do"]


@pytest.mark.parametrize(
    ("text", "fragment", "said"),
    [
        (
            "steps:\n  - {include: _f.workflow.yaml, id: f}\n  - {id: do, execute: '${steps.f.commands}'}\n",
            ASKS,
            "no gate stands between it and step 'f/ask'",
        ),
        (
            "steps:\n  - {id: a, run: [x]}\n  - {include: _f.workflow.yaml, id: f, with: {v: '${steps.a.stdout}'}}\n",
            "inputs: {v: {}}\nsteps: [{id: do, execute: '${inputs.v}'}]\n",
            "takes the commands that an ai step proposed, and nothing else",
        ),
        ("mode: python\nsteps:\n  - {include: _f.workflow.yaml, id: f}\n", ASKS, "step 'f/ask' asks a model"),
    ],
)
def test_fragment_is_no_way_around_a_gate_or_a_mode(project: Path, text: str, fragment: str, said: str) -> None:
    """What may not stand in a workflow may not stand in what it includes; no step is left out without a word."""
    path = write(project, text, _f=fragment)

    with pytest.raises(DefinitionError) as caught:
        read_yaml_workflow(path, root=project)

    assert any(said in problem.message for problem in caught.value.problems), caught.value


def test_a_finally_includes_fragments(project: Path) -> None:
    """Their steps clean up: of the workflow, or of the block in whose finally they stand, case by case."""
    workflow = read(
        project,
        "steps:\n  - id: on\n    foreach: {host: [a, b]}\n    steps: [{id: do, run: [x]}]\n"
        "    finally:\n      - {include: _clean.workflow.yaml, id: tidy, with: {v: '${each.host}'}}\n"
        "      - {id: last, run: [echo, '${steps.tidy.word}']}\n"
        "finally:\n  - include: _plain.workflow.yaml\n  - {include: _clean.workflow.yaml, id: end, with: {v: all}}\n"
        "  - {id: said, run: [echo, '${steps.end.word}']}\n",
        _clean=GOOD,
        _plain="steps:\n  - {id: sweep, run: [x]}\n",
    )

    found = [(step.id, step.always, step.block) for step in workflow.steps]
    assert found == [
        ("on[a]/do", False, None),
        ("on[a]/tidy/push", True, "on[a]"),
        ("on[a]/last", True, "on[a]"),
        ("on[b]/do", False, None),
        ("on[b]/tidy/push", True, "on[b]"),
        ("on[b]/last", True, "on[b]"),
        ("sweep", True, None),
        ("end/push", True, None),
        ("said", True, None),
    ]
    body = workflow.step("on[b]/last").body
    assert isinstance(body, Command)
    assert [reference.path for reference in body.argv[1].references] == [("on[b]/tidy/push", "word")]
