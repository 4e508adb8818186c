"""Three-step flows under pytest's flags and its plugins: no body runs out of plan, no exit 0 on an incomplete plan.

What happened in each cell is also in `docs/order.md`. The whole matrix takes minutes; to run it and write the page anew:

    WORKFLOW_EXEC_MATRIX=whole WORKFLOW_EXEC_MATRIX_TABLE=docs/order.md pytest tests/plugin/test_matrix.py

With `-k`, and without `whole`, only the rows of what is run are written.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ._matrix import FLOWS, SELF_STARTING, WAYS, Flow, Way, planned_steps, source
from ._matrix_table import Cell, Row, read_rows, write_rows
from .conftest import Project, Session

WHOLE = os.environ.get("WORKFLOW_EXEC_MATRIX") == "whole"
WRITTEN = os.environ.get("WORKFLOW_EXEC_MATRIX_TABLE")
"""The page to write what is seen to; without it, it is compared with the page of the project."""
PAGE = Path(__file__).parents[2] / "docs" / "order.md"
CELLS = [Cell(flow, name) for name, way in WAYS.items() for flow in FLOWS if WHOLE or flow in way.quick]


@pytest.fixture(autouse=True)
def _every_plugin(project: Project) -> None:
    """Load what is installed into every session: that is what these tests are about."""
    project.neighbours = True


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[Cell, Row]]:
    """Collect the rows of this session, and write them to the page if that was asked for; others stay as they are."""
    seen: dict[Cell, Row] = {}
    yield seen
    if WRITTEN:
        page = Path(WRITTEN)
        write_rows(page, {**read_rows(page), **seen}, flows=FLOWS, ways=WAYS)


@pytest.mark.parametrize("cell", CELLS, ids=[f"{cell.flow}, {cell.way}" for cell in CELLS])
def test_no_flag_and_no_plugin_cuts_a_flow(project: Project, rows: dict[Cell, Row], cell: Cell) -> None:
    """No flag and no plugin runs a step out of plan, or turns an incomplete plan green; the page says what happens."""
    flow, way = FLOWS[cell.flow], WAYS[cell.way]
    if way.plugin and importlib.util.find_spec(way.plugin) is None:
        assert not WHOLE, f"{way.plugin} is not installed, and the whole matrix needs it: nox -s matrix"
        pytest.skip(f"{way.plugin} is not installed")
    project.write("wf/workflow_flow.py", source(flow, way))
    if way.remembers:
        run(project, way)
        forget(project)

    session = run(project, way)

    check(project, session, flow, way)
    rows[cell] = row = observed(project, session)
    assert WRITTEN or read_rows(PAGE)[cell] == row, session.text


def test_page_has_every_cell_and_no_other() -> None:
    """The page shows each flow with each flag and plugin of the matrix, and nothing that is no longer tried."""
    assert WRITTEN or list(read_rows(PAGE)) == [Cell(flow, way) for flow in FLOWS for way in WAYS]


def run(project: Project, way: Way) -> Session:
    """Run the flow; plugins that act without a flag are left out where they are not the subject."""
    idle = [name for name in SELF_STARTING.values() if name not in way.active]
    without = [argument for name in idle for argument in ("-p", f"no:{name}")]
    return project.pytest(*way.where, *way.flags, *without)


def forget(project: Project) -> None:
    """Move away what our own plugin remembers of the last session, and leave what pytest does."""
    if (project.root / ".workflow-exec").exists():
        (project.root / ".workflow-exec").rename(project.root / "earlier")
    (project.root / "ran").unlink(missing_ok=True)


def bodies(project: Project) -> list[str]:
    """Return the steps whose bodies ran, in that order."""
    path = project.root / "ran"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def observed(project: Project, session: Session) -> Row:
    """Return what happened, as the page shows it."""
    refusal = re.search(r"^ERROR: (.*(?<!:)$|.*:\n.*)$", session.text, flags=re.MULTILINE)
    if project.logs():
        said = ", ".join(project.outcomes().values())
    elif refusal is not None:
        said = " ".join(refusal.group(1).replace(f"{project.root}{os.sep}", "").split())
    else:
        said = "no step was to run"
    return Row(status=str(session.status), ran=", ".join(bodies(project)) or "none", said=said)


def check(project: Project, session: Session, flow: Flow, way: Way) -> None:
    """Check what must hold for every run, whatever became of it."""
    steps, ran = planned_steps(way), bodies(project)
    assert ran == list(steps[: len(ran)]), session.text
    if session.status == 0:
        # Without pytest's skipping plugin a skip mark says nothing, and every body runs.
        assert way.looks or flow.passes or (flow.mark and not way.honours_skips), session.text
        assert ran == ([] if way.looks else list(steps)), session.text
    if not project.logs():
        assert ran == [], session.text
        return
    outcomes = project.outcomes()
    ends = [record["step"] for record in project.of_type("step.finished")]
    assert ends == list(steps), session.text
    assert (session.status == 0) is (list(outcomes.values()) == ["passed"] * len(steps)), session.text
    for step, word in re.findall(r"^\[\d/\d\] (\S+) \.\.\. ([A-Z]+)", session.text, flags=re.MULTILINE):
        assert word == outcomes[step].upper(), session.text
