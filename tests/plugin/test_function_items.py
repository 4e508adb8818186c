"""Items of functions that ask for no fixture: the same as pytest would have made, and made by pytest where others have a say."""

from __future__ import annotations

import pytest

from .conftest import Project, Session

HEAD = (
    "import functools, pytest\nfrom pytest_workflow_exec import Workflow, gate, step\nWORKFLOW = Workflow(name='p')\n"
)
STEPS = (
    f"{HEAD}@step\ndef first() -> None:\n    pass\n\n@step\n@pytest.mark.slow\ndef second(workflow) -> None:\n    pass\n\n"
    "@pytest.mark.slow\n@step(\n    name='Third'\n)\ndef third() -> None:\n    pass\n"
)
NOTES = (
    "def pytest_configure(config):\n    config.addinivalue_line('markers', 'slow: takes time')\n"
    "def pytest_collection_modifyitems(items):\n"
    "    for item in items:\n"
    "        marks = ','.join(mark.name for mark in item.iter_markers() if mark.name == 'slow')\n"
    "        print(f'NOTE {item.nodeid} {item.location} {item.reportinfo()[1:]} {item.originalname} {marks}')\n"
)


@pytest.fixture(autouse=True)
def _alone(project: Project) -> None:
    """Let nothing but this package plug in: a plugin that has a say in what functions make lets pytest make all items."""
    project.environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"


def run(project: Project, *options: str) -> Session:
    """Run pytest with this package in the workflow's folder."""
    return project.pytest("-p", "workflow_exec", "wf", *options)


def notes(project: Project, *options: str) -> list[str]:
    """Return what the project's conftest noted of each item."""
    session = run(project, "-s", *options)
    assert session.status == 0, session.text
    return [line.removeprefix("NOTE ") for line in session.text.splitlines() if line.startswith("NOTE ")]


def test_they_are_what_pytest_would_have_made(project: Project) -> None:
    """Node ids, locations, lines, names and marks are those that pytest gives the same functions."""
    project.write("wf/workflow_p.py", STEPS)
    project.write("wf/conftest.py", f"{NOTES}        print('OURS', type(item).__name__)\n")
    made = run(project, "--collect-only", "-s").text
    assert made.count("OURS StepFunction") == 2, made
    project.write("wf/conftest.py", NOTES)
    ours = notes(project)
    # With a say in what functions make, pytest collects each.
    project.write("wf/conftest.py", f"{NOTES}def pytest_generate_tests(metafunc):\n    pass\n")

    assert ours == notes(project, "--workflow-new")
    assert len(ours) == 3
    assert ours[2] == "wf/workflow_p.py::third ('wf/workflow_p.py', 12, 'third') (12, 'third') third slow"


def test_they_are_shown_as_functions(project: Project) -> None:
    """What only is collected is shown as any function of a test module."""
    project.write("wf/workflow_p.py", STEPS)

    shown = run(project, "--collect-only").text

    assert [line.strip() for line in shown.splitlines() if "<Function" in line] == [
        "<Function first>",
        "<Function second>",
        "<Function third>",
    ]


@pytest.mark.parametrize("where", ["wf/conftest.py", "wf/workflow_p.py"])
def test_parameters_from_outside_still_make_cases(project: Project, where: str) -> None:
    """A plugin, or the module itself, that gives functions a parameter they don't name makes cases of them, as it ever did."""
    twice = (
        "def pytest_generate_tests(metafunc):\n"
        "    if metafunc.definition.name == 'first':\n"
        "        metafunc.fixturenames.append('again')\n        metafunc.parametrize('again', [1, 2])\n"
    )
    steps = f"{HEAD}@step\ndef first() -> None:\n    pass\n@step\ndef second() -> None:\n    pass\n"
    project.write("wf/workflow_p.py", steps)
    (project.root / where).write_text((steps if where.endswith("p.py") else "") + twice)

    session = run(project)

    assert session.status == 0, session.text
    assert [record["step"] for record in project.of_type("step.finished")] == ["first[1]", "first[2]", "second"]


