"""Reading workflows, in YAML and in Python, into the model, and giving their inputs values."""

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
from ._input_file import input_file
from ._json_paths import JsonPathError, parse_json_path
from ._judged import given_value
from ._known import Given
from ._listing import Listed, list_workflows
from ._names import is_fragment, is_workflow_file
from ._options import EachOptions, GateOptions, StepOptions, each_of
from ._published import workflow_schema
from ._python_cases import EachLists
from ._python_steps import DeclaredFunction
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
    "Fragment",
    "GateOptions",
    "Given",
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
