"""Conversations with a model, in real sessions on real terminals: how they end, what bounds them, what is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pexpect
import pytest

from pytest_workflow_exec.ai.testing import FakeClaude

from .conftest import PATIENCE_S, Project, Session, code_at, finish

needs_sdk = pytest.mark.skipif(find_spec("claude_agent_sdk") is None, reason="needs the extra `ai`")
FLOW = """
steps:
  - id: review
    session:
      prompt: Talk with me.
      output: {verdict: {enum: [good, bad]}}
  - {id: use, run: [touch, "ran-${steps.review.verdict}"]}
"""
PYTHON = """
from pydantic import BaseModel

from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="flow", mode="interactive")


class Verdict(BaseModel):
    verdict: str


@step
def review(claude) -> Verdict:
    with claude.session("Talk with me.", output=Verdict, turns=3) as session:
        assert session.ask("Is it good?") == "It is."
        return session.conclude()
"""


@pytest.fixture
def talking(project: Project) -> Project:
    """A project whose workflow holds a conversation."""
    project.environment["CI"] = ""
    project.write("wf/flow.workflow.yaml", FLOW)
    return project


def script(project: Project, answers: list[Any], typed: list[str] | None = None) -> list[str]:
    """Write scripts for the model and, unless it is None, for the person; return the options that name them."""
    project.write("answers.json", json.dumps({"review": answers}))
    if typed is None:
        return ["--workflow-ai-answers=answers.json"]
    project.write("typed.json", json.dumps({"review": typed}))
    return ["--workflow-ai-answers=answers.json", "--workflow-session-input=typed.json"]


def shown(text: object) -> str:
    """Return what was on the screen, without colours and folding."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(text)).split())


def verified(project: Project, session: Session) -> bool:
    """Return whether a stranger finds the log of the run true and whole."""
    return project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1]).status == 0


def test_a_conclusion_counts_once_a_person_confirmed_it(talking: Project) -> None:
    """Words of the model stand behind a bar and act on nothing; what is typed with a slash is not sent."""
    reply = "Type AAAA-AAAA to approve\x1b[2J\u202e, or\nyou> go"
    options = script(talking, ["Hello.", reply, "prose is no value", {"verdict": "good"}])
    child = talking.terminal("wf", "-s", *options)
    child.expect("you> ")
    for line in ("/what", "/history", "/cost", ""):
        child.sendline(line)
        child.expect("you> ")
    child.sendline("Is it good?")
    child.expect("go")
    child.expect("you> ")
    said = str(child.before)
    child.sendline("//done")
    child.expect("no value")
    child.expect("you> ")
    child.sendline("/done")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert "\x1b[2J" not in said
    assert "\u202e" not in said
    assert [each["data"]["text"] for each in talking.of_type("ai.turn")][1:] == ["Is it good?", "/done"]
    assert (talking.root / "ran-good").exists()


def test_scripts_say_what_they_are(talking: Project) -> None:
    """Typed and answered by scripts, a conversation still ends in a person's code; the gate calls it scripted."""
    options = script(talking, ["Hello.", "It is.", {"verdict": "fine"}, {"verdict": "good"}], ["Is it good?", "/done"])
    child = talking.terminal("wf", "-s", *options)
    code = code_at(child)
    before = shown(child.before)
    assert not list(talking.root.glob("ran-*"))
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    assert "SCRIPTED> Is it good?" in before
    assert "review: claude-opus-5-5, SCRIPTED" in before
    assert (talking.root / "ran-good").exists()
    assert talking.of_type("ai.response")[0]["data"]["source"] == "scripted"
    assert verified(talking, session)


@pytest.mark.parametrize(
    ("typed", "said"),
    [(["/abort"], "a person gave the conversation up"), (["Why?"], "holds no further line for step 'review'")],
)
def test_a_conversation_without_an_end_fails(talking: Project, typed: list[str], said: str) -> None:
    """Given up or out of script: no conclusion is asked for, and nothing behind it runs."""
    child = talking.terminal("wf", "-s", *script(talking, ["Hello.", "Because.", {"verdict": "good"}], typed))
    session = finish(child)

    assert session.status == 1
    assert said in shown(session.text)
    assert talking.of_type("ai.request") == []
    assert not list(talking.root.glob("ran-*"))
    assert talking.outcomes() == {"review": "failed", "use": "blocked"}


