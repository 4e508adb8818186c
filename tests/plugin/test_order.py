"""Order as pytest's user sees it: outcomes, words, exit statuses, and nothing run out of turn."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from .conftest import Project

FIVE = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: ["false"]}
  - {id: three, run: [touch, ran-three]}
  - {id: four, run: [touch, ran-four]}
  - {id: five, run: [touch, ran-five]}
"""
THREE = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: [touch, ran-two]}
  - {id: three, run: [touch, ran-three]}
"""
PYTHON = """
import pytest
from pathlib import Path
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="flow")

@step
def one(workflow) -> None:
    (workflow.root / "ran-one").touch()

{middle}

@step
def last(workflow) -> None:
    (workflow.root / "ran-last").touch()
"""


def test_all_steps_in_order(project: Project) -> None:
    """A workflow whose steps all pass exits 0, with a line for each step in its order."""
    project.write("wf/flow.workflow.yaml", THREE)

    session = project.pytest("wf")

    assert session.status == 0
    lines = [line for line in session.text.splitlines() if line.startswith("[")]
    assert [line.split(" ... ")[0] for line in lines] == ["[1/3] one", "[2/3] two", "[3/3] three"]
    assert all("PASSED" in line for line in lines)
    assert project.outcomes() == {"one": "passed", "two": "passed", "three": "passed"}
    assert session.text.splitlines()[-1] == f"evidence head {len(project.records()) - 1} {session.heads[-1]}"
    assert session.heads == [project.records()[-1]["hash"]]


def test_failing_step_blocks_the_rest(project: Project) -> None:
    """After a failed step, no later step's body runs; they are BLOCKED, in the log and on the screen."""
    project.write("wf/flow.workflow.yaml", FIVE)

    session = project.pytest("wf")

    assert session.status == 1
    assert "1 failed, 1 passed, 3 blocked" in session.text
    assert "BLOCKED wf/flow.workflow.yaml::five - waits for two (failed)" in session.text
    assert sorted(path.name for path in project.root.glob("ran-*")) == ["ran-one"]
    assert project.outcomes() == {
        "one": "passed",
        "two": "failed",
        "three": "blocked",
        "four": "blocked",
        "five": "blocked",
    }


def test_blocked_steps_are_errors_in_junit(project: Project) -> None:
    """JUnit XML has a failure for the failed step and an error for each blocked one."""
    project.write("wf/flow.workflow.yaml", FIVE)

    project.pytest("wf", "--junitxml=report.xml")

    suite = ET.parse(project.root / "report.xml").getroot()[0]  # noqa: S314  # written by the test itself
    kinds = {case.get("name"): [child.tag for child in case if child.tag != "properties"] for case in suite}
    assert kinds == {"one": [], "two": ["failure"], "three": ["error"], "four": ["error"], "five": ["error"]}


@pytest.mark.parametrize(
    "middle",
    [
        "@pytest.fixture\ndef absent():\n    raise RuntimeError\n\n@step\ndef middle(absent) -> None:\n    pass",
        "@pytest.mark.skip(reason='no')\n@step\ndef middle() -> None:\n    pass",
    ],
)
def test_failed_setup_is_a_failure_in_junit(project: Project, middle: str) -> None:
    """JUnit XML has a failure for a step whose fixture fails or whose mark skips it; an error is a blocked step."""
    project.write("wf/workflow_flow.py", PYTHON.format(middle=middle))

    session = project.pytest("wf", "--junitxml=report.xml")

    suite = ET.parse(project.root / "report.xml").getroot()[0]  # noqa: S314  # written by the test itself
    kinds = {case.get("name"): [child.tag for child in case if child.tag != "properties"] for case in suite}
    assert kinds == {"one": [], "middle": ["failure"], "last": ["error"]}
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert "1 failed, 1 passed, 1 blocked" in session.text
    assert list(project.outcomes().values()) == ["passed", "failed", "blocked"]


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [("-q", ".FBBB"), ("-v", "wf/flow.workflow.yaml::three BLOCKED")],
)
def test_other_verbosities_have_pytests_own_lines(project: Project, verbosity: str, expected: str) -> None:
    """Quiet shows letters, verbose pytest's own line with our word."""
    project.write("wf/flow.workflow.yaml", FIVE)

    assert expected in project.pytest("wf", verbosity).text


