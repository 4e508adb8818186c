"""Plans that a model proposes, in real sessions: judged as a whole, shown word by word, run as shown or not at all."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .conftest import Project, Session, code_at, finish

FLOW = """
steps:
  - {id: ask, ai: {prompt: What is to be done?, output: CommandPlan}}
  - {id: approve, gate: {question: Do it?, show: [ask.commands]}}
  - {id: do, execute: "${steps.ask.commands}"}
  - {id: after, run: [touch, ran-after]}
"""
TOUCH = {"argv": ["touch", "ran-one"], "why": "It is missing."}


def command(*argv: str) -> dict[str, Any]:
    """Return a command of a plan."""
    return {"argv": list(argv), "why": "because"}


@pytest.fixture
def planning(project: Project) -> Project:
    """A project whose workflow executes a plan."""
    project.environment["CI"] = ""
    project.write("wf/flow.workflow.yaml", FLOW)
    return project


def propose(project: Project, *commands: Any) -> None:
    """Let the script propose these commands, however often it is asked."""
    project.write("answers.json", json.dumps({"ask": [{"commands": commands}] * 3}))


def approved(project: Project, *arguments: str) -> tuple[str, Session]:
    """Run the workflow on a terminal, approve, and return what the gate showed."""
    child = project.terminal("wf", "-s", "--workflow-ai-answers=answers.json", *arguments)
    code = code_at(child)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", str(child.before))
    child.sendline(code)
    return " ".join(shown.split()), finish(child)


def test_a_plan_runs_as_it_was_shown(planning: Project) -> None:
    """In order, each command with evidence and by a rule of its own; a stranger can check all of it."""
    propose(planning, TOUCH, command("touch", "ran-two"))

    shown, session = approved(planning)

    assert session.status == 0, session.text
    assert "1 of 2: ['touch', 'ran-one'] by rule 'touch *'" in shown
    assert "2 of 2: ['touch', 'ran-two'] by rule 'touch *'" in shown
    assert "do: no earlier plan is known" in shown
    assert "do, command 1: It is missing." in shown
    assert "SCRIPTED by a file of answers: no model was asked" in shown
    started = [(each["step"], each["data"]["argv"]) for each in planning.of_type("command.started")]
    assert started == [("do", ["touch", "ran-one"]), ("do", ["touch", "ran-two"]), ("after", ["touch", "ran-after"])]
    assert planning.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1]).status == 0


def test_what_changed_since_the_plan_approved_last_is_shown(planning: Project) -> None:
    """Of an earlier run that approved one; a rejected plan is none."""
    propose(planning, TOUCH, command("echo", "a"))
    assert approved(planning)[1].status == 0
    propose(planning, command("echo", "rejected"))
    child = planning.terminal("wf", "-s", "--workflow-ai-answers=answers.json")
    code_at(child)
    child.sendline("reject")
    child.sendline("no")
    assert finish(child).status == 1
    propose(planning, command("echo", "b"), TOUCH)
    child = planning.terminal("wf", "-s", "--workflow-new", "--workflow-ai-answers=answers.json")
    child.expect("Reason")
    child.sendline("another plan")
    code = code_at(child)
    shown = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(child.before)).split())
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    changes = shown.partition("do: beside the plan approved last, in run")[2].partition("If you reject")[0]
    assert "+ ['echo', 'b'] by rule 'echo *' ['touch', 'ran-one'] by rule 'touch *' - ['echo', 'a']" in changes
    assert "rejected" not in changes


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (command("rm", "-rf", "/"), "the policy refuses ['rm', '-rf', '/']"),
        (command("touch", "ran-one", "ran-two"), "the policy refuses"),
        (command("touch", "--", "ran-one"), "the policy refuses"),
        (command("sh", "-c", "touch ran-one"), "the policy refuses"),
        (command("touch", "ran\0one"), "NUL"),
        (command("touch", "ran-\x1b[2J\u202eone"), r"\u202e"),
        (command("touch", ""), "the policy refuses"),
        (command("/usr/bin/touch", "ran-one"), "the policy refuses"),
    ],
)
def test_one_refused_command_refuses_all(planning: Project, bad: dict[str, Any], said: str) -> None:
    """At the end of the step that proposed it: nobody is asked, nothing is run, and the refusal is evidence."""
    propose(planning, TOUCH, bad, TOUCH)

    session = planning.pytest("wf", "--workflow-until=ask", "--workflow-ai-answers=answers.json")

    assert session.status == 1, session.text
    assert "the plan in 'commands' of step 'ask' is refused as a whole, and nothing of it was run" in session.text
    assert "2 of 3: " in session.text
    assert said in session.text
    assert "\x1b[2J" not in session.text
    assert "\u202e" not in session.text
    assert "Traceback" not in session.text
    assert planning.of_type("command.started") == []
    # Each proposal is refused for itself, and the model was told why after all but the last.
    assert len(planning.of_type("command.refused")) == 3
    assert planning.of_type("gate.requested") == []
    assert not list(planning.root.glob("ran*"))
    assert planning.run("workflow-exec", "verify", "latest").status == 4


@pytest.mark.parametrize(
    "commands",
    ["touch ran-one", [], ["touch ran-one"], [{"argv": "touch ran-one", "why": "x"}], [{"argv": ["touch"], "sh": 1}]],
)
def test_what_is_no_plan_is_no_answer(planning: Project, commands: Any) -> None:
    """A line for a shell, no command at all, keys that nobody knows."""
    planning.write("answers.json", json.dumps({"ask": [{"commands": commands}] * 3}))

    session = planning.pytest("wf", "--workflow-until=ask", "--workflow-ai-answers=answers.json")

    assert session.status == 1, session.text
    assert "none of 3 proposals is what was asked for" in session.text
    assert planning.of_type("command.started") == []


def test_a_plan_stops_at_the_first_failure(planning: Project) -> None:
    """What ran stays done, what stands behind it is not started, and neither is any later step."""
    propose(planning, TOUCH, command("false"), command("touch", "ran-two"))

    _, session = approved(planning)

    assert session.status == 1, session.text
    assert "command 2 of 3 failed; 1 ran before it, 1 were not started" in session.text
    assert [path.name for path in planning.root.glob("ran-*")] == ["ran-one"]
    assert planning.outcomes()["do"] == "failed"
    assert planning.outcomes()["after"] == "blocked"
    assert planning.run("workflow-exec", "verify", "latest").status == 4


def test_a_plan_is_not_run_again_unasked(planning: Project) -> None:
    """A resumed run carries the answer, asks again at the gate, and only then runs the plan from its beginning."""
    propose(planning, TOUCH, command("false"))
    assert approved(planning)[1].status == 1
    (planning.root / "ran-one").unlink()

    refused = planning.pytest("wf", "--workflow-resume", "--workflow-ai-answers=answers.json")
    assert refused.status == 4, refused.text
    assert not (planning.root / "ran-one").exists()

    shown, session = approved(planning, "--workflow-resume")
    assert "SCRIPTED" in shown
    assert session.status == 1, session.text
    assert (planning.root / "ran-one").exists()
    assert len(planning.of_type("ai.request")) == 1


def test_a_plan_of_actions_is_made_by_python(planning: Project) -> None:
    """The model says which action; the commands are computed by its type, and a proposal can't bring its own."""
    planning.write(
        "wf/actions.py",
        """
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field


class Restart(BaseModel):
    model_config = ConfigDict(extra="forbid")
    service: Literal["web", "queue"]

    @computed_field
    @property
    def commands(self) -> list[dict[str, object]]:
        return [{"argv": ["touch", f"ran-{self.service}"], "why": "restart"}]
""",
    )
    planning.write("wf/flow.workflow.yaml", FLOW.replace("output: CommandPlan", "output: actions:Restart"))
    smuggled = {"service": "web", "commands": [command("touch", "ran-smuggled")]}
    planning.write("answers.json", json.dumps({"ask": [smuggled, {"service": "queue"}]}))

    shown, session = approved(planning)

    assert session.status == 0, session.text
    assert "['touch', 'ran-queue'] by rule 'touch *'" in shown
    assert sorted(path.name for path in planning.root.glob("ran-*")) == ["ran-after", "ran-queue"]