def test_a_rejected_conclusion_is_none(talking: Project) -> None:
    """The step is denied, and nothing behind it runs."""
    child = talking.terminal("wf", "-s", *script(talking, ["Hello.", {"verdict": "good"}], ["/done"]))
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("We said bad.")
    session = finish(child)

    assert session.status == 1
    assert talking.outcomes() == {"review": "denied", "use": "blocked"}
    assert not list(talking.root.glob("ran-*"))
    assert talking.run("workflow-exec", "verify", "latest").status == 4


def test_lines_are_edited_and_found_again(talking: Project) -> None:
    """Arrows, words and earlier lines, at a real terminal; what is sent is what stood there at the end."""
    options = script(talking, ["Hello.", "Yes.", "Still.", "All.", {"verdict": "good"}])
    child = talking.terminal("wf", "-s", *options)
    for keys in (
        "Is it godo\x7f\x7f\x1b[D\x1b[C\x7food?",
        "\x1b[A\x7f now?",
        "\x1b[200~one\ntwo\x1b[201~",
        "junk\x15/done",
    ):
        child.expect_exact("you> ")
        child.send(keys + "\r")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert [each["data"]["text"] for each in talking.of_type("ai.turn")] == [
        "Talk with me.",
        "Is it good?",
        "Is it good now?",
        "one\ntwo",
    ]
    assert verified(talking, session)


def test_the_end_of_input_is_no_conclusion(talking: Project) -> None:
    """Ctrl-D gives up; Ctrl-C twice at the prompt interrupts the session."""
    child = talking.terminal("wf", "-s", *script(talking, ["Hello.", {"verdict": "good"}]))
    child.expect("you> ")
    child.sendeof()
    assert finish(child).status == 1

    child = talking.terminal("wf", "-s", "--workflow-new", *script(talking, ["Hello.", {"verdict": "good"}]))
    child.expect("you> ")
    child.sendintr()
    child.expect("once more ends the session")
    child.expect("you> ")
    child.sendintr()
    session = finish(child)

    assert session.status == 2, session.text
    assert not list(talking.root.glob("ran-*"))


def test_turns_are_bounded(talking: Project) -> None:
    """The opening counts; one turn more is none, and nothing of it is sent."""
    talking.write("wf/flow.workflow.yaml", FLOW.replace("prompt:", "turns: 2\n      prompt:"))
    child = talking.terminal("wf", "-s", *script(talking, ["Hello.", "One.", "Two."], ["a", "b", "/done"]))
    session = finish(child)

    assert session.status == 1
    assert "spoken to 2 times" in shown(session.text)
    assert len(talking.of_type("ai.turn")) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--workflow-ai-answers=answers.json"], "is a conversation and needs a person at a terminal"),
        (["--workflow-ai=replay"], "is a conversation and needs a person at a terminal"),
        (["--workflow-ai=off"], "none is to be asked"),
        (["--workflow-ai-answers=answers.json", "-n2"], "is a conversation and needs a person at a terminal"),
        (["--workflow-ai-answers=answers.json", "--workflow-session-input=no.json"], "no.json can't be read"),
    ],
)
def test_what_it_needs_is_known_before_the_first_step(talking: Project, arguments: list[str], said: str) -> None:
    """No terminal, workers, no model, no script: exit 4, and nothing runs or is written."""
    script(talking, ["Hello."])

    session = talking.pytest("wf", *arguments)

    assert session.status == 4, session.text
    assert said in shown(session.text)
    assert talking.untouched


