"""Beside other plugins: each goes on doing its own work, and none of them does its work to the steps of a workflow.

A plugin that is not installed is skipped; `nox -s neighbours` installs all of them.
"""

from __future__ import annotations

import html
import importlib.util
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from .conftest import Project, Session

GOOD = """
import pytest
from pytest_workflow_exec import Workflow, step
WORKFLOW = Workflow(name="good")
@step
def first(workflow) -> None:
    pass
{async_}def test_second({fixtures}):
    pass
@step
def third(workflow) -> None:
    pass
@step(when="steps.first.outcome != 'passed'")
def fourth(workflow) -> None:
    pass
"""
BAD = """
workflow: bad
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: ["false"]}
  - {id: three, run: [touch, ran-three]}
"""
ORDINARY = {"test_ordinary.py": "def test_ordinary():\n    pass\n"}


def check_nothing_more(project: Project, session: Session) -> None:
    """Check nothing beyond what holds beside every plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A plugin, how it is made to act, and how to see that it did."""

    module: str
    flags: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=lambda: ORDINARY)
    """Its own tests, beside the workflows."""
    counts: str = "1 failed, 5 passed"
    """What is counted at the end: its own tests, and the steps of both workflows."""
    check: Callable[[Project, Session], None] = check_nothing_more
    fixtures: str = "workflow"
    """What a step of the good workflow asks for."""
    awaits: bool = False
    """Whether that step is an async function."""
    apart: tuple[str, ...] = ("flaky", "randomly")
    """Plugins that are kept out of the session, by pytest's names: their own quarrels are not the subject."""


def check_html(project: Project, session: Session) -> None:
    """The page shows the failed step as failed, the blocked one as an error, and of those that ran all that happened."""
    page = (project.root / "report.html").read_text(encoding="utf-8")
    assert ("1 Failed" in page, "1 Errors" in page, "waits for two (failed)" in page) == (True, True, True)
    tests = json.loads(html.unescape(page.partition('data-jsonblob="')[2].partition('"')[0]))["tests"]
    names = {nodeid.rpartition("::")[2]: [each["name"] for each in test["extras"]] for nodeid, [test] in tests.items()}
    ran = {step: [f"evidence of step {step}"] for step in ("one", "two", "first", "test_second", "third")}
    assert names | ran | {"three": [], "test_ordinary": []} == names


def check_json_report(project: Project, session: Session) -> None:
    """The report counts and names the blocked step."""
    report = json.loads((project.root / ".report.json").read_text(encoding="utf-8"))
    assert report["summary"] | {"blocked": 1, "failed": 1, "passed": 5, "not applicable": 1} == report["summary"]
    [blocked] = [test["nodeid"] for test in report["tests"] if test["outcome"] == "blocked"]
    assert blocked == "wf/bad.workflow.yaml::three"


def check_allure(project: Project, session: Session) -> None:
    """The results name the failed step and the blocked one, and hold all that happened in those that ran."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in project.root.glob("allure/*-result.json")]
    statuses = {result["name"]: result["status"] for result in results}
    assert {"one": "passed", "two": "failed", "first": "passed", "fourth": "skipped"}.items() <= statuses.items()
    [blocked] = [result for result in results if result["name"] == "three"]
    assert blocked["status"] in {"broken", "failed"}
    assert "waits for two (failed)" in blocked["statusDetails"]["message"]
    attached = {result["name"]: result.get("attachments", []) for result in results}
    [evidence] = attached["two"]
    text = (project.root / "allure" / evidence["source"]).read_text(encoding="utf-8")
    assert evidence["name"] == "evidence of step two"
    assert "class     business\n" in text
    assert "\nattempt 1\ncommand   false\n" in text
    assert "          exit: 1\n" in text
    assert not attached["three"]


def check_reportlog(project: Project, session: Session) -> None:
    """The log's reports say how the step stands, in our words."""
    lines = (project.root / "log.jsonl").read_text(encoding="utf-8").splitlines()
    reports: list[dict[str, Any]] = [json.loads(line) for line in lines]
    said = {(each["nodeid"], each["workflow_exec_outcome"]) for each in reports if each.get("outcome") == "failed"}
    assert said == {("wf/bad.workflow.yaml::two", "failed"), ("wf/bad.workflow.yaml::three", "blocked")}


def check_coverage(project: Project, session: Session) -> None:
    """The Python workflow is measured: only the body of the step that does not apply was not run."""
    assert re.search(r"wf/workflow_good.py +14 +1 +93%", session.text), session.text


