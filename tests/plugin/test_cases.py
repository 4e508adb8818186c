"""Steps with cases: one item for each value of a list, known before anything runs."""

from __future__ import annotations

import pytest

from .conftest import Project, code_at, finish

FLOW = """
workflow: flow
inputs: {hosts: {type: list, default: {from: hosts.toml, key: hosts}}}
steps:
  - id: deploy
    foreach: {host: "${inputs.hosts}"}
    when: each.host != 'spare'
    run: [touch, "ran-${each.host}"]
    outputs: {word: {stdout: '.*', default: "no-${each.host}"}}
  - {id: tell, foreach: {n: [1, "a b"]}, run: [echo, "${each.n}"], expect: {stdout: "${each.n}"}}
  - {id: last, run: [touch, "ran-last-${steps.tell[1].stdout}-${steps.tell[a%20b].exit}"]}
"""
HOSTS = 'hosts = ["web1", "spare"]\n'


@pytest.fixture
def flow(project: Project) -> Project:
    """A project with a workflow whose hosts are an input."""
    project.write("hosts.toml", HOSTS)
    project.write("wf/flow.workflow.yaml", FLOW)
    return project


def ran(project: Project) -> list[str]:
    """Return which steps left a mark."""
    return sorted(path.name.removeprefix("ran-") for path in project.root.glob("ran-*"))


def test_every_case_is_a_step_of_its_own(flow: Project) -> None:
    """Cases run in the order of their list, each with its value, its condition, its item and its records."""
    session = flow.pytest("wf", "-v")

    assert session.status == 0, session.text
    assert "::deploy[web1] PASSED" in session.text
    assert "::deploy[spare] NOT APPLICABLE" in session.text
    assert ran(flow) == ["last-1-0", "web1"]
    assert list(flow.outcomes()) == ["deploy[web1]", "deploy[spare]", "tell[1]", "tell[a%20b]", "last"]
    plan = flow.of_type("run.started")[0]["data"]["plan"]["steps"]
    assert [step["id"] for step in plan] == list(flow.outcomes())
    assert [record["data"]["argv"] for record in flow.of_type("command.started")][1:3] == [
        ["echo", "1"],
        ["echo", "a b"],
    ]


def test_run_stops_after_the_last_case_and_goes_on_with_its_list(flow: Project) -> None:
    """The bare id stands for all cases of a step, and a resumed run has the list that it was given."""
    first = flow.pytest("wf", "--workflow-until=deploy", "--workflow-input=hosts=db1,db2")

    assert first.status == 0, first.text
    assert "stopped after deploy[db2] as asked, 2 of 5" in first.text
    assert ran(flow) == ["db1", "db2"]

    second = flow.pytest("wf", "--workflow-resume", "-v")

    assert second.status == 0, second.text
    assert second.text.count("CARRIED") == 2
    assert flow.of_type("run.resumed")[0]["data"]["inputs"] == {"hosts": ["db1", "db2"]}
    assert ran(flow) == ["db1", "db2", "last-1-0"]


@pytest.mark.parametrize(
    ("hosts", "fragment"),
    [
        ("a,a", "flow.workflow.yaml:6:21: 'a' stands twice in the list"),
        ("a,-rf", "step 'deploy[-rf]': '${each.host}' becomes the option '-rf'; a value may not do that"),
    ],
)
def test_list_that_can_not_be_used_is_refused(flow: Project, hosts: str, fragment: str) -> None:
    """A list that is wrong, and a value that would become an option, are exit 4, said once, and nothing runs."""
    flow.write("wf/flow.workflow.yaml", FLOW.replace('"ran-${each.host}"', '"${each.host}"'))

    session = flow.pytest("wf", f"--workflow-input=hosts={hosts}")

    assert session.status == 4
    assert session.text.count(fragment) == 1
    assert flow.untouched


def test_input_that_changes_after_the_steps_were_counted_is_refused(flow: Project) -> None:
    """The cases that run are those of the inputs that the run is started with, or nothing runs."""
    flow.write(
        "conftest.py",
        "def pytest_collection_finish(session):\n"
        "    (session.config.rootpath / 'hosts.toml').write_text('hosts = [\"other\"]')\n",
    )

    session = flow.pytest("wf", "--rootdir=.")

    assert session.status == 4
    assert "input 'hosts' is not what it was when the steps were counted; run again" in session.text
    assert flow.untouched


