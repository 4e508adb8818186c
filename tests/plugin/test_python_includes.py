"""`include(...)`: fragments, in YAML and in Python, in files of functions, by the rules of an include in YAML."""

from __future__ import annotations

import shutil

import pytest

from pytest_workflow_exec import step
from pytest_workflow_exec.definition import StepOptions, options_of
from tests._published import ROOT

from .conftest import Project, code_at, finish
from .test_python_fragments import plan_of
from .test_resume import sessions

POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo **", "touch *", "false", "test -e *"]\n'
OUTER = """
from pytest_workflow_exec import Workflow, each, include, step

WORKFLOW = Workflow(
    inputs={"version": {"default": "1.2"}, "hosts": {"type": "list", "default": ["a", "b"]}, "token": {"type": "secret"}},
    outputs={"word": "${steps.prep.word}"},
)


@step(idempotent=True)
def first(workflow):
    return {"n": 3}


include(
    "_prep.workflow.yaml",
    id="prep",
    with_={"version": "v${inputs.version}-${steps.first.n}", "count": 3, "token": "${inputs.token}"},
)
include("_workflow_images.py", id="img", foreach={"host": "${inputs.hosts}"}, with_={"host": "${each.host}"})


class TestIt:
    def test_between(self, workflow):
        assert dict(workflow.outputs["prep"]) == {"word": "v1.2-3"}
        assert [workflow.outputs[f"img[{host}]"]["name"] for host in "ab"] == ["img-a", "img-b"]
        assert {"prep", "img[a]", "img[b]", "first", "prep/say"} <= set(workflow.outputs)
        assert "end" not in workflow.outputs


def test_last(workflow):
    (workflow.root / f"ran-{workflow.outputs['prep']['word']}").touch()


include("_end.workflow.yaml", always=True)
"""
PREP = """
inputs: {version: {pattern: 'v.*'}, count: {type: integer}, token: {type: secret}}
outputs: {word: "${steps.say.word}"}
steps:
  - {id: say, run: [echo, "${inputs.version}"], env: {TOKEN: "${inputs.token}"}, outputs: {word: {stdout: '(.+)'}}}
  - {id: look, call: {function: "calls:look", with: {n: "${inputs.count}"}}}
"""
CALLS = """
import asyncio

from pydantic import BaseModel


class Guess(BaseModel):
    word: str


async def look(workflow, n):
    await asyncio.sleep(0)
    assert n == 3
    assert dict(workflow.inputs) == {"version": "v1.2-3", "count": 3}
    return {"seen": n}
"""
IMAGES = """
from pytest_workflow_exec import Fragment, include, step

FRAGMENT = Fragment(inputs={"host": {}}, outputs={"name": "${steps.inner.word}"})


@step
def make(workflow):
    return {"name": "img-" + workflow.inputs["host"]}


include("_word.workflow.yaml", id="inner", with_={"word": "${steps.make.name}"})


def test_inner(workflow):
    assert dict(workflow.outputs["inner"]) == {"word": workflow.outputs["make"]["name"]}
    assert sorted(workflow.outputs) == ["inner", "make"]


@step(always=True)
def clean():
    pass
"""
WORD = """
inputs: {word: {}}
outputs: {word: "${steps.say.word}"}
steps: [{id: say, run: [echo, "${inputs.word}"], outputs: {word: {stdout: '(.+)'}}}]
"""
IMAGE = ["make", "inner/say", "test_inner", "clean"]
STEPS = [
    "first", "prep/say", "prep/look", *(f"img[{host}]/{name}" for host in "ab" for name in IMAGE),
    "TestIt.test_between", "test_last", "end",
]  # fmt: skip


@pytest.fixture
def outer(project: Project) -> Project:
    """A project whose workflow in Python includes fragments of both kinds, one of which includes another."""
    project.environment["TOKEN"] = "hunter2-hunter2"  # noqa: S105 - a made-up one
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/workflow_outer.py", OUTER)
    project.write("wf/_prep.workflow.yaml", PREP)
    project.write("wf/_workflow_images.py", IMAGES)
    project.write("wf/_word.workflow.yaml", WORD)
    project.write("wf/_end.workflow.yaml", "steps: [{id: end, run: [touch, ran-end]}]\n")
    project.write("wf/calls.py", CALLS)
    return project


