"""Fragments in Python: functions as steps of a YAML workflow, by the rules of every fragment."""

from __future__ import annotations

import json
import time

import pytest

from .conftest import Project, code_at, finish
from .test_resume import sessions

POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo **", "touch *", "false", "test -e *"]\n'
OUTER = """
workflow: outer
inputs: {version: {default: "1.2"}, hosts: {type: list, default: [a, b]}, token: {type: secret, default: {env: TOKEN}}}
steps:
  - {id: checkout, run: [echo, checked], outputs: {word: {stdout: '(.+)'}}}
  - include: _workflow_images.py
    id: final
    with: {tag: "v${inputs.version}-${steps.checkout.word}", hosts: "${inputs.hosts}", key: "${inputs.token}"}
  - {id: last, run: [touch, "ran-${steps.final.image}"]}
"""
IMAGES = '''
"""Images of a release."""

from typing import NamedTuple

import pytest
from pydantic import BaseModel

from pytest_workflow_exec import Fragment, each, step

FRAGMENT = Fragment(
    inputs={"tag": {"pattern": "v.*"}, "hosts": {"type": "list"}, "key": {"type": "secret"},
            "level": {"type": "integer", "default": 3}},
    vars={"name": "image-${inputs.tag}"},
    outputs={"image": "${steps.push.image}"},
)


class Pushed(BaseModel):
    image: str


def setup_module(module):
    (open("setups", "a")).write(f"{module.FRAGMENT.description}x")


@pytest.fixture(scope="module")
def server():
    return "srv"


@pytest.fixture(autouse=True)
def counted(request):
    with open("counted", "a") as file:
        file.write(f"{request.node.name} ")


@each(host="${inputs.hosts}")
@step
def prepare(workflow, sandbox, host):
    sandbox.run(["echo", host, workflow.inputs["tag"]])
    return {"host": host}


@step(idempotent=True)
def push(workflow, server) -> Pushed:
    """Push the image."""
    assert workflow.inputs == {"tag": "v1.2-checked", "hosts": ["a", "b"], "level": 3}, dict(workflow.inputs)
    assert list(workflow.outputs) == ["prepare[a]", "prepare[b]"]
    assert workflow.outputs["prepare[b]"] == {"host": "b"}
    return Pushed(image=workflow.inputs["tag"])


class TestImages:
    def test_it(self, workflow, server):
        assert workflow.outputs["push"].image == "v1.2-checked"
        assert "checkout" not in workflow.outputs


@step(always=True)
def clean(workflow):
    (workflow.root / "ran-clean").touch()
'''
STEPS = ["final/prepare[a]", "final/prepare[b]", "final/push", "final/TestImages.test_it", "final/clean"]


@pytest.fixture
def outer(project: Project) -> Project:
    """A project whose workflow includes a fragment in Python."""
    project.environment["TOKEN"] = "hunter2-hunter2"  # noqa: S105 - a made-up one
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/outer.workflow.yaml", OUTER)
    project.write("wf/_workflow_images.py", IMAGES)
    return project


def plan_of(project: Project, *options: str) -> dict[str, object]:
    """Return the plan that pytest prints for machines."""
    session = project.pytest("wf", "-q", "--workflow-plan-json", *options)
    [plan] = json.loads(session.text[session.text.index("{") : session.text.rindex("}") + 1])["plans"]
    return dict(plan)


def test_functions_run_as_steps_of_the_workflow(outer: Project) -> None:
    """They stand under the including file's node ids, see their own inputs and steps, and their fixtures are theirs."""
    session = outer.pytest("wf", "--junitxml=report.xml")

    assert session.status == 0, session.text
    assert list(outer.outcomes()) == ["checkout", *STEPS, "last"]
    assert (outer.root / "ran-v1.2-checked").exists()
    assert 'classname="wf.outer.workflow.yaml" name="final/push"' in (outer.root / "report.xml").read_text()
    assert (outer.root / "setups").read_text() == "x"
    # Made for its own steps, and for none of the workflow's.
    assert (outer.root / "counted").read_text().split() == STEPS
    [started] = outer.of_type("run.started")
    plan = started["data"]["plan"]
    assert [step.get("fragment") for step in plan["steps"]] == [None, *["wf/_workflow_images.py"] * 5, None]
    assert [step.get("block") for step in plan["steps"]] == [*[None] * 5, "final", None]
    assert "wf/_workflow_images.py" in plan["sources"]
    verified = outer.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text


