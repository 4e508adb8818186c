"""What is collected, when, and what a bad file does to the session."""

from __future__ import annotations

import os

import pytest

from .conftest import CONFIGURATION, Project

YAML = "workflow: {name}\nsteps:\n  - {{id: one, run: [touch, ran-{name}]}}\n"
PYTHON = (
    "from pytest_workflow_exec import Workflow, step\n"
    "WORKFLOW = Workflow(name='{name}')\n"
    "@step\ndef one(workflow) -> None:\n    (workflow.root / 'ran-{name}').touch()\n"
)


@pytest.fixture(autouse=True)
def workflows(project: Project) -> None:
    """Two workflows and an ordinary test."""
    project.write("wf/a.workflow.yaml", YAML.format(name="a"))
    project.write("wf/deep/b.workflow.yml", YAML.format(name="b"))
    project.write("wf/deep/workflow_c.py", PYTHON.format(name="c"))
    project.write("tests/test_ordinary.py", "def test_ordinary():\n    pass\n")


def ran(project: Project) -> list[str]:
    """Return which workflows ran."""
    return sorted(path.name.removeprefix("ran-") for path in project.root.glob("ran-*"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["wf"], ["a", "b", "c"]),
        (["wf/deep"], ["b", "c"]),
        (["./wf/../wf/deep"], ["b", "c"]),
        (["wf/a.workflow.yaml"], ["a"]),
        (["wf/deep/workflow_c.py"], ["c"]),
        (["wf/a.workflow.yaml::one"], ["a"]),
        (["tests", "wf/deep/b.workflow.yml"], ["b"]),
    ],
)
def test_named_workflows_run(project: Project, arguments: list[str], expected: list[str]) -> None:
    """A workflow runs if the command line names its file, or a folder below the project root that holds it."""
    session = project.pytest(*arguments)

    assert session.status == 0, session.text
    assert ran(project) == expected


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ([], {}),
        (["."], {}),
        (["tests"], {}),
        ([], {"pytest.ini": "[pytest]\ntestpaths = wf tests\n"}),
        ([], {"pytest.ini": "[pytest]\naddopts = wf tests\n"}),
        ([], {"pytest.ini": "[pytest]\npython_files = *.py\n"}),
        (["--rootdir=wf"], {}),
    ],
)
def test_workflows_that_are_not_named_do_not_run(project: Project, arguments: list[str], files: dict[str, str]) -> None:
    """Bare pytest, the project root, test paths and configured arguments leave workflows out."""
    for name, text in files.items():
        project.write(name, text)

    session = project.pytest(*arguments)

    assert session.status == 0, session.text
    assert "1 passed" in session.text
    assert project.untouched


def test_variable_does_not_name_a_workflow(project: Project) -> None:
    """PYTEST_ADDOPTS is no command line."""
    project.environment["PYTEST_ADDOPTS"] = "wf tests"

    session = project.pytest()

    assert session.status == 0, session.text
    assert project.untouched