def check_order(project: Project, session: Session) -> None:
    """Ordinary tests run in the order of their marks."""
    assert session.text.index("test_early") < session.text.index("test_late"), session.text


def check_sugar(project: Project, session: Session) -> None:
    """Its own lines take the place of ours, and the blocked step is named once."""
    assert "[1/3]" not in session.text
    assert len(re.findall(r"^BLOCKED wf/bad.workflow.yaml::three\b", session.text, flags=re.MULTILINE)) == 1
    assert "waits for two (failed)" in session.text


def check_tavern(project: Project, session: Session) -> None:
    """Its own file is run by it: nothing listens where the request goes."""
    assert "FAILED own/test_own.tavern.yaml::Nobody is there" in session.text


def check_flaky(project: Project, session: Session) -> None:
    """An ordinary test that it tries again is reported by it, and no step is."""
    assert "test_shaky failed (1 runs remaining out of 2)." in session.text
    assert "two failed (" not in session.text


def check_lumc(project: Project, session: Session) -> None:
    """Its own file is run by it, and none of ours."""
    assert "'lumc' done." in session.text
    assert re.findall(r"^\tcommand: +(.*)$", session.text, flags=re.MULTILINE) == ["touch lumc"]


ASYNC_TEST = "{mark}async def test_own():\n    pass\n"
ORDERED = "import pytest\n@pytest.mark.order(2)\ndef test_late():\n    pass\n@pytest.mark.order(1)\ndef test_early():\n    pass\n"
DEPENDENT = (
    "import pytest\n@pytest.mark.dependency()\ndef test_base():\n    pass\n"
    "@pytest.mark.dependency(depends=['test_base'])\ndef test_upper():\n    pass\n"
    "@pytest.mark.dependency(depends=['test_absent'])\ndef test_lost():\n    pass\n"
)
RERUN = "TRIES = []\ndef test_shaky():\n    TRIES.append(1)\n    assert len(TRIES) == 2\n"
FLAKY = "from flaky import flaky\n" + RERUN.replace("def test", "@flaky\ndef test")
FEATURE = "Feature: Bells\n  Scenario: Ringing\n    Given a bell\n    Then it rings\n"
SCENARIO = (
    "from pytest_bdd import given, scenarios, then\nscenarios('bells.feature')\n"
    "@given('a bell')\ndef bell():\n    pass\n@then('it rings')\ndef rings():\n    pass\n"
)
TAVERN = "test_name: Nobody is there\nstages:\n  - name: ask\n    request: {url: 'http://127.0.0.1:9/', method: GET}\n"
LUMC = "- name: lumc\n  command: touch lumc\n  files:\n    - path: lumc\n"

NEIGHBOURS = {
    "pytest-timeout": Neighbour(module="pytest_timeout", flags=("--timeout=50",)),
    "pytest-rerunfailures": Neighbour(
        module="pytest_rerunfailures",
        flags=("--reruns=2",),
        files={"test_own.py": RERUN},
        counts="1 not applicable, 1 rerun",
    ),
    "pytest-xdist": Neighbour(module="xdist", flags=("-n0",)),
    "pytest-randomly": Neighbour(module="pytest_randomly", apart=("flaky",)),
    "pytest-random-order": Neighbour(module="random_order", flags=("--random-order",)),
    "pytest-order": Neighbour(
        module="pytest_order",
        flags=("-v",),
        files={"test_own.py": ORDERED},
        counts="1 failed, 6 passed",
        check=check_order,
    ),
    "pytest-dependency": Neighbour(
        module="pytest_dependency", files={"test_own.py": DEPENDENT}, counts="1 failed, 6 passed, 1 skipped"
    ),
    "pytest-html": Neighbour(
        module="pytest_html", flags=("--html=report.html", "--self-contained-html"), check=check_html
    ),
    "pytest-json-report": Neighbour(module="pytest_jsonreport", flags=("--json-report",), check=check_json_report),
    "allure-pytest": Neighbour(module="allure_pytest", flags=("--alluredir=allure",), check=check_allure),
    "pytest-reportlog": Neighbour(module="pytest_reportlog", flags=("--report-log=log.jsonl",), check=check_reportlog),
    "pytest-cov": Neighbour(module="pytest_cov", flags=("--cov=wf",), check=check_coverage),
    "pytest-asyncio": Neighbour(
        module="pytest_asyncio",
        flags=("-o", "asyncio_mode=auto"),
        files={"test_own.py": ASYNC_TEST.format(mark="")},
        awaits=True,
    ),
    "anyio": Neighbour(
        module="anyio",
        files={"test_own.py": ASYNC_TEST.format(mark="import pytest\n@pytest.mark.anyio\n")},
        awaits=True,
    ),
    "pytest-mock": Neighbour(module="pytest_mock", fixtures="workflow, mocker"),
    "pytest-sugar": Neighbour(module="pytest_sugar", flags=("--force-sugar",), counts="6 passed", check=check_sugar),
    "pytest-bdd": Neighbour(module="pytest_bdd", files={"bells.feature": FEATURE, "test_own.py": SCENARIO}),
    "tavern": Neighbour(
        module="tavern",
        files={"test_own.tavern.yaml": TAVERN},
        counts="2 failed, 4 passed",
        check=check_tavern,
        apart=("pytest-workflow", "flaky", "randomly"),
    ),
    "pytest-workflow": Neighbour(
        module="pytest_workflow", files={"test_own.yml": LUMC}, counts="1 failed, 6 passed", check=check_lumc
    ),
    "flaky": Neighbour(
        module="flaky", files={"test_own.py": FLAKY}, check=check_flaky, apart=("rerunfailures", "randomly")
    ),
    "flaky with pytest-rerunfailures": Neighbour(module="flaky", flags=("--reruns=2",), apart=("randomly",)),
}


