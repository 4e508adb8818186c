"""The JSON Schema of the configuration: current, explained, and as strict as what reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft202012Validator

from pytest_workflow_exec.errors import SettingsError
from pytest_workflow_exec.settings import load_file, settings_schema
from tests._published import CONFIGURATION, ROOT, fenced

BROKEN = {
    "an unknown table": "[polcy]\n",
    "an unknown key": "[policy]\ncommand_list = []\n",
    "a text as rules": '[policy]\ncommands = "git"\n',
    "an empty rule": '[policy]\ncommands = [""]\n',
    "an unknown sandbox": '[policy]\nsandbox = "some"\n',
    "no truth value": '[[policy.command]]\nrule = "git"\nhome = "yes"\n',
    "an assurance that there is not": '[[policy.command]]\nrule = "git"\ngated = {assurance = 4}\n',
    "a text as a list": '[[policy.command]]\nrule = "git"\nwrite = "dist"\n',
    "an unknown durability": 'durability = "none"\n',
    "a notification of nothing": '[[notify]]\ncommand = ["tell"]\non = []\n',
    "a notification of what there is not": '[[notify]]\ncommand = ["tell"]\non = ["approved"]\n',
    "a notification by nothing": '[[notify]]\ncommand = []\non = ["finished"]\n',
    "a notification by a text": '[[notify]]\ncommand = "tell"\non = ["finished"]\n',
    "a size without a unit": '[policy]\nlimits = {memory = "4"}\n',
    "a number as size": "[policy]\nlimits = {memory = 4}\n",
    "no processes": "[policy]\nlimits = {processes = 0}\n",
    "a secret's text": '[policy.secrets]\nA = "~/a"\n',
    "a secret with an unknown key": '[policy.secrets]\nA = {path = "~/a"}\n',
    "a secret in an empty file": '[policy.secrets]\nA = {file = ""}\n',
    "a group without people": "[policy.approvers]\npmc = []\n",
}
GOOD = {
    "nothing": "",
    "short": '[policy]\ncommands = ["git status"]\nsandbox = "none"\n',
    "a table": '[[policy.command]]\nprogram = "git"\nsubcommand = "log"\narguments = ["a"]\nallow = ["git log a", ["git", "log", "a"]]\n',
    "programs": '[[policy.command]]\nrule = "make"\nexec = "none"\nwrite = ["dist"]\n',
    "of one workflow": '[policy.workflows.release]\ncommands = ["git push"]\n',
    "all at the top": 'durability = "process"\nfilesystem = "any"\nretention = "30d"\n',
    "notifications": '[[notify]]\ncommand = ["tell", "--all"]\non = ["gate.requested", "suspended", "denied", "finished"]\n',
    "secrets": '[policy.secrets]\nA = {file = "~/a"}\nB = {keyring = "pypi", user = "me"}\n',
    "limits": '[policy]\nlimits = {memory = "4GiB", cpu = "1h30m", processes = 4, files = 64, file_size = "none"}\n',
    "groups": '[policy]\nsigners = "keys"\n[policy.approvers]\npmc = ["a@example.org"]\n',
}


def _valid(text: str) -> bool:
    return bool(Draft202012Validator(dict(settings_schema())).is_valid(tomli.loads(text)))


def test_published_schema_is_that_of_the_models() -> None:
    """What is checked in is what the models say now."""
    assert json.loads(CONFIGURATION.read_text(encoding="utf-8")) == settings_schema(), (
        "run: workflow-exec schema --policy > schema/workflow-exec.schema.json"
    )


def test_every_key_is_explained() -> None:
    """An editor has something to show for each key, and no text is left of a key that is gone."""
    from pytest_workflow_exec.settings._key_texts import KEY_TEXTS

    schema: Any = settings_schema()
    tables = {"File": schema, **schema["$defs"]}

    assert {name: set(table["properties"]) for name, table in tables.items()} == {
        name: set(texts) for name, texts in KEY_TEXTS.items()
    } | {"Policy": set(KEY_TEXTS["Policy"])}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_is_read_is_allowed(tmp_path: Path, text: str) -> None:
    """The schema never complains of what works."""
    (tmp_path / "workflow-exec.toml").write_text(text)
    load_file(tmp_path / "workflow-exec.toml")

    assert _valid(text)


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_mistakes_of_shape_are_refused(tmp_path: Path, text: str) -> None:
    """What is wrong by itself is wrong for both."""
    (tmp_path / "workflow-exec.toml").write_text(text)

    assert not _valid(text)
    with pytest.raises(SettingsError):
        load_file(tmp_path / "workflow-exec.toml")


def test_documented_configurations_fit() -> None:
    """Each configuration in the README and the documentation is valid."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [block for page in pages for block in fenced(page, "toml") if "[policy" in block]

    assert found
    assert all(_valid(block) for block in found)
