"""Rules of what a model can be asked for, and of what counts as an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Union

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretStr, computed_field, field_validator

from pytest_workflow_exec.ai import AnswerKind, AnswerKindError, CommandPlan, fit_schema
from pytest_workflow_exec.ai._answer_kind import MAX_ANSWER_BYTES, kind_of_form
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.model import InputSpec, Location


class Cat(BaseModel):
    """One kind."""

    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    """Another kind."""

    kind: Literal["dog"]
    day: date


class Pet(BaseModel):
    """A tagged union, a tuple, a decimal and a rule of its own."""

    model_config = ConfigDict(extra="forbid")

    pet: Annotated[Union[Cat, Dog], Field(discriminator="kind")]  # noqa: UP007  # the same on every Python
    pair: tuple[int, str]
    price: Decimal

    @field_validator("price")
    @classmethod
    def _positive(cls, price: Decimal) -> Decimal:
        if price <= 0:
            message = "must be more than nothing"
            raise ValueError(message)
        return price


class Tree(BaseModel):
    """A model that holds itself."""

    name: str
    below: list[Tree] = []


class Restart(BaseModel):
    """An action of a user's own, whose commands Python makes."""

    model_config = ConfigDict(extra="forbid")

    service: Literal["web", "queue"]

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def commands(self) -> list[dict[str, object]]:
        """What it takes."""
        return [{"argv": ["touch", f"ran-{self.service}"], "why": "restart"}]


def kind(annotation: object) -> AnswerKind:
    """Return the kind of a type."""
    return AnswerKind.of(annotation, name="it")


def test_values_become_outputs_as_json() -> None:
    """Dates and decimals are texts, a value that is no object has the name `value`, and defaults are filled in."""
    pet: dict[str, Json] = {"pet": {"kind": "dog", "day": "2026-01-02"}, "pair": [1, "a"], "price": "1.50"}

    assert kind(Pet).problems(pet) == ()
    assert kind(Pet).outputs(pet) == pet
    assert kind(Tree).outputs({"name": "a", "below": [{"name": "b"}]})["below"] == [{"name": "b", "below": []}]
    assert kind(list[int]).outputs([1, 2]) == {"value": [1, 2]}
    made = kind(Pet).instance(pet)
    assert isinstance(made, Pet)
    assert (made.price, made.pair) == (Decimal("1.50"), (1, "a"))


def test_what_a_type_computes_is_an_output_and_never_asked_for() -> None:
    """Commands of a user's own action are made by Python: a proposal that brings its own is refused."""
    restart = kind(Restart)

    assert list(restart.schema["properties"]) == ["service"]  # type: ignore[arg-type]  # it is an object
    assert restart.outputs({"service": "web"})["commands"] == [{"argv": ["touch", "ran-web"], "why": "restart"}]
    assert restart.problems({"service": "web", "commands": []}) == ("commands: Extra inputs are not permitted",)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("prose", "Input should be an object"),
        ({"output": {"pet": {}}}, "Extra inputs are not permitted"),
        ({"pet": {"kind": "cow"}, "pair": [1, "a"], "price": "1"}, "does not match any of the expected tags"),
        ({"pet": {"kind": "cat", "lives": 9}, "pair": [1, "a"], "price": "0"}, "must be more than nothing"),
        ({"pet": {"kind": "cat", "lives": 9}, "pair": [1], "price": "1"}, "pair.1: Field required"),
        ({"\x1b[2J\u202e": 1}, r"\x1b[2J\u202e: Extra inputs"),
        ({"pet": "\ud800"}, "lone surrogate"),
        ({"pet": float("nan")}, "is no JSON"),
        ("x" * (MAX_ANSWER_BYTES + 1), f"and {MAX_ANSWER_BYTES} are the most"),
    ],
)
def test_anything_else_is_refused_in_words_that_act_on_no_terminal(value: Json, said: str) -> None:
    """Prose, wrappers, other types, rules of the model's own, what evidence can't hold, and what is too much."""
    problems = kind(Pet).problems(value)

    assert any(said in problem for problem in problems), problems
    assert all(problem.isprintable() for problem in problems)


def test_deep_values_are_refused() -> None:
    """One that no reader gets through is no answer."""
    deep: Json = {"name": "a"}
    for _ in range(5000):
        deep = {"name": "a", "below": [deep]}

    assert kind(Tree).problems(deep)


class Callback(BaseModel):
    """No JSON can hold it."""

    call: Callable[[], None]


class Outcome(BaseModel):
    """Its field is the step's own."""

    outcome: str


class Computed(BaseModel):
    """What it computes is the step's own."""

    a: int

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def outcome(self) -> str:
        """A word of the engine's."""
        return "passed"


