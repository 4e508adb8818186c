"""What each kind of step does inside pytest: fixtures, values, tests as one step, timeouts."""

from __future__ import annotations

import json

import pytest

from .conftest import Project

CALL = """
workflow: flow
steps:
  - id: first
    run: [echo, hello]
    outputs: {{word: {{stdout: 'h(\\w+)'}}}}
  - id: second
    call: {{function: "checks:second", with: {{word: "${{steps.first.word}}"}}}}
  - {{id: third, run: [touch, "{third}"]}}
"""


def test_called_function_gets_fixtures_and_values(project: Project) -> None:
    """A called function's parameters are fixtures, `with:` gives plain values, and what it returns are outputs."""
    project.write("wf/flow.workflow.yaml", CALL.format(third="ran-${steps.second.made}"))
    project.write("wf/conftest.py", "import pytest\n@pytest.fixture(scope='module')\ndef own():\n    return 'own'\n")
    project.write(
        "wf/checks.py",
        "def second(workflow, own, tmp_path, request, word):\n"
        "    assert workflow.outputs['first']['stdout'] == 'hello'\n"
        "    assert request.node.name == 'second'\n"
        "    return {'made': f'{own}-{word}'}\n",
    )

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert (project.root / "ran-own-ello").exists()


def test_called_functions_asserts_are_explained(project: Project) -> None:
    """A failing assert in a called module shows its values, and the traceback leads to the author's file."""
    project.write("wf/flow.workflow.yaml", CALL.format(third="ran-third"))
    project.write("wf/checks.py", "def second(word):\n    left = [1, 2]\n    assert left == [1, 3], word\n")

    session = project.pytest("wf")

    assert session.status == 1
    assert "At index 1 diff: 2 != 3" in session.text
    assert "wf/checks.py:3: AssertionError" in session.text
    assert not (project.root / "ran-third").exists()


def test_module_runs_from_the_bytes_that_were_digested(project: Project) -> None:
    """A module that an earlier step rewrites is not what the plan holds, and is not what runs."""
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: edit, call: 'editor:edit'}\n  - {id: check, call: 'checks:check'}\n",
    )
    project.write(
        "wf/editor.py",
        "def edit(workflow):\n    (workflow.root / 'wf/checks.py').write_text('def check():\\n    pass\\n')\n",
    )
    project.write("wf/checks.py", "def check():\n    assert 0, 'the planned bytes ran'\n")

    session = project.pytest("wf")

    assert session.status == 1
    assert "the planned bytes ran" in session.text


def test_modules_of_two_workflows_do_not_meet(project: Project) -> None:
    """Two modules of one name beside two workflows are two modules."""
    for name in ("a", "b"):
        project.write(
            f"wf/{name}/flow.workflow.yaml", f"workflow: {name}\nsteps:\n  - {{id: one, call: 'checks:one'}}\n"
        )
        project.write(f"wf/{name}/checks.py", f"def one():\n    return {{'who': '{name}'}}\n")

    session = project.pytest("wf")

    assert session.status == 0, session.text


TESTS = "workflow: flow\nsteps:\n  - id: tests\n    verify: {verify}\n  - {{id: after, run: [touch, ran-after]}}\n"