def test_ordinary_session_loads_nothing_and_says_nothing(project: Project) -> None:
    """A session without workflows has no output, directory or module beyond the plugin's entry."""
    for path in sorted((project.root / "wf").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    project.write("tests/test_ordinary.py", "import sys\ndef test_ordinary():\n    print(sorted(sys.modules))\n")

    with_plugin = project.pytest("-s", "-q", "-p", "no:cacheprovider")
    without = project.pytest("-s", "-q", "-p", "no:cacheprovider", "-p", "no:workflow_exec")

    loaded, plain = (
        {
            name.strip("'")
            for line in session.text.splitlines()
            if line.startswith("['")
            for name in line[1:-2].split(", ")
        }
        for session in (with_plugin, without)
    )
    assert loaded - plain <= {"pytest_workflow_exec", "pytest_workflow_exec.plugin"}
    assert len(with_plugin.text.splitlines()) == len(without.text.splitlines())
    assert project.untouched


@pytest.mark.parametrize(
    "discovery", [["--collect-only"], ["--collect-only", "-q"], ["--setup-plan"], ["--fixtures"], ["--markers"]]
)
def test_discovery_runs_nothing(project: Project, discovery: list[str]) -> None:
    """Looking at what there is runs nothing, makes nothing, and needs no terminal."""
    project.write(
        "wf/a.workflow.yaml", "workflow: a\nsteps:\n  - {id: gate, gate: Go?}\n  - {id: two, run: [touch, ran-a]}\n"
    )

    session = project.pytest("wf", *discovery)

    assert session.status == 0, session.text
    assert project.untouched


def test_discovery_shows_the_steps(project: Project) -> None:
    """The node id of a step ends in its id."""
    assert "wf/a.workflow.yaml::one" in project.pytest("wf", "--collect-only", "-q").text


@pytest.mark.parametrize("option", [[], ["--continue-on-collection-errors"], ["--collect-only"]])
def test_bad_file_stops_every_workflow(project: Project, option: list[str]) -> None:
    """One bad workflow file is exit 4 with all its errors and their places, and no workflow runs at all."""
    project.write("wf/bad.workflow.yaml", "workflow: bad\nsteps:\n  - {id: x, rum: [a]}\n  - {id: x, run: touch me}\n")

    session = project.pytest("wf", *option)

    assert session.status == 4, session.text
    assert "wf/bad.workflow.yaml:3:13: " in session.text
    assert "wf/bad.workflow.yaml:4:" in session.text
    assert "Traceback" not in session.text
    assert project.untouched


@pytest.mark.parametrize("option", [[], ["--continue-on-collection-errors"]])
def test_python_file_that_cannot_be_imported_stops_every_workflow(project: Project, option: list[str]) -> None:
    """An exception while a Python workflow is imported keeps pytest's traceback, and no workflow runs."""
    project.write("wf/workflow_bad.py", "raise RuntimeError('broken')\n")

    session = project.pytest("wf", *option)

    assert session.status != 0
    assert project.untouched


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def test_x():\n    pass\n", "must define WORKFLOW"),
        ("WORKFLOW = 3\ndef test_x():\n    pass\n", "WORKFLOW must be"),
        (PYTHON.format(name="d") + "@step\ndef one(workflow) -> None:\n    pass\n", "one"),
        (PYTHON.format(name="d") + "@step(wen='x')\ndef two() -> None:\n    pass\n", "'wen'"),
        (PYTHON.format(name="d") + "@step(session=3)\ndef two() -> None:\n    pass\n", "unknown keyword 'session'"),
        (PYTHON.format(name="d") + "@step\nclass Two:\n    pass\n", "class"),
    ],
)
def test_bad_python_workflow_is_refused_without_traceback(project: Project, source: str, message: str) -> None:
    """A Python file that is no workflow, or misuses a decorator, is exit 4 with a place and without a traceback."""
    project.write("wf/workflow_d.py", source)

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert message in session.text
    assert "wf/workflow_d.py" in session.text
    assert "Traceback" not in session.text
    assert project.untouched


@pytest.mark.parametrize("off", [["-p", "no:workflow_exec"], []])
def test_python_workflow_without_the_plugin_is_an_error(project: Project, off: list[str]) -> None:
    """A Python workflow's tests never run green in a session that does not hold their order."""
    project.write("wf/deep/workflow_c.py", PYTHON.format(name="c") + "def test_green():\n    pass\n")
    if not off:
        project.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"

    session = project.pytest("wf/deep/workflow_c.py", *off)

    assert session.status != 0
    assert "switched off" in session.text
    assert project.untouched


@pytest.mark.parametrize("name", ["wf/_part.workflow.yaml", "wf/_workflow_part.py"])
def test_fragment_can_not_be_named(project: Project, name: str) -> None:
    """A fragment is spliced into other workflows; naming it is exit 4."""
    project.write(name, "steps:\n  - {id: one, run: [touch, ran-part]}\n" if name.endswith("yaml") else "x = 1\n")

    session = project.pytest(name)

    assert session.status == 4
    assert "fragment" in session.text
    assert project.pytest("wf").status == 0


