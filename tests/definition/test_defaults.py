"""Rules of `defaults:`: what steps say unless they say it themselves."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.model import Command, Gate

from ._samples import read

FLOW = """\
defaults: {timeout: 5m, idempotent: true, max_age: 7d, cwd: wf, env: {A: a, B: b}}
steps:
  - {id: plain, run: [git]}
  - {id: own, run: [git], timeout: 1m, idempotent: false, max_age: 1d, cwd: smoke, env: {B: mine, C: c}}
  - {id: call, call: "lib.deep:check"}
  - {id: verify, verify: ../smoke}
  - {id: ask, gate: Go?}
"""


def test_step_takes_what_it_does_not_say(project: Path) -> None:
    """A step has the defaults of its workflow, its own word goes before them, and variables are joined by name."""
    plain, own, *_ = read(project, FLOW).steps

    assert (plain.timeout_s, plain.idempotent, plain.max_age_s) == (300.0, True, 7 * 86400.0)
    assert (own.timeout_s, own.idempotent, own.max_age_s) == (60.0, False, 86400.0)
    assert isinstance(plain.body, Command)
    assert isinstance(own.body, Command)
    assert plain.body.cwd is not None
    assert own.body.cwd is not None
    assert (plain.body.cwd.text, own.body.cwd.text) == ("wf", "smoke")
    assert {name: text.text for name, text in plain.body.env.items()} == {"A": "a", "B": "b"}
    assert {name: text.text for name, text in own.body.env.items()} == {"A": "a", "B": "mine", "C": "c"}


def test_defaults_are_for_steps_that_can_have_them(project: Path) -> None:
    """Functions and tests take times and ages, not folders and variables; a gate takes nothing, least of all a timeout."""
    _, _, call, verify, ask = read(project, FLOW).steps

    assert [(step.timeout_s, step.idempotent) for step in (call, verify)] == [(300.0, True)] * 2
    assert isinstance(ask.body, Gate)
    assert (ask.timeout_s, ask.body.timeout_s, ask.idempotent, ask.max_age_s) == (None, 3600.0, False, None)


def test_default_is_part_of_each_steps_digest(project: Path) -> None:
    """A step whose default changed is another step, as if it said so itself; one that says it itself is not."""
    before = read(project, FLOW).steps
    after = read(project, FLOW.replace("timeout: 5m", "timeout: 6m")).steps

    changed = [step.id for step, old in zip(after, before, strict=True) if step.digest != old.digest]

    assert changed == ["plain", "call", "verify"]
    written = read(project, "steps:\n  - {id: plain, run: [git], timeout: 5m}\n").steps
    default = read(project, "defaults: {timeout: 5m}\nsteps:\n  - {id: plain, run: [git]}\n").steps
    assert written[0].digest == default[0].digest
