"""Reading workflows, in YAML and in Python, into the model, and giving their inputs values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lazy_exports import exporter

if TYPE_CHECKING:
    from ._capture import NOTHING, Captured, capture_returns, return_annotation, track
    from ._decorators import (
        Fragment,
        Workflow,
        WorkflowDeclaration,
        activate,
        deactivate,
        gate,
        options_of,
        plugin_active,
        step,
    )
    from ._each import each
    from ._include import IncludeOptions, include
    from ._input_file import input_file
    from ._json_paths import JsonPathError, parse_json_path
    from ._judged import given_value
    from ._known import Given
    from ._listing import Listed, list_workflows
    from ._names import is_fragment, is_workflow_file
    from ._options import EachOptions, GateOptions, StepOptions, each_of
    from ._published import workflow_schema
    from ._python_cases import EachLists
    from ._python_steps import DeclaredFunction, Entry
    from ._python_workflow import python_workflow
    from ._resolve import Inputs, inputs_at_hand, resolve_inputs
    from ._source_checks import check_python_source
    from ._values import ValueProblemError, read_value, value_of_type
    from ._yaml_workflow import read_yaml_workflow

__all__ = [
    "NOTHING",
    "Captured",
    "DeclaredFunction",
    "EachLists",
    "EachOptions",
    "Entry",
    "Fragment",
    "GateOptions",
    "Given",
    "IncludeOptions",
    "Inputs",
    "JsonPathError",
    "Listed",
    "StepOptions",
    "ValueProblemError",
    "Workflow",
    "WorkflowDeclaration",
    "activate",
    "capture_returns",
    "check_python_source",
    "deactivate",
    "each",
    "each_of",
    "gate",
    "given_value",
    "include",
    "input_file",
    "inputs_at_hand",
    "is_fragment",
    "is_workflow_file",
    "list_workflows",
    "options_of",
    "parse_json_path",
    "plugin_active",
    "python_workflow",
    "read_value",
    "read_yaml_workflow",
    "resolve_inputs",
    "return_annotation",
    "step",
    "track",
    "value_of_type",
    "workflow_schema",
]

__getattr__ = exporter(
    __name__,
    {
        "_capture": "NOTHING Captured capture_returns return_annotation track",
        "_decorators": "Fragment Workflow WorkflowDeclaration activate deactivate gate options_of plugin_active step",
        "_each": "each",
        "_include": "IncludeOptions include",
        "_input_file": "input_file",
        "_json_paths": "JsonPathError parse_json_path",
        "_judged": "given_value",
        "_known": "Given",
        "_listing": "Listed list_workflows",
        "_names": "is_fragment is_workflow_file",
        "_options": "EachOptions GateOptions StepOptions each_of",
        "_published": "workflow_schema",
        "_python_cases": "EachLists",
        "_python_steps": "DeclaredFunction Entry",
        "_python_workflow": "python_workflow",
        "_resolve": "Inputs inputs_at_hand resolve_inputs",
        "_source_checks": "check_python_source",
        "_values": "ValueProblemError read_value value_of_type",
        "_yaml_workflow": "read_yaml_workflow",
    },
)