@pytest.mark.parametrize(
    "middle",
    [
        "@pytest.mark.skip(reason='no')\n@step\ndef middle() -> None:\n    pass",
        "@pytest.mark.skipif(True, reason='no')\n@step\ndef middle() -> None:\n    pass",
        "@pytest.mark.xfail\n@step\ndef middle() -> None:\n    assert False",
        "@pytest.mark.xfail\n@step\ndef middle() -> None:\n    pass",
        "@pytest.mark.xfail(run=False)\n@step\ndef middle() -> None:\n    pass",
        "@step\ndef middle() -> None:\n    pytest.skip('no')",
        "@step\ndef middle() -> None:\n    pytest.importorskip('no_such_module')",
        "@step\ndef middle() -> None:\n    pytest.xfail('no')",
        "def test_middle():\n    pytest.skip('no')",
        "@pytest.fixture\ndef skipping():\n    pytest.skip('no')\n\n@step\ndef middle(skipping) -> None:\n    pass",
        "@pytest.fixture\ndef failing():\n    raise RuntimeError\n\n@step\ndef middle(failing) -> None:\n    pass",
        "@pytest.fixture\ndef late():\n    yield\n    raise RuntimeError\n\n@step\ndef middle(late) -> None:\n    pass",
        "@step\ndef middle(subtests) -> None:\n    with subtests.test():\n        assert False",
        "@step\ndef middle() -> None:\n    raise SystemExit(0)",
    ],
)
def test_anything_but_a_pass_is_a_failure(project: Project, middle: str) -> None:
    """A skip, an expected failure, a failing fixture or subtest fails the step, and later steps are blocked."""
    if "subtests" in middle and not hasattr(pytest, "Subtests"):
        middle = "@step\ndef middle() -> None:\n    raise RuntimeError"
    project.write("wf/workflow_flow.py", PYTHON.format(middle=middle))

    session = project.pytest("wf")

    assert session.status == 1
    assert sorted(path.name for path in project.root.glob("ran-*")) == ["ran-one"]
    assert list(project.outcomes().values()) == ["passed", "failed", "blocked"]
    assert project.of_type("run.finished")[0]["data"]["result"] == "failed"


@pytest.mark.parametrize("status", [0, 5])
def test_session_that_a_step_ends_early_is_not_green(project: Project, status: int) -> None:
    """A step that ends the session with a status of success leaves exit status 1, and the missing steps are named."""
    middle = f"@step\ndef middle() -> None:\n    pytest.exit('enough', returncode={status})"
    project.write("wf/workflow_flow.py", PYTHON.format(middle=middle))

    session = project.pytest("wf")

    assert session.status == 1
    assert project.outcomes() == {"one": "passed", "middle": "interrupted", "last": "blocked"}
    assert "2 of 3 steps not satisfied: middle, last" in session.text


@pytest.mark.parametrize(
    "selection",
    [
        ["-k", "one"],
        ["-k", "not two"],
        ["-m", "slow or not slow", "-k", "three"],
        ["--deselect", "wf/flow.workflow.yaml::one"],
        ["wf/flow.workflow.yaml::two"],
        ["--setup-only"],
    ],
)
def test_cut_plan_is_refused(project: Project, selection: list[str]) -> None:
    """A selection that would leave steps out exits 4, and nothing ran or was written."""
    project.write("wf/flow.workflow.yaml", THREE)
    where = [] if any("::" in each and "--deselect" not in selection for each in selection) else ["wf"]

    session = project.pytest(*where, *selection)

    assert session.status == 4
    assert "the plan is cut" in session.text
    assert project.untouched


