"""Runs whose pages are looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.events import Actor, Event
from pytest_workflow_exec.model import Outcome
from tests.evidence._logs import begun, ended, finished, started

HOSTILE = (
    "<script>pwned=1</script>",
    "</script><script>pwned=1</script>",
    "<img src=x onerror=pwned=1>",
    '" onmouseover=pwned=1 x="',
    "' autofocus onfocus='pwned=1",
    "<svg onload=pwned=1>",
    "javascript:pwned=1",
    "</title></style></template></details><iframe src=//example.org>",
    "<!--<script>pwned=1",
    "&lt;img src=x onerror=pwned=1&gt;",
    "{{ 7 * 7 }}{% raw %}${pwned=1}",
    "<link rel=stylesheet href=//example.org/x.css><base href=//example.org>",
    "\u202egnp.exe\u2066 \x1b[31m\x00\ufeff",
)


def hostile_run(*, steps: int) -> Iterator[Event]:
    """Give a run in which every text is hostile."""
    names = [f"{HOSTILE[number % len(HOSTILE)]} {number}" for number in range(steps)]
    text = " ".join(HOSTILE)
    who = Actor(kind="human", id=text)
    start = started(names)
    plan = dict(start.data["plan"]) if isinstance(start.data["plan"], dict) else {}
    plan["steps"] = [{"id": name, "kind": text, "name": f"{text} {name}", "digest": text} for name in names]
    told: dict[str, Json] = {text: [text, {text: text}]}
    facts: dict[str, Json] = {
        "workflow": text, "plan": plan, "plan_digest": digest_of(plan), "inputs": told, "file": text,
        "policy": told, "repository": told, "starter": {"user": text, "host": text}, "versions": told,
    }  # fmt: skip
    yield dataclasses.replace(start, data={**start.data, **facts})
    for number, name in enumerate(names):
        # All of it together only for the first ones, so that the log stays small.
        text = " ".join(HOSTILE) if number < len(HOSTILE) else HOSTILE[number % len(HOSTILE)]
        told = {text: [text, {text: text}]}
        yield begun(name)
        command: dict[str, Json] = {
            "argv": [text, text], "program": text, "rule": text, "cwd": text, "level": text, "secrets": [text],
        }  # fmt: skip
        yield events.command_started(name, attempt=1, facts=command)
        end: dict[str, Json] = {**command, "exit": None, "signal": text, "stdout": text, "stderr": text, "error": text}
        yield events.command_finished(name, attempt=1, facts=end)
        yield events.command_refused(name, attempt=1, argv=[text], reason=text)
        request: dict[str, Json] = {"author_words": [{"source": text, "text": text}], "covers": [told], text: text}
        yield events.gate_requested(name, attempt=1, request=request, digest=text)
        yield events.gate_decided(
            name, attempt=1, decision="rejected", reason=text, approver=who, channel=text, terminal=text, assurance=1,
            digest=text, answers=told, proof=told,
        )  # fmt: skip
        asked: dict[str, Json] = {"number": 1, "model": text, "system": text, "prompt": text, "schema": told, "x": told}
        yield events.ai_request(name, attempt=1, facts=asked)
        yield events.ai_response(name, attempt=1, facts={"number": 1, "outcome": text, "value": told, "error": text})
        for kind in ("ai.tool", "ai.turn", "ai.reply"):
            yield Event(type=kind, step=name, attempt=1, actor=who, data=told)
        yield Event(type="manual.attested", step=name, attempt=1, actor=who, data=told)
        yield Event(type="something.else", step=name, attempt=1, actor=who, data=told)
        yield ended(
            name, Outcome.FAILED, outputs=told, files={text: {"path": text}}, message=text, waits_for=text, used=[text]
        )
    yield Event(type="note", actor=who, data={"text": text})
    yield finished("failed", outputs=told, outputs_problem=text)


def failed_run(*, blocked: int) -> Iterator[Event]:
    """Give a run whose first step failed, for long words, and blocked all others."""
    late = [f"late-{number}" for number in range(blocked)]
    yield started(["bad", *late])
    yield begun("bad")
    words = f"the words of <b>nobody</b>\n{'and more ' * 100}"
    yield ended("bad", Outcome.FAILED, message=words, error_class="business")
    for name in late:
        yield ended(name, Outcome.BLOCKED, message="waits for bad (failed)", waits_for="bad", duration_s=0.0)
    yield finished("failed")


def plain_run(*, steps: int) -> Iterator[Event]:
    """Give a run of many steps, of which the second failed and the third was blocked."""
    names = [f"step-{number}" for number in range(steps)]
    yield started(names)
    for number, name in enumerate(names):
        if number == 2:
            yield ended(name, Outcome.BLOCKED, message="waits for step-1 (failed)", waits_for="step-1", duration_s=0.0)
            continue
        yield begun(name)
        argv: dict[str, Json] = {"argv": ["make", f"target-{number}"]}
        yield events.command_started(name, attempt=1, facts=argv)
        yield events.command_finished(name, attempt=1, facts={**argv, "exit": 0, "stdout": f"made <{number}> & more\n"})
        if number == 1:
            yield ended(name, Outcome.FAILED, message="it did not work", error_class="business")
        else:
            yield ended(name, outputs={"stdout": f"made {number}"})
    yield finished("failed", not_satisfied=["step-1", "step-2"])