class Round(BaseModel):
    """It holds itself, and what is the step's own."""

    outcome: int
    more: list[Round] = []


class Keyed(BaseModel):
    """Its keys are no texts."""

    at: list[dict[tuple[int, int], str]]


class Login(BaseModel):
    """What it holds would be stars after its round trip."""

    user: str
    password: SecretStr


class Odd:
    """A type whose author made a mistake."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> object:
        """Need what is not installed."""
        raise ImportError("odd-types is not installed")


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Callback, "JsonSchema"),
        (Outcome, "rename the field"),
        (Computed, "rename the field"),
        (Round, "rename the field"),
        (Path.open, "it"),
        (object(), "it"),
        (Odd, "odd-types is not installed"),
        (Login, "it holds a secret"),
        (Keyed, "keys are no texts"),
        (list[type[int]], "it holds a class"),
        (Iterable[int], "ask for a list"),
        ("NoSuchName", "NoSuchName"),
    ],
)
def test_what_nobody_can_be_asked_for_is_refused_with_a_reason(annotation: object, said: str) -> None:
    """Before anything is asked."""
    with pytest.raises(AnswerKindError, match="a model can't be asked for it") as caught:
        kind(annotation)

    assert said in str(caught.value)


def test_a_plan_holds_commands_and_nothing_else() -> None:
    """At least one, each with its argv and why."""
    plan = kind(CommandPlan)

    assert plan.problems({"commands": [{"argv": ["git", "tag"], "why": "mark it"}]}) == ()
    wrongs: list[Json] = [
        {"commands": []},
        {"commands": [{"argv": [], "why": "x"}]},
        {"commands": [{"argv": "git tag", "why": "x"}]},
        {"commands": [{"argv": ["git"]}]},
        {"commands": [{"argv": ["git"], "why": "x", "shell": True}]},
        {"commands": [{"argv": ["git"], "why": "x"}] * 51},
    ]
    for wrong in wrongs:
        assert plan.problems(wrong), wrong


def test_fields_are_strict() -> None:
    """Those of a form take only values of their type, in full, and no others."""
    where = Location(path=Path("x"), line=1, column=1)
    fields = [
        InputSpec(name="severity", type="enum", values=("low", "high"), location=where),
        InputSpec(name="version", pattern=r"\d+", location=where),
        InputSpec(name="count", type="integer", default=1, location=where),
        InputSpec(name="hosts", type="list", default=("a",), location=where),
    ]
    form = kind_of_form(fields, name="fields")

    assert form.outputs({"severity": "low", "version": "12"}) == {
        "severity": "low", "version": "12", "count": 1, "hosts": ["a"],
    }  # fmt: skip
    wrongs: list[dict[str, Json]] = [
        {"severity": "mid"}, {"version": "12x"}, {"count": "1"}, {"hosts": "a"}, {"more": 1},
    ]  # fmt: skip
    for wrong in wrongs:
        assert form.problems({"severity": "low", "version": "12", **wrong}), wrong


@pytest.mark.parametrize("value", [{"outcome": 1}, {"a": 1, "outcome": {"outcome": 2}}])
def test_no_answer_takes_the_place_of_how_the_step_ended(value: Json) -> None:
    """Where a type leaves its keys to the model, one of them can't be the step's own; deeper ones can."""
    assert "which is the name of something else here" in kind(dict[str, object]).problems(value)[0]
    assert kind(dict[str, object]).problems({"a": {"outcome": 1}}) == ()


@pytest.mark.parametrize(
    ("annotation", "value", "output"),
    [
        (list[Tree], [{"name": "a"}], {"value": [{"name": "a", "below": []}]}),
        (RootModel[list[int]], [1], {"value": [1]}),
        (RootModel[dict[str, int]], {"a": 1}, {"a": 1}),
        (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "cat", "lives": 9}, None),
        (tuple[int, date], [1, "2026-01-02"], {"value": [1, "2026-01-02"]}),
        (tuple[int, ...], [1, 2], {"value": [1, 2]}),
        (Decimal, "1.10", {"value": "1.10"}),
        (datetime, "2026-01-02T03:04:05Z", {"value": "2026-01-02T03:04:05Z"}),
        (int | None, None, {"value": None}),
        (dict[int, str], {"1": "a"}, {"1": "a"}),
    ],
)
def test_a_type_of_any_shape_can_be_asked_for(annotation: object, value: Json, output: Json) -> None:
    """Lists, tuples, unions, recursive and plain types; their schema is one that the program takes."""
    found = kind(annotation)

    assert found.problems(value) == ()
    assert found.outputs(value) == (value if output is None else output)
    assert fit_schema(found.schema).schema["type"] == "object"
