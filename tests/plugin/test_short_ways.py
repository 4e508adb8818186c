"""Steps whose set-up and teardown nobody would miss: one report to pytest alone, three wherever somebody looks."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from .conftest import Project

PYTHON = (
    "import pytest\nfrom pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='p')\n"
    "@step\ndef first() -> None:\n    print('in first')\n@step\ndef second(workflow) -> None:\n    pass\n"
    "@step\ndef third() -> None:\n    pass\n"
)
YAML = "workflow: p\nsteps:\n" + "".join(
    f"  - {{id: {each}, call: 'code:go'}}\n" for each in ("first", "second", "third")
)
KEPT = (
    "import json\n"
    "def pytest_sessionfinish(session):\n"
    "    stats = session.config.pluginmanager.get_plugin('terminalreporter').stats\n"
    "    kept = [[each.nodeid.rpartition('::')[2], each.when] for some in stats.values() for each in some if hasattr(each, 'when')]\n"
    "    (session.config.rootpath / 'kept.json').write_text(json.dumps(sorted(kept)))\n"
)
PHASES = ("setup", "call", "teardown")
LISTENER = (
    "def pytest_runtest_logreport(report):\n"
    "    with open('heard', 'a') as file: file.write(report.nodeid.rpartition('::')[2] + ' ' + report.when + '\\n')\n"
)
EVERY = "".join(f"{step} {phase}\n" for step in ("first", "second", "third") for phase in PHASES)
PROTOCOL = (
    "def pytest_runtest_protocol(item):\n    with open('asked', 'a') as file: file.write(item.name + '\\n')\n"
    "def pytest_runtest_teardown(item):\n    pass\n"
)


@pytest.fixture
def alone(project: Project) -> Project:
    """A project with three steps, and which nothing but this package plugs into."""
    project.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    project.write("wf/workflow_p.py", PYTHON)
    project.write("wf/conftest.py", KEPT)
    return project


def kept(project: Project) -> dict[str, set[str]]:
    """Return the phases of each step whose reports pytest kept."""
    phases: dict[str, set[str]] = {}
    for step, phase in json.loads((project.root / "kept.json").read_text()):
        phases.setdefault(step, set()).add(phase)
    return phases


def run(project: Project, *options: str, status: int = 0) -> str:
    """Run the workflow, and return what was shown."""
    session = project.pytest("-p", "workflow_exec", "wf", *options)
    assert session.status == status, session.text
    return session.text


def outcomes(project: Project) -> list[str]:
    """Return how the steps ended."""
    return [record["data"]["outcome"] for record in project.of_type("step.finished")]


@pytest.mark.parametrize("options", [(), ("-v",), ("-rA",), ("--ff",), ("-x",), ("--capture=no",)])
def test_pytest_alone_gets_one_report(alone: Project, options: tuple[str, ...]) -> None:
    """Where nobody else looks, a step is its call, also with fixtures of this package; the last one has all three."""
    shown = run(alone, *options)

    assert "3 passed" in shown
    assert kept(alone) == {"first": {"call"}, "second": {"call"}, "third": set(PHASES)}
    assert outcomes(alone) == ["passed"] * 3


def test_steps_in_yaml_are_as_short(alone: Project) -> None:
    """A step in YAML has one report, too."""
    (alone.root / "wf/workflow_p.py").unlink()
    alone.write("wf/p.workflow.yaml", YAML)
    alone.write("wf/code.py", "def go() -> None:\n    pass\n")

    run(alone, "wf/p.workflow.yaml")

    assert kept(alone) == {"first": {"call"}, "second": {"call"}, "third": set(PHASES)}


def test_what_a_step_prints_is_in_its_report(alone: Project) -> None:
    """What its code printed stands where pytest shows it."""
    assert "in first" in run(alone, "-rP")


@pytest.mark.parametrize("options", [("--durations=0", "-vv"), ("--setup-show",), ("--pdb",)])
def test_options_that_show_phases_get_all_three(alone: Project, options: tuple[str, ...]) -> None:
    """With an option that tells of each phase, or stops between them, pytest goes its own way."""
    run(alone, *options)

    assert kept(alone)["first"] == kept(alone)["second"] == set(PHASES)


def test_a_listener_gets_all_three(alone: Project) -> None:
    """A plugin of the project that looks at reports hears every phase of every step, in their order."""
    alone.write("wf/conftest.py", LISTENER)

    run(alone)

    assert (alone.root / "heard").read_text() == EVERY


def test_who_comes_late_gets_all_three(alone: Project) -> None:
    """A plugin that comes when the first step is over hears all of the second."""
    alone.write(
        "wf/conftest.py",
        "import types\nCONFIG = []\ndef pytest_configure(config): CONFIG.append(config)\n"
        "def pytest_runtest_logfinish(nodeid):\n"
        f"    exec({LISTENER!r}, LATE := {{}})\n"
        "    if nodeid.endswith('first'):\n"
        "        late = types.ModuleType('late'); vars(late).update(LATE); CONFIG[0].pluginmanager.register(late)\n",
    )

    run(alone)

    assert (alone.root / "heard").read_text() == EVERY.removeprefix("".join(f"first {phase}\n" for phase in PHASES))


def test_junit_files_keep_their_properties(alone: Project) -> None:
    """A file for JUnit holds what is to be known of each step, which pytest takes from its teardown."""
    run(alone, "--junitxml=j.xml")

    cases = ET.parse(alone.root / "j.xml").getroot().findall(".//testcase")  # noqa: S314  # made by pytest
    said = [{each.get("name"): each.get("value") for each in case.iter("property")} for case in cases]
    assert [each["workflow_exec.outcome"] for each in said] == ["passed"] * 3


@pytest.mark.parametrize("hook", ["pytest_runtest_protocol", "pytest_runtest_teardown"])
def test_who_runs_items_or_tears_them_down_is_asked(alone: Project, hook: str) -> None:
    """A plugin that may run items itself, or says something in their teardown, has a part in each step."""
    alone.write(
        "wf/conftest.py",
        f"{KEPT}def {hook}(item):\n    with open('asked', 'a') as file: file.write(item.name + '\\n')\n",
    )

    run(alone)

    assert (alone.root / "asked").read_text() == "first\nsecond\nthird\n"
    assert kept(alone)["first"] == set(PHASES)


@pytest.mark.parametrize(
    "step",
    [
        "@pytest.fixture\ndef own():\n    print('made'); yield 1; print('taken down')\n@step\ndef second(own) -> None:\n    pass\n",
        (
            "@pytest.fixture(autouse=True)\ndef own():\n    print('made'); yield; print('taken down')\n"
            "@step\ndef second() -> None:\n    pass\n"
        ),
        "@step\ndef second(request) -> None:\n    print('made')\n    request.addfinalizer(lambda: print('taken down'))\n",
        (
            "@pytest.fixture\ndef own(workflow, request):\n    print('made'); request.addfinalizer(lambda: print('taken down'))\n"
            "@step\ndef second(own, workflow) -> None:\n    pass\n"
        ),
        (
            "def setup_function():\n    print('made')\ndef teardown_function():\n    print('taken down')\n"
            "@step\ndef second() -> None:\n    pass\n"
        ),
    ],
    ids=["named", "autouse", "request", "both", "xunit"],
)
def test_what_fixtures_of_the_project_print_is_kept(alone: Project, step: str) -> None:
    """A step for which code of the project is set up has all three reports, with what that code printed."""
    alone.write("wf/workflow_p.py", PYTHON.replace("@step\ndef second(workflow) -> None:\n    pass\n", step))

    shown = run(alone, "-rP")

    assert kept(alone)["second"] == set(PHASES)
    assert "made" in shown
    assert "taken down" in shown


def test_a_called_function_with_the_request_has_all_three(alone: Project) -> None:
    """A function that a step in YAML calls may put something into the teardown as well."""
    (alone.root / "wf/workflow_p.py").unlink()
    alone.write("wf/p.workflow.yaml", YAML)
    alone.write(
        "wf/code.py",
        "def go(request) -> None:\n    request.addfinalizer(lambda: print('taken down by', request.node.name))\n",
    )

    shown = run(alone, "wf/p.workflow.yaml", "-rP")

    assert "taken down by first" in shown
    assert kept(alone)["first"] == set(PHASES)


@pytest.mark.parametrize("phase", ["setup", "teardown"])
def test_a_phase_that_fails_is_reported(alone: Project, phase: str) -> None:
    """A set-up or teardown in which something fails makes the step fail, and the steps behind it wait for ever."""
    failing = {
        "setup": "    if item.name == 'second': raise RuntimeError('no ' + item.name)\n",
        "teardown": "    if item.name == 'second': item.addfinalizer(lambda: 1 / 0)\n",
    }
    alone.write(
        "wf/conftest.py",
        f"import pytest\n{KEPT}@pytest.hookimpl(trylast=True)\ndef pytest_runtest_setup(item):\n{failing[phase]}",
    )
    alone.write(
        "wf/workflow_p.py",
        PYTHON.replace("second(workflow) -> None:\n    pass", "second() -> None:\n    open('ran', 'w')"),
    )

    shown = run(alone, status=1)

    assert outcomes(alone) == ["passed", "failed", "blocked"]
    assert (alone.root / "ran").exists() is (phase == "teardown")
    assert ("no second" if phase == "setup" else "division by zero") in shown
    assert kept(alone)["first"] == {"call"}


def test_a_failure_is_told_to_whoever_looks_into_it(alone: Project) -> None:
    """The hook for debuggers hears of a body that failed, once, and the step's teardown is reported, too."""
    alone.write(
        "wf/conftest.py",
        f"{KEPT}def pytest_exception_interact(node, call, report):\n"
        "    with open('asked', 'a') as file: file.write(f'{node.name} {report.when} {call.excinfo.value}\\n')\n",
    )
    alone.write("wf/workflow_p.py", PYTHON.replace("print('in first')", "raise RuntimeError('broken')"))

    run(alone, status=1)

    assert (alone.root / "asked").read_text() == "first call broken\n"
    assert kept(alone)["first"] == {"call", "teardown"}
    assert outcomes(alone) == ["failed", "blocked", "blocked"]


