"""Conversations that are recorded from the real program, and held again without it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.ai.testing import FakeClaude

from .conftest import Project, Session, code_at, finish
from .test_sessions import FLOW, shown, verified

pytestmark = pytest.mark.skipif(find_spec("claude_agent_sdk") is None, reason="needs the extra `ai`")

RECORDING = "wf/recordings/flow/review.conversation.json"
OF_A_SESSION = frozenset(
    [
        "run",
        "ts",
        "mono_ns",
        "boot",
        "prev",
        "hash",
        "wall_s",
        "cpu_s",
        "duration_s",
        "nonce",
        "issued",
        "expires",
        "evidence_head",
        "digest",
        "command_line",
        "source",
        "terminal",
        "rusage",
        "request",
        "pid",
    ]
)
"""What two sessions never have in common: names, times and what hangs on them, the option, and who answered."""


@pytest.fixture
def talking(project: Project) -> Project:
    """A project whose workflow holds a conversation in which the model may read."""
    project.environment["CI"] = ""
    project.write("notes.txt", "The cache is bounded.\n")
    project.write("wf/flow.workflow.yaml", FLOW.replace("prompt:", "tools: [read]\n      prompt:"))
    return project


def record(project: Project, fake_claude: FakeClaude) -> Session:
    """Hold a conversation with the real program, in which the model reads a file and one that it may not see."""
    project.write(".env", "KEY=1\n")
    fake_claude.answers(
        fake_claude.text("Hello."),
        fake_claude.calls(("mcp__workspace__read", {"path": "notes.txt"}), ("mcp__workspace__read", {"path": ".env"})),
        fake_claude.text("It is\x1b[2J bounded."),
        {"verdict": "bad"},
        {"verdict": "good"},
    )
    return talk(project, "--workflow-ai=record", "Is the cache bounded?", "/done")


def talk(project: Project, mode: str, *typed: str) -> Session:
    """Talk at a terminal, and confirm what comes of it."""
    child = project.terminal("wf", "-s", mode)
    before = ""
    for line in typed:
        child.expect("you> ")
        before += str(child.before)
        child.sendline(line)
    code = code_at(child)
    before += str(child.before)
    child.sendline(code)
    session = finish(child)
    return Session(status=session.status, text=before + session.text)


def forget(project: Project) -> None:
    """Remove the runs, so that the next one is the only one."""
    shutil.rmtree(project.root / ".workflow-exec")
    for path in project.root.glob("ran-*"):
        path.unlink()


def told(project: Project) -> list[str]:
    """Return all that the run's evidence says, but for names and times, each record as canonical text."""
    [log] = project.logs()
    run = log.parent.name

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if key not in OF_A_SESSION}
        if isinstance(value, list):
            return [plain(each) for each in value]
        return value.replace(run, "RUN") if isinstance(value, str) else value

    return [json.dumps(plain(record), sort_keys=True) for record in project.records()]


def test_a_recorded_conversation_is_held_again_word_for_word(talking: Project, fake_claude: FakeClaude) -> None:
    """Typed again or by Enter alone: the evidence is the same but for names and times, and nobody is asked."""
    recorded = record(talking, fake_claude)
    assert recorded.status == 0, recorded.text
    live = told(talking)
    assert sum('"type": "ai.tool"' in line for line in live) == 2
    assert [each["data"]["source"] for each in talking.of_type("ai.reply")] == ["local", "local"]
    forget(talking)
    fake_claude.close()

    for typed in (("Is the cache bounded?", "/done"), ("", "")):
        replayed = talk(talking, "--workflow-ai=replay", *typed)

        assert replayed.status == 0, replayed.text
        assert told(talking) == live
        assert [each["data"]["source"] for each in talking.of_type("ai.reply")] == ["replay", "replay"]
        screen = shown(replayed.text)
        assert "recorded: Is the cache bounded? (Enter says it again)" in screen
        assert "recorded: /done (Enter says it again)" in screen
        assert "review: claude-opus-5-5, REPLAYED from a recording" in screen
        assert "\x1b[2J bounded" not in replayed.text
        assert verified(talking, replayed)
        assert (talking.root / "ran-good").exists() or (talking.root / "ran-bad").exists()
        forget(talking)
    assert not list((talking.root / "wf").rglob("*.tmp"))