def test_fragment_is_included_twice(outer: Project) -> None:
    """Each include has ids, inputs and module fixtures of its own."""
    outer.write(
        "wf/outer.workflow.yaml",
        "steps:\n"
        "  - {include: _workflow_two.py, id: one, with: {word: one}}\n"
        "  - {id: on, foreach: {x: [a, b]}, steps: [{include: _workflow_two.py, with: {word: 'on-${each.x}'}}]}\n",
    )
    outer.write(
        "wf/_workflow_two.py",
        "import pytest\nfrom pytest_workflow_exec import Fragment, step\n\n"
        "FRAGMENT = Fragment(inputs={'word': {}})\n\n"
        "@pytest.fixture(scope='module')\ndef made():\n    return []\n\n"
        "@step\ndef first(workflow, made):\n    made.append(workflow.inputs['word'])\n    return {'word': made}\n\n"
        "def test_second(workflow, made):\n    assert made == [workflow.inputs['word']] == workflow.outputs['first']['word']\n",
    )

    session = outer.pytest("wf")

    assert session.status == 0, session.text
    assert list(outer.outcomes()) == [
        f"{prefix}/{name}" for prefix in ("one", "on[a]", "on[b]") for name in ("first", "test_second")
    ]


def test_what_changed_runs_again_and_the_rest_is_carried(outer: Project) -> None:
    """A function's source, and what the fragment is given, are part of its steps; another function is not."""
    outer.write("wf/outer.workflow.yaml", OUTER.replace("touch, ", "test, -e, "))
    first = outer.pytest("wf")
    assert first.status == 1, first.text

    outer.write("wf/_workflow_images.py", IMAGES.replace('"""Push the image."""', '"""Push that image."""'))
    again = outer.pytest("wf", "--workflow-resume")

    assert "final/push runs again: its definition or source changed" in again.text
    assert sessions(outer)[1] == {
        "checkout": "carried",
        "final/prepare[a]": "carried",
        "final/prepare[b]": "carried",
        "final/push": "passed",
        "final/TestImages.test_it": "passed",
        "final/clean": "passed",
        "last": "failed",
    }


def test_other_values_run_its_steps_again(outer: Project) -> None:
    """A function sees only what the fragment is given, so that other inputs of the workflow leave its steps alone."""
    outer.write(
        "wf/outer.workflow.yaml",
        "inputs: {a: {default: x}, b: {default: y}}\nsteps:\n"
        "  - {include: _workflow_s.py, id: f, with: {v: '${inputs.a}'}}\n  - {id: bad, run: ['false']}\n",
    )
    outer.write(
        "wf/_workflow_s.py",
        "from pytest_workflow_exec import Fragment, step\n\nFRAGMENT = Fragment(inputs={'v': {}})\n\n"
        "@step(idempotent=True)\ndef see(workflow):\n    return {'v': workflow.inputs['v']}\n",
    )
    assert outer.pytest("wf").status == 1

    other = outer.pytest("wf", "--workflow-resume", "--workflow-input", "b=z")
    own = outer.pytest("wf", "--workflow-resume", "--workflow-input", "a=z")

    assert [each["f/see"] for each in sessions(outer)] == ["passed", "carried", "passed"], other.text
    assert "f/see runs again: input 'a' changed" in own.text


def test_value_that_the_fragment_does_not_allow(outer: Project) -> None:
    """What only the run knows is judged by the fragment's declaration when it is used; what is known, before the run."""
    outer.write("wf/_workflow_images.py", IMAGES.replace('"v.*"', '"v[0-9.]+-signed"'))

    session = outer.pytest("wf")

    assert session.status == 1, session.text
    assert "the input of wf/_workflow_images.py is 'v1.2-checked', which does not match" in session.text
    assert outer.outcomes()["final/prepare[a]"] == "failed"
    assert not (outer.root / "ran-v1.2-checked").exists()

    outer.write("wf/outer.workflow.yaml", OUTER.replace("-${steps.checkout.word}", ""))
    early = outer.pytest("wf", "--workflow-new")
    assert early.status == 4, early.text
    assert "step 'final/prepare[a]': ${inputs.tag}: the input of wf/_workflow_images.py is 'v1.2'" in early.text
    assert len(outer.logs()) == 1


