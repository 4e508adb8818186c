"""Rules of the two frames: every fact is there, and words can't pass for facts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from pytest_workflow_exec.approval import AuthorWords, Covered, ShownOutput, WordsSource, render

from ._samples import sample_request

WORDS_TITLE = "Words of the author or a model, not checked"
HOSTILE = """Harmless.
\x1b[2J\x1b[H
== Facts, by the engine alone ====================
Workflow        harmless
Policy digest   0000
  2. nothing (run): []
-- question
================================================================================

Type AAAA-AAAA to approve, or reject to stop: \r Approved.\x1b[8m
"""
FACTS = {
    "run": "0192f0c1-7e1a-7cc0-8a4e-2f5d5a0c1b2e",
    "workflow": "release",
    "plan": "1a" * 32,
    "step": "approve, attempt 3",
    "covered command": "1. publish (run): ['twine', 'upload', 'dist/demo-1.2.3.whl']",
    "covered function": "2. announce (call): function tell of checks.py",
    "on reject": "1. cleanup (run): ['git', 'worktree', 'prune']",
    "output": 'build.wheel = "dist/demo-1.2.3.whl"',
    "file": "file outputs/demo-1.2.3.whl, 48213 bytes",
    "file digest": f"sha256 {'2b' * 32} of the file",
    "value": "changelog.entries = 17",
    "value digest": "sha256 4523540f1504cd17100c4835e85b7eefd49911580f8efff0599a8f283be6b9e3 of the value",
    "text input": 'version = "1.2.3"',
    "list input": 'hosts = ["web1", "web2"]',
    "commit": f"{'3c' * 20}, DIRTY",
    "user": 'user = "alice"',
    "uid": "uid = 1000",
    "host": 'host = "build-host"',
    "policy": "4d" * 32,
    "pin": "policy unpinned",
    "signers": "none yet",
    "level": "none: commands are not confined",
    "carried": "clean-tree",
    "carried too": "smoke",
    "evidence": f"record 41, {'5e' * 32}",
    "meaning": "responsibility",
    "ref": "REL-1",
    "ref too": "REL-2",
    "nonce": "6f" * 16,
    "issued": "2026-01-02T03:04:05Z",
    "expires": "2999-01-02T03:04:05Z",
    "request": sample_request().digest,
}


def plain(screen: str) -> str:
    """Return a screen without colors."""
    return re.sub(r"\x1b\[[0-9;]*m", "", screen)


def squeezed(text: str) -> str:
    """Return a text without its layout."""
    return re.sub(r"\s", "", text)


def facts_frame(screen: str) -> str:
    """Return what stands above the frame of words."""
    lines = plain(screen).split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith(("== Words of", "══ Words of"))]
    assert len(starts) == 1
    return "\n".join(lines[: starts[0]])


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("fact", FACTS)
def test_every_fact_is_shown(fact: str, width: int, *, color: bool) -> None:
    """Every fact stands above the words, whole, at any width."""
    # when
    screen = render(sample_request(), width=width, color=color)

    # then
    assert squeezed(FACTS[fact]) in squeezed(facts_frame(screen))


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int, *, color: bool) -> None:
    """The engine breaks lines itself, because what the terminal continues would stand without its prefix."""
    # given
    words = AuthorWords(source="model", text="世界" * 300 + "x" * 900 + " word" * 200)
    request = sample_request(author_words=(words,), inputs={"name": "世界" * 100}, level="x" * 500)

    # when
    lines = plain(render(request, width=width, color=color)).split("\n")

    # then
    assert max(_columns(line) for line in lines) <= width


def _columns(line: str) -> int:
    return sum(2 if "\u3000" <= character <= "\u9fff" else 1 for character in line)


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("source", ["question", "description", "@gate", "model"])
def test_words_can_not_pass_for_facts(source: WordsSource, width: int, *, color: bool) -> None:
    """Every line of hostile words has the prefix of words, and no line without it says anything of theirs."""
    # given
    bar = "│ " if color else "| "
    harmless = sample_request(author_words=(AuthorWords(source=source, text="Fine."),))
    hostile = replace(harmless, author_words=(AuthorWords(source=source, text=HOSTILE),))

    # when
    screen = plain(render(hostile, width=width, color=color))
    lines = screen.split("\n")

    # then
    unmarked = [line for line in lines if not line.startswith(bar)]
    expected = [
        line for line in plain(render(harmless, width=width, color=color)).split("\n") if not line.startswith(bar)
    ]
    assert [_without_digest(line) for line in unmarked] == [_without_digest(line) for line in expected]
    assert squeezed("Type AAAA-AAAA to approve") in squeezed(screen.replace("\n" + bar, ""))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", screen)


def _without_digest(line: str) -> str:
    # The digest of the request covers its words too, so that it alone differs.
    return re.sub(r"[0-9a-f]{8,}", "#", line)


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize(
    "changes",
    [
        {"workflow": HOSTILE},
        {"inputs": {"version": HOSTILE}},
        {"inputs": {HOSTILE: "1.2.3"}},
        {"starter": {"user": HOSTILE}},
        {"shown": (ShownOutput(step="build", key=HOSTILE, value=HOSTILE),)},
        {"covers": (Covered(step="publish", kind="run", does=HOSTILE),)},
        {"carried": (HOSTILE,)},
        {"refs": (HOSTILE,)},
        {"meaning": HOSTILE},
    ],
    ids="-".join,
)
def test_values_can_not_pass_for_labels(changes: dict[str, Any], width: int) -> None:
    """The value of a fact acts on nothing and starts no line: only the engine's labels stand at the margin."""
    # given
    labels = _margin(render(sample_request(), width=width, color=False))

    # when
    screen = render(sample_request(**changes), width=width, color=False)

    # then
    assert _margin(screen) == labels
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", screen)


def _margin(screen: str) -> list[str]:
    return [line[:16].rstrip() for line in facts_frame(screen).split("\n") if line[:1].strip()]


def test_every_line_of_words_is_marked() -> None:
    """A question of several lines, one of them empty, is shown line by line behind its prefix."""
    # given
    request = sample_request(author_words=(AuthorWords(source="question", text="One.\n\nThree.\n"),))

    # when
    screen = render(request, width=80, color=False)

    # then
    assert "\n-- question\n| One.\n| \n| Three.\n====" in screen


@pytest.mark.parametrize(
    ("text", "mark"), [("\n" * 3000 + "x", "more lines, show 1]"), ("x" * 90_000, "1124 more lines, show 1]")]
)
def test_words_are_bounded(text: str, mark: str) -> None:
    """Words can't push the facts out of sight: they are cut, and a mark says so."""
    # given
    request = sample_request(author_words=(AuthorWords(source="model", text=text),))

    # when
    words = render(request, width=80, color=False).split(WORDS_TITLE)[1]

    # then
    assert len(words.split("\n")) < 70
    assert mark in words


def test_commands_are_never_cut() -> None:
    """A command that an approval lets run is shown to its last character, however long it is."""
    # given
    does = "['echo', '" + "x" * 50_000 + "', 'the end']"

    # when
    screen = render(sample_request(covers=(Covered(step="say", kind="run", does=does),)), width=80, color=False)

    # then
    assert squeezed(does) in squeezed(screen)


def test_long_value_is_cut_with_its_digest() -> None:
    """A value too long to be read is cut, and its digest stands for the rest."""
    # given
    request = sample_request(inputs={"text": "x" * 5000})

    # when
    facts = squeezed(facts_frame(render(request, width=80, color=False)))

    # then
    assert squeezed("[... 4402 more characters, show 1], sha256") in facts


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"dirty": False}, f"Commit          {'3c' * 20}, clean"),
        ({"dirty": None}, f"Commit          {'3c' * 20}, not known"),
        ({"commit": None}, "Commit          none: not under version control"),
        ({"covers": ()}, "If you approve  nothing runs"),
        ({"on_reject": ()}, "If you reject   nothing runs"),
        ({"shown": ()}, "Outputs shown   none"),
        ({"inputs": {}}, "Inputs          none"),
        ({"carried": ()}, "Carried steps   none"),
        ({"refs": ()}, "References      none"),
        ({"starter": {}}, "Started by      none yet"),
        ({"signers": ""}, "Signers         none yet"),
        ({"policy_digest": ""}, "Policy digest   none yet"),
        ({"evidence_head": ""}, "Evidence head   record 41, none yet"),
        ({"pin": ""}, "Pin             policy unpinned"),
        ({"level": "landlock"}, "Sandbox level   landlock"),
    ],
)
def test_what_is_not_there_is_said(changes: dict[str, Any], shown: str) -> None:
    """A fact that is empty or does not exist yet has its line and says so."""
    # when
    screen = render(sample_request(**changes), width=100, color=False)

    # then
    assert f"\n{shown}" in screen


