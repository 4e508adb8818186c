"""`when:`: what is a condition, what it means, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_workflow_exec.definition._conditions import ConditionError, parse_when
from pytest_workflow_exec.model import Comparison, Junction, Negation, Reference, Truth

KIND = Reference(scope="inputs", path=("kind",))
SECURITY = Reference(scope="steps", path=("facts", "security"))


def test_the_contracts_own_example() -> None:
    """A choice among texts, joined with a negated value of an earlier step."""
    when = parse_when("inputs.kind in ['minor', 'major'] and not steps.facts.security")

    assert when.condition == Junction(
        word="and",
        parts=(
            Comparison(left=KIND, comparator="in", right=("minor", "major")),
            Negation(part=Truth(operand=SECURITY)),
        ),
    )
    assert when.references == (KIND, SECURITY)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("inputs.kind == 'a' or inputs.kind == 'b' and true", "inputs.kind == 'a' or (inputs.kind == 'b' and true)"),
        ("not inputs.a or inputs.b", "(not inputs.a) or inputs.b"),
        ("not inputs.kind == 'a'", "not (inputs.kind == 'a')"),
        ("not not inputs.a", "inputs.a"),
        ("  inputs.a  ", "inputs.a"),
        ("inputs.n>=3", "inputs.n >= 3"),
        ('inputs.kind == "it\'s"', 'inputs.kind == "it\'s"'),
        ("inputs.kind not in ['a',]", "inputs.kind not in ['a']"),
    ],
)
def test_precedence_and_spelling(text: str, same: str) -> None:
    """`not` binds closest, then `and`, then `or`; spaces mean nothing."""
    assert parse_when(text).condition == parse_when(same).condition


def test_names_run_over_dashes() -> None:
    """A dash is part of a name, never a subtraction."""
    assert parse_when("steps.clean-tree.outcome == 'passed'").references == (
        Reference(scope="steps", path=("clean-tree", "outcome")),
    )


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "is empty"),
        ("inputs.kind = 'a'", "is no part of a condition; two values are compared with =="),
        ("${inputs.kind} == 'a'", "is no part of a condition; names are inputs.x or steps.id.key, without ${ and }"),
        ("inputs.a && inputs.b", "is no part of a condition; say and, or, not"),
        ("inputs.kind == minor", "put quotes around a text"),
        ("kind == 'minor'", "write inputs.kind"),
        ("inputs.a inputs.b", "is too much"),
        ("inputs.a and", "ends too early"),
        ("and inputs.a", "a value is missing"),
        ("(inputs.a", "is not closed"),
        ("inputs.a not 3", "write 'not in'"),
        ("inputs.a in ['x'", "','"),
        ("inputs.a in ['x' 'y']", "','"),
        ("inputs.a in [inputs.b]", "is no value"),
        ("len(inputs.a)", "a condition has none"),
        ("inputs.a + 1 == 2", "is no part of a condition; there is no arithmetic: let a step work it out"),
        ("__import__('os')", "'__import__(' would be a function; a condition has none"),
        ("inputs.a == 'x", "is no part of a condition"),
        ("vars", "is no value"),
        ("other.a", "unknown scope"),
        ("3.10.1 == 3", "is no part of a condition"),
        ("(" * 30 + "true" + ")" * 30, "nested deeper"),
        ("inputs.a and " * 200 + "true", "is longer than"),
    ],
)
def test_what_is_no_condition(text: str, fragment: str) -> None:
    """A function, arithmetic, a bare word or a missing part is an error that says what is wrong."""
    with pytest.raises(ConditionError) as caught:
        parse_when(text)

    assert fragment in str(caught.value)


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(["inputs.a", "and", "or", "not", "(", ")", "in", "[", "]", "'x'", "3", "==", ","]), max_size=12
    ).map(" ".join)
)
def test_any_text_is_a_condition_or_an_error(text: str) -> None:
    """No text makes the reader fail in any other way."""
    try:
        when = parse_when(text)
    except ConditionError:
        return
    assert all(reference.path for reference in when.references)
