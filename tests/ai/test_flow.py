"""Rules of asking and executing in one run, with a backend that says it is live: the model is the test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.ai import (
    AiAnswer,
    AiAttempt,
    AiNews,
    AiRequest,
    AiUsage,
    Asker,
    Purse,
    kind_of,
    perform_ai,
)
from pytest_workflow_exec.ai._asking import answered_by
from pytest_workflow_exec.ai._backend import Accept, Source
from pytest_workflow_exec.ai._room import _REAL, asked_addresses
from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import (
    AiError,
    ApprovalLapsedError,
    CommandRefusedError,
    GateDeniedError,
    PlanRefusedError,
)
from pytest_workflow_exec.evidence import read_log
from pytest_workflow_exec.model import Ai, Execute, Outcome
from pytest_workflow_exec.run import Run, perform_execute
from tests.run.conftest import CONFIGURATION, Project, approved

GATED = CONFIGURATION.replace(', "touch *"', "") + '[[policy.command]]\nrule = "touch *"\ngated = {assurance = 1}\n'
FLOW = """
steps:
  - {id: ask, ai: {prompt: What?, output: CommandPlan, budget: 0.75}}
  - {id: go, gate: {question: Go?, show: [ask]}}
  - {id: do, execute: "${steps.ask.commands}"}
"""
PLAN: dict[str, Json] = {"commands": [{"argv": ["touch", "one"], "why": "x"}, {"argv": ["echo", "two"], "why": "y"}]}


class Model:
    """Answers what it is given, whatever is asked."""

    def __init__(self, value: Json, *, cost_usd: float = 0.0, source: Source = "live", **options: Json) -> None:
        self.value, self.cost_usd, self.source, self.options = value, cost_usd, source, options
        self.asked: list[AiRequest] = []

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Return the value, accepted or not."""
        self.asked.append(request)
        usage = AiUsage(input_tokens=1, output_tokens=2, cost_usd=self.cost_usd)
        attempts = (AiAttempt(value=self.value),)
        return AiAnswer(value=self.value, source=self.source, attempts=attempts, usage=usage, options=self.options)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which `touch` is gated."""
    (tmp_path / "workflow-exec.toml").write_text(GATED)
    return Project(tmp_path)


def ask(
    run: Run, model: Model, *, budget_usd: float | None = None, step: str = "ask", purse: Purse | None = None
) -> None:
    """Let a step ask, and end as it does."""
    asker = Asker(run, model, source="live", purse=purse or Purse(budget_usd), tell=lambda _: None)
    planned = run.workflow.step(step)
    assert isinstance(planned.body, Ai)
    run.start(planned)
    outputs = perform_ai(asker, planned, planned.body, kind_of(planned.body, None))
    run.finish(step, Outcome.PASSED, outputs=outputs)


def execute(run: Run) -> Mapping[str, Json]:
    """Let the plan be executed."""
    planned = run.workflow.step("do")
    assert isinstance(planned.body, Execute)
    run.start(planned)
    return perform_execute(run, planned, planned.body).values


def of_type(run: Run, name: str) -> list[Mapping[str, Any]]:
    """Return the data of the run's records of a type."""
    return [record.data for record in read_log(run.log_path) if record.type == name]