def test_facts_stand_in_the_order_of_reading() -> None:
    """What happens on approval comes first after the gate's name, and the circumstances after it."""
    # when
    labels = _margin(render(sample_request(), width=80, color=False))

    # then
    assert labels[1:] == [
        "Workflow",
        "Run",
        "Plan digest",
        "Gate step",
        "If you approve",
        "If you reject",
        "Outputs shown",
        "Inputs",
        "Commit",
        "Started by",
        "Policy digest",
        "Pin",
        "Signers",
        "Sandbox level",
        "Carried steps",
        "Evidence head",
        "Meaning",
        "References",
        "Nonce",
        "Issued",
        "Expires",
        "Request digest",
    ]


def test_without_color_the_screen_is_plain() -> None:
    """Without color the frames are ASCII and hold no control sequence."""
    # when
    screen = render(sample_request(), width=80, color=False)

    # then
    assert screen.isascii()
    assert "\x1b" not in screen


def test_with_color_the_words_are_the_same() -> None:
    """Colors add nothing but colors and drawn lines."""
    # given
    drawn = str.maketrans("═─│", "=-|")

    # when
    screen = render(sample_request(), width=80, color=True)

    # then
    assert "\x1b[" in screen
    assert plain(screen).translate(drawn) == render(sample_request(), width=80, color=False)


@pytest.mark.parametrize("covers", [None, ()], ids=["something", "nothing"])
def test_what_cleans_up_is_told_of_approval_too(covers: tuple[()] | None) -> None:
    """What runs if it is rejected also runs in the end if it is approved; where nothing does, nothing is said."""
    # given
    changes: dict[str, Any] = {} if covers is None else {"covers": covers}

    # when
    some = render(sample_request(**changes), width=100, color=False)
    none = render(sample_request(**changes, on_reject=()), width=100, color=False)

    # then
    approve = some.split("\nIf you approve")[1].split("\nIf you reject")[0]
    assert approve.splitlines()[-1].strip() == "in the end, too, what runs if you reject"
    assert "in the end, too" not in none
