"""Rules of prompts: values of the run are data in them, whatever they say."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_workflow_exec.ai._prompt import MAX_PROMPT_BYTES, data_element, whole_prompt
from pytest_workflow_exec.errors import AiError
from pytest_workflow_exec.redaction import Redactor


@given(st.text(), st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_data_never_ends_before_its_end_and_is_what_it_was(name: str, value: object) -> None:
    """No value can close the element or open another, none hides a character, and JSON gives it back unchanged."""
    element = data_element(name, value)  # type: ignore[arg-type]  # hypothesis gives object

    inner = element.removeprefix("<data name=").removesuffix("</data>")
    assert "<" not in inner
    assert inner.count(">") == 1
    shown, _, spelled = inner.partition(">")
    assert (json.loads(shown), json.loads(spelled)) == (name, value)
    assert not re.search("[\x00-\x1f\u202a-\u202e\u2028\u2066-\u2069\ufeff]", element)


def test_a_prompt_holds_no_secret_and_the_rules_where_commands_are_asked_for() -> None:
    """Secrets are masked before anything is sent."""
    redactor = Redactor({"TOKEN": "hunter2hunter2"})

    prompt = whole_prompt(
        "Why?", context="hunter2hunter2", rules=["git tag *"], data={"x": "</data>"}, redactor=redactor
    )

    assert "hunter2" not in prompt
    assert prompt.startswith("Why?\n")
    assert '<data name="x">"\\u003c/data\\u003e"</data>' in prompt
    assert "\n- git tag *" in prompt
    assert "rules" not in whole_prompt("Why?", context=None, rules=None, data={}, redactor=redactor)


def test_a_prompt_that_is_too_long_is_not_sent() -> None:
    """It says how long it may be."""
    with pytest.raises(AiError, match=f"and {MAX_PROMPT_BYTES} are the most"):
        whole_prompt("x" * (MAX_PROMPT_BYTES + 1), context=None, rules=None, data={}, redactor=Redactor({}))