@pytest.mark.parametrize("way", ["pytest.skip('no')", "pytest.xfail('no')"])
def test_a_skip_is_no_mistake_to_look_into_and_fails_all_the_same(alone: Project, way: str) -> None:
    """A step that skips itself fails, and nobody is asked to look for a mistake in it."""
    alone.write("wf/conftest.py", f"{KEPT}def pytest_exception_interact():\n    open('asked', 'w')\n")
    alone.write("wf/workflow_p.py", PYTHON.replace("print('in first')", way))

    run(alone, status=1)

    assert outcomes(alone) == ["failed", "blocked", "blocked"]
    assert (alone.root / "asked").exists() is way.startswith("pytest.xfail")


@pytest.mark.parametrize("phase", PHASES)
def test_a_forged_report_lets_nothing_pass(alone: Project, phase: str) -> None:
    """A plugin that makes any report of a step a failure has made the step fail: the run is red."""
    alone.write(
        "wf/conftest.py",
        "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n    report = yield\n"
        f"    if item.name == 'first' and call.when == {phase!r}:\n        report.outcome, report.longrepr = 'failed', 'no'\n"
        "    return report\n",
    )

    run(alone, status=1)

    assert outcomes(alone) == ["failed", "blocked", "blocked"]


def test_what_fixtures_gave_is_let_go(alone: Project) -> None:
    """Items are kept to the end of a session, but not what their fixtures gave them."""
    alone.write(
        "wf/conftest.py",
        "import json\ndef pytest_sessionfinish(session):\n"
        "    held = [item.name for item in session.items if item.funcargs]\n"
        "    (session.config.rootpath / 'held.json').write_text(json.dumps(held))\n",
    )

    run(alone)

    assert json.loads((alone.root / "held.json").read_text()) == []


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        ("pytest_runtest_setup(item)", "print('taken down')"),
        ("pytest_runtest_setup(item)", "__import__('logging').warning('taken down')"),
        ("pytest_pyfunc_call(pyfuncitem)", "print('taken down')"),
    ],
    ids=["print", "log", "body"],
)
def test_what_finalizers_of_hooks_say_is_kept(alone: Project, hook: str, says: str) -> None:
    """A hook may give a step a finalizer without any fixture; what that prints or logs is shown as ever."""
    node = hook.partition("(")[2].rstrip(")")
    alone.write(
        "wf/conftest.py",
        f"import pytest\n{KEPT}@pytest.hookimpl(trylast={node == 'item'})\ndef {hook}:\n"
        f"    if {node}.name == 'first': {node}.addfinalizer(lambda: {says})\n",
    )

    shown = run(alone, "-rP")

    assert "taken down" in shown
    assert kept(alone) == {"first": {"call", "teardown"}, "second": {"call"}, "third": set(PHASES)}


