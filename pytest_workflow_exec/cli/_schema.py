"""`workflow-exec schema`: the JSON Schema of workflow files, or of the configuration, for editors and checks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

from pytest_workflow_exec.definition import workflow_schema
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.settings import settings_schema


def schema(arguments: argparse.Namespace) -> int:
    """Print a schema; return 0."""
    made = settings_schema() if arguments.policy else workflow_schema(fragment=arguments.fragment)
    sys.stdout.write(spelled(made))
    return 0


def spelled(made: Mapping[str, Json]) -> str:
    """Return a schema as it is printed and kept in files."""
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
