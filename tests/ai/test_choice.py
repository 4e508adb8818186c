"""Rules of who answers: said by options alone, and scripts that say only what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.ai import AiBackend, AiRequest, Standing, backend_of, choice_problems, choose
from pytest_workflow_exec.ai._backend import AiNews
from pytest_workflow_exec.ai._choice import AiChoice
from pytest_workflow_exec.ai._off import OffBackend
from pytest_workflow_exec.ai._scripted import ScriptedBackend
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError, PreflightError

REQUEST = AiRequest(step="ask", model="m", system="", prompt="Why?", schema={}, attempts=2, timeout=1.0)


def chosen(standing: Standing | None = None, **options: str) -> AiChoice:
    """Return what these options choose; `CI` is the environment's."""
    return choose(
        mode=options.get("mode"),
        script=options.get("script"),
        budget=options.get("budget"),
        environment={name: value for name, value in options.items() if name.isupper()},
        folder=Path("/project"),
        standing=standing,
    )


def made(choice: AiChoice) -> AiBackend:
    """Return what answers."""
    return backend_of(choice, recordings=Path("/nowhere"), redact=lambda value: value, record_with="pytest")


def test_a_model_is_asked_unless_nobody_is_there_to_pay_for_it() -> None:
    """In CI only the option asks one; no other variable decides anything."""
    assert chosen().mode == "live"
    assert chosen(CI="true").mode == "off"
    assert chosen(CI="true", mode="live").mode == "live"
    assert chosen(CI="").mode == "live"
    assert chosen(WORKFLOW_AI="scripted", PYTEST_ADDOPTS="x").mode == "live"
    assert [chosen(mode=mode).source for mode in ("live", "record", "replay")] == ["live", "live", "replay"]


def test_what_stands_holds_where_no_option_says_it() -> None:
    """An option goes before it, but never above the project's own bound."""
    off = Standing(mode="off", by="WORKFLOW_EXEC_AI=off", budget_usd=1.5, most_usd=2.0)

    assert (chosen(off).mode, chosen(off).budget_usd) == ("off", 1.5)
    assert (chosen(off, mode="live").mode, chosen(off, budget="2").budget_usd) == ("live", 2.0)
    assert chosen(off, script="answers.json").mode == "scripted"
    assert chosen(Standing(mode="live"), CI="true").mode == "live"
    assert choice_problems(chosen(off), {}) == [
        "asks a model, and none is to be asked: WORKFLOW_EXEC_AI=off. Leave it out, or give --workflow-ai=live"
    ]
    with pytest.raises(PreflightError, match=r"--workflow-ai-budget=2\.01 is more than the 2 of ai_budget"):
        chosen(off, budget="2.01")


def test_a_script_is_no_model() -> None:
    """Its answers are called scripted."""
    choice = chosen(script="answers.json", CI="true")

    assert (choice.mode, choice.source, choice.asks) == ("scripted", "scripted", False)
    assert choice.script == Path("/project/answers.json")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mode": "on"}, "--workflow-ai takes live, record, replay, off, not 'on'"),
        ({"mode": "scripted"}, "--workflow-ai takes"),
        ({"mode": "live", "script": "a.json"}, "leave out --workflow-ai"),
        ({"budget": "much"}, "an amount of US dollars"),
        ({"budget": "0"}, "an amount of US dollars"),
        ({"budget": "-1"}, "an amount of US dollars"),
        ({"budget": "nan"}, "an amount of US dollars"),
    ],
)
def test_options_that_say_nothing_are_refused(options: dict[str, str], said: str) -> None:
    """With what they take."""
    with pytest.raises(PreflightError, match=said):
        chosen(None, **options)


def test_nobody_is_asked_when_nobody_may_be() -> None:
    """The reason says how to change it."""
    assert choice_problems(chosen(mode="off"), {}) == [
        "asks a model, and none is to be asked: --workflow-ai=off. Leave it out, or give --workflow-ai=live"
    ]
    assert "the variable CI is set" in choice_problems(chosen(CI="1"), {})[0]
    backend = made(chosen(mode="off"))
    assert isinstance(backend, OffBackend)
    with pytest.raises(AiError, match="none is to be asked"):
        backend.ask(REQUEST, lambda _: (), lambda _: None)


@pytest.mark.parametrize("text", ["", "[]", '{"ask": {}}', "\ufeff{}", "{" * 100_000])
def test_a_file_that_is_no_script_is_refused_before(tmp_path: Path, text: str) -> None:
    """It is a problem of the preflight, and no backend is made of it."""
    (tmp_path / "answers.json").write_text(text, encoding="utf-8")
    choice = AiChoice(mode="scripted", said=True, script=tmp_path / "answers.json")

    assert "answers.json" in choice_problems(choice, {})[0]
    with pytest.raises(PreflightError):
        made(choice)


def test_a_script_proposes_until_one_is_accepted() -> None:
    """Each proposal is judged; a request takes no more than its attempts, and the next one goes on behind them."""
    news: list[AiNews] = []
    backend = ScriptedBackend({"ask": ["a", "b", "c", "d"]})

    def accept(value: Json) -> tuple[str, ...]:
        return () if value == "b" else ("it is not b",)

    answer = backend.ask(REQUEST, accept, news.append)
    assert (answer.value, answer.source) == ("b", "scripted")
    assert [(each.value, each.errors) for each in answer.attempts] == [("a", ("it is not b",)), ("b", ())]
    assert len(news) == 1

    with pytest.raises(AiError, match="none of 2 proposals is what was asked for") as caught:
        backend.ask(REQUEST, accept, news.append)
    assert caught.value.attempts == (
        {"value": "c", "errors": ["it is not b"]},
        {"value": "d", "errors": ["it is not b"]},
    )
    with pytest.raises(AiError, match="holds no further proposal for step 'ask'"):
        backend.ask(REQUEST, accept, news.append)