def test_cut_plan_names_the_steps_left_out(project: Project) -> None:
    """The refusal says which steps would be missing."""
    project.write("wf/flow.workflow.yaml", THREE)

    assert "would run without one, three" in project.pytest("wf/flow.workflow.yaml::two").text


def test_selection_without_any_step_deselects_the_workflow(project: Project) -> None:
    """A selection that leaves no step of a workflow is no cut: the workflow is not part of the session."""
    project.write("wf/flow.workflow.yaml", THREE)
    project.write("wf/test_ordinary.py", "def test_ordinary():\n    pass\n")

    session = project.pytest("wf", "-k", "ordinary")

    assert session.status == 0
    assert project.untouched


def test_reordered_items_run_in_plan_order(project: Project) -> None:
    """A plugin that sorts the items backwards changes nothing about the order of steps."""
    project.write("wf/flow.workflow.yaml", THREE)
    project.write("conftest.py", "def pytest_collection_modifyitems(items):\n    items.reverse()\n")

    session = project.pytest("wf")

    assert session.status == 0
    started = [record["step"] for record in project.of_type("step.started")]
    assert started == ["one", "two", "three"]


@pytest.mark.parametrize(
    "hook",
    [
        "def pytest_collection_finish(session):\n    session.items.pop()\n",
        "def pytest_collection_finish(session):\n    session.items.append(session.items[0])\n",
        "def pytest_collection_modifyitems(items):\n    del items[1]\n",
    ],
)
def test_items_that_a_plugin_drops_or_doubles_are_a_cut(project: Project, hook: str) -> None:
    """A plugin that drops or doubles a step's item cuts the plan: exit 4, and nothing ran."""
    project.write("wf/flow.workflow.yaml", THREE)
    project.write("conftest.py", hook)

    session = project.pytest("wf")

    assert session.status == 4
    assert project.untouched


@pytest.mark.parametrize(
    "hook",
    [
        # A failed report made a passed one.
        (
            "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
            "    report = yield\n    report.outcome = 'passed'\n    report.longrepr = None\n    return report\n"
        ),
        # The same, after everybody else.
        (
            "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_logreport(report):\n"
            "    report.outcome = 'passed'\n    report.longrepr = None\n"
        ),
        # A loop that says it ran everything.
        "def pytest_runtestloop(session):\n    return True\n",
        # A protocol that says it ran the item.
        "def pytest_runtest_protocol(item, nextitem):\n    return True\n",
        # A call that says it called.
        "def pytest_pyfunc_call(pyfuncitem):\n    return True\n",
        # Items run backwards by a loop of its own.
        (
            "def pytest_runtestloop(session):\n    for item in reversed(session.items):\n"
            "        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)\n    return True\n"
        ),
        # Bodies called directly.
        (
            "def pytest_runtestloop(session):\n    for item in session.items:\n"
            "        try:\n            item.runtest()\n        except BaseException:\n            pass\n    return True\n"
        ),
        # The exit status of the session set back.
        "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
    ],
)
def test_hostile_plugin_gets_no_green(project: Project, hook: str) -> None:
    """Whatever a conftest file does to pytest's loop and reports, a failed plan does not exit 0."""
    project.write("wf/flow.workflow.yaml", FIVE)
    project.write("conftest.py", hook)

    session = project.pytest("wf")

    assert session.status != 0
    assert not (project.root / "ran-three").exists()
    assert not (project.root / "ran-five").exists()


