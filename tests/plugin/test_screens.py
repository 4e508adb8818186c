"""Whole screens, as real terminals of 80 and 120 columns show them: each is a file in `screens/` that a person has looked at.

`UPDATE_SCREENS=1 pytest tests/plugin/test_screens.py` writes them anew; look at the difference before you keep it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ._pyte import Screen, shown
from .conftest import CONFIGURATION, Project

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (80, 120)

PASSING = """
workflow: site
steps:
  - {id: clean, run: [echo, clean]}
  - {id: pack, run: [touch, site.tar.gz], outputs: {archive: {glob: site.tar.gz}}}
  - {id: publish, run: [echo, "${steps.pack.archive}"]}
"""
FAILING = """
workflow: site
steps:
  - {id: clean, run: [echo, clean]}
  - {id: pack, run: ["false"]}
  - {id: publish, run: [touch, ran-publish]}
finally:
  - {id: tidy, run: [echo, tidy]}
"""
RETRYING = """
workflow: site
steps:
  - {id: flaky, call: "m:flaky", retry: {attempts: 2, wait: 1s, max_wait: 1s}}
  - {id: never, call: "m:never", retry: {attempts: 2, wait: 1s, max_wait: 1s}}
"""
MODULE = """
def flaky(workflow):
    tried = workflow.root / "ran-flaky"
    if not tried.exists():
        tried.touch()
        raise ConnectionResetError("the registry hung up")

def never():
    raise TimeoutError("the registry does not answer")
"""
GATED = """
workflow: site
steps:
  - {id: pack, run: [echo, packed], outputs: {said: {stdout: "(?P<said>.*)\\\\n"}}}
  - {id: approve, gate: {question: Publish the site?, show: [pack]}}
  - {id: publish, run: [touch, ran-publish]}
"""
REFUSED = """
workflow: site
steps:
  - {id: clean, run: [rm, -rf, public]}
  - {id: approve, gate: Publish?}
"""

# What differs from run to run, by something as long: lines have to break where they would.
MASKS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    # Colors would stand between words and what is looked for.
    (r"\x1b\[[0-9;]*m", ""),
    (
        r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{6,}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?\b",
        lambda found: re.sub("[0-9a-f]", "0", found[0]),
    ),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-01T00:00:00Z"),
    (r"Type [A-Z0-9]{4}-[A-Z0-9]{4} to", "Type XXXX-XXXX to"),
    (r"(?m)=+ (.*) in \d+\.\d+s =+", r"== \1 in 0.00s =="),
    (r"\b\d+\.\ds\b", "0.0s"),
    (r"\b\d\.\d s\b", "0.0 s"),
    (r'user = ".*"', 'user = "root"'),
    (r"by \S+ \(terminal", "by root (terminal"),
    (r'host = ".*"', 'host = "vm"'),
    (r"uid = \d+", "uid = 0"),
]


@dataclass(frozen=True)
class Command:
    """How pytest is called, and how it exits."""

    arguments: tuple[str, ...]
    status: int


def _look(screen: Screen, name: str, columns: int) -> None:
    """Compare what stands on a screen with its file."""
    file = SCREENS / f"{name}-{columns}.txt"
    raw = screen.raw
    for pattern, mask in MASKS:
        raw = re.sub(pattern, mask, raw)
    found = shown(raw, columns=columns, rows=screen.rows) + "\n"
    if os.environ.get("UPDATE_SCREENS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


def _screen(project: Project, *arguments: str, columns: int) -> Screen:
    return Screen(project, "wf", "--no-header", *arguments, columns=columns, rows=100)


@pytest.fixture
def site(project: Project) -> Project:
    """A project with a workflow, whatever it is."""
    project.write("workflow-exec.toml", CONFIGURATION)
    project.write("wf/m.py", MODULE)
    return project


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize(
    ("name", "flow", "command"),
    [
        ("passing", PASSING, Command((), status=0)),
        ("failing", FAILING, Command((), status=1)),
        ("failing-detailed", FAILING, Command(("-vv",), status=1)),
        ("retrying", RETRYING, Command((), status=1)),
        ("plan", PASSING, Command(("--workflow-plan",), status=0)),
        ("refused", REFUSED, Command((), status=4)),
    ],
)
def test_a_session_looks_like_its_file(site: Project, name: str, flow: str, command: Command, columns: int) -> None:
    """What is left on the screen when pytest has ended."""
    site.write("wf/site.workflow.yaml", flow)

    screen = _screen(site, *command.arguments, columns=columns)

    assert screen.finish() == command.status
    _look(screen, name, columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_gate_and_its_denial_look_like_their_files(site: Project, columns: int) -> None:
    """The question as a person sees it, and what is left of a run that was stopped there."""
    site.write("wf/site.workflow.yaml", GATED)
    screen = _screen(site, "-s", columns=columns)
    screen.until_shows(r"reject to stop:")

    _look(screen, "gate", columns)
    screen.send("reject")
    screen.until_shows("Reason:")
    screen.send("not on a friday")

    assert screen.finish() == 1
    assert not (site.root / "ran-publish").exists()
    _look(screen, "denied", columns)


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_resumed_run_looks_like_its_file(site: Project, columns: int) -> None:
    """What was done is carried, and the rest runs."""
    site.write("wf/site.workflow.yaml", FAILING)
    assert site.pytest("wf").status == 1
    site.write("wf/site.workflow.yaml", FAILING.replace('["false"]', "[echo, packed]"))

    screen = _screen(site, "--workflow-resume", columns=columns)

    assert screen.finish() == 0
    _look(screen, "resumed", columns)