def test_who_comes_in_the_middle_of_a_step_gets_its_end(alone: Project) -> None:
    """A plugin that a step's own body registers hears of its call and teardown, as with pytest itself."""
    alone.write(
        "wf/conftest.py",
        "import builtins, types\ndef pytest_configure(config):\n    def come():\n"
        f"        late = types.ModuleType('late'); exec({LISTENER!r}, vars(late)); config.pluginmanager.register(late)\n"
        "    builtins.come = come\n",
    )
    alone.write("wf/workflow_p.py", PYTHON.replace("print('in first')", "come()"))

    run(alone)

    assert (alone.root / "heard").read_text() == EVERY.removeprefix("first setup\n")


def test_an_output_with_times_gets_all_three(alone: Project) -> None:
    """Where the terminal shows how long a step took, its set-up counts, in which a person may be asked."""
    run(alone, "-o", "console_output_style=times")

    assert kept(alone)["first"] == kept(alone)["second"] == set(PHASES)


@pytest.mark.parametrize("missing", ["terminal", "logging"])
def test_plugins_of_pytest_may_be_missing(alone: Project, missing: str) -> None:
    """Where pytest's terminal or logging is switched off, nobody knows its settings, and none is asked for."""
    (alone.root / "wf/conftest.py").unlink()

    run(alone, "-p", f"no:{missing}")

    assert outcomes(alone) == ["passed"] * 3