LATE = """
import pytest

def nothing():
    pass

def skips():
    pytest.skip("not today")

@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    result = yield
    item, said = session.items[0], []
    (session.config.rootpath / "ran-one").unlink()
    for what in (nothing, skips):
        call = pytest.CallInfo.from_call(what, when="call")
        said.append(item.ihook.pytest_runtest_makereport(item=item, call=call).outcome)
    for again in (lambda: item.runtest(), lambda: item.config.hook.pytest_runtest_setup(item=item)):
        try:
            again()
        except BaseException as error:
            said.append(type(error).__name__)
    (session.config.rootpath / "said").write_text(" ".join(said))
    return result
"""


@pytest.mark.parametrize("kind", ["yaml", "python"])
def test_step_is_neither_run_nor_reported_behind_its_end(project: Project, kind: str) -> None:
    """Whoever runs a step once more behind its end is refused, and a report that is made of it then is a failure."""
    if kind == "yaml":
        project.write("wf/flow.workflow.yaml", THREE)
    else:
        project.write("wf/workflow_flow.py", PYTHON.replace("{middle}", ""))
    project.write("conftest.py", LATE)

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert (project.root / "said").read_text() == "failed failed Failed Failed"
    assert not (project.root / "ran-one").exists()
    assert [record["type"] for record in project.records()].count("step.started") == len(project.outcomes())


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_steps_that_pytest_never_reached_are_blocked(project: Project, option: str) -> None:
    """With -x, the steps after the failed one are in the log as blocked."""
    project.write("wf/flow.workflow.yaml", FIVE)

    session = project.pytest("wf", option)

    assert session.status == 1
    assert list(project.outcomes().values()) == ["passed", "failed", "blocked", "blocked", "blocked"]


def test_blocked_steps_leave_maxfail_to_other_workflows(project: Project) -> None:
    """Blocked steps of one workflow do not count as failures that stop another one."""
    project.write("wf/a.workflow.yaml", FIVE.replace("workflow: flow", "workflow: a"))
    project.write("wf/b.workflow.yaml", THREE.replace("workflow: flow", "workflow: b"))

    session = project.pytest("wf", "--maxfail=2")

    assert session.status == 1
    assert "1 failed, 4 passed, 3 blocked" in session.text


NAMES_BEFORE = """
from shared_names import *
from pytest_workflow_exec import Workflow, include, step

WORKFLOW = Workflow(name="flow")


@step
def check(workflow) -> None:
    assert not list(workflow.root.glob("ran-*"))
    (workflow.root / "ran-check").touch()


include("_between.workflow.yaml")


class TestSite:
    def test_page(self, workflow) -> None:
        assert (workflow.root / "ran-between").exists()


@step
def publish(workflow) -> None:
    (workflow.root / "ran-publish").touch()
"""


def test_order_is_that_of_the_source(project: Project) -> None:
    """Names that were something else before, by an import of all names, move no step before what it waits for."""
    project.write("wf/shared_names.py", "def publish(): pass\nTestSite = None\n")
    project.write("wf/_between.workflow.yaml", "steps: [{id: between, run: [touch, ran-between]}]\n")
    project.write("wf/workflow_flow.py", NAMES_BEFORE)

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert list(project.outcomes()) == ["check", "between", "TestSite.test_page", "publish"]


def test_includes_of_another_module_are_refused(project: Project) -> None:
    """An import of all names brings its includes, too, and may put one in the place of the file's own: nothing runs."""
    include = 'from pytest_workflow_exec import {}, include\n{} = {}()\ninclude("_{}.workflow.yaml")\n'
    for name in ("own", "other"):
        project.write(f"wf/_{name}.workflow.yaml", f"steps: [{{id: {name}, run: [touch, ran-{name}]}}]\n")
    project.write("wf/_workflow_other.py", include.format("Fragment", "FRAGMENT", "Fragment", "other"))
    own = include.format("Workflow", "WORKFLOW", "Workflow", "own")
    project.write("wf/workflow_flow.py", f"{own}from _workflow_other import *\ndef test_last(): pass\n")

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "the include(...) of _workflow_other came in by an import of all its names" in session.text
    assert project.untouched
    assert not list(project.root.glob("ran-*"))