def test_who_makes_items_is_asked(project: Project) -> None:
    """A plugin that makes items itself is asked for each function, and what it makes of one is taken."""
    project.write("wf/workflow_p.py", STEPS)
    project.write(
        "wf/conftest.py",
        "import pytest\nclass Own(pytest.Function):\n    pass\n"
        "def pytest_pycollect_makeitem(collector, name, obj):\n"
        "    if name == 'first': return Own.from_parent(collector, name=name)\n",
    )

    shown = run(project, "--collect-only").text

    assert "<Own first>" in shown
    assert "<Function third>" in shown


def test_a_step_that_is_no_test_is_missed(project: Project) -> None:
    """A step that says of itself that pytest must not collect it leaves a hole in the plan: nothing runs."""
    project.write("wf/workflow_p.py", f"{STEPS}third.__test__ = False\n")

    session = run(project)

    assert session.status == 4
    assert "third" in session.text
    assert not (project.root / ".workflow-exec/runs").exists()


def test_an_async_step_is_collected_by_pytest(project: Project) -> None:
    """An `async def` step still is one, whoever runs it."""
    project.write("wf/workflow_p.py", f"{HEAD}@step\nasync def first() -> None:\n    open('ran', 'w')\n")

    session = run(project)

    assert session.status == 0, session.text
    assert (project.root / "ran").exists()


def test_a_wrapped_step_stands_where_it_is_written(project: Project) -> None:
    """A decorator around `@step` does not move it to another line."""
    project.write(
        "wf/workflow_p.py",
        f"{HEAD}def own(function):\n    @functools.wraps(function)\n    def wrapper():\n        return function()\n    return wrapper\n"
        "@step\n@own\ndef first() -> None:\n    pass\n",
    )
    project.write("wf/conftest.py", NOTES)

    assert notes(project) == ["wf/workflow_p.py::first ('wf/workflow_p.py', 8, 'first') (8, 'first') first "]


def test_a_generator_is_refused_as_ever(project: Project) -> None:
    """A step that yields is a mistake that is said where it stands."""
    project.write("wf/workflow_p.py", f"{HEAD}@step\ndef first():\n    yield 1\n")

    session = run(project)

    assert session.status == 4
    assert "first" in session.text


def test_a_step_that_is_no_function_beneath_stands_where_pytest_finds_it(project: Project) -> None:
    """What a decorator of another file put in a function's place is located, run and blamed as ever."""
    project.write(
        "wf/helpers.py",
        "import functools\ndef partly(function):\n    done = functools.partial(function)\n"
        "    def call():\n        return done()\n    call.__module__, call.__qualname__ = function.__module__, function.__qualname__\n"
        "    return call\n",
    )
    project.write(
        "wf/workflow_p.py",
        f"{HEAD}from helpers import partly\n@step\n@partly\ndef first() -> None:\n    open('ran', 'w')\n",
    )
    project.write("wf/conftest.py", NOTES)
    ours = notes(project)
    project.write("wf/conftest.py", f"{NOTES}def pytest_generate_tests(metafunc):\n    pass\n")

    assert ours == notes(project, "--workflow-new")
    assert "wf/helpers.py" in ours[0]
    assert (project.root / "ran").exists()


def test_what_can_be_called_and_is_no_function_is_made_by_pytest(project: Project) -> None:
    """A decorator may say that it wraps something without code of its own."""
    project.write(
        "wf/workflow_p.py",
        f"{HEAD}def partly(function):\n    done = functools.partial(function)\n"
        "    @functools.wraps(function)\n    def call():\n        return done()\n    call.__wrapped__ = done\n    return call\n"
        "@step\n@partly\ndef first() -> None:\n    open('ran', 'w')\n",
    )

    session = run(project)

    assert session.status == 0, session.text
    assert (project.root / "ran").exists()
