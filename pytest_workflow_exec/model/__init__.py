"""The product's nouns as frozen values: workflows, their steps, texts with references, outcomes."""

from ._body import (
    ArgumentValue,
    Body,
    Call,
    Check,
    Command,
    Expectation,
    Function,
    Gate,
    JsonMatcher,
    Manual,
    Matcher,
    MatchOperator,
    OutputRule,
    OutputType,
    Pause,
    Verify,
)
from ._condition import Comparator, Comparison, Condition, Constant, Junction, Negation, Operand, Truth, When
from ._identity import Location, RunId, StepId
from ._input import DefaultFrom, InputSpec, InputType, InputValue
from ._outcome import Outcome
from ._text import CaseValue, EachReference, EveryReference, Reference, Template, case_text
from ._variables import VARIABLE_NAME, is_injection, variable_problem
from ._workflow import Step, Workflow

__all__ = [
    "VARIABLE_NAME",
    "ArgumentValue",
    "Body",
    "Call",
    "CaseValue",
    "Check",
    "Command",
    "Comparator",
    "Comparison",
    "Condition",
    "Constant",
    "DefaultFrom",
    "EachReference",
    "EveryReference",
    "Expectation",
    "Function",
    "Gate",
    "InputSpec",
    "InputType",
    "InputValue",
    "JsonMatcher",
    "Junction",
    "Location",
    "Manual",
    "MatchOperator",
    "Matcher",
    "Negation",
    "Operand",
    "Outcome",
    "OutputRule",
    "OutputType",
    "Pause",
    "Reference",
    "RunId",
    "Step",
    "StepId",
    "Template",
    "Truth",
    "Verify",
    "When",
    "Workflow",
    "case_text",
    "is_injection",
    "variable_problem",
]