def test_code_talks_too(talking: Project) -> None:
    """`ask` says something for the code, `conclude` has the conclusion confirmed; only in mode interactive."""
    (talking.root / "wf/flow.workflow.yaml").unlink()
    talking.write("wf/workflow_flow.py", PYTHON)
    options = script(talking, ["Hello.", "It is.", {"verdict": "good"}])
    child = talking.terminal("wf", "-s", *options)
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert [each["data"]["who"] for each in talking.of_type("ai.turn")] == ["workflow", "code"]
    assert verified(talking, session)

    refused = talking.pytest("wf", "--workflow-new", *options)
    assert refused.status == 4
    assert "needs a person at a terminal" in shown(refused.text)
    talking.write("wf/workflow_flow.py", PYTHON.replace("interactive", "ai_json"))
    refused = talking.pytest("wf", "--workflow-new", *options)
    assert refused.status == 4
    assert "step 'review' asks for the fixture 'claude'" in shown(refused.text)
    assert "mode='interactive'" in shown(refused.text)


ASKS_FOR_CLAUDE = {
    "a step": "@step\ndef talk(claude):\n    open('ran-talk', 'w').close()\n",
    "a fixture": (
        "import pytest\n@pytest.fixture\ndef friend(claude):\n    return claude\n"
        "@step\ndef talk(friend):\n    open('ran-talk', 'w').close()\n"
    ),
}


@pytest.mark.parametrize("code", ASKS_FOR_CLAUDE.values(), ids=ASKS_FOR_CLAUDE)
def test_the_mode_is_a_ceiling_for_code(project: Project, code: str) -> None:
    """Whoever asks for `claude` where the mode does not let it is refused when the file is read; nothing runs."""
    head = "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='flow', mode='python')\n"
    project.write("wf/workflow_flow.py", head + code)

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "step 'talk' asks for the fixture 'claude', which talks with a model" in session.text
    assert project.untouched


@pytest.mark.parametrize("code", ASKS_FOR_CLAUDE.values(), ids=ASKS_FOR_CLAUDE)
def test_the_mode_is_a_ceiling_for_fragments(project: Project, code: str) -> None:
    """Code of a fragment in Python is held to the mode of the workflow that includes it."""
    head = "from pytest_workflow_exec import Fragment, step\nFRAGMENT = Fragment()\n"
    project.write("wf/_workflow_part.py", head + code)
    project.write("wf/flow.workflow.yaml", "mode: python\nsteps:\n  - {include: _workflow_part.py, id: part}\n")

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "step 'part/talk' asks for the fixture 'claude', which talks with a model" in session.text
    assert project.untouched


def test_the_mode_is_a_ceiling_for_called_functions(project: Project) -> None:
    """In YAML, too, where the function's module is not even imported for that."""
    project.write("wf/talk.py", "open('ran-import', 'w').close()\ndef talk(claude): ...\n")
    project.write("wf/flow.workflow.yaml", "mode: python\nsteps:\n  - {id: say, call: 'talk:talk'}\n")

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "flow.workflow.yaml:3:5: step 'say' asks for the fixture 'claude'" in session.text
    assert project.untouched


def test_a_forged_confirmation_is_found(talking: Project) -> None:
    """A log in which the confirmation is of something else, or missing, contradicts itself."""
    from pytest_workflow_exec.verify._contradiction import ContradictionError
    from pytest_workflow_exec.verify._conversations import Conversations

    talks = Conversations()
    step: Any = type("Step", (), {"id": "review", "kind": "session"})()
    talks.begin(step, 1)
    with pytest.raises(ContradictionError, match="that a person confirmed"):
        talks.end(step)


@needs_sdk
def test_ctrl_c_breaks_off_a_turn_and_the_conversation_goes_on(talking: Project, fake_claude: FakeClaude) -> None:
    """The turn is written as interrupted; what is said next is answered."""
    fake_claude.answers(
        fake_claude.text("Hello."), fake_claude.silence(), fake_claude.text("Again."), {"verdict": "good"}
    )
    child = talking.terminal("wf", "-s")
    child.expect("you> ")
    child.sendline("Think long.")
    _asked(fake_claude, 2)
    child.sendintr()
    child.expect("the turn is broken off")
    child.expect("you> ")
    child.sendline("Say it again.")
    child.expect("Again.")
    child.expect("you> ")
    child.sendline("/done")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert [each["data"]["outcome"] for each in talking.of_type("ai.reply")] == ["whole", "interrupted", "whole"]
    assert verified(talking, session)


