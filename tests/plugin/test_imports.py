"""A command that may write where Python looks for modules gets no code into the engine."""

from __future__ import annotations

from .conftest import Project, code_at, finish

POLICY = """
[policy]
sandbox = "none"
commands = ["cp payload src/colorsys.py", "cp payload src/rich.py", "touch ran-publish"]
"""
FLOW = """
workflow: flow
steps:
  - {id: make, run: [cp, payload, src/colorsys.py]}
  - {id: more, run: [cp, payload, src/rich.py]}
  - {id: code, call: "calls:late"}
  - {id: ask, gate: Go on?}
  - {id: publish, run: [touch, ran-publish]}
"""
CALLS = """
import sys

assert "colorsys" not in sys.modules


def late():
    import colorsys

    assert colorsys.rgb_to_hls(0, 0, 0)
"""


def test_file_that_a_command_makes_is_not_loaded_for_an_installed_module(project: Project) -> None:
    """Modules that the engine, or a step, needs first behind the command come from where they are installed."""
    project.write("workflow-exec.toml", POLICY)
    project.write("pytest.ini", "[pytest]\npythonpath = src\n")
    project.write("payload", 'open("ran-payload", "w").close()\n')
    (project.root / "src").mkdir()
    project.write("wf/flow.workflow.yaml", FLOW)
    project.write("wf/calls.py", CALLS)

    child = project.terminal("wf", "-s", "-p", "no:hypothesispytest")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert {path.name for path in project.root.glob("ran-*")} == {"ran-publish"}