def test_what_was_said_otherwise_was_never_replied_to(talking: Project, fake_claude: FakeClaude) -> None:
    """Other words, another prompt, other tools, a turn more: an error that says how to record again."""
    assert record(talking, fake_claude).status == 0
    fake_claude.close()
    flow = talking.root / "wf/flow.workflow.yaml"
    cases: dict[str, tuple[list[str], Callable[[str], str]]] = {
        "the text changed since": (["Is it fast?"], lambda text: text),
        "has no further turn": (["Is the cache bounded?", "And fast?"], lambda text: text),
        "the text changed since.": ([], lambda text: text.replace("Talk with me.", "Talk with us.")),
        "the tools changed since": ([], lambda text: text.replace("[read]", "[grep]")),
        "the model changed since": ([], lambda text: text.replace("prompt:", "model: claude-haiku-5-5\n      prompt:")),
    }
    before = flow.read_text()
    for said, (typed, change) in cases.items():
        forget(talking)
        flow.write_text(change(before))
        child = talking.terminal("wf", "-s", "--workflow-ai=replay")
        for line in typed:
            child.expect("you> ")
            child.sendline(line)
        session = finish(child)

        assert session.status == 1, session.text
        assert said.rstrip(".") in shown(session.text)
        assert "Record it with: pytest wf/flow.workflow.yaml --workflow-resume --workflow-ai=record" in shown(
            session.text
        )
        assert "Traceback" not in session.text
        assert not list(talking.root.glob("ran-*"))
        assert talking.of_type("ai.reply")[-1]["data"]["outcome"] == "failed"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "nothing was recorded for this step"),
        ("{", "it is no JSON"),
        ("{}", "step: Field required"),
        ('{"step": "other"}', "it is that of step 'other'"),
        ('{"step": "review", "turns": [{}]}', "turns.0.said: Field required"),
        ('{"step": "review", "hidden": 1}', "hidden: Extra inputs"),
    ],
)
def test_what_is_no_recording_is_refused(talking: Project, content: str | None, said: str) -> None:
    """Without a recording, or with one that can't be understood, there is no run, and the command that records is named."""
    if content is not None:
        talking.write(RECORDING, content)

    session = finish(talking.terminal("wf", "-s", "--workflow-ai=replay"))

    assert session.status == 4, session.text
    assert said in shown(session.text)
    assert "Record it with: pytest wf/flow.workflow.yaml --workflow-ai=record -s" in shown(session.text)
    assert "Traceback" not in session.text
    assert talking.untouched


def test_a_recording_holds_no_secret_and_hides_nothing(talking: Project, fake_claude: FakeClaude) -> None:
    """Known secrets are masked in it, and it is plain ASCII for whoever reviews it."""
    talking.environment["KEY"] = "hunter2-hunter2"
    talking.write("wf/flow.workflow.yaml", "inputs: {key: {type: secret, default: {env: KEY}}}\n" + FLOW.lstrip())
    fake_claude.answers(
        fake_claude.text("Hello \u202e."), fake_claude.text("It is hunter2-hunter2."), {"verdict": "good"}
    )

    session = talk(talking, "--workflow-ai=record", "Is it hunter2-hunter2?", "/done")

    assert session.status == 0, session.text
    for path in (talking.root / "wf" / "recordings").rglob("*.json"):
        assert path.read_text().isascii()
        assert "hunter2" not in path.read_text()
    kept = json.loads((talking.root / RECORDING).read_text())
    assert [turn["said"]["opens"] for turn in kept["turns"]] == [True, False]
    assert re.search(r"It is .+\.", kept["turns"][1]["text"])


def test_a_recording_that_can_not_be_kept_ends_the_conversation(talking: Project, fake_claude: FakeClaude) -> None:
    """A folder in its place: the step fails, and what was said is no conclusion."""
    Path(talking.root / RECORDING).mkdir(parents=True)
    fake_claude.answers(fake_claude.text("Hello."))

    session = finish(talking.terminal("wf", "-s", "--workflow-ai=record"))

    assert session.status == 1, session.text
    assert "the conversation can't be recorded in" in shown(session.text)
    assert "Traceback" not in session.text
    assert not list(talking.root.glob("ran-*"))