def simple(project: Project, includes: str, *, rest: str = "", mode: str = "") -> None:
    """Write a workflow of one function and these includes."""
    project.write(
        "wf/workflow_outer.py",
        f"from pytest_workflow_exec import Workflow, gate, include, step\nWORKFLOW = Workflow({mode})\n"
        f"@step\ndef ran(workflow): (workflow.root / 'ran').touch()\n{includes}\n{rest}",
    )


def test_included_steps_stand_where_the_calls_do(outer: Project) -> None:
    """They run in the order of the file, see their own inputs and steps, and leave what the fragment declares."""
    session = outer.pytest("wf", "-v")

    assert session.status == 0, session.text
    assert list(outer.outcomes()) == STEPS
    assert (outer.root / "ran-v1.2-3").exists()
    assert (outer.root / "ran-end").exists()
    assert "wf/workflow_outer.py::img[b]/inner/say" in session.text
    [started] = outer.of_type("run.started")
    plan = started["data"]["plan"]
    by_step = {step["id"]: step for step in plan["steps"]}
    assert by_step["prep/say"]["fragment"] == "wf/_prep.workflow.yaml"
    assert by_step["img[a]/inner/say"]["fragment"] == "wf/_word.workflow.yaml"
    assert by_step["img[a]/clean"]["block"] == "img[a]"
    assert {
        f"wf/{name}" for name in ("_prep.workflow.yaml", "_workflow_images.py", "_word.workflow.yaml", "calls.py")
    } <= set(plan["sources"])
    [finished] = outer.of_type("run.finished")
    assert finished["data"]["outputs"] == {"word": "v1.2-3"}
    verified = outer.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text
    listed = outer.run("workflow-exec", "list")
    assert "outer     10     wf/workflow_outer.py" in listed.text, listed.text


def test_plan_is_that_of_the_same_workflow_in_yaml(outer: Project) -> None:
    """Ids, kinds, fragments and blocks of the included steps are what an include in YAML gives."""
    outer.write(
        "wf/workflow_outer.py",
        OUTER.replace('    outputs={"word": "${steps.prep.word}"},\n', "")
        .replace("${steps.first.n}", "3")
        .replace('@step(idempotent=True)\ndef first(workflow):\n    return {"n": 3}\n', ""),
    )
    ours = plan_of(outer)
    outer.write(
        "wf/outer.workflow.yaml",
        "inputs: {version: {default: '1.2'}, hosts: {type: list, default: [a, b]}, token: {type: secret}}\n"
        "steps:\n"
        "  - include: _prep.workflow.yaml\n    id: prep\n"
        "    with: {version: 'v${inputs.version}-3', count: 3, token: '${inputs.token}'}\n"
        "  - {include: _workflow_images.py, id: img, foreach: {host: '${inputs.hosts}'}, with: {host: '${each.host}'}}\n"
        "finally:\n  - include: _end.workflow.yaml\n",
    )
    (outer.root / "wf/workflow_outer.py").unlink()
    theirs = plan_of(outer)

    def told(plan: dict[str, object]) -> list[object]:
        steps = plan["steps"]
        assert isinstance(steps, list)
        keys = ("id", "kind", "fragment", "block", "finally", "argv", "rules")
        return [[step.get(key) for key in keys] for step in steps if step.get("fragment")]

    assert told(ours) == told(theirs)
    assert len(told(ours)) == len(STEPS) - 3


