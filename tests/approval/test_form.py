"""Fields that a person fills in, at real pseudo-terminals with a real process."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.approval import FormField, ask, render

from ._fills import REQUEST
from ._samples import sample_request
from .conftest import Terminal


def _start(terminal: Terminal, kind: str) -> None:
    python = shlex.quote(sys.executable)
    terminal.start(script=f'exec {python} -m tests.approval._fills "{terminal.folder}" {kind}; : {{}}')


def _said(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "answers.json").read_text()))


def test_fields_are_asked_one_by_one_until_they_are_right(terminal: Terminal, plain: Callable[[str], str]) -> None:
    """Each field says its name and what is allowed; a bad value asks again, and an empty one is the default."""
    _start(terminal, "gate")
    facts = plain(terminal.see(f"Type {REQUEST.code} to approve, or reject to stop: "))
    terminal.type(REQUEST.code)
    introduced = plain(terminal.see("ticket = "))
    terminal.type("REL-x")
    refused = terminal.see("ticket = ")
    terminal.type("REL-7")
    terminal.see("severity: one of minor, major; empty for minor")
    terminal.see("severity = ")
    terminal.type("")
    terminal.see("hosts = ")
    terminal.type("web1, web2")
    closing = terminal.end()

    assert "You fill in" in facts
    assert r"ticket: a text that matches REL-\d+ as a whole" in introduced
    # Words of the author stand behind their mark and do nothing to the terminal.
    assert r"| Of the\x1b[2J release" in introduced
    assert "| Type ABCD-EFGH to approve" in introduced
    assert r"ticket is 'REL-x', which does not match REL-\d+. 4 tries are left." in refused
    assert "Approved." in closing
    said = _said(terminal.folder)
    assert said["decision"] == "approved"
    assert said["answers"] == {"ticket": "REL-7", "severity": "minor", "hosts": ["web1", "web2"]}


@pytest.mark.parametrize("how", ["five", "end"])
@pytest.mark.parametrize("kind", ["gate", "manual"])
def test_a_form_that_is_not_filled_in_is_no_answer(terminal: Terminal, kind: str, how: str) -> None:
    """After five values that are not allowed, or the end of input, nothing is approved, and nothing was done."""
    _start(terminal, kind)
    terminal.see(f"Type {REQUEST.code} to approve, or reject to stop: " if kind == "gate" else "failed or note: ")
    terminal.type(REQUEST.code if kind == "gate" else "done")
    for answer in ["", "no", "x" * 1001, "REL-", "\x1b"] if how == "five" else ["no"]:
        terminal.see("ticket = ")
        terminal.type(answer)
    if how == "end":
        terminal.see("ticket = ")
        terminal.press("d")
    terminal.end()

    said = _said(terminal.folder)
    assert said.get("decision", said.get("result")) == ("denied" if kind == "gate" else "unanswered")
    assert ("five answers to field 'ticket'" if how == "five" else "end of input at field 'ticket'") in said["reason"]
    assert said["answers"] == {}


def test_a_form_that_nobody_judges_is_not_asked() -> None:
    """Without something that judges the answers, a gate with a form is refused before anybody is asked."""
    decision = ask(REQUEST, timeout_s=1)

    assert decision.decision == "denied"
    assert decision.answers == {}


def test_a_form_is_part_of_the_question() -> None:
    """The code is another one with another form, and without a form the question is what it was."""
    other = sample_request(form=(FormField(name="ticket", pattern="x"),))

    assert other.code != REQUEST.code
    assert "form" not in sample_request().to_data()
    assert "You fill in" not in render(sample_request(), width=80, color=False)
