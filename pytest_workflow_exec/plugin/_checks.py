"""Functions that check whether a step's effect is there: called by the engine, before pytest makes anything for the step."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.errors import CheckInDoubtError
from pytest_workflow_exec.model import Call
from pytest_workflow_exec.run import Run

from ._asynchronous import awaited
from ._keys import PLANNED
from ._load import load_function


def call_check(item: pytest.Item, run: Run, check: Call) -> object:
    """Return what the function of a step's check returns.

    Raises:
        AssertionError: It says that the effect is not there.
        CheckInDoubtError: It skips itself.
        OutputError: A value that it is given is not there.
    """
    from ._fixtures import handle_for, sandbox_for

    function = load_function(check)
    makers = {"workflow": handle_for, "sandbox": sandbox_for}
    asked = {name: makers[name](item) for name in check.fixtures}
    given = {name: run.values.argument_value(value) for name, value in check.arguments.items()}
    try:
        return awaited(function(**asked, **given))
    except pytest.fail.Exception as error:
        raise AssertionError(str(error)) from error
    except (pytest.skip.Exception, pytest.xfail.Exception) as error:
        why = f"{check.function} of {check.path.name} left itself out: {error}"
        raise CheckInDoubtError(step=item.stash[PLANNED].step.id, why=why) from error