def test_what_changed_runs_again_and_the_rest_is_carried(outer: Project) -> None:
    """What a fragment is given, what it leaves and what the file around it shares are part of steps; other functions aren't."""
    word = WORD.replace("{id: say,", "{id: say, idempotent: true,")
    outer.write("wf/_word.workflow.yaml", word)
    outer.write("wf/_other.workflow.yaml", word)
    source = (
        "from pytest_workflow_exec import Workflow, include, step\nWORKFLOW = Workflow()\n"
        "include('_word.workflow.yaml', id='one', with_={'word': 'x'})\n"
        "include('_other.workflow.yaml', id='two', with_={'word': 'y'})\n"
        "@step(idempotent=True)\ndef look(workflow): return dict(workflow.outputs['one'])\n"
        "def test_bad(): assert False\n"
    )
    changes = {
        "another function": (source.replace("assert False", "assert not True"), []),
        "a value": (source.replace("'y'", "'z'"), ["two/say"]),
        "the file": ("import os\n" + source, ["one/say", "two/say", "look"]),
    }
    for changed, again in changes.values():
        outer.write("wf/workflow_outer.py", source)
        shutil.rmtree(outer.root / ".workflow-exec", ignore_errors=True)
        assert outer.pytest("wf", "--workflow-new").status == 1
        outer.write("wf/workflow_outer.py", changed)
        session = outer.pytest("wf", "--workflow-resume")
        ended = sessions(outer)[1]
        assert [step for step, outcome in ended.items() if outcome != "carried"] == [*again, "test_bad"], session.text

    outer.write("wf/workflow_outer.py", source)
    outer.write("wf/_other.workflow.yaml", word)
    shutil.rmtree(outer.root / ".workflow-exec")
    assert outer.pytest("wf", "--workflow-new").status == 1
    outer.write("wf/_word.workflow.yaml", word.replace("${steps.say.word}", "${steps.say.stdout}"))
    session = outer.pytest("wf", "--workflow-resume")
    assert sessions(outer)[1] == {"one/say": "carried", "two/say": "carried", "look": "passed", "test_bad": "failed"}, (
        session.text
    )


def test_gate_of_a_file_covers_the_commands_of_its_fragments(outer: Project) -> None:
    """A gate before an include lists the commands that it brings, and a gate in a fragment asks."""
    simple(
        outer,
        "@gate(question='Go on?')\ndef approve(): pass\ninclude('_word.workflow.yaml', id='w', with_={'word': 'hello'})\n"
        "include('_ask.workflow.yaml')",
    )
    outer.write(
        "wf/_ask.workflow.yaml", "steps:\n  - {id: really, gate: Really?}\n  - {id: last, run: [touch, last]}\n"
    )
    child = outer.terminal("wf", "-s")
    child.expect("Go on\\?")
    code = code_at(child)
    assert not (outer.root / "last").exists()
    child.sendline(code)
    child.expect("Really\\?")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    first, second = outer.of_type("gate.requested")
    [said] = [each for each in first["data"]["request"]["covers"] if each["step"] == "w/say"]
    assert "echo" in said["does"]
    assert [each["step"] for each in second["data"]["request"]["covers"]] == ["last"]


def test_fixtures_of_the_file_are_there_for_included_functions(outer: Project) -> None:
    """As a conftest's are: the included steps are steps of the file."""
    simple(
        outer,
        "include('_call.workflow.yaml')\ninclude('_workflow_own.py')",
        rest="import pytest\n@pytest.fixture\ndef server(): return 'srv'\n",
    )
    outer.write("wf/_call.workflow.yaml", "steps: [{id: ask, call: 'calls:ask'}]\n")
    outer.write("wf/calls.py", "def ask(server):\n    assert server == 'srv'\n")
    outer.write(
        "wf/_workflow_own.py",
        "import pytest\nfrom pytest_workflow_exec import Fragment\nFRAGMENT = Fragment()\n"
        "@pytest.fixture\ndef own(server): return server + '-own'\n"
        "def test_own(own): assert own == 'srv-own'\n",
    )

    session = outer.pytest("wf")

    assert session.status == 0, session.text
    assert list(outer.outcomes()) == ["ran", "ask", "test_own"]