@pytest.fixture(autouse=True)
def _every_plugin(project: Project) -> None:
    """Load what is installed into every session: that is what these tests are about."""
    project.neighbours = True


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_workflows_beside_a_neighbour(project: Project, name: str) -> None:
    """A workflow that passes, one that fails and the neighbour's own tests in one session end as each would alone."""
    neighbour = NEIGHBOURS[name]
    need(neighbour.module)
    project.write("wf/workflow_good.py", GOOD.format(async_="async " * neighbour.awaits, fixtures=neighbour.fixtures))
    project.write("wf/bad.workflow.yaml", BAD)
    for path, text in neighbour.files.items():
        project.write(f"own/{path}", text)
    without = [argument for plugin in neighbour.apart for argument in ("-p", f"no:{plugin}")]

    session = project.pytest("wf", "own", *neighbour.flags, *without)

    assert session.status == 1, session.text
    assert outcomes(project) == {
        "good": {"first": "passed", "test_second": "passed", "third": "passed", "fourth": "not_applicable"},
        "bad": {"one": "passed", "two": "failed", "three": "blocked"},
    }
    assert sorted(path.name for path in project.root.glob("ran-*")) == ["ran-one"]
    assert neighbour.counts in session.text, session.text
    neighbour.check(project, session)


def need(module: str) -> None:
    """Skip the test if the plugin is not there; where all are to be there, fail it."""
    if importlib.util.find_spec(module) is None:
        assert os.environ.get("WORKFLOW_EXEC_NEIGHBOURS") != "all", f"{module} is not installed: nox -s neighbours"
        pytest.skip(f"{module} is not installed")


def outcomes(project: Project) -> dict[str, dict[str, str]]:
    """Return how each step of each workflow ended."""
    ends: dict[str, dict[str, str]] = {}
    for log in project.logs():
        records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        ends[records[0]["data"]["plan"]["workflow"]] = {
            each["step"]: each["data"]["outcome"] for each in records if each["type"] == "step.finished"
        }
    return ends


def test_plugin_adds_nothing_that_another_could_have(project: Project) -> None:
    """All options are called `--workflow-...`, there is no marker, and no setting of an ini file."""
    printed = [project.pytest(option).text.splitlines() for option in ("--help", "--markers")]
    without = [project.pytest(option, "-p", "no:workflow_exec").text.splitlines() for option in ("--help", "--markers")]

    added = [line for line in printed[0] if line not in without[0]]
    names = re.findall(r"^  (\S+)", "\n".join(added), flags=re.MULTILINE)
    assert names
    assert all(name.startswith("--workflow-") for name in names), added
    assert printed[1] == without[1]


@pytest.mark.parametrize("flag", ["--force-reruns=2", "--force-flaky"])
def test_running_every_test_again_is_refused(project: Project, flag: str) -> None:
    """A flag that runs every test again, also those that passed, exits 4, and nothing ran or was written."""
    need({"--force-reruns=2": "pytest_rerunfailures", "--force-flaky": "flaky"}[flag])
    project.write("wf/bad.workflow.yaml", BAD)

    session = project.pytest("wf", flag)

    assert session.status == 4
    assert "runs each step again, and a step is attempted again only by its own retry" in session.text
    assert project.untouched
