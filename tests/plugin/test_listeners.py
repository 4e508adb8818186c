"""What is reported of a carried step: its call to pytest alone, and every phase to whoever else looks."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from .conftest import Project

STEPS = (
    "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='p')\n"
    "@step\ndef first() -> None:\n    pass\n@step\ndef second() -> None:\n    pass\n"
    "@step\ndef third(workflow) -> None:\n    assert (workflow.root / 'fixed').exists()\n"
)
KEPT = (
    "import json\n"
    "def pytest_sessionfinish(session):\n"
    "    stats = session.config.pluginmanager.get_plugin('terminalreporter').stats\n"
    "    kept = [[each.nodeid.rpartition('::')[2], each.when] for some in stats.values() for each in some if hasattr(each, 'when')]\n"
    "    (session.config.rootpath / 'kept.json').write_text(json.dumps(sorted(kept)))\n"
)
LISTENER = "    def pytest_runtest_logreport(self, report):\n        with open('heard', 'a') as file: file.write(report.nodeid.rpartition('::')[2] + ' ' + report.when + '\\n')\n"
EVERY = "".join(f"{step} {phase}\n" for step in ("first", "second") for phase in ("setup", "call", "teardown"))


@pytest.fixture
def stopped(project: Project) -> Project:
    """A project with a run of which two steps passed and one failed, and which nothing but this package plugs into."""
    project.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    project.write("wf/workflow_p.py", STEPS)
    assert project.pytest("-p", "workflow_exec", "wf").status == 1
    project.write("fixed", "")
    return project


def outcomes(project: Project) -> list[str]:
    """Return how the steps ended in the last session."""
    return [record["data"]["outcome"] for record in project.of_type("step.finished")[-3:]]


def carried_reports(project: Project) -> list[list[str]]:
    """Return the reports of carried steps that pytest kept, as step and phase."""
    return [kept for kept in json.loads((project.root / "kept.json").read_text()) if kept[0] != "third"]


@pytest.mark.parametrize("options", [(), ("-v",), ("--ff",), ("--durations=0", "-vv")])
def test_pytest_alone_gets_one_report(stopped: Project, options: tuple[str, ...]) -> None:
    """Where nobody else looks, a carried step is its call; it is counted, shown and written down as ever."""
    stopped.write("wf/conftest.py", KEPT)

    session = stopped.pytest("-p", "workflow_exec", "wf", "--workflow-resume", *options)

    assert session.status == 0, session.text
    assert "1 passed, 2 carried" in session.text
    assert carried_reports(stopped) == [["first", "call"], ["second", "call"]]
    assert outcomes(stopped) == ["carried", "carried", "passed"]


def test_others_get_all_three(stopped: Project) -> None:
    """A plugin of the project that looks at reports sees a carried step go through every phase."""
    stopped.write(
        "wf/conftest.py", LISTENER.replace("    def", "def").replace("self, ", "").replace("        with", "    with")
    )

    session = stopped.pytest("-p", "workflow_exec", "wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert (stopped.root / "heard").read_text().startswith(EVERY)


def test_who_comes_late_gets_all_three(stopped: Project) -> None:
    """A plugin that comes when the first step is over hears all of the second."""
    stopped.write(
        "wf/conftest.py",
        f"class Late:\n{LISTENER}"
        "def pytest_runtest_logfinish(nodeid):\n    if nodeid.endswith('first'): CONFIG[0].pluginmanager.register(Late())\n"
        "CONFIG = []\ndef pytest_configure(config): CONFIG.append(config)\n",
    )

    session = stopped.pytest("-p", "workflow_exec", "wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert (stopped.root / "heard").read_text().startswith("second setup\nsecond call\nsecond teardown\n")


def test_junit_files_keep_their_properties(stopped: Project) -> None:
    """A file for JUnit holds what is to be known of carried steps, which pytest takes from their teardown."""
    session = stopped.pytest("-p", "workflow_exec", "wf", "--workflow-resume", "--junitxml=j.xml")

    assert session.status == 0, session.text
    cases = ET.parse(stopped.root / "j.xml").getroot().findall(".//testcase")  # noqa: S314  # made by pytest
    said = [{each.get("name"): each.get("value") for each in case.iter("property")} for case in cases]
    assert [each["workflow_exec.outcome"] for each in said] == ["carried", "carried", "passed"]


def test_what_only_bears_a_name_of_pytests_is_somebody_else(stopped: Project) -> None:
    """A plugin under the name of one of pytest's that looks at nothing but calls gets every phase all the same."""
    stopped.write(
        "named.py",
        f"class Named:\n{LISTENER}def pytest_configure(config):\n    config.pluginmanager.register(Named(), 'stepwiseplugin')\n",
    )
    stopped.environment["PYTHONPATH"] = str(stopped.root)

    session = stopped.pytest("-p", "workflow_exec", "-p", "named", "wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert (stopped.root / "heard").read_text().startswith(EVERY)


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_a_report_that_is_taken_away_or_forged_lets_nothing_pass(stopped: Project, phase: str) -> None:
    """A plugin that makes any report of a carried step a failure has made the step fail: the run is red."""
    stopped.write(
        "wf/conftest.py",
        "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n    report = yield\n"
        f"    if item.name == 'first' and call.when == {phase!r}:\n        report.outcome, report.longrepr = 'failed', 'no'\n"
        "    return report\n",
    )

    session = stopped.pytest("-p", "workflow_exec", "wf", "--workflow-resume")

    assert session.status == 1, session.text
    assert outcomes(stopped) == ["failed", "blocked", "blocked"]