@needs_sdk
def test_a_tool_that_is_not_there_is_denied_and_taken_down(talking: Project, fake_claude: FakeClaude) -> None:
    """The program asks no hook about it: it is seen all the same, by the person and in the log."""
    talking.write("wf/flow.workflow.yaml", FLOW.replace("prompt:", "tools: [read]\n      prompt:"))
    fake_claude.answers(
        fake_claude.calls(("Bash", {"command": "touch ran-evil"}), ("mcp__workspace__grep", {"text": "x"})),
        fake_claude.text("Hello."),
        {"verdict": "good"},
    )
    child = talking.terminal("wf", "-s")
    child.expect("you> ")
    before = shown(child.before)
    child.sendline("/done")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert "Bash" in before
    assert "denied, there is no such tool here" in before
    looks = [(each["data"]["tool"], each["data"]["decision"]) for each in talking.of_type("ai.tool")]
    assert looks == [("Bash", "denied"), ("mcp__workspace__grep", "denied")]
    assert not (talking.root / "ran-evil").exists()
    assert verified(talking, session)


@needs_sdk
def test_a_killed_session_leaves_no_program_and_goes_on(talking: Project, fake_claude: FakeClaude) -> None:
    """Kill -9 of pytest in a turn ends the model's program; the next session is told what was said."""
    fake_claude.answers(fake_claude.text("The word is swordfish."), fake_claude.silence())
    child = talking.terminal("wf", "-s")
    child.expect("you> ")
    child.sendline("Which word?")
    _asked(fake_claude, 2)
    programs = _programs_below(child.pid)
    assert programs
    child.kill(signal.SIGKILL)
    child.expect(pexpect.EOF)
    end = time.monotonic() + 5
    while any(map(_is_alive, programs)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(_is_alive, programs))

    fake_claude.answers(fake_claude.text("We had it."), {"verdict": "good"})
    child = talking.terminal("wf", "-s", "--workflow-resume")
    child.expect("Type continue to go on with it, or new to begin anew: ")
    child.sendline("continue")
    child.expect("swordfish")
    child.expect("you> ")
    child.sendline("Go on.")
    child.expect("We had it.")
    child.expect("you> ")
    child.sendline("/done")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert "swordfish" in json.dumps(fake_claude.requests[-2])
    assert verified(talking, session)


@needs_sdk
def test_a_failed_turn_can_be_said_again(talking: Project, fake_claude: FakeClaude) -> None:
    """An overloaded API fails the turn alone; the next one has a new program, which knows what was said."""
    fake_claude.answers(
        fake_claude.text("I am Hal."), *[fake_claude.error(529)] * 3, fake_claude.text("Dave."), {"verdict": "good"}
    )
    child = talking.terminal("wf", "-s")
    child.expect("you> ")
    child.sendline("Who am I?")
    child.expect("API overloaded")
    child.expect("say it again")
    child.expect("you> ")
    child.sendline("Who am I?")
    child.expect("Dave.")
    child.expect("you> ")
    child.sendline("/done")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert "I am Hal." in json.dumps(fake_claude.requests[-2])
    assert [each["data"]["outcome"] for each in talking.of_type("ai.reply")] == ["whole", "failed", "whole"]


@needs_sdk
def test_a_turn_that_costs_too_much_ends_it(talking: Project, fake_claude: FakeClaude) -> None:
    """Nothing more is said, and nothing concluded."""
    talking.write("wf/flow.workflow.yaml", FLOW.replace("prompt:", 'turn_budget: "0.000001"\n      prompt:'))
    fake_claude.answers(fake_claude.text("Hello."), fake_claude.text("No."))
    session = finish(talking.terminal("wf", "-s"))

    assert session.status == 1
    assert "one may cost $1e-06" in shown(session.text)
    assert fake_claude.left == 1
    assert talking.of_type("ai.request") == []


def _asked(fake: FakeClaude, count: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while len(fake.requests) < count:
        assert time.monotonic() < end, "the model was not asked"
        time.sleep(0.05)


def _programs_below(process: int | None) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process and b"_bundled/claude" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return found


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
