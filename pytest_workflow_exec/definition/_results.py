"""`outputs:` of a workflow: what a run leaves when it has passed."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.model import Template

from ._names import value_name_problem
from ._problems import Where
from ._texts import Texts


def read_results(declared: Mapping[str, object], texts: Texts, *, into: dict[str, Template]) -> None:
    """Read what a workflow declares as outputs, after adding what is wrong with it.

    Args:
        declared: The texts by name.
        texts: Reads them behind all steps.
        into: Where they are put.
    """
    for name, text in declared.items():
        where: Where = ("outputs", name)
        problem = value_name_problem(name)
        if problem is not None:
            texts.problems.at_key(where, problem)
        elif isinstance(text, str):
            into[name] = texts.template(str(text), where)
