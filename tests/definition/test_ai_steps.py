"""Rules of steps that ask a model, and of steps that execute what one proposed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.model import Ai, AiContext, Execute, FormType, Gate, ModelType, PlanType

from ._samples import MARK, places, problems_of, read

MODULE = f'open(__file__ + ".{MARK}", "w").close()\nclass Diagnosis: ...\nclass Twice: ...\nTwice = int\n'
PLAN = "steps:\n  - id: ask\n    ai: {prompt: Why?, output: CommandPlan}\n"
GATE = "  - id: go\n    gate: {question: Go?, show: [ask.commands]}\n"
EXECUTE = '  - id: do\n    execute: "${steps.ask.commands}"\n'


@pytest.fixture
def asking(project: Path) -> Path:
    """A project with models beside its workflow file."""
    (project / "wf" / "models.py").write_text(MODULE, encoding="utf-8")
    return project


def test_a_question_is_read_with_all_its_bounds(asking: Path) -> None:
    """Each key of `ai:` is what it says, and the module of the model is read and not imported."""
    text = """
steps:
  - id: look
    run: [git, log]
  - id: ask
    ai:
      prompt: "Why? ${steps.look.stdout}"
      output: models:Diagnosis
      model: claude-haiku-5-5
      attempts: 2
      timeout: 90s
      budget: 0.25
      context: {task_type: review, keywords: [a, b], max_tokens: 500}
"""
    workflow = read(asking, text)

    body = workflow.steps[1].body
    assert isinstance(body, Ai)
    assert isinstance(body.output, ModelType)
    assert (body.output.name, body.output.source) == ("Diagnosis", MODULE.encode())
    assert (body.model, body.attempts, body.timeout_s, body.budget_usd) == ("claude-haiku-5-5", 2, 90.0, 0.25)
    assert body.context == AiContext(task_type="review", keywords=("a", "b"), max_tokens=500)
    assert "wf/models.py" in workflow.sources
    assert workflow.mode == "ai_json"
    assert not list(asking.glob(f"wf/*.{MARK}"))


def test_types_of_answers_without_a_module(asking: Path) -> None:
    """Fields are declared as those of a form, and `CommandPlan` is the package's own."""
    fields = "{severity: {enum: [low, high]}, text: {pattern: 'a+'}}"
    workflow = read(asking, f"steps:\n  - id: ask\n    ai: {{prompt: Why?, output: {fields}}}\n")
    form, plan = workflow.steps[0].body, read(asking, PLAN).steps[0].body

    assert isinstance(form, Ai)
    assert isinstance(form.output, FormType)
    assert [(each.name, each.type, each.values) for each in form.output.fields] == [
        ("severity", "enum", ("low", "high")),
        ("text", "string", ()),
    ]
    assert isinstance(plan, Ai)
    assert plan.output == PlanType()


def test_a_plan_is_executed_behind_a_gate_that_shows_it(asking: Path) -> None:
    """Shown by its key or with the whole step; another step and another key are no showing of it."""
    for show in ("ask.commands", "ask"):
        workflow = read(asking, PLAN + GATE.replace("ask.commands", show) + EXECUTE)
        body = workflow.steps[2].body
        assert isinstance(body, Execute)
        assert (body.proposer, body.key) == ("ask", "commands")


NO_GATE = "but no gate stands between it and step 'ask'"
UNSHOWN = "but gate 'go' before it does not show that"


IN_ADVANCE = ", assurance: 2, wait: suspend, in_advance: true"


def test_a_plan_may_be_approved_in_advance_where_its_gate_says_so(asking: Path) -> None:
    """For the gate right before it; a gate behind which none runs can't say it."""
    early = GATE.replace(", show:", f"{IN_ADVANCE}, show:")
    later = GATE.replace("id: go", "id: later")
    workflow = read(asking, PLAN + early + EXECUTE)
    gate = workflow.steps[1].body

    assert isinstance(gate, Gate)
    assert gate.signed is not None
    assert gate.signed.in_advance
    assert workflow.plan["steps"][1]["signed"]["in_advance"] is True  # type: ignore[index, call-overload]  # plain data
    [problem] = problems_of(asking, PLAN + early + later + EXECUTE)
    assert "gate 'go' lets no plan run, so that none can be approved for it in_advance" in problem.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAN + EXECUTE, NO_GATE),
        ("steps:\n" + GATE.replace(", show: [ask.commands]", "") + PLAN[len("steps:\n") :] + EXECUTE, NO_GATE),
        (PLAN + GATE.replace("show: [ask.commands]", "show: []") + EXECUTE, UNSHOWN),
        (PLAN + GATE.replace("id: go", "id: first") + GATE.replace(", show: [ask.commands]", "") + EXECUTE, UNSHOWN),
        (PLAN + GATE + EXECUTE.replace("${steps.ask.commands}", "rm -rf ${steps.ask.commands}"), "and nothing else"),
        (PLAN + GATE + EXECUTE.replace("${steps.ask.commands}", "rm"), "takes the commands that an ai step proposed"),
        (PLAN + GATE + EXECUTE.replace("steps.ask.commands", "steps.ask.comands"), "did you mean 'commands'?"),
        (PLAN + GATE + EXECUTE.replace(".commands", ""), "says no value of the step"),
        (
            "steps:\n  - {id: ask, run: [git]}\n"
            + GATE.replace("ask.commands", "ask")
            + EXECUTE.replace("commands", "stdout"),
            "which is no answer of a model; a command of yours is a run step",
        ),
        (PLAN + GATE + "finally:\n" + EXECUTE, "a plan can't be executed in finally"),
        (PLAN + GATE + EXECUTE + "    retry: 2\n", "an execute step is not tried again"),
        (PLAN + GATE + EXECUTE + "    foreach: {a: [x]}\n", "a plan is executed once"),
        ("mode: python\n" + PLAN, "asks a model, and the workflow says mode: python"),
    ],
)
def test_what_no_gate_has_shown_is_never_executed(asking: Path, text: str, said: str) -> None:
    """It is an error of the file, with its place."""
    problems = problems_of(asking, text)

    assert len(problems) == 1, problems
    assert said in problems[0].message
    assert problems[0].line is not None


