"""Whole screens, as real terminals of 80 and 120 columns show them: each is a file in `screens/` that a person has looked at.

`UPDATE_SCREENS=1 pytest tests/plugin/test_screens.py` writes them anew; look at the difference before you keep it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pexpect
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
BLOCKED = """
workflow: site
inputs: {hosts: {type: list, default: [web1, web2]}}
steps:
  - {id: pack, run: ["false"]}
  - id: update
    foreach: {host: "${inputs.hosts}"}
    steps:
      - {id: drain, run: [touch, "ran-drain-${each.host}"]}
      - {id: deploy, run: [touch, "ran-deploy-${each.host}"]}
    finally:
      - {id: undrain, run: [touch, "ran-undrain-${each.host}"]}
  - {id: approve, gate: {question: Publish the site?, wait: suspend}}
  - {id: publish, run: [touch, ran-publish]}
finally:
  - {id: tidy, run: [echo, tidy]}
"""
TREE = """
workflow: site
inputs: {hosts: {type: list, default: [web1, web2]}}
steps:
  - {id: pack, run: [echo, packed]}
  - id: update
    foreach: {host: "${inputs.hosts}"}
    steps:
      - {id: drain, run: [echo, drained]}
      - {id: deploy, call: "m:flaky", retry: {attempts: 2, wait: 0.05s}}
  - {id: check, run: ["false"]}
  - {id: publish, run: [touch, ran-publish]}
"""
SUSPENDED = """
workflow: site
steps:
  - {id: pack, run: [echo, packed]}
  - {id: approve, gate: {question: Publish the site?, wait: suspend}}
  - {id: publish, run: [touch, ran-publish]}
"""
BROKEN = """
workflow: site
steps:
  - {id: pack, runs: [echo, packed]}
  - {id: pack, run: echo packed}
  - {id: publish, run: [echo, "${steps.pak.archive}"]}
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
    (r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d", r"2026-01-01\g<1>00:00:00"),
    (r"\b\d\d:\d\d:\d\d\b", "00:00:00"),
    (r"by \S+$", "by root"),
    (r"Type [A-Z0-9]{4}-[A-Z0-9]{4} to", "Type XXXX-XXXX to"),
    (r"(?m)=+ (.*) in \d+\.\d+s =+", r"== \1 in 0.00s =="),
    (r"\b\d+\.\ds\b", "0.0s"),
    (r"\b\d\.\d s\b", "0.0 s"),
    (r"\b\d\.\d{3} s\b", "0.000 s"),
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
    _compare(screen.raw, name, columns, rows=screen.rows)


def _compare(raw: str, name: str, columns: int, *, rows: int) -> None:
    file = SCREENS / f"{name}-{columns}.txt"
    for pattern, mask in MASKS:
        raw = re.sub(pattern, mask, raw)
    found = shown(raw, columns=columns, rows=rows) + "\n"
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
        ("blocked", BLOCKED, Command((), status=1)),
        ("suspended", SUSPENDED, Command((), status=1)),
        ("broken", BROKEN, Command((), status=4)),
        ("plan", PASSING, Command(("--workflow-plan",), status=0)),
        ("refused", REFUSED, Command((), status=4)),
    ],
)
def test_a_session_looks_like_its_file(site: Project, name: str, flow: str, command: Command, columns: int) -> None:
    """What is left on the screen when pytest has ended."""
    site.write("wf/site.workflow.yaml", flow)

    screen = _screen(site, *command.arguments, columns=columns)

    assert screen.finish() == command.status
    assert name in ("passing", "resumed") or not list(site.root.glob("ran-[!f]*"))
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


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_shown_run_looks_like_its_file(site: Project, columns: int) -> None:
    """The tree of a run, and everything of one of its steps."""
    site.write("wf/site.workflow.yaml", TREE)
    assert site.pytest("wf").status == 1

    for name, arguments in (("show", ()), ("show-step", ("--step", "update[web1]/deploy"))):
        child = site.terminal_of("workflow-exec", "show", "latest", *arguments, columns=columns, rows=100)
        child.expect(pexpect.EOF)
        _compare(str(child.before).replace(str(site.root), "/srv/site"), name, columns, rows=100)
