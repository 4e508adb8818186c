"""What is handed out to workers."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.plugin._workers._units import Unit, units_of

STEPS = ["wf/a.workflow.yaml::one", "wf/a.workflow.yaml::two"]


def test_a_workflow_is_one_unit_before_the_tests_of_each_file() -> None:
    """All steps of a workflow stand in one unit, in order, and so do the tests of each other file."""
    collection = ["tests/test_x.py::test_a", STEPS[0], STEPS[1], "tests/test_x.py::test_b", "tests/test_y.py::test_c"]

    units = units_of(collection, {"wf/a.workflow.yaml": STEPS})

    assert units == [
        Unit(name="wf/a.workflow.yaml", items=(1, 2), is_workflow=True),
        Unit(name="tests/test_x.py", items=(0, 3), is_workflow=False),
        Unit(name="tests/test_y.py", items=(4,), is_workflow=False),
    ]


def test_the_name_of_a_group_does_not_hide_a_step() -> None:
    """`--dist loadgroup` ends node ids with a group's name; the steps are the same."""
    [unit] = units_of([STEPS[0], f"{STEPS[1]}@heavy"], {"wf/a.workflow.yaml": STEPS})

    assert unit.items == (0, 1)


@pytest.mark.parametrize(
    "collection",
    [
        STEPS[:1],
        STEPS[1:],
        STEPS[::-1],
        [*STEPS, STEPS[1]],
        [STEPS[0], "wf/a.workflow.yaml::other"],
        [STEPS[0], f"{STEPS[1]}-more"],
        [],
    ],
)
def test_other_steps_than_those_of_the_plan_are_refused(collection: list[str]) -> None:
    """Missing, doubled, renamed and reordered steps are no unit."""
    with pytest.raises(ValueError, match=r"other steps of wf/a\.workflow\.yaml"):
        units_of(collection, {"wf/a.workflow.yaml": STEPS})
