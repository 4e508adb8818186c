"""What counts as an answer, and what does not although the program calls it a success."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import threading
import uuid
from typing import Annotated, Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, Json, model_validator

from pytest_workflow_exec.ai import AiAttempt

from .conftest import MODEL, Asker, Count, tools_of


class Shell(BaseModel):
    """One kind of a tagged union."""

    kind: Literal["shell"]
    argv: list[str]


class Note(BaseModel):
    """Another one, with fields named like keywords of JSON Schema."""

    kind: Literal["note"]
    text: str
    discriminator: str = "x"
    pattern: str = "x"


Action = Annotated[Shell | Note, Field(discriminator="kind")]


class Tree(BaseModel):
    """A recursive type."""

    name: str
    children: list[Tree] = []


class Colour(enum.Enum):
    """A choice."""

    RED = "red"


class Everything(BaseModel):
    """What pydantic has words for and the program might not."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"x-own": 1, "examples": [1]})
    steps: list[Action] = Field(min_length=1)
    pair: tuple[int, str]
    many: tuple[int, ...] = ()
    when: dt.date
    at: dt.datetime | None = None
    takes: dt.timedelta | None = None
    price: decimal.Decimal
    tree: Tree | None = None
    colour: Colour = Colour.RED
    ident: uuid.UUID | None = None
    name: Annotated[str, Field(pattern=r"^(?P<letters>a)+$")] = "a"
    keyed: dict[Annotated[str, Field(pattern="^a")], int] = {}
    mixed: int | str | None = None
    share: float = Field(default=1.0, gt=0, multiple_of=0.5)
    some: set[int] = set()
    anything: Any = None
    packed: Json[dict[str, int]] | None = None
    url: AnyUrl | None = None


EVERYTHING: dict[str, Any] = {
    "steps": [{"kind": "shell", "argv": ["ls"]}, {"kind": "note", "text": "t"}],
    "pair": [1, "a"],
    "many": [1, 2],
    "when": "2026-01-01",
    "takes": "P1D",
    "price": "1.10",
    "tree": {"name": "a", "children": [{"name": "b"}]},
    "keyed": {"a1": 1},
    "mixed": "5",
    "some": [1],
    "anything": {"x": [1]},
    "packed": '{"a": 1}',
    "url": "https://example.org/",
}


class Totalled(BaseModel):
    """A type with a rule that only Python knows."""

    parts: list[int]
    total: int

    @model_validator(mode="after")
    def adds_up(self) -> Totalled:
        """Refuse what does not add up."""
        if self.total != sum(self.parts):
            raise ValueError("the total is not the sum of the parts")
        return self


class Strict(BaseModel):
    """A type that takes no texts for truth values."""

    sure: bool = Field(strict=True)


def test_answer_tells_where_it_is_from_and_what_it_took(ask: Asker) -> None:
    """An answer names model, SDK, program, cost and the options that held the model back."""
    ask.fake.answers({"n": 3})

    answer = ask()

    assert (answer.value, answer.source, answer.attempts) == ({"n": 3}, "live", (AiAttempt(value={"n": 3}),))
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    assert answer.usage.cost_usd == pytest.approx(0.000138)
    assert answer.versions["model"] == MODEL
    assert answer.versions["sdk"]
    assert answer.versions["cli"].startswith("2.")
    assert (answer.options["tools"], answer.options["setting_sources"]) == ([], [])
    assert (answer.options["verbatim_prompts"], answer.options["strict_mcp_config"]) == (True, True)
    assert (answer.options["base_url"], answer.options["login"]) == (ask.fake.url, "ANTHROPIC_API_KEY")
    assert len(ask.fake.requests) == 1


def test_password_in_the_address_is_not_kept(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence says who answered, and nothing that opens a door."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", ask.fake.url.replace("//", "//user:password@"))
    ask.fake.answers({"n": 3})

    assert ask().options["base_url"] == ask.fake.url


def test_model_is_given_one_tool_and_the_words_of_the_step(ask: Asker) -> None:
    """It sees the prompt and the system prompt as they are, and nothing to call but the answer."""
    ask.fake.answers({"n": 3})

    ask(prompt="Wie viele?\n@x ü", system="Sei kurz. ü")

    [body] = ask.fake.requests
    assert ask.fake.prompts == ["Wie viele?\n@x ü"]
    assert "Sei kurz. ü" in str(body["system"])
    assert [tool["name"] for tool in tools_of(body)] == ["StructuredOutput"]


def test_python_is_asked_in_the_thread_that_waits(ask: Asker) -> None:
    """What a step's own code says of an answer, it says where the step runs."""
    ask.fake.answers({"n": 3})
    threads: list[threading.Thread] = []

    def accept(value: Any) -> tuple[str, ...]:
        threads.append(threading.current_thread())
        return ()

    ask(accept=accept)

    assert threads == [threading.current_thread()]


def test_model_is_asked_again_with_the_words_of_python(ask: Asker) -> None:
    """A rule that only Python knows refuses an answer, and the model reads why."""
    ask.fake.answers({"parts": [1, 2], "total": 4}, {"parts": [1, 2], "total": 3})

    answer = ask(Totalled)

    assert answer.value == {"parts": [1, 2], "total": 3}
    assert [bool(attempt.errors) for attempt in answer.attempts] == [True, False]
    assert "the total is not the sum of the parts" in str(ask.fake.requests[1]["messages"])
    assert any("answer 1 of 3 is not accepted" in text for text in ask.news)


