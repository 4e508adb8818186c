"""The pages that are made of what the product says are whole, and the table of settings is current."""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from types import ModuleType
from typing import Any

import pytest

import pytest_workflow_exec
from pytest_workflow_exec.cli._arguments import parser
from pytest_workflow_exec.definition import workflow_schema
from pytest_workflow_exec.settings import settings_schema

from ._published import ROOT

CONFIGURATION = ROOT / "docs" / "configuration.md"


@pytest.fixture(scope="module")
def made() -> ModuleType:
    """The module that makes the pages, as mkdocs loads it."""
    spec = importlib.util.spec_from_file_location("docs_reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_table_of_settings_is_current(made: ModuleType) -> None:
    """docs/configuration.md holds the table that the models give."""
    page = CONFIGURATION.read_text(encoding="utf-8")

    assert made.with_settings(page) == page, "run: python docs/reference.py"


def test_table_of_settings_is_complete() -> None:
    """Every key of every table of the configuration has one row, with what it says."""
    schema: Any = settings_schema()
    tables = {"File": schema, **schema["$defs"]}
    keys = sorted(key for table in tables.values() for key in table["properties"] if key != "policy")

    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \|", CONFIGURATION.read_text(encoding="utf-8"), flags=re.MULTILINE)
    settings = [row for row in rows if row[0].rsplit(".", 1)[-1] in keys]

    assert sorted(name.rsplit(".", 1)[-1] for name, _ in settings) == keys
    assert all(said.strip() for _, said in settings)


def test_page_of_keys_has_every_key(made: ModuleType) -> None:
    """Each key of each table of a workflow is there."""
    schema: Any = workflow_schema()
    page = made.workflow_page()

    for name, table in {"File": schema, **schema["$defs"]}.items():
        for key in table.get("properties", {}):
            assert f"| `{key}`" in page, f"{name}.{key}"


def test_page_of_options_has_every_option(made: ModuleType, pytestconfig: pytest.Config) -> None:
    """Each option that pytest has from the plugin is there, and says what it does."""
    page = made.options_page()
    names = [name for name in vars(pytestconfig.option) if name.startswith("workflow_")]

    assert names
    assert all(f"`--{name.replace('_', '-')}" in page for name in names)
    assert "| . |" not in page


def test_page_of_commands_has_every_command(made: ModuleType) -> None:
    """Each command of the tool is there."""
    page = made.commands_page()
    [commands] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]

    assert commands.choices
    assert all(f"## workflow-exec {name}\n" in page for name in commands.choices)


def test_page_of_names_has_every_public_name(made: ModuleType) -> None:
    """Each name that a workflow may import is there, with its docstring."""
    page = made.python_page()

    assert all(f"## {name}\n" in page for name in pytest_workflow_exec.__all__)
    assert "### sandbox.run\n" in page
    assert "### workflow.context\n" in page