MISTAKES = {
    "no such file": ("include('_no.workflow.yaml')", "workflow_outer.py:5:1: include: there is no '_no.workflow.yaml'"),
    "no fragment": ("include('calls.py')", "workflow_outer.py:5:1: include: 'calls.py' is no fragment"),
    "out of the project": ("include('../../_x.workflow.yaml')", "leads out of the project"),
    "unknown input": (
        "include('_word.workflow.yaml', with_={'wrod': 'x', 'word': 'x'})",
        "workflow_outer.py:5:1: with: wf/_word.workflow.yaml has no input 'wrod' (did you mean 'word'?)",
    ),
    "no value": ("include('_word.workflow.yaml')", "input 'word' of wf/_word.workflow.yaml has no value"),
    "unknown reference": (
        "include('_word.workflow.yaml', with_={'word': '${inputs.no}'})",
        "workflow_outer.py:5:1: with.word: ${inputs.no}: unknown input 'no'",
    ),
    "later step": (
        "include('_word.workflow.yaml', with_={'word': '${steps.late.x}'})\n@step\ndef late(): return {}",
        "step 'late' comes later",
    ),
    "a step inside": (
        ("include('_word.workflow.yaml', id='w', with_={'word': 'x'})\n"
        "include('_word.workflow.yaml', id='v', with_={'word': '${steps.w/say.word}'})"),
        "stands in the fragment 'w'; only what that declares as outputs",
    ),
    "unknown output": (
        "include('_word.workflow.yaml', id='w', with_={'word': 'x'})\n@gate(show=['w.wrod'])\ndef ask(): pass",
        "step 'w' has no value 'wrod' (did you mean 'word'?)",
    ),
    "bad id": ("include('_end.workflow.yaml', id='End')", "workflow_outer.py:5:1: id: 'End' is not a name"),
    "id of a function": ("include('_end.workflow.yaml', id='ran')", "two steps have the id 'ran', first in line 4"),
    "id of a later function": (
        "include('_end.workflow.yaml', id='late')\n@step\ndef late(): pass",
        "workflow_outer.py:7:1: two steps have the id 'late', first in line 5",
    ),
    "twice": (
        "include('_end.workflow.yaml')\ninclude('_end.workflow.yaml')",
        "two steps have the id 'end', as the fragment is included twice",
    ),
    "mistake in the fragment": (
        "include('_bad.workflow.yaml')",
        "_bad.workflow.yaml:2:13: unknown key 'rum' (did you mean 'run'?) (included by wf/workflow_outer.py:5)",
    ),
    "circle": (
        "include('_workflow_round.py', id='a')",
        "'_workflow_round.py' includes itself: _workflow_round.py -> _round.workflow.yaml -> _workflow_round.py",
    ),
    "itself in Python": (
        "include('_workflow_self.py', id='a')",
        "_workflow_self.py:3:1: include: '_workflow_self.py' includes itself",
    ),
    "too deep": ("include('_workflow_deep0.py')", "_workflow_deep6.py:3:1: blocks and fragments are nested deeper than 8 levels"),
    "model": (
        "include('_ask.workflow.yaml')",
        "_ask.workflow.yaml:2:5: step 'guess' asks a model, and the workflow says mode: python. Say mode: ai_json",
    ),
    "claude": ("include('_workflow_talk.py')", "step 'test_talk' asks for the fixture 'claude'"),
    "in an if": ("if True:\n    include('_end.workflow.yaml')", "6:5: include(...) must be a statement of its own"),
    "in a loop": ("for x in 'ab':\n    include('_end.workflow.yaml', id=x)", "include(...) must be a statement of its own"),
    "in a function": ("def f():\n    include('_end.workflow.yaml')", "include(...) must be a statement of its own"),
    "as a value": ("x = include('_end.workflow.yaml')", "5:5: include(...) must be a statement of its own"),
    "replaced": ("include = lambda *a, **k: None\ninclude('_end.workflow.yaml')", "this include(...) was not seen"),
    "unknown keyword": ("include('_end.workflow.yaml', wiht={})", "include: unknown keyword 'wiht' (did you mean 'with_'?)"),
    "no text": ("include(3)", "include: the fragment must be a text, not 3"),
    "no mapping": ("include('_end.workflow.yaml', with_=['x'])", "include: with_ must be a mapping with texts as its keys"),
    "no flag": ("include('_end.workflow.yaml', always='yes')", "include: always must be True or False, not 'yes'"),
    "cases without an id": ("include('_end.workflow.yaml', foreach={'h': ['a']})", "needs an id, which its cases go by"),
    "allow_empty alone": ("include('_end.workflow.yaml', allow_empty=True)", "allow_empty belongs to a foreach"),
    "no case": ("include('_end.workflow.yaml', id='e', foreach={'h': []})", "the list is empty, and nothing would run"),
    "case not named": (
        ("include('_word.workflow.yaml', id='w', foreach={'h': ['a']}, with_={'word': '${each.h}'})\n"
        "include('_word.workflow.yaml', id='v', with_={'word': '${steps.w.word}'})"),
        "step 'w' has cases; name one of them: w[a]",
    ),
    "gate at the end": ("include('_gate.workflow.yaml', id='g', always=True)", "a gate can't stand in finally"),
    "finally in a finally": ("include('_workflow_clean.py', id='c', always=True)", "in a finally, which can't hold another"),
    "finally without an id": ("include('_workflow_last.py')", "give the include one, so that it says what the include cleans up"),
}  # fmt: skip