def test_looking_needs_no_list_and_running_does(project: Project) -> None:
    """Discovery shows steps whose list is not given; a plan or a run says what is missing, once, and runs nothing."""
    project.write("wf/flow.workflow.yaml", FLOW.replace(", default: {from: hosts.toml, key: hosts}", ""))
    project.write(
        "wf/workflow_site.py",
        "from pytest_workflow_exec import Workflow, each, step\n"
        "WORKFLOW = Workflow(inputs={'hosts': {'type': 'list'}})\n"
        "@each(host='${inputs.hosts}')\n@step\ndef deploy(host): ...\n"
        "@step(when=\"steps.deploy[web1].outcome == 'passed'\")\ndef last(): ...\n",
    )

    looked = project.pytest("wf", "--collect-only", "-q")
    runs = [project.pytest("wf", option) for option in ("--workflow-plan", "--workflow-until=flow:deploy")]

    assert looked.status == 0, looked.text
    assert "wf/flow.workflow.yaml::deploy[?]" in looked.text
    assert "wf/workflow_site.py::deploy[?]" in looked.text
    for session in runs:
        assert session.status == 4
        lines = [line for line in session.text.splitlines() if "Give --workflow-input hosts=VALUE" in line]
        assert len(lines) == 2, session.text
        assert "no such step" not in session.text
    assert project.untouched


def test_gate_shows_and_lists_every_case(flow: Project) -> None:
    """A gate shows what all cases of a step left, and lists the commands of the cases behind it, with their values."""
    gate = "  - {id: ask, gate: {question: Go on?, show: [deploy.word]}}\n"
    text = FLOW.replace("  - {id: tell,", f"{gate}  - {{id: tell,").replace("    when: each.host != 'spare'\n", "")
    flow.write("wf/flow.workflow.yaml", text.replace(', default: "no-${each.host}"', ""))
    child = flow.terminal("wf", "-s")

    code = code_at(child)
    screen = child.before or ""
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    assert "deploy[web1].word" in screen
    assert "deploy[spare].word" in screen
    assert "tell[a%20b] (run): ['echo', 'a b']" in screen


def test_python_function_has_a_case_for_each_value(project: Project) -> None:
    """@each fills a parameter, from a list or an input, in functions and methods; a case that fails blocks the rest."""
    project.write(
        "wf/workflow_flow.py",
        "import pytest\nfrom pytest_workflow_exec import Workflow, each, step\n"
        "WORKFLOW = Workflow(inputs={'hosts': {'type': 'list', 'default': ['a', 'b']}})\n"
        "@each(host='${inputs.hosts}')\n@step(when=\"each.host != 'b'\")\n"
        "def deploy(workflow, host) -> str:\n    (workflow.root / f'ran-{host}').touch()\n    return host\n"
        "@each(n=[], allow_empty=True)\ndef test_none(n):\n    raise AssertionError\n"
        "class TestSite:\n"
        "    @step\n    @each(n=[1, '1.0'])\n    @pytest.mark.parametrize('x', ['p', 'q'])\n"
        "    def check(self, workflow, n, x):\n"
        "        assert workflow.outputs['deploy[a]'] == 'a' and n in (1, '1.0')\n"
        "        (workflow.root / f'ran-{n!r}-{x}').touch()\n"
        "    @each(n=[], allow_empty=True)\n    def test_none(self, n):\n        raise AssertionError\n"
        "@each(good=[True, False, 0])\ndef test_good(good):\n    assert good\n",
    )

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert ran(project) == sorted(["a", "1-p", "1-q", "'1.0'-p", "'1.0'-q"])
    assert project.outcomes() == {
        "deploy[a]": "passed",
        "deploy[b]": "not_applicable",
        **{f"TestSite.check[{n}-{x}]": "passed" for n in ("1", "1.0") for x in "pq"},
        "test_good[true]": "passed",
        "test_good[false]": "failed",
        "test_good[0]": "blocked",
    }
