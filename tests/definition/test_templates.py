"""Rules of texts with references."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.definition._templates import TemplateError, parse_template
from pytest_workflow_exec.model import Reference

VERSION = Reference(scope="inputs", path=("version",))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain $ text $x {y} $$", ("plain $ text $x {y} $$",)),
        ("${inputs.version}", (VERSION,)),
        ("v${inputs.version}!", ("v", VERSION, "!")),
        ("${inputs.version}${inputs.version}", (VERSION, VERSION)),
        ("$${inputs.version}", ("${inputs.version}",)),
        ("a$${b}${inputs.version}", ("a${b}", VERSION)),
        ("$$${inputs.version}", ("$${inputs.version}",)),
        ("${steps.a-b_1.C}", (Reference(scope="steps", path=("a-b_1", "C")),)),
    ],
)
def test_text_is_cut_into_literals_and_references(text: str, parts: tuple[str | Reference, ...]) -> None:
    """References are found, `$${` is the two characters themselves, and everything else stays as it is."""
    template = parse_template(text)

    assert template.parts == parts
    assert template.text == text


@pytest.mark.parametrize(
    "text",
    ["${", "${inputs.x", "${}", "${ inputs.x }", "${inputs..x}", "${.x}", "${inputs.x.}", "${x}", "${inputs}",
     "${steps.a.${x}}", "${__import__('os')}", "${inputs.é}", "${inputs[0]}", "${inputs.x[y]}", "${steps.a[].x}", "${inputs.x[*]}"],
)  # fmt: skip
def test_what_starts_like_a_reference_must_be_one(text: str) -> None:
    """A malformed reference is never taken for plain text."""
    with pytest.raises(TemplateError):
        parse_template(text)