@pytest.mark.parametrize(("includes", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_said_where_they_stand(outer: Project, includes: str, said: str) -> None:
    """Each with its file and line, and no step runs."""
    head = "from pytest_workflow_exec import Fragment, include, step\nFRAGMENT = Fragment()\n"
    outer.write("wf/_bad.workflow.yaml", "steps:\n  - {id: a, rum: [x]}\n")
    outer.write("wf/_round.workflow.yaml", "steps:\n  - {include: _workflow_round.py, id: b}\n")
    outer.write("wf/_workflow_round.py", f"{head}include('_round.workflow.yaml', id='c')\n")
    outer.write("wf/_workflow_self.py", f"{head}include('_workflow_self.py', id='c')\n")
    for number in range(10):
        outer.write(f"wf/_workflow_deep{number}.py", f"{head}include('_workflow_deep{number + 1}.py', id='d')\n")
    outer.write("wf/_ask.workflow.yaml", "steps:\n  - {id: guess, ai: {prompt: Guess., output: 'calls:Guess'}}\n")
    outer.write("wf/_workflow_talk.py", f"{head}def test_talk(claude): pass\n")
    outer.write("wf/_gate.workflow.yaml", "steps: [{id: ask, gate: Go?}]\n")
    outer.write("wf/_workflow_clean.py", f"{head}@step(always=True)\ndef clean(): pass\n")
    outer.write("wf/_workflow_last.py", f"{head}include('_end.workflow.yaml', always=True)\n")
    simple(outer, includes)

    session = outer.pytest("wf")

    assert session.status == 4, session.text
    assert said in session.text, session.text
    assert "Traceback" not in session.text
    assert not (outer.root / "ran").exists()
    assert outer.logs() == []


def test_include_elsewhere_is_refused(outer: Project) -> None:
    """In a module that is no workflow, nobody would read it."""
    simple(outer, "import calls")
    outer.write("wf/calls.py", "from pytest_workflow_exec import include\ninclude('_end.workflow.yaml')\n")
    outer.write("wf/conftest.py", "import pathlib, sys\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n")

    session = outer.pytest("wf")

    assert session.status == 4, session.text
    assert "calls.py:2: include(...) stands in calls.py, which is neither a workflow nor a fragment" in session.text
    assert not (outer.root / "ran").exists()


def test_mode_lets_fragments_ask(outer: Project) -> None:
    """What the workflow's mode allows, a fragment may do."""
    outer.write("wf/_ask.workflow.yaml", "steps:\n  - {id: guess, ai: {prompt: Guess., output: 'calls:Guess'}}\n")
    simple(outer, "include('_ask.workflow.yaml')", mode="mode='ai_json'")

    session = outer.pytest("wf", "--workflow-plan")

    assert session.status == 0, session.text
    assert "guess (ai)" in session.text


def test_block_of_a_fragment_goes_by_what_it_is_given(outer: Project) -> None:
    """A list of cases in a fragment may come from an input of the workflow, which the run then has to have."""
    outer.write(
        "wf/workflow_outer.py",
        "from pytest_workflow_exec import Workflow, include\n"
        "WORKFLOW = Workflow(inputs={'hosts': {'type': 'list'}})\n"
        "include('_all.workflow.yaml', id='all', with_={'hosts': '${inputs.hosts}'})\n",
    )
    outer.write(
        "wf/_all.workflow.yaml",
        "inputs: {hosts: {type: list}}\nsteps: [{id: up, foreach: {h: '${inputs.hosts}'}, run: [touch, 'up-${each.h}']}]\n",
    )

    missing = outer.pytest("wf")
    session = outer.pytest("wf", "--workflow-input", "hosts=x,y")

    assert missing.status == 4, missing.text
    assert "--workflow-input" in missing.text
    assert session.status == 0, session.text
    assert list(outer.outcomes()) == ["all/up[x]", "all/up[y]"]


def test_context_in_a_fragment_holds_its_own_inputs_and_steps(outer: Project) -> None:
    """What a fragment was given and did is its context; the inputs and steps around it are none of it."""
    outer.write(
        "wf/workflow_outer.py",
        "from pytest_workflow_exec import Workflow, include, step\n"
        "WORKFLOW = Workflow(inputs={'outer': {'default': 'outside'}})\n"
        "@step\ndef before(): return {'left': 'outside'}\n"
        "include('_workflow_c.py', id='c', with_={'word': 'inside'})\n"
        "@step\ndef after(workflow):\n    text = workflow.context().text\n"
        "    assert '\"outer\": \"outside\"' in text and 'c/make' in text, text\n",
    )
    outer.write(
        "wf/_workflow_c.py",
        "from pytest_workflow_exec import Fragment, step\nFRAGMENT = Fragment(inputs={'word': {}})\n"
        "@step\ndef make(): return {'made': 'here'}\n"
        "@step\ndef look(workflow):\n    text = workflow.context().text\n"
        "    assert 'inputs of the fragment' in text and '\"word\": \"inside\"' in text, text\n"
        "    assert '\"make\"' in text and 'c/make' not in text, text\n"
        "    assert 'outside' not in text, text\n",
    )

    session = outer.pytest("wf")

    assert session.status == 0, session.text


def test_include_of_the_page_about_yaml_and_python(outer: Project) -> None:
    """What the page shows is a statement that works, and its outputs are what the page says."""
    page = (ROOT / "docs" / "yaml-and-python.md").read_text(encoding="utf-8")
    shown = page.partition("```python\n")[2].partition("```")[0]
    outer.write(
        "wf/_announce.workflow.yaml",
        "inputs: {version: {}}\noutputs: {url: '${steps.say.stdout}'}\n"
        "steps: [{id: say, run: [echo, 'https://example.org/${inputs.version}']}]\n",
    )
    simple(
        outer,
        shown,
        mode="inputs={'version': {'default': '1.2'}}",
        rest="def test_url(workflow): assert workflow.outputs['announce']['url'].strip() == 'https://example.org/1.2'\n",
    )

    session = outer.pytest("wf")

    assert session.status == 0, session.text


def test_fragment_in_python_is_imported_when_it_is_collected(outer: Project) -> None:
    """Also for a workflow in YAML and with `--collect-only`, and no step runs; `workflow-exec list` imports nothing."""
    outer.write("wf/a.workflow.yaml", "steps: [{include: _workflow_seen.py}]\n")
    outer.write(
        "wf/_workflow_seen.py",
        "from pathlib import Path\nfrom pytest_workflow_exec import Fragment, step\nFRAGMENT = Fragment()\n"
        "(Path(__file__).parent / 'imported').touch()\n@step\ndef go(workflow): (workflow.root / 'ran').touch()\n",
    )

    listed = outer.run("workflow-exec", "list")
    assert listed.status == 0, listed.text
    assert not (outer.root / "wf/imported").exists()

    session = outer.pytest("wf/a.workflow.yaml", "--collect-only", "-q")
    assert session.status == 0, session.text
    assert (outer.root / "wf/imported").exists()
    assert not (outer.root / "ran").exists()
    assert outer.logs() == []


def test_async_function_that_is_called(outer: Project) -> None:
    """It is awaited; what it returns counts, and what it raises fails the step."""
    outer.write(
        "wf/calls.py",
        "import asyncio\nasync def go(n):\n    await asyncio.sleep(0)\n    assert n < 2\n    return {'n': n}\n",
    )
    outer.write(
        "wf/a.workflow.yaml",
        "steps:\n  - {id: good, call: {function: 'calls:go', with: {n: 1}}}\n"
        "  - {id: say, run: [touch, 'ran-${steps.good.n}']}\n"
        "  - {id: bad, call: {function: 'calls:go', with: {n: 2}}}\n",
    )
    session = outer.pytest("wf/a.workflow.yaml")

    assert session.status == 1, session.text
    assert outer.outcomes() == {"good": "passed", "say": "passed", "bad": "failed"}
    assert (outer.root / "ran-1").exists()
    assert "assert 2 < 2" in session.text


@pytest.mark.parametrize(
    ("body", "said"),
    {
        "timeout": ("await asyncio.sleep(60)", "imeout"),
        "process": ("await asyncio.create_subprocess_exec('touch', 'ran-outside')", "sandbox"),
    }.values(),
    ids=["timeout", "process"],
)
def test_async_function_has_the_bounds_of_any_other(outer: Project, body: str, said: str) -> None:
    """Its timeout ends it, and a process that it starts itself fails the step."""
    outer.write("wf/calls.py", f"import asyncio\nasync def go():\n    {body}\n")
    outer.write(
        "wf/a.workflow.yaml", "steps:\n  - {id: a, call: 'calls:go', timeout: 3s}\n  - {id: b, run: [touch, ran-b]}\n"
    )

    session = outer.pytest("wf/a.workflow.yaml")

    assert session.status == 1, session.text
    assert said in session.text
    assert outer.outcomes() == {"a": "failed", "b": "blocked"}
    assert not (outer.root / "ran-b").exists()


def test_async_check_is_awaited(outer: Project) -> None:
    """A check that is async counts for what it does, not for having been called."""
    outer.write("wf/calls.py", "async def there(workflow):\n    assert (workflow.root / 'made').exists()\n")
    outer.write(
        "wf/a.workflow.yaml",
        "steps:\n  - {id: m, manual: Make it, check: {call: 'calls:there'}}\n",
    )
    child = outer.terminal("wf/a.workflow.yaml", "-s")
    child.expect("Type done")
    child.sendline("done")
    session = finish(child)

    assert session.status == 1, session.text
    assert outer.outcomes() == {"m": "failed"}


def test_several_lists_make_a_matrix(outer: Project) -> None:
    """Each value of one goes with each of the others, the last list round fastest, in YAML, in blocks and in Python."""
    outer.write(
        "wf/m.workflow.yaml",
        "inputs: {hosts: {type: list, default: [x, y]}}\nsteps:\n"
        "  - {id: one, foreach: {h: '${inputs.hosts}', n: [1, 2]}, run: [touch, 'one-${each.h}-${each.n}']}\n"
        "  - id: two\n    foreach: {h: [a], r: [eu, us]}\n    steps: [{id: s, run: [touch, 'two-${each.h}-${each.r}']}]\n",
    )
    outer.write(
        "wf/workflow_p.py",
        "from pytest_workflow_exec import Workflow, each, step\nWORKFLOW = Workflow(inputs={'hosts': {'type': 'list', 'default': ['x', 'y']}})\n"
        "@each(host='${inputs.hosts}', n=[1, 2])\n@step\ndef three(host, n): return {'is': f'{host}{n}'}\n",
    )
    yaml = outer.pytest("wf/m.workflow.yaml")
    assert yaml.status == 0, yaml.text
    assert list(outer.outcomes()) == ["one[x-1]", "one[x-2]", "one[y-1]", "one[y-2]", "two[a-eu]/s", "two[a-us]/s"]
    assert (outer.root / "one-y-2").exists()
    assert (outer.root / "two-a-us").exists()

    python = outer.pytest("wf/workflow_p.py", "-v")
    assert python.status == 0, python.text
    for case in ("x-1", "x-2", "y-1", "y-2"):
        assert f"workflow_p.py::three[{case}] PASSED" in python.text


def test_waiver_and_form_say_in_python_what_they_say_in_yaml(outer: Project) -> None:
    """How long a waiver's question waits, and a form at a gate that wants signatures."""
    outer.write(
        "wf/workflow_outer.py",
        "from pytest_workflow_exec import Workflow, gate, step\nWORKFLOW = Workflow()\n"
        "@step(waive={'question': 'Go on?', 'timeout': '5m'})\ndef check(): pass\n"
        "@gate(question='Ship?', assurance=2, approvers=['pmc'], wait='suspend', form={'ticket': {}})\ndef ship(): pass\n",
    )
    ours = plan_of(outer)
    (outer.root / "wf/workflow_outer.py").unlink()
    outer.write(
        "wf/outer.workflow.yaml",
        "steps:\n  - {id: check, run: [echo], waive: {question: Go on?, timeout: 5m}}\n"
        "  - id: ship\n    gate: {question: 'Ship?', assurance: 2, approvers: [pmc], wait: suspend, form: {ticket: {}}}\n",
    )
    theirs = plan_of(outer)

    def told(plan: dict[str, object]) -> list[object]:
        steps = plan["steps"]
        assert isinstance(steps, list)
        return [[step.get(key) for key in ("id", "waive", "signed")] for step in steps]

    assert told(ours) == told(theirs)
    assert str(told(ours)).count("'assurance': 2") == 1
    decorated = options_of(step(waive={"question": "Go on?", "timeout": "5m"})(_function))
    assert isinstance(decorated, StepOptions)
    assert decorated.waive_timeout_s == 300.0


def _function() -> None: ...