def test_gate_in_a_fragment_and_before_one(outer: Project) -> None:
    """`@gate` asks in the fragment; a gate before it says what its functions are given."""
    outer.write(
        "wf/outer.workflow.yaml",
        "steps:\n  - {id: ask, gate: Go on?}\n  - {include: _workflow_g.py, id: g, with: {who: me}}\n"
        "  - {id: last, run: [touch, 'ran-last']}\n",
    )
    outer.write(
        "wf/_workflow_g.py",
        "from pytest_workflow_exec import Fragment, gate, step\n\nFRAGMENT = Fragment(inputs={'who': {}})\n\n"
        "@step\ndef make(workflow):\n    return {'who': workflow.inputs['who']}\n\n"
        "@gate(show=['make'], question='Is it ${inputs.who}?')\ndef approve(workflow):\n"
        "    return 'words for ' + workflow.inputs['who']\n",
    )
    child = outer.terminal("wf", "-s")
    child.sendline(code_at(child))
    child.expect("Is it me\\?")
    child.expect("words for me")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    first, second = outer.of_type("gate.requested")
    [make] = [each for each in first["data"]["request"]["covers"] if each["step"] == "g/make"]
    assert make["does"].startswith("function make, with {'who': 'me'}, source ")
    assert make["does"].endswith(", of fragment wf/_workflow_g.py")
    assert [(each["step"], each["key"]) for each in second["data"]["request"]["shown"]] == [("g/make", "who")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    {
        "no declaration": (
            "FRAGMENT = Fragment(",
            "OTHER = Fragment(",
            "wf/_workflow_images.py:1:1: a _workflow_*.py must define FRAGMENT = Fragment(...)",
        ),
        "declared as something else": (
            "    outputs=",
            "    outputs={}) and dict(x=",
            "wf/_workflow_images.py: FRAGMENT must be a Fragment(...)",
        ),
        "unknown keyword": (
            "    vars=",
            "    varz=",
            "Fragment: unknown keyword 'varz' (did you mean 'vars'?)",
        ),
        "bad input": ('"type": "secret"', '"type": "secrets"', "inputs.key.type: must be"),
        "bad output": (
            "steps.push.image",
            "steps.pull.image",
            "; a fragment sees its own steps only: hand the value in by with (included by wf/outer.workflow.yaml:6)",
        ),
        "unknown option": (
            "@step(idem",
            "@step(item",
            "wf/_workflow_images.py:45: @step: unknown keyword 'itempotent'",
        ),
        "condition": (
            "@step(idempotent=True)",
            '@step(when="inputs.lvl == 3")',
            ":46:1: ${inputs.lvl}: unknown input 'lvl'",
        ),
        "outer step": (
            "@step(idempotent=True)",
            "@step(when=\"steps.checkout.word == 'x'\")",
            "unknown step 'checkout'",
        ),
        "list": (
            '"${inputs.hosts}"',
            '"${inputs.tag}"',
            "stands for ${steps.checkout.word}; a list must be known before",
        ),
        "defined twice": ("def clean(", "def push(", "the function 'push' is defined twice"),
        "lost": ("class TestImages", "class Images", "was not collected"),
        "no Python": ("class TestImages:", "class TestImages", "SyntaxError"),
        "raises": ("FRAGMENT = ", "1 / 0\nFRAGMENT = ", "ZeroDivisionError"),
        "skips itself": ("FRAGMENT = ", "pytest.skip('x', allow_module_level=True)\nFRAGMENT = ", "skips itself"),
        "a gate in cases": ("@step\ndef prepare", "@gate\ndef prepare", "a gate asks once"),
    }.values(),
)
def test_bad_fragment_lets_nothing_run(outer: Project, old: str, new: str, said: str) -> None:
    """A mistake in it is exit 4 with its own place, also beside another workflow, and no step of any runs."""
    assert old in IMAGES
    outer.write(
        "wf/_workflow_images.py",
        IMAGES.replace(old, new, 1).replace("Fragment, each, step", "Fragment, each, gate, step"),
    )
    outer.write("wf/other.workflow.yaml", "steps: [{id: one, run: [touch, ran-other]}]\n")

    session = outer.pytest("wf")

    assert session.status in ((2, 4) if said in ("SyntaxError", "ZeroDivisionError", "skips itself") else (4,)), (
        session.text
    )
    assert said in " ".join(session.text.split())
    assert "INTERNALERROR" not in session.text
    assert outer.untouched