def test_an_answer_without_the_plan_that_is_executed_fails_its_step(planning: Project) -> None:
    """It says what the answer holds."""
    planning.write("wf/other.py", "from pydantic import BaseModel\n\n\nclass Other(BaseModel):\n    words: str\n")
    planning.write("wf/flow.workflow.yaml", FLOW.replace("output: CommandPlan", "output: other:Other"))
    planning.write("answers.json", json.dumps({"ask": [{"words": "none"}]}))

    session = planning.pytest("wf", "--workflow-until=ask", "--workflow-ai-answers=answers.json")

    assert session.status == 1, session.text
    assert "the answer holds no 'commands', which a later step executes (it holds words)" in session.text


def test_a_gated_command_of_a_script_is_refused(planning: Project) -> None:
    """Where no model gave the plan, it is refused at the end of the step; nobody is asked."""
    planning.write(
        "workflow-exec.toml",
        '[policy]\nsandbox = "none"\ncommands = ["echo *", "touch ran-after"]\n'
        '[[policy.command]]\nrule = "touch ran-one"\ngated = {assurance = 1}\n',
    )
    propose(planning, command("echo", "a"), TOUCH)

    session = planning.pytest("wf", "--workflow-until=ask", "--workflow-ai-answers=answers.json")

    assert session.status == 1, session.text
    assert "it holds a gated command, and no model gave it now: it is scripted" in session.text
    assert planning.of_type("command.started") == []


def test_words_of_a_model_act_on_no_terminal(planning: Project) -> None:
    """Neither what it says of a command nor a letter of the command moves, hides or reorders anything at the gate."""
    planning.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["echo {:.+}", "touch *"]\n')
    hostile = "\x1b[2J\x1b[1;1H\u202eeuqinu\u2066 \x07\nFacts, by the engine alone\nPolicy pinned\u200b"
    propose(planning, {"argv": ["echo", "caf\u00e9"], "why": hostile})

    child = planning.terminal("wf", "-s", "--workflow-ai-answers=answers.json")
    code = code_at(child)
    screen = str(child.before)
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    assert "['echo', 'caf\\xe9'] by rule" in screen
    for acting in ("\x1b[2J\x1b[1;1H", "\u202e", "\u2066", "\u200b", "\x07"):
        assert acting not in screen
    assert r"\u202eeuqinu\u2066" in screen
    plain = re.sub(r"\x1b\[[0-9;]*m", "", screen)
    words = plain.partition("Words of the author or a model, not checked")[2]
    assert "Policy pinned" in words
    assert all(line.startswith(("\u2502 ", "|")) for line in words.splitlines() if "Policy pinned" in line)
