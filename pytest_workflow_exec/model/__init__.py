"""The product's nouns as frozen values: workflows, their steps, texts with references, outcomes."""

from ._body import (
    ArgumentValue,
    Body,
    Call,
    Command,
    Expectation,
    Function,
    Gate,
    Manual,
    Matcher,
    MatchOperator,
    OutputRule,
    Pause,
    Verify,
)
from ._condition import Comparator, Comparison, Condition, Constant, Junction, Negation, Operand, Truth, When
from ._identity import Location, RunId, StepId
from ._input import DefaultFrom, InputSpec, InputType, InputValue
from ._outcome import Outcome
from ._text import CaseValue, EachReference, Reference, Template, case_text
from ._workflow import Step, Workflow

__all__ = [
    "ArgumentValue",
    "Body",
    "Call",
    "CaseValue",
    "Command",
    "Comparator",
    "Comparison",
    "Condition",
    "Constant",
    "DefaultFrom",
    "EachReference",
    "Expectation",
    "Function",
    "Gate",
    "InputSpec",
    "InputType",
    "InputValue",
    "Junction",
    "Location",
    "Manual",
    "MatchOperator",
    "Matcher",
    "Negation",
    "Operand",
    "Outcome",
    "OutputRule",
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
]