def test_names_are_unique_in_a_session(project: Project) -> None:
    """Two files with one workflow name can't be told apart in evidence and options: exit 4."""
    project.write("wf/other.workflow.yaml", YAML.format(name="a"))

    session = project.pytest("wf")

    assert session.status == 4
    assert "also called 'a'" in session.text
    assert project.untouched


def test_file_outside_any_project_is_refused(project: Project) -> None:
    """Without a project there is no policy and no place for evidence."""
    (project.root / "workflow-exec.toml").unlink()

    session = project.pytest("wf/a.workflow.yaml")

    assert session.status == 4
    assert "belongs to no project" in session.text
    assert project.untouched


def test_nearest_project_holds_the_workflow(project: Project) -> None:
    """The project is the nearest folder above the file that is configured, whatever pytest's rootdir is."""
    project.write("wf/deep/workflow-exec.toml", CONFIGURATION)

    session = project.pytest("wf/deep/b.workflow.yml", "--rootdir=/tmp")

    # The folder that is named is the project's root itself, so only the file could be named.
    assert session.status == 0, session.text
    assert (project.root / "wf" / "deep" / ".workflow-exec").is_dir()
    assert (project.root / "wf" / "deep" / "ran-b").exists()
    assert not (project.root / ".workflow-exec").exists()


@pytest.mark.parametrize("fixture", ["workflow", "sandbox"])
def test_fixtures_are_only_for_steps(project: Project, fixture: str) -> None:
    """Outside a workflow, the plugin's fixtures are an error that says so."""
    project.write("tests/test_ordinary.py", f"def test_ordinary({fixture}):\n    pass\n")

    session = project.pytest("tests")

    assert session.status == 1
    assert "only for steps of a workflow" in session.text


@pytest.mark.parametrize(
    "skip", ["pytest.importorskip('no_such_module')", "pytest.skip('no', allow_module_level=True)"]
)
@pytest.mark.parametrize("arguments", [["wf"], ["wf/deep/workflow_c.py", "tests"]])
def test_workflow_that_skips_itself_stops_every_workflow(project: Project, skip: str, arguments: list[str]) -> None:
    """A Python workflow that skips at its top level was asked for and would not run: exit 4, and nothing runs."""
    project.write("wf/deep/workflow_c.py", f"import pytest\n{skip}\n" + PYTHON.format(name="c"))

    session = project.pytest(*arguments)

    assert session.status == 4, session.text
    assert "skips itself" in session.text
    assert project.untouched


@pytest.mark.parametrize(
    ("options", "status"), [([], 2), (["--continue-on-collection-errors"], 4)], ids=["plain", "continue"]
)
@pytest.mark.parametrize("file", ["tests/test_broken.py", "wf/sub/conftest.py"])
def test_no_run_begins_beside_what_could_not_be_collected(
    project: Project, file: str, options: list[str], status: int
) -> None:
    """A session that pytest refuses begins no run; one that goes on runs no workflow."""
    project.write(file, "raise RuntimeError\n")
    project.write("wf/sub/d.workflow.yaml", YAML.format(name="d"))

    session = project.pytest("wf", "tests", *options)

    assert session.status == status, session.text
    assert project.untouched


def test_name_that_is_no_text_is_refused(project: Project) -> None:
    """A folder whose name is no UTF-8 can't stand in evidence: exit 4, without a traceback."""
    (project.root / "wf" / "deep").rename(project.root / "wf" / "d\udcffp")

    session = project.pytest("wf/a.workflow.yaml", os.fsdecode(b"wf/d\xffp"))

    assert session.status == 4, session.text
    assert "UTF-8" in session.text
    assert project.untouched
