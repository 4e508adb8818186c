"""Three-step flows under pytest's flags and its plugins: no body runs out of plan, no exit 0 on an incomplete plan."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from .conftest import Project, Session

HEAD = (
    "import pytest\nfrom pathlib import Path\nfrom pytest_workflow_exec import Workflow, step\n"
    "WORKFLOW = Workflow(name='flow')\n"
    "def mark(workflow, name):\n"
    "    with (workflow.root / 'ran').open('a') as file:\n        file.write(name + ' ')\n"
)
STEP = "@step\ndef {name}(workflow) -> None:\n    mark(workflow, '{name}')\n    {then}\n"
STEPS = ("one", "two", "three")


@dataclass(frozen=True)
class Flow:
    """What the bodies of the three steps do after leaving their mark."""

    two: str = "pass"
    three: str = "pass"
    decorator: str = ""

    @property
    def source(self) -> str:
        """The workflow file."""
        then = {"one": "pass", "two": self.two, "three": self.three}
        steps = [STEP.format(name=name, then=then[name]) for name in STEPS]
        return HEAD + steps[0] + self.decorator + steps[1] + steps[2]

    @property
    def passes(self) -> bool:
        """Whether it can pass."""
        return self == Flow()


FLOWS = {
    "pass, fail, never": Flow(two="assert 0"),
    "all pass": Flow(),
    "skip in the middle": Flow(two="pytest.skip('no')"),
    "skip mark": Flow(decorator="@pytest.mark.skip(reason='no')\n"),
    "xfail": Flow(two="assert 0", decorator="@pytest.mark.xfail\n"),
    "exit 0 in the middle": Flow(two="pytest.exit('enough', returncode=0)"),
    "skip in the last": Flow(three="pytest.skip('no')"),
}
WHOLE = os.environ.get("WORKFLOW_EXEC_MATRIX") == "whole"
"""The whole matrix takes minutes; by default each flag and plugin meets the flows in which most can go wrong."""
QUICK = ("pass, fail, never", "skip in the last")
MET = {name: flow for name, flow in FLOWS.items() if WHOLE or name in QUICK}
FLAGS = {
    "plain": [],
    "-x": ["-x"],
    "--maxfail": ["--maxfail=1"],
    "-k": ["-k", "three"],
    "-k not": ["-k", "not two"],
    "-m": ["-m", "nothing"],
    "--deselect": ["--deselect", "wf/workflow_flow.py::one"],
    "node id": ["wf/workflow_flow.py::three"],
    "two node ids": ["wf/workflow_flow.py::one", "wf/workflow_flow.py::three"],
    "--setup-only": ["--setup-only"],
    "--setup-show": ["--setup-show"],
    "--keep-duplicates": ["--keep-duplicates", "wf"],
    "--runxfail": ["--runxfail"],
    "--co": ["--collect-only"],
    "--setup-plan": ["--setup-plan"],
    "-p no:": ["-p", "no:skipping"],
    "-p no:terminal": ["-p", "no:terminal"],
    "--import-mode": ["--import-mode=importlib"],
    "--assert": ["--assert=plain"],
    "-W error": ["-W", "error"],
    "--pdb": ["--pdb"],
    "--last-failed first": ["--lf", "--lfnf=none"],
}
SECOND = {"--lf": ["--lf"], "--ff": ["--ff"], "--nf": ["--nf"], "--sw": ["--sw"], "--sw-skip": ["--sw", "--sw-skip"]}
PLUGINS = {
    "pytest_randomly": ["-p", "randomly"],
    "random_order": ["--random-order"],
    "pytest_order": ["--indulgent-ordering"],
    "pytest_rerunfailures": ["--reruns", "2"],
    "xdist": ["-n", "2"],
    "pytest_timeout": ["--timeout", "50"],
    "pytest_cov": ["--cov=wf"],
    "anyio": [],
}


def check(project: Project, session: Session, flow: Flow, *, skips_work: bool = True, only_looks: bool = False) -> None:
    """Check what must hold for every run, whatever became of it."""
    path = project.root / "ran"
    ran = path.read_text().split() if path.exists() else []
    assert ran == list(STEPS[: len(ran)]), session.text
    if session.status == 0 and ran:
        # Without pytest's skipping plugin a skip mark says nothing, and every body runs.
        assert flow.passes or (not skips_work and flow == FLOWS["skip mark"]), session.text
        assert ran == list(STEPS), session.text
    assert session.status != 0 or ran or only_looks, session.text
    if not project.logs():
        assert ran == [], session.text
        return
    ends = [record["step"] for record in project.of_type("step.finished")]
    assert sorted(ends) == sorted(STEPS), session.text
    satisfied = [step for step, outcome in project.outcomes().items() if outcome == "passed"]
    assert (session.status == 0) is (satisfied == list(STEPS)), session.text


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS.keys())
@pytest.mark.parametrize("flow", MET.values(), ids=MET.keys())
def test_flags(project: Project, flow: Flow, flags: Sequence[str]) -> None:
    """No flag of pytest runs a step out of plan, or turns an incomplete plan green."""
    project.write("wf/workflow_flow.py", flow.source)
    where = [] if any("::" in flag for flag in flags) and "--deselect" not in flags else ["wf"]

    session = project.pytest(*where, *flags)

    check(
        project,
        session,
        flow,
        skips_work="no:skipping" not in flags,
        only_looks=bool({"--collect-only", "--setup-plan"} & set(flags)),
    )


@pytest.mark.parametrize("flags", SECOND.values(), ids=SECOND.keys())
@pytest.mark.parametrize("flow", MET.values(), ids=MET.keys())
def test_flags_that_remember_the_last_session(project: Project, flow: Flow, flags: Sequence[str]) -> None:
    """What pytest remembers of the last session neither cuts nor reorders the next run."""
    project.write("wf/workflow_flow.py", flow.source)
    project.pytest("wf", *flags[:1])
    for log in project.logs():
        log.unlink()
        log.parent.rename(project.root / "earlier")
    (project.root / "ran").unlink(missing_ok=True)

    session = project.pytest("wf", *flags)

    check(project, session, flow)


@pytest.mark.parametrize("module", PLUGINS.keys())
@pytest.mark.parametrize("flow", MET.values(), ids=MET.keys())
def test_plugins(project: Project, flow: Flow, module: str) -> None:
    """No plugin that reorders, repeats, spreads or times tests does so to steps."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    project.write("wf/workflow_flow.py", flow.source)

    session = project.pytest("wf", *(PLUGINS[module] if module != "pytest_randomly" else []))

    check(project, session, flow)