@pytest.mark.parametrize(
    ("old", "new", "said"),
    {
        "unknown input": ("{tag: ", "{tagg: x, tag: ", "8:12: wf/_workflow_images.py has no input 'tagg' (did you mean 'tag'?)"),
        "missing input": ('hosts: "${inputs.hosts}", ', "", "input 'hosts' of wf/_workflow_images.py has no value"),
        "always without id": ("    id: final\n", "", "'clean' says always=True, and wf/_workflow_images.py is included without"),
        "output": ("steps.final.image", "steps.final.imag", "step 'final' has no value 'imag' (did you mean 'image'?)"),
        "inside": ("steps.final.image", "steps.final/push.image", "stands in the fragment 'final'; only what that declares"),
        "twice": (
            "  - {id: last",
            "  - {include: _workflow_images.py, id: final, with: {tag: v, hosts: [a], key: '${inputs.token}'}}\n  - {id: last",
            "two steps have the id 'prepare', as the fragment is included twice; give each include an id of its own",
        ),
    }.values(),
)  # fmt: skip
def test_bad_include_lets_nothing_run(outer: Project, old: str, new: str, said: str) -> None:
    """A mistake of the including file is said at its own place."""
    assert old in OUTER
    outer.write("wf/outer.workflow.yaml", OUTER.replace(old, new, 1))

    session = outer.pytest("wf")

    assert session.status == 4, session.text
    assert said in " ".join(session.text.split())
    assert outer.untouched


def test_fragment_alone_is_no_workflow_and_no_test_file(outer: Project) -> None:
    """Named, it is refused; in a folder of tests it is passed over; without the plugin it can't be run as tests."""
    outer.write("wf/_workflow_images.py", IMAGES + "\n\ndef test_harmless():\n    open('ran-test', 'w').close()\n")
    outer.write("pytest.ini", "[pytest]\npython_files = *.py\n")

    alone = outer.pytest("wf/_workflow_images.py")
    bare = outer.pytest()
    without = outer.pytest("wf/_workflow_images.py", "-p", "no:workflow_exec")

    assert (alone.status, bare.status) == (4, 5), bare.text
    assert "is a fragment: other workflows include it; it can't run alone" in alone.text
    assert without.status == 2, without.text
    assert "this file is a fragment of workflows" in without.text
    assert outer.untouched


def test_plan_and_list(outer: Project) -> None:
    """The plan has its steps; `list` imports nothing of it, and counts its functions."""
    marked = IMAGES + "\nopen('imported', 'w').close()\n"
    outer.write("wf/_workflow_images.py", marked)

    listed = outer.run("workflow-exec", "list")
    assert (listed.status, (outer.root / "imported").exists()) == (0, False), listed.text
    plan = plan_of(outer)
    proposed = outer.run("workflow-exec", "policy", "propose", "outer")

    assert "outer     6" in listed.text
    assert [step["id"] for step in plan["steps"]] == ["checkout", *STEPS, "last"]  # type: ignore[attr-defined]
    assert proposed.status != 0
    assert "is Python, which only pytest imports" in proposed.text
    assert outer.untouched


def test_cut_plan_and_workers(outer: Project) -> None:
    """A node id of one of its steps is a cut plan; workers run the whole, by one of them."""
    cut = outer.pytest("wf/outer.workflow.yaml::final/push")
    assert cut.status == 4, cut.text
    assert "would run without" in cut.text
    assert outer.untouched

    spread = outer.pytest("wf", "-n1")
    assert spread.status == 0, spread.text
    assert list(outer.outcomes()) == ["checkout", *STEPS, "last"]


def test_killed_in_a_function(outer: Project) -> None:
    """A function's check is asked with what its fragment was given."""
    outer.write(
        "wf/outer.workflow.yaml",
        "inputs: {v: {default: effect}}\nsteps: [{include: _workflow_k.py, id: k, with: {v: '${inputs.v}'}}]\n",
    )
    outer.write("wf/looks.py", "def there(workflow, name):\n    return (workflow.root / name).exists()\n")
    outer.write(
        "wf/_workflow_k.py",
        "import time\n\nfrom pytest_workflow_exec import Fragment, step\n\nFRAGMENT = Fragment(inputs={'v': {}})\n\n"
        "@step(check={'call': 'looks:there', 'with': {'name': '${inputs.v}'}})\ndef make(workflow):\n"
        "    (workflow.root / workflow.inputs['v']).touch()\n    time.sleep(60)\n",
    )
    child = outer.start("wf")
    outer.wait_for("step.started", 1)
    deadline = time.monotonic() + 20
    while not (outer.root / "effect").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.kill()
    child.wait()

    session = outer.pytest("wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert sessions(outer)[-1] == {"k/make": "passed"}