def test_python_judges_what_was_said_and_not_what_the_program_made_of_it(ask: Asker) -> None:
    """The program turns texts into truth values and numbers; a strict type must not let that through."""
    ask.fake.answers({"sure": "true"}, {"sure": True})

    answer = ask(Strict)

    assert [attempt.value for attempt in answer.attempts] == [{"sure": "true"}, {"sure": True}]
    assert answer.value == {"sure": True}


def test_decimal_keeps_its_digits(ask: Asker) -> None:
    """A number in a text is not made a float on its way."""
    said = "1.1000000000000000000000000000001"
    ask.fake.answers({"price": said})

    class Price(BaseModel):
        price: decimal.Decimal

    assert ask(Price).value == {"price": said}


def test_every_type_can_be_asked_for(ask: Asker) -> None:
    """Tagged unions, tuples, recursion, dates, decimals, patterns and words of one's own pass the program's own check."""
    ask.fake.answers(EVERYTHING)

    assert ask(Everything).value == EVERYTHING


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[int], [1, 2]),
        (tuple[int, str], [1, "x"]),
        (Action, {"kind": "note", "text": "x"}),
        (Tree, {"name": "a", "children": [{"name": "b", "children": []}]}),
        (Tree | None, None),
        (dict[str, int], {"a": 1}),
        (int, 5),
    ],
)
def test_answer_need_not_be_an_object(ask: Asker, kind: Any, value: Any) -> None:
    """Lists, unions, recursive types, mappings and plain values come back as they are."""
    ask.fake.answers(ask.fake.value(value))

    answer = ask(kind)

    assert (answer.value, answer.attempts[-1].value) == (value, value)


def test_value_that_is_wrapped_unasked_is_refused(ask: Asker) -> None:
    """Models put answers into an object of their own; that is no answer."""
    ask.fake.answers({"output": {"n": 1}}, {"n": 1})

    answer = ask()

    assert [attempt.value for attempt in answer.attempts] == [{"output": {"n": 1}}, {"n": 1}]
    assert answer.attempts[0].errors


def test_value_that_python_accepts_and_the_program_does_not_is_no_answer(ask: Asker) -> None:
    """The program's own refusal is an attempt with an error; only what both take counts."""
    ask.fake.answers({"m": 1}, {"n": 1})

    answer = ask(accept=lambda value: ())

    assert (answer.value, len(answer.attempts)) == ({"n": 1}, 2)
    assert "the program refused it" in answer.attempts[0].errors[0]


def test_first_of_two_answers_in_one_turn_counts(ask: Asker) -> None:
    """The program would take the last one, which was not what Python accepted first."""
    ask.fake.answers(ask.fake.calls(("StructuredOutput", {"n": 1}), ("StructuredOutput", {"n": 2})))

    assert ask().value == {"n": 1}


@pytest.mark.parametrize("attempts", [1, 3])
def test_attempts_are_bounded(ask: Asker, attempts: int) -> None:
    """After as many refused answers as there may be, nothing more is asked or paid."""
    ask.fake.answers(*[{"n": "many"}] * 9)

    with ask.failing(f"none of {attempts} attempts was accepted") as caught:
        ask(attempts=attempts)

    assert len(ask.fake.requests) == attempts
    assert caught.value.kind == "business"
    assert [each["value"] for each in caught.value.attempts] == [{"n": "many"}] * attempts  # type: ignore[index]  # JSON
    assert caught.value.cost_usd == pytest.approx(0.000138 * attempts)


@pytest.mark.parametrize("answers", [('{"n": 1}', '{"n": 1}'), ({"n": "x"}, "It is 1.", "1")])
def test_prose_is_no_answer(ask: Asker, answers: Any) -> None:
    """Not even perfect JSON is, if it is only written; the program calls that a success."""
    ask.fake.answers(*answers)

    with ask.failing("prose") as caught:
        ask()

    assert caught.value.kind == "business"
    assert caught.value.attempts


def test_value_with_a_key_twice_is_refused(ask: Asker) -> None:
    """What two readers could understand differently is no answer."""
    ask.fake.answers(lambda body: ask.fake.raw(_Twice({"n": 1})), {"n": 2})

    answer = ask()

    assert (answer.value, len(answer.attempts)) == ({"n": 2}, 2)
    assert "twice" in answer.attempts[0].errors[0]


class _Twice(dict[str, Any]):
    """JSON that has a key twice."""

    def items(self) -> Any:
        return [("n", 7), ("n", 1)]


def test_long_answer_arrives_whole(ask: Asker) -> None:
    """Two megabytes are an answer like any other."""

    class Long(BaseModel):
        text: str

    ask.fake.answers({"text": "x" * 2_000_000})

    assert ask(Long).value == {"text": "x" * 2_000_000}


def test_too_long_answer_is_an_error(ask: Asker) -> None:
    """Beyond what one message may hold, the request ends."""
    ask.fake.answers({"n": "x" * 17_000_000})

    with ask.failing("too long"):
        ask()


def test_budget_that_is_overrun_leaves_no_answer(ask: Asker) -> None:
    """The program notices only afterwards; what cost too much is not used."""
    ask.fake.answers({"n": 1})

    with ask.failing("more than the") as caught:
        ask(budget_usd=0.00001)

    assert caught.value.cost_usd > 0


def test_other_model_than_the_one_that_was_asked_is_no_answer(ask: Asker) -> None:
    """A short name that stands for another model each month is not what the evidence is to say."""
    ask.fake.answers({"n": 1})

    with ask.failing("answered, and sonnet was asked"):
        ask(model="sonnet")


def test_model_may_be_named_without_its_date(ask: Asker) -> None:
    """A name and the same name with a date are one model."""
    ask.fake.answers({"n": 1})

    assert ask(Count, model=MODEL).value == {"n": 1}