@pytest.mark.parametrize(
    ("rest", "place", "said"),
    [
        ("{prompt: '', output: CommandPlan}", "3:18", "asks nothing"),
        ("{prompt: Why?}", "3:9", "'output' is missing"),
        ("{prompt: Why?, output: {}}", "3:32", "names no field"),
        ("{prompt: Why?, output: text}", "3:32", "write module:Model"),
        ("{prompt: Why?, output: [a]}", "3:32", "write module:Model"),
        ("{prompt: Why?, output: 'nowhere:Model'}", "3:32", "there is no nowhere.py beside this file"),
        ("{prompt: Why?, output: 'broken:Model'}", "3:32", "broken.py is no Python"),
        ("{prompt: Why?, output: 'models:Diagnose'}", "3:32", "did you mean 'Diagnosis'?"),
        ("{prompt: Why?, output: 'models:Twice'}", "3:32", "gives 'Twice' a value more than once (lines 3, 4)"),
        ("{prompt: Why?, output: {outcome: {}}}", "3:33", "has a value 'outcome' already"),
        ("{prompt: Why?, output: {key: {type: secret}}}", "3:45", "can't ask for a secret"),
        ("{prompt: Why?, output: CommandPlan, attempts: 0}", "3:55", "from 1 to 10 attempts, not 0"),
        ("{prompt: Why?, output: CommandPlan, budget: much}", "3:53", "an amount of US dollars such as 0.50"),
        ("{prompt: Why?, output: CommandPlan, budget: 0}", "3:53", "an amount of US dollars such as 0.50"),
        ("{prompt: Why?, output: CommandPlan, model: '-x'}", "3:52", "is no name of a model"),
        ("{prompt: Why?, output: CommandPlan, context: {max_tokens: 0}}", "3:67", "at least 1"),
        ("{prompt: Why?, output: CommandPlan, context: {keyword: [a]}}", "3:55", "did you mean 'keywords'?"),
        ("{promt: Why?, output: CommandPlan}", "3:10", "did you mean 'prompt'?"),
        ("{prompt: 'Why? ${steps.x.y}', output: CommandPlan}", "3:18", "unknown step 'x'"),
        ("Why?", "3:9", "must be a mapping, not the text 'Why?'"),
    ],
)
def test_a_question_that_is_none_is_refused_at_its_place(asking: Path, rest: str, place: str, said: str) -> None:
    """Each mistake in words that say what to do, and nothing is imported."""
    problems = problems_of(asking, f"steps:\n  - id: a\n    ai: {rest}\n")

    assert places(problems) == [place], problems
    assert said in problems[0].message
    assert not list(asking.glob(f"wf/*.{MARK}"))


def test_secrets_never_stand_in_a_prompt(asking: Path) -> None:
    """An input of type secret is refused there."""
    text = "inputs:\n  token: {type: secret, default: {env: TOKEN}}\n" + PLAN.replace("Why?", "'Why? ${inputs.token}'")

    problems = problems_of(asking, text)

    assert "only env and stdin of a run step may hold it" in problems[0].message


def test_key_of_a_question_holds_what_decides_its_answer(asking: Path) -> None:
    """Prompt, model, bounds and the source of the answer's type change the step's digest; comments do not."""

    def digest(text: str) -> str:
        return read(asking, text).steps[0].digest

    text = "steps:\n  - id: ask\n    ai: {prompt: Why?, output: 'models:Diagnosis', model: claude-haiku-5-5}\n"
    same = digest(text)

    assert digest("# what for\n" + text) == same
    assert digest(text.replace("Why?", "What?")) != same
    assert digest(text.replace("haiku", "opus")) != same
    (asking / "wf" / "models.py").write_text(MODULE + "# more\n", encoding="utf-8")
    assert digest(text) != same


def test_defaults_reach_no_plan(asking: Path) -> None:
    """Neither retries nor `idempotent` of the workflow's defaults let commands of a plan run twice."""
    text = "defaults: {retry: 3, idempotent: true, timeout: 5m}\n" + PLAN + GATE + EXECUTE

    ask, _, do = read(asking, text).steps

    assert isinstance(ask.body, Ai)
    assert (ask.body.timeout_s, ask.retry is None) == (300.0, False)
    assert (do.timeout_s, do.retry, do.idempotent) == (300.0, None, False)