def test_a_gated_command_of_a_plan_runs_behind_the_decision_that_listed_it(project: Project) -> None:
    """Where a model was asked, and a person approved just this plan."""
    asked: list[GateRequest] = []

    def approver(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return approved(request, timeout_s)

    run = project.open(FLOW, approver=approver)
    ask(run, Model(PLAN, base_url="https://api.anthropic.com"))
    project.perform(run, "go")

    assert execute(run)["commands"] == [{"argv": ["touch", "one"], "exit": 0}, {"argv": ["echo", "two"], "exit": 0}]
    assert (project.root / "one").exists()
    [request] = asked
    assert [each.does for each in request.covers][1:] == [
        "1 of 2: ['touch', 'one'] by rule 'touch *', which is gated",
        "2 of 2: ['echo', 'two'] by rule 'echo *'",
    ]
    assert [(each.source, each.at) for each in request.proposals] == [("live", "https://api.anthropic.com")]
    run.close(interrupted=True)


def test_without_its_gate_a_plan_is_not_executed(project: Project) -> None:
    """Neither before the gate nor behind one that was not asked in this session."""
    run = project.open(FLOW)
    ask(run, Model(PLAN))
    planned = run.workflow.step("do")
    assert isinstance(planned.body, Execute)

    with pytest.raises(GateDeniedError, match="no decision of this run covers the plan"):
        perform_execute(run, planned, planned.body)

    run.close(interrupted=True)
    assert of_type(run, "command.started") == []


def test_a_plan_that_is_not_the_one_shown_starts_nothing(project: Project) -> None:
    """Whoever changes the value between the decision and the execution: the first command is not started either."""
    run = project.open(FLOW)
    ask(run, Model(PLAN))
    project.perform(run, "go")
    planned = run.workflow.step("do")
    assert isinstance(planned.body, Execute)
    run.start(planned)
    left = run._outputs["ask"]
    run._outputs["ask"] = replace(left, values={"commands": [{"argv": ["touch", "other"], "why": "x"}]})

    with pytest.raises(ApprovalLapsedError, match=r"the plan \$\{steps.ask.commands\}"):
        perform_execute(run, planned, planned.body)
    with pytest.raises(CommandRefusedError, match="gated"):
        run.run_command("do", ["touch", "other"], planned=True)

    run.close(interrupted=True)
    assert of_type(run, "command.started") == []
    assert not (project.root / "other").exists()


@pytest.mark.parametrize("change", ["order", "why", "more"])
def test_any_other_plan_than_the_one_shown_is_another(project: Project, change: str) -> None:
    """Its order, its words and its length are part of it."""
    commands: Any = PLAN["commands"]
    changed = {
        "order": commands[::-1],
        "why": [{**commands[0], "why": "z"}, commands[1]],
        "more": [*commands, commands[0]],
    }[change]
    run = project.open(FLOW)
    ask(run, Model(PLAN))
    project.perform(run, "go")
    planned = run.workflow.step("do")
    assert isinstance(planned.body, Execute)
    run.start(planned)
    run._outputs["ask"] = replace(run._outputs["ask"], values={"commands": changed})

    with pytest.raises(ApprovalLapsedError):
        perform_execute(run, planned, planned.body)

    run.close(interrupted=True)
    assert of_type(run, "command.started") == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("prose", "Input should be"),
        ({"output": PLAN}, "Field required"),
        ({"commands": [{"argv": ["touch"], "why": "x" * 2_000_000}]}, "are the most"),
    ],
)
def test_no_backend_has_the_last_word(project: Project, value: Json, said: str) -> None:
    """One that hands on what Python does not accept is refused, and what it cost is counted."""
    run = project.open(FLOW)

    with pytest.raises(AiError, match="the answer is not what was asked for") as caught:
        ask(run, Model(value, cost_usd=0.25))

    assert said in str(caught.value)
    run.close(interrupted=True)
    assert [each["outcome"] for each in of_type(run, "ai.response")] == ["failed"]
    assert run.answers.cost_usd == 0.25


def test_a_backend_can_not_say_that_it_is_another(project: Project) -> None:
    """Where its answers come from is known before it is asked."""
    run = project.open(FLOW)

    with pytest.raises(AiError, match="it claims to be scripted, and can only be live"):
        ask(run, Model(PLAN, source="scripted"))

    run.close(interrupted=True)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("https://api.anthropic.com", "live"),
        ("https://gateway.example.org:8443/v1", "live"),
        ("http://127.0.0.1:4711", "local"),
        ("http://127.9.9.9", "local"),
        ("http://localhost:1", "local"),
        ("http://LOCALHOST:1", "local"),
        ("http://[::1]:1", "local"),
        ("http://[::ffff:127.0.0.1]:1", "local"),
        ("http://0.0.0.0:1", "local"),
    ],
)
def test_an_address_of_this_machine_is_no_model(address: str, source: str) -> None:
    """Whoever sets a variable must not become one."""
    answer = AiAnswer(value=PLAN, source="live", attempts=(), options={"base_url": address})

    assert answered_by(answer) == source