@pytest.mark.parametrize(
    ("verify", "test", "passes"),
    [
        ("../checks", "def test_one():\n    pass\n", True),
        ("../checks", "def test_one():\n    assert False\n", False),
        ("../checks", "import pytest\ndef test_one():\n    pass\ndef test_two():\n    pytest.skip('no')\n", False),
        (
            "../checks\n    skips: allow",
            "import pytest\ndef test_one():\n    pass\ndef test_two():\n    pytest.skip('no')\n",
            True,
        ),
        (
            "{path: ../checks, skips: allow}",
            "import pytest\ndef test_one():\n    pass\ndef test_two():\n    pytest.skip('no')\n",
            True,
        ),
        (
            "../checks",
            "import pytest\n@pytest.mark.xfail\ndef test_one():\n    assert 0\ndef test_two():\n    pass\n",
            False,
        ),
        ("../checks", "x = 1\n", False),
        (
            "../checks",
            "import pytest\ndef test_one():\n    pass\ndef test_two():\n    pytest.exit('enough', returncode=0)\n",
            False,
        ),
        ("../checks", "import os\ndef test_one():\n    os._exit(0)\n", False),
        ("../checks", "def test_one(workflow):\n    pass\n", False),
        ("../checks", "raise RuntimeError\n", False),
        (
            "../checks",
            "import os\ndef test_one():\n    assert not [n for n in os.environ if n == 'PYTEST_ADDOPTS']\n",
            True,
        ),
    ],
)
def test_tests_as_one_step(project: Project, verify: str, test: str, passes: bool) -> None:
    """Existing tests pass as a step only if all that was collected ran, something passed and nothing was skipped."""
    project.environment["PYTEST_ADDOPTS"] = "-p no:randomly"
    project.write("wf/flow.workflow.yaml", TESTS.format(verify=verify))
    project.write("checks/test_checks.py", test)

    session = project.pytest("wf")

    assert session.status == (0 if passes else 1), session.text
    assert (project.root / "ran-after").exists() is passes
    assert project.outcomes()["tests"] == ("passed" if passes else "failed")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"checks/pytest.ini": "[pytest]\naddopts = --setup-only\n"}, "did not run"),
        ({"checks/pytest.ini": "[pytest]\naddopts = --deselect test_checks.py::test_one\n"}, "did not run"),
        (
            {"checks/conftest.py": "def pytest_collection_modifyitems(items):\n    del items[0]\n"},
            "did not run",
        ),
        (
            {"checks/conftest.py": "def pytest_collection_finish(session):\n    del session.items[0]\n"},
            "did not run",
        ),
        (
            {"checks/test_other.py": "import pytest\npytest.importorskip('no_such_module')\ndef test_x():\n    pass\n"},
            "skipped",
        ),
        (
            {
                "checks/conftest.py": "import pytest\n@pytest.hookimpl(wrapper=True)\n"
                "def pytest_runtest_makereport(item, call):\n    report = yield\n    report.outcome = 'passed'\n"
                "    return report\n",
                "checks/test_other.py": "def test_bad():\n    assert 0\n",
            },
            "failed",
        ),
        ({"checks/test_other.py": "import os\ndef test_x():\n    assert 'REPORT' in str(os.environ)\n"}, "failed"),
        ({"checks/test_other.py": "def test_bad():\n    assert 1 == 2, 'MARKER'\n"}, "MARKER"),
    ],
)
def test_tests_that_did_not_really_pass_prove_nothing(project: Project, files: dict[str, str], message: str) -> None:
    """Settings, plugins and modules that leave tests out or turn them green do not make the step pass."""
    project.write("wf/flow.workflow.yaml", TESTS.format(verify="../checks"))
    project.write("checks/test_checks.py", "def test_one():\n    pass\ndef test_two():\n    pass\n")
    for name, text in files.items():
        project.write(name, text)

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert message in session.text
    assert not (project.root / "ran-after").exists()


def test_failing_tests_can_be_expected(project: Project) -> None:
    """With an expected exit status, failed tests are what the step is about."""
    flow = TESTS.format(verify="../checks\n    expect: {exit: 1}")
    project.write("wf/flow.workflow.yaml", flow)
    project.write("checks/test_checks.py", "def test_one():\n    pass\ndef test_two():\n    assert 0\n")

    assert project.pytest("wf").status == 0


def test_tests_that_a_selection_leaves_out_prove_nothing(project: Project) -> None:
    """A child whose plugin drops tests after collection does not pass."""
    project.write("wf/flow.workflow.yaml", TESTS.format(verify="../checks"))
    project.write("checks/test_checks.py", "def test_one():\n    pass\ndef test_two():\n    pass\n")
    project.write("checks/conftest.py", "def pytest_runtestloop(session):\n    return True\n")

    session = project.pytest("wf")

    assert session.status == 1
    assert "did not run" in session.text


PYTHON = """
from pathlib import Path
from pydantic import BaseModel
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="flow", inputs={{"version": {{"type": "string", "default": "1.0"}}}})

class Built(BaseModel):
    wheel: Path

@step
def build(workflow, sandbox) -> Built:
    sandbox.run(["touch", "ran-build"])
    return Built(wheel=workflow.root / "ran-build")

{more}
"""


