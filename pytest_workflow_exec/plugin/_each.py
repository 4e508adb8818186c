"""`@each` for pytest: the function is parametrized with the values of its list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_workflow_exec.definition import each_of

from ._keys import LISTS


def parametrize_each(metafunc: pytest.Metafunc) -> None:
    """Make a case of each value, or combination of values, that the function's `@each` lists, if it is a step of a workflow."""
    each = each_of(metafunc.function)
    module = None if each is None else metafunc.definition.getparent(pytest.Module)
    if module is None or each is None or LISTS not in module.stash:
        return
    lists = module.stash[LISTS]
    filled = each.lists.keys() & set(_parametrized(metafunc))
    for name in sorted(filled):
        lists.refuse(each, name, "parametrize fills this parameter already")
    if not filled and (cases := lists.cases(each)):
        values = [tuple(case.each.values()) for case in cases]
        metafunc.parametrize(tuple(each.lists), values, ids=[case.name for case in cases])


def _parametrized(metafunc: pytest.Metafunc) -> Iterator[str]:
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        yield from (name.strip() for name in (names.split(",") if isinstance(names, str) else names))