@pytest.mark.parametrize(
    ("proxy", "source"),
    [
        ("http://proxy.example.org:3128", "live"),
        ("http://127.0.0.1:8080", "local"),
        ("http://[::1]:8080", "local"),
        ("http://[::1", "local"),
        ("http://localhost", "local"),
    ],
)
def test_a_proxy_of_this_machine_is_no_model(proxy: str, source: str) -> None:
    """With a certificate of its own it could say anything in the model's name."""
    options: dict[str, Json] = {"base_url": "https://api.anthropic.com", "proxy": proxy}

    assert answered_by(AiAnswer(value=PLAN, source="live", attempts=(), options=options)) == source


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, {"base_url": "https://api.anthropic.com"}),
        ({"ANTHROPIC_BASE_URL": "https://u:p@x.org/v1"}, {"base_url": "https://x.org"}),
        ({"HTTPS_PROXY": "http://u:p@127.0.0.1:1"}, {"base_url": _REAL, "proxy": "http://127.0.0.1:1"}),
        ({"https_proxy": "127.0.0.1:1"}, {"base_url": _REAL, "proxy": "http://127.0.0.1:1"}),
        ({"HTTP_PROXY": "http://127.0.0.1:1"}, {"base_url": _REAL}),
        (
            {"ANTHROPIC_BASE_URL": "http://x.org", "http_proxy": "http://127.0.0.1:1"},
            {"base_url": "http://x.org", "proxy": "http://127.0.0.1:1"},
        ),
    ],
)
def test_where_a_model_is_asked_is_told_without_passwords(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], found: dict[str, str]
) -> None:
    """The address, and the proxy that its scheme goes through."""
    for name in ("ANTHROPIC_BASE_URL", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert asked_addresses() == found


def test_an_answer_from_this_machine_moves_nothing_gated(project: Project) -> None:
    """The plan with a gated command is refused where it was proposed."""
    run = project.open(FLOW)

    with pytest.raises(PlanRefusedError, match="no model gave it now: it is local"):
        ask(run, Model(PLAN, base_url="http://127.0.0.1:4711"))

    run.close(interrupted=True)
    assert of_type(run, "command.started") == []


def test_the_budget_is_one_for_all_questions_and_sessions_of_a_run(project: Project) -> None:
    """What is left bounds each request, its own bound too, and with nothing left nobody is asked."""
    text = "steps:\n" + "".join(
        f"  - {{id: {name}, ai: {{prompt: What?, output: {{a: {{}}}}, budget: 0.75}}}}\n" for name in ("a", "b", "c")
    )
    model = Model({"a": "x"}, cost_usd=0.5)
    run = project.open(text)
    ask(run, model, budget_usd=1.0, step="a")
    run.close(interrupted=True)
    run = project.open(text, after=run)
    run.carry(run.workflow.step("a"))
    ask(run, model, budget_usd=1.0, step="b")
    with pytest.raises(AiError, match=r"the budget of \$1 for this run is spent \(\$1.0000\); nothing was asked"):
        ask(run, model, budget_usd=1.0, step="c")
    run.close(interrupted=True)

    assert [request.budget_usd for request in model.asked] == [0.75, 0.5]
    assert len(of_type(run, "ai.request")) == 2


class Patient:
    """Proposes one plan after the other, as long as it may and none is accepted."""

    def __init__(self, *plans: Json) -> None:
        self.plans, self.told = plans, list[tuple[str, ...]]()

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Return the first plan that is accepted."""
        attempts: list[AiAttempt] = []
        for plan in self.plans[: request.attempts]:
            attempts.append(AiAttempt(value=plan, errors=accept(plan)))
            self.told.append(attempts[-1].errors)
            if not attempts[-1].errors:
                return AiAnswer(value=plan, source="live", attempts=tuple(attempts))
        data = [{"value": each.value, "errors": list(each.errors)} for each in attempts]
        raise AiError("nothing was accepted", attempts=data, cost_usd=0.5)


BAD: dict[str, Json] = {"commands": [{"argv": ["echo", "a"], "why": "x"}, {"argv": ["rm", "b"], "why": "y"}]}


def test_a_plan_that_the_policy_refuses_may_be_mended(project: Project) -> None:
    """Each refusal is written before the model is told of it; what is accepted in the end is allowed as a whole."""
    run = project.open(FLOW)
    model = Patient(BAD, {"commands": []}, PLAN)

    ask(run, model)  # type: ignore[arg-type]  # another backend

    [by_policy], by_type, none = model.told
    assert "the policy refuses the plan in 'commands' of step 'ask' as a whole, and nothing of it is run" in by_policy
    assert "2 of 2: the policy refuses ['rm', 'b']" in by_policy
    assert "at least 1 item" in by_type[0]
    assert none == ()
    types = [record.type for record in read_log(run.log_path) if record.type.startswith(("ai.", "command."))]
    assert types == ["ai.request", "command.refused", "ai.response"]
    assert [each["errors"] for each in of_type(run, "ai.response")[0]["attempts"]] == [[by_policy], list(by_type), []]
    run.close(interrupted=True)


def test_a_plan_that_is_never_allowed_is_refused_in_the_policy_s_words(project: Project) -> None:
    """After the last attempt, as a refusal and not as a bad answer; what it cost counts, and nothing ran."""
    run = project.open(FLOW)

    with pytest.raises(
        PlanRefusedError, match=r"(?s)2 of 2: the policy refuses \['rm', 'b'\].*None of the 3 proposals"
    ):
        ask(run, Patient(BAD, BAD, BAD, PLAN))  # type: ignore[arg-type]  # another backend

    run.close(interrupted=True)
    assert [each["argv"] for each in of_type(run, "command.refused")] == [["rm", "b"]] * 3
    assert of_type(run, "ai.response")[0]["outcome"] == "failed"
    assert run.answers.cost_usd == 0.5
    assert of_type(run, "command.started") == []


@pytest.mark.parametrize("last", [{"commands": []}, "prose"])
def test_what_went_wrong_last_is_what_is_said(project: Project, last: Json) -> None:
    """Where the last proposal was none at all, that is the error, whatever the policy refused before."""
    run = project.open(FLOW)

    with pytest.raises(AiError, match="nothing was accepted"):
        ask(run, Patient(BAD, BAD, last))  # type: ignore[arg-type]  # another backend

    run.close(interrupted=True)
    assert len(of_type(run, "command.refused")) == 2


def test_a_refusal_told_to_a_model_holds_no_secret(project: Project) -> None:
    """What goes back to the model leaves the machine; the same words without it are kept."""
    plan: Json = {"commands": [{"argv": ["rm", "hunter2-hunter2"], "why": "x"}]}
    flow = "inputs: {key: {type: secret, default: {env: KEY}}}\n" + FLOW.lstrip()
    run = project.open(flow, environment={**os.environ, "KEY": "hunter2-hunter2"})
    model = Patient(plan, PLAN)

    ask(run, model)  # type: ignore[arg-type]  # another backend

    assert "hunter2" not in str(model.told)
    assert "hunter2" not in run.log_path.read_text()
    run.close(interrupted=True)


def test_what_was_recorded_costs_nothing_again(project: Project) -> None:
    """A replay says what its answer cost then, and spends nothing of the budget."""
    run = project.open("steps:\n  - {id: a, ai: {prompt: What?, output: {a: {}}}}\n")
    planned = run.workflow.step("a")
    assert isinstance(planned.body, Ai)
    model = Model({"a": "x"}, cost_usd=5.0, source="replay")
    asker = Asker(run, model, source="replay", purse=Purse(1.0), tell=lambda _: None)
    run.start(planned)
    perform_ai(asker, planned, planned.body, kind_of(planned.body, None))

    assert of_type(run, "ai.response")[0]["usage"]["cost_usd"] == 5.0
    assert run.answers.cost_usd == 0.0
    run.close(interrupted=True)


ASKING = (
    "steps:\n  - {id: a, ai: {prompt: What?, output: {a: {}}}}\n  - {id: b, ai: {prompt: What?, output: {a: {}}}}\n"
)


def runs_of(tmp_path: Path, *names: str) -> list[Run]:
    """Return a run of each of several projects."""
    made = []
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "workflow-exec.toml").write_text(GATED)
        made.append(Project(tmp_path / name).open(ASKING))
    return made


def test_the_budget_is_one_for_all_runs_of_a_session(tmp_path: Path) -> None:
    """What one workflow spent, another can't spend again: with nothing left nobody is asked, and it says who spent it."""
    first, second = runs_of(tmp_path, "first", "second")
    model, purse = Model({"a": "x"}, cost_usd=0.5), Purse(1.0)

    ask(first, model, step="a", purse=purse)
    ask(second, model, step="a", purse=purse)
    with pytest.raises(
        AiError, match=r"is spent \(\$0.5000, and \$0.5000 by other runs of this session\); nothing was"
    ):
        ask(second, model, step="b", purse=purse)

    assert [request.budget_usd for request in model.asked] == [1.0, 0.5]
    for run in (first, second):
        run.close(interrupted=True)


def test_workers_share_the_budget(tmp_path: Path) -> None:
    """Each process knows what the others spent; while one asks, all that is left is spent for the others."""
    shared = tmp_path / "costs"
    shared.mkdir()
    first, second = runs_of(tmp_path, "first", "second")
    mine, other = Purse(1.0, shared=shared), Purse(1.0, shared=shared)

    class Looking(Model):
        def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
            noted.append(json.loads((shared / "costs.json").read_text()))
            return super().ask(request, accept, tell)

    noted: list[dict[str, float]] = []
    model = Looking({"a": "x"}, cost_usd=0.75)
    ask(first, model, step="a", purse=mine)
    ask(second, model, step="a", purse=other)
    with pytest.raises(AiError, match=r"\$0.7500 by other runs of this session\); nothing was asked"):
        ask(first, model, step="b", purse=mine)

    assert noted == [{first.id: 1.0}, {first.id: 0.75, second.id: 0.25}]
    assert [request.budget_usd for request in model.asked] == [1.0, 0.25]
    for run in (first, second):
        run.close(interrupted=True)


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": "x"}', '{"a": -1}', '{"a": NaN}', "[" * 100_000])
def test_what_others_spent_is_known_or_nobody_is_asked(tmp_path: Path, content: str) -> None:
    """A file that can't be read bounds nothing: doubt asks nobody."""
    shared = tmp_path / "costs"
    shared.mkdir()
    (shared / "costs.json").write_text(content)
    [run] = runs_of(tmp_path, "first")
    model = Model({"a": "x"}, cost_usd=0.75)

    with pytest.raises(AiError, match=r"what other workers spent on models can't be known.*Add -n0"):
        ask(run, model, step="a", purse=Purse(1.0, shared=shared))

    assert model.asked == []
    assert of_type(run, "ai.request") == []
    run.close(interrupted=True)


def test_who_died_while_asking_spent_it_all(tmp_path: Path) -> None:
    """What its model took is in no log: others have nothing left."""
    shared = tmp_path / "costs"
    shared.mkdir()
    first, second = runs_of(tmp_path, "first", "second")

    class Dying(Model):
        def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
            kept.append((shared / "costs.json").read_bytes())
            return super().ask(request, accept, tell)

    kept: list[bytes] = []
    ask(first, Dying({"a": "x"}), step="a", purse=Purse(1.0, shared=shared))
    (shared / "costs.json").write_bytes(kept[0])

    with pytest.raises(AiError, match=r"\$1.0000 by other runs of this session\); nothing was asked"):
        ask(second, Model({"a": "x"}), step="a", purse=Purse(1.0, shared=shared))

    for run in (first, second):
        run.close(interrupted=True)