def test_returned_value_is_seen_after_a_round_trip(project: Project) -> None:
    """What a step returns reaches later steps as its annotation makes it of the JSON in the log."""
    more = (
        "def test_outputs(workflow):\n"
        "    built = workflow.outputs['build']\n"
        "    assert isinstance(built, Built) and built.wheel.name == 'ran-build'\n"
        "    assert workflow.inputs == {'version': '1.0'}\n"
    )
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    session = project.pytest("wf")

    assert session.status == 0, session.text
    [build, _] = project.of_type("step.finished")
    assert build["data"]["outputs"]["wheel"].endswith("ran-build")
    assert build["data"]["files"]["wheel"]["path"] == "ran-build"


@pytest.mark.parametrize(
    "more",
    [
        "@step\ndef bad() -> Built:\n    return 3\n",
        "@step\ndef bad():\n    return object()\n",
        "@step\ndef bad():\n    return float('nan')\n",
        "@step\ndef bad() -> float:\n    return float('inf')\n",
        "@step\ndef bad():\n    return {1: 'a', '1': 'b'}\n",
        "@step\ndef bad():\n    return '\\ud800'\n",
        "@step\ndef bad() -> int:\n    return 'text'\n",
        "@step\ndef bad() -> Built:\n    ...\n",
        "@step\ndef bad() -> dict[str, str]:\n    return None\n",
    ],
)
def test_value_that_can_not_be_kept_fails_its_step(project: Project, more: str) -> None:
    """A returned value that is not what was annotated, or no JSON, fails the step: a resumed run would not see it."""
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert project.outcomes() == {"build": "passed", "bad": "failed"}


@pytest.mark.parametrize(
    "body",
    ["value = {}\n    value['itself'] = value", "value = []\n    for _ in range(5000):\n        value = [value]"],
    ids=["cycle", "depth"],
)
def test_value_that_has_no_end_is_refused_in_words(project: Project, body: str) -> None:
    """A returned value that holds itself, or is nested without measure, fails its step without a traceback."""
    project.write("wf/workflow_flow.py", PYTHON.format(more=f"@step\ndef bad():\n    {body}\n    return value\n"))

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "the returned value can't be kept as JSON: it is nested too deeply, or holds itself" in session.text
    assert "RecursionError" not in session.text
    assert project.outcomes() == {"build": "passed", "bad": "failed"}


def test_a_step_may_return_nothing_where_it_says_so(project: Project) -> None:
    """Without an annotation, or with one that nothing fits; else a body that does nothing would pass for its work."""
    more = (
        "@step\ndef one():\n    ...\n@step\ndef two() -> None:\n    ...\n@step\ndef three() -> int | None:\n    ...\n"
    )
    future = "from __future__ import annotations\n"
    project.write("wf/workflow_flow.py", future + PYTHON.format(more=more))

    session = project.pytest("wf")

    assert session.status == 0, session.text
    project.write("wf/workflow_flow.py", future + PYTHON.format(more="@step\ndef one() -> Built:\n    ...\n"))
    refused = project.pytest("wf")
    assert refused.status == 1, refused.text
    assert "it returned nothing, and its annotation says that it returns Built" in refused.text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("@step\ndef bad(sandbox) -> None:\n    sandbox.run(['rm', 'ran-build'])\n", "the policy refuses"),
        ("@step\ndef bad(sandbox) -> None:\n    sandbox.run(['false'])\n", "exited with 1"),
        ("@step\ndef bad(sandbox) -> None:\n    sandbox.run(['sleep', '60'], timeout='1s')\n", "was killed after 1 s"),
        ("@step(timeout='1s')\ndef bad() -> None:\n    import time\n    time.sleep(60)\n", "Timeout"),
    ],
)
def test_command_errors_fail_the_step(project: Project, more: str, message: str) -> None:
    """A refused, failed or endless command, and a body past its timeout, fail the step in its own words."""
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    session = project.pytest("wf")

    assert session.status == 1
    assert message in session.text
    assert project.outcomes()["bad"] == "failed"
    assert (project.root / "ran-build").exists()


