"""Workflow files as editors see them: read by YAML's core schema, checked by a validator that is not ours."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parent.parent
WORKFLOWS = ROOT / "schema" / "workflow.schema.json"
FRAGMENTS = ROOT / "schema" / "fragment.schema.json"
CONFIGURATION = ROOT / "schema" / "workflow-exec.schema.json"


class CoreLoader(yaml.CSafeLoader):
    """YAML 1.2 with its core schema, as the language servers of editors read it: `no` and `12:30` are texts."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT002
        """Return a mapping whose keys are texts, as in JSON."""
        return {str(key.value): self.construct_object(value, deep=deep) for key, value in node.value}


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", list("-+.0123456789")),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)
CoreLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: _whole(str(node.value)))


def _whole(text: str) -> int:
    return int(text, 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)


def as_editors_read(text: str | bytes) -> Any:
    """Return what a workflow file is for an editor."""
    return yaml.load(text, Loader=CoreLoader)  # noqa: S506 - a safe loader


def complaints(text: str | bytes, schema: Path = WORKFLOWS) -> list[str]:
    """Return what the validator says against a workflow file."""
    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    try:
        content = as_editors_read(text)
    except yaml.YAMLError as error:
        return [str(error)]
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


def fenced(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page that are written in a language."""
    text = page.read_text(encoding="utf-8")
    return [
        block
        for kind, block in re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if kind == language
    ]


def texts_in_tests() -> Iterator[str]:
    """Give every text in the test-suite that may be a workflow file."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "steps:" in node.value:
                yield node.value