@pytest.mark.parametrize(
    ("body", "conftest"),
    [
        ("import threading\n    each = threading.Thread(target=lambda: 1 / 0); each.start(); each.join()", ""),
        (
            "pass",
            (
                "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_runtest_setup(item):\n"
                "    if item.name == 'first': item.addfinalizer(lambda: 1 / 0)\n"
            ),
        ),
    ],
    ids=["thread", "finalizer"],
)
def test_no_traceback_leads_into_this_package(alone: Project, body: str, conftest: str) -> None:
    """What is raised outside a step's own code is shown without a line of ours between pytest's."""
    alone.write("wf/conftest.py", conftest)
    alone.write("wf/workflow_p.py", PYTHON.replace("print('in first')", body))

    shown = run(alone, "-W", "error::pytest.PytestUnhandledThreadExceptionWarning", status=1)

    assert outcomes(alone) == ["failed", "blocked", "blocked"]
    assert "ZeroDivisionError" in shown
    assert "_short_ways.py" not in shown


def test_an_interrupt_lets_go_of_what_fixtures_gave(alone: Project) -> None:
    """A step that is broken off holds on to nothing, either."""
    alone.write(
        "wf/conftest.py",
        "import json\ndef pytest_sessionfinish(session):\n"
        "    held = [item.name for item in session.items if item.funcargs]\n"
        "    (session.config.rootpath / 'held.json').write_text(json.dumps(held))\n",
    )
    alone.write(
        "wf/workflow_p.py",
        PYTHON.replace("(workflow) -> None:\n    pass", "(workflow) -> None:\n    raise KeyboardInterrupt"),
    )

    run(alone, status=2)

    assert outcomes(alone)[:2] == ["passed", "interrupted"]
    assert json.loads((alone.root / "held.json").read_text()) == []