def test_unchecked_command_returns_its_result(project: Project) -> None:
    """With `check=False` the step decides itself about a failing command."""
    more = "@step\ndef fine(sandbox) -> None:\n    assert sandbox.run(['false'], check=False).exit == 1\n"
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    assert project.pytest("wf").status == 0


def test_commands_timeout_ends_its_step(project: Project) -> None:
    """A `run:` step past its timeout is killed and failed."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: slow, run: [sleep, '60'], timeout: 1s}\n")

    session = project.pytest("wf")

    assert session.status == 1
    assert project.of_type("command.finished")[0]["data"]["timed_out"] is True


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_fixture_of_module_scope_lives_as_long_as_the_workflow(project: Project, status: str) -> None:
    """A module fixture is made once per workflow, and torn down also where a step failed."""
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, call: 'checks:one'}\n  - {id: two, call: 'checks:two'}\n",
    )
    project.write(
        "wf/conftest.py",
        "import pytest\nfrom pathlib import Path\n@pytest.fixture(scope='module')\ndef shared():\n"
        "    yield []\n    Path('ran-teardown').touch()\n",
    )
    body = "assert shared == [1]" if status == "passed" else "assert shared == [2]"
    project.write("wf/checks.py", f"def one(shared):\n    shared.append(1)\ndef two(shared):\n    {body}\n")

    project.pytest("wf")

    assert project.outcomes() == {"one": "passed", "two": status}
    assert (project.root / "ran-teardown").exists()


def test_each_case_is_a_step(project: Project) -> None:
    """A parametrized step is one step per case, in order, and every case must pass."""
    more = (
        "import pytest\n"
        "@pytest.mark.parametrize('host', ['web1', 'web2', 'web3'])\n"
        "@step\ndef deploy(host, workflow) -> dict:\n"
        "    (workflow.root / f'ran-{host}').touch()\n    assert host != 'web2'\n    return {'host': host}\n"
    )
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    session = project.pytest("wf")

    assert session.status == 1
    assert project.outcomes() == {
        "build": "passed",
        "deploy[web1]": "passed",
        "deploy[web2]": "failed",
        "deploy[web3]": "blocked",
    }
    assert not (project.root / "ran-web3").exists()


def test_fixture_parameters_do_not_reorder_steps(project: Project) -> None:
    """Pytest groups tests by the parameters of module fixtures; steps stay in their order."""
    more = (
        "import pytest\n"
        "@pytest.fixture(scope='module', params=['x', 'y'])\ndef side(request):\n    return request.param\n"
        "@step\ndef first(side) -> None:\n    pass\n"
        "@step\ndef second(side) -> None:\n    pass\n"
    )
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert list(project.outcomes()) == ["build", "first[x]", "first[y]", "second[x]", "second[y]"]


@pytest.mark.parametrize(
    ("body", "status"),
    [("await asyncio.sleep(0)\n    return {'made': 'x'}", 0), ("raise RuntimeError", 1), ("pytest.skip('no')", 1)],
)
def test_async_steps_run(project: Project, body: str, status: int) -> None:
    """An `async def` step is awaited, and what it returns or raises counts."""
    pytest.importorskip("anyio")
    more = f"import asyncio\nimport pytest\n@step\nasync def later(workflow):\n    {body}\n"
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    session = project.pytest("wf")

    assert session.status == status, session.text
    assert project.outcomes()["later"] == ("passed" if status == 0 else "failed")


def test_output_that_evidence_can_not_hold_fails_its_step_for_everybody(project: Project) -> None:
    """A file whose name is no text fails its step on the screen and in JUnit as it does in the log."""
    project.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: one, run: [python, make.py], outputs: {w: {glob: '*.whl'}}}\n",
    )
    project.write("make.py", "open(b'a\\xff.whl', 'w').close()\n")
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["python make.py"]\n')

    session = project.pytest("wf", "--junitxml=report.xml")

    assert session.status == 1
    assert "1 failed" in session.text
    assert 'failures="1"' in (project.root / "report.xml").read_text()
    assert project.outcomes() == {"one": "failed"}


_LINK = """
import os, sys
where = {"outside": sys.argv[2], "evidence": os.environ["HOME"].split("/scratch/")[0] + "/evidence.jsonl"}[sys.argv[1]]
os.symlink(where, "made.whl")
"""


@pytest.mark.parametrize(
    ("to", "words"), [("outside", "leads out of the project"), ("evidence", "leads into the evidence")]
)
@pytest.mark.parametrize("kind", ["YAML", "Python", "Python with dots"])
def test_output_is_no_link_to_what_its_command_could_not_read(
    project: Project, tmp_path_factory: pytest.TempPathFactory, to: str, words: str, kind: str
) -> None:
    """The run would keep a copy of a secret that later commands can read; the step fails, and nothing is kept."""
    secret = tmp_path_factory.mktemp("home") / "secret"
    secret.write_text("TOP-SECRET-VALUE")
    argv = ["python", "make.py", to, str(secret)]
    if kind == "YAML":
        steps = f"  - {{id: one, run: {json.dumps(argv)}, outputs: {{w: {{glob: '*.whl'}}}}}}\n"
        project.write("wf/flow.workflow.yaml", f"workflow: flow\nsteps:\n{steps}")
    else:
        # A name that begins like the folder above is none of that.
        name = "..made.whl" if "dots" in kind else "made.whl"
        body = f"@step\ndef one(workflow, sandbox) -> Path:\n    sandbox.run({argv!r})\n"
        body += f"    return (workflow.root / 'made.whl').rename(workflow.root / '{name}')\n"
        project.write("wf/workflow_flow.py", PYTHON.format(more=f"from pathlib import Path\n{body}"))
    project.write("make.py", _LINK)
    project.write(
        "workflow-exec.toml", f'[policy]\nsandbox = "none"\ncommands = ["touch ran-build", "{" ".join(argv)}"]\n'
    )

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert words in session.text, session.text
    assert project.outcomes()["one"] == "failed"
    [ended] = [end["data"] for end in project.of_type("step.finished") if end["step"] == "one"]
    assert ended["files"] == {}


@pytest.mark.parametrize("late", ["", "    time.sleep(0.2)\n"], ids=["running", "beginning"])
def test_command_does_not_outlive_its_step(project: Project, late: str) -> None:
    """A step that returns while a thread of it runs a command fails; a thread that is too late runs none."""
    more = (
        "import threading, time\n"
        "@step\ndef leaves(workflow, sandbox) -> None:\n"
        "    def go():\n"
        f"    {late}"
        "        sandbox.run(['sleep', '1'])\n"
        "    threading.Thread(target=go).start()\n"
        + ("    time.sleep(0.5)\n" if not late else "")
        + "@step\ndef after(workflow) -> None:\n    time.sleep(1.5)\n"
    )
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    session = project.pytest("wf", "-p", "no:threadexception")

    outcomes = project.outcomes()
    assert outcomes["leaves"] == ("passed" if late else "failed"), session.text
    assert session.status == (0 if late else 1), session.text
    started = [record["step"] for record in project.of_type("command.started")]
    assert started.count("leaves") == (0 if late else 1)


def test_fixture_may_run_commands_after_its_step(project: Project) -> None:
    """A step is under way until its fixtures are torn down; what they run then is part of it."""
    more = (
        "import pytest\n"
        "@pytest.fixture\ndef tidy(sandbox):\n    yield\n    sandbox.run(['touch', 'ran-tidy'])\n"
        "@step\ndef uses(tidy) -> None:\n    pass\n"
    )
    project.write("wf/workflow_flow.py", PYTHON.format(more=more))

    assert project.pytest("wf").status == 0
    assert (project.root / "ran-tidy").exists()


PLAIN = """
from pytest_workflow_exec import Workflow, step
WORKFLOW = Workflow(name="w")
def test_it(workflow):
    return {value}
@step
def after(workflow):
    (workflow.root / "after").touch()
"""


@pytest.mark.parametrize("value", ["False", "0", "'text'", "workflow"])
def test_plain_test_that_returns_something_fails(project: Project, value: str) -> None:
    """It may have meant to say that it failed, and nothing looks at it."""
    project.write("wf/workflow_w.py", PLAIN.format(value=value))

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "test_it returned a value (" in session.text
    assert "assert it, or put @step before the function to keep it" in session.text
    assert [each["data"]["outcome"] for each in project.of_type("step.finished")] == ["failed", "blocked"]
    assert not (project.root / "after").exists()
