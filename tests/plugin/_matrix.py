"""What meets what in the matrix: flows of three steps, and the flags and plugins of pytest that they are run with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HEAD = (
    "import pytest\nfrom pathlib import Path\nfrom pytest_workflow_exec import Workflow, step\n"
    "WORKFLOW = Workflow(name='flow')\n"
    "def mark(workflow, request):\n"
    "    with (workflow.root / 'ran').open('a') as file:\n        file.write(request.node.name + ' ')\n"
)
STEP = "{marks}@step\ndef {name}({parameters}) -> None:\n    mark(workflow, request)\n    {then}\n"
STEPS = ("one", "two", "three")
CASES = ("a", "b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What the bodies of the three steps do after leaving their mark."""

    two: str = "pass"
    three: str = "pass"
    mark: str = ""
    """A mark of pytest on the second step."""

    @property
    def passes(self) -> bool:
        """Whether it can pass."""
        return self == Flow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to run a flow."""

    flags: tuple[str, ...] = ()
    where: tuple[str, ...] = ("wf",)
    plugin: str = ""
    """The module that must be there; nothing for pytest's own flags."""
    active: frozenset[str] = frozenset()
    """Plugins that act without a flag, and do so only here."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """Marks of the plugin on steps."""
    cases: bool = False
    """Whether the first two steps are parametrized so that pytest groups the cases of both."""
    remembers: bool = False
    """Whether it acts on what an earlier session left behind."""
    looks: bool = False
    """Whether it only looks, so that 0 is right although nothing ran."""
    honours_skips: bool = True
    quick: tuple[str, ...] = ("pass, fail, never", "skip in the last")
    """The flows that it meets without the whole matrix: those in which most can go wrong."""


SHORT = ("pass, fail, never",)
"""For ways that never get to a body: what the steps would do makes no difference."""

FLOWS = {
    "pass, fail, never": Flow(two="assert 0"),
    "all pass": Flow(),
    "skip in the middle": Flow(two="pytest.skip('no')"),
    "skip mark in the middle": Flow(mark="@pytest.mark.skip(reason='no')\n"),
    "xfail in the middle": Flow(two="assert 0", mark="@pytest.mark.xfail\n"),
    "pytest.exit(0) in the middle": Flow(two="pytest.exit('enough', returncode=0)"),
    "skip in the last": Flow(three="pytest.skip('no')"),
}

WAYS = {
    "no flag": Way(),
    "-x": Way(flags=("-x",)),
    "--maxfail=1": Way(flags=("--maxfail=1",)),
    "-k three": Way(flags=("-k", "three"), quick=SHORT),
    "-k 'not two'": Way(flags=("-k", "not two"), quick=SHORT),
    "-k nothing": Way(flags=("-k", "nothing"), quick=SHORT),
    "one step by its mark, -m": Way(
        flags=("-m", "filterwarnings"), marks={"three": "@pytest.mark.filterwarnings('default')\n"}, quick=SHORT
    ),
    "-m nothing": Way(flags=("-m", "nothing"), quick=SHORT),
    "--deselect": Way(flags=("--deselect", "wf/workflow_flow.py::one"), quick=SHORT),
    "a node id": Way(where=("wf/workflow_flow.py::three",), quick=SHORT),
    "two node ids": Way(where=("wf/workflow_flow.py::one", "wf/workflow_flow.py::three"), quick=SHORT),
    "all node ids, backwards": Way(
        where=tuple(f"wf/workflow_flow.py::{name}" for name in reversed(STEPS)), quick=("pass, fail, never",)
    ),
    "--lf": Way(flags=("--lf",), remembers=True, quick=SHORT),
    "--lf --lfnf=none": Way(flags=("--lf", "--lfnf=none"), quick=SHORT),
    "--ff": Way(flags=("--ff",), remembers=True),
    "--nf": Way(flags=("--nf",), remembers=True),
    "--sw": Way(flags=("--sw",), remembers=True, quick=SHORT),
    "--sw --sw-skip": Way(flags=("--sw", "--sw-skip"), remembers=True, quick=SHORT),
    "--setup-only": Way(flags=("--setup-only",), quick=SHORT),
    "--setup-plan": Way(flags=("--setup-plan",), looks=True, quick=SHORT),
    "--setup-show": Way(flags=("--setup-show",)),
    "--collect-only": Way(flags=("--collect-only",), looks=True, quick=SHORT),
    "--fixtures": Way(flags=("--fixtures",), looks=True, quick=SHORT),
    "--fixtures-per-test": Way(flags=("--fixtures-per-test",), looks=True, quick=SHORT),
    "--markers": Way(flags=("--markers",), looks=True, quick=SHORT),
    "--keep-duplicates": Way(flags=("--keep-duplicates",), where=("wf", "wf"), quick=SHORT),
    "--runxfail": Way(flags=("--runxfail",)),
    "-p no:skipping": Way(flags=("-p", "no:skipping"), honours_skips=False),
    "-p no:terminal": Way(flags=("-p", "no:terminal")),
    "-p no:cacheprovider": Way(flags=("-p", "no:cacheprovider"), quick=SHORT),
    "--import-mode=importlib": Way(flags=("--import-mode=importlib",)),
    "--assert=plain": Way(flags=("--assert=plain",), quick=SHORT),
    "-W error": Way(flags=("-W", "error"), quick=SHORT),
    "--pdb": Way(flags=("--pdb",)),
    "parametrized, grouped by pytest": Way(cases=True),
    "anyio": Way(plugin="anyio", quick=SHORT),
    "pytest-cov: --cov": Way(flags=("--cov=wf",), plugin="pytest_cov"),
    "pytest-dependency": Way(
        plugin="pytest_dependency",
        marks={
            "one": "@pytest.mark.dependency()\n",
            "two": "@pytest.mark.dependency(depends=['one'])\n",
            "three": "@pytest.mark.dependency(depends=['two'])\n",
        },
    ),
    "pytest-dependency on what is not there": Way(
        plugin="pytest_dependency", marks={"three": "@pytest.mark.dependency(depends=['absent'])\n"}
    ),
    "pytest-order: backwards": Way(
        flags=("--indulgent-ordering",),
        plugin="pytest_order",
        marks={name: f"@pytest.mark.order({-number})\n" for number, name in enumerate(STEPS, start=1)},
    ),
    "pytest-random-order": Way(flags=("--random-order",), plugin="random_order"),
    "pytest-randomly": Way(plugin="pytest_randomly", active=frozenset({"randomly"})),
    "pytest-rerunfailures: --reruns": Way(flags=("--reruns", "2"), plugin="pytest_rerunfailures"),
    "pytest-rerunfailures: flaky mark": Way(
        plugin="pytest_rerunfailures", marks={"two": "@pytest.mark.flaky(reruns=2)\n"}, quick=SHORT
    ),
    "pytest-rerunfailures: --force-reruns": Way(
        flags=("--force-reruns", "2"), plugin="pytest_rerunfailures", quick=SHORT
    ),
    "pytest-sugar": Way(flags=("--force-sugar",), plugin="pytest_sugar", active=frozenset({"sugar"})),
    "pytest-timeout": Way(flags=("--timeout", "50"), plugin="pytest_timeout"),
    "pytest-xdist: -n0": Way(flags=("-n0",), plugin="xdist", quick=SHORT),
    "pytest-xdist: -n2": Way(flags=("-n", "2"), plugin="xdist", quick=SHORT),
}
SELF_STARTING = {"pytest_randomly": "randomly", "pytest_sugar": "sugar"}
"""Plugins that act in every session of an environment, by module; left out of the sessions of other ways."""


def planned_steps(way: Way) -> tuple[str, ...]:
    """Return the ids of the steps in the order of the plan."""
    if not way.cases:
        return STEPS
    return (*(f"{name}[{case}]" for name in STEPS[:2] for case in CASES), STEPS[2])


def source(flow: Flow, way: Way) -> str:
    """Return the workflow file."""
    then = {"two": flow.two, "three": flow.three}
    return HEAD + "".join(_step(name, then.get(name, "pass"), flow, way) for name in STEPS)


def _step(name: str, then: str, flow: Flow, way: Way) -> str:
    cases = way.cases and name in STEPS[:2]
    marks = way.marks.get(name, "") + (flow.mark if name == "two" else "")
    if cases:
        marks += f"@pytest.mark.parametrize('case', {list(CASES)!r}, scope='module')\n"
    return STEP.format(
        marks=marks, name=name, parameters="workflow, request, case" if cases else "workflow, request", then=then
    )
