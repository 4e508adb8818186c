"""The models that files are read by accept what pydantic's own would, refuse the rest with the same errors, and cost no pydantic."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.definition import _schema
from pytest_workflow_exec.definition._yaml_tree import Plain
from pytest_workflow_exec.lean_models import (
    AfterValidator,
    BeforeValidator,
    Complaint,
    Field,
    Model,
    Others,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pytest_workflow_exec.lean_models._pydantic import as_pydantic
from pytest_workflow_exec.settings import _file

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydantic's, of fields named as its own methods


def _refuse_twice(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise Complaint("twice", "stands twice", count=len(values))
    return values


class _Inner(Model):
    flag: bool = False
    number: Annotated[int, Field(ge=1, le=3)] = 1


class _Everything(Model):
    """One of each thing that models declare."""

    must: str
    text: Annotated[str, StringConstraints(min_length=1, max_length=3, pattern="^[a-z]*$")] | None = None
    numbers: Annotated[list[int] | None, Field(min_length=1)] = None
    by_name: dict[Annotated[str, StringConstraints(pattern="^[a-z]$")], float] = {}
    unique: Annotated[list[str], Field(min_length=1), AfterValidator(_refuse_twice)] = ["a"]
    other: Annotated[int | dict[str, int] | None, BeforeValidator(lambda value: value)] = None
    inner: _Inner = Field(default_factory=_Inner)
    for_: Annotated[_Inner | None, Field(alias="for")] = None
    last: Annotated[str | None, Field(validate_default=True)] = None

    @field_validator("last")
    @classmethod
    def _beside(cls, last: str | None, others: Others) -> str | None:
        if (last is None) == (others.data.get("text") is None):
            raise Complaint("form", "one of both")
        return last


FILES = (
    _schema.FileModel,
    _schema.StepModel,
    _schema.BlockModel,
    _schema.IncludeModel,
    _schema.FragmentModel,
    _schema.InputModel,
    _schema.DefaultsModel,
    _schema.DefaultModel,
    _schema.JsonMatchModel,
    _file._File,
    _Everything,
)
WORDS = ("", "a", "abc", "abcd", "a b", "a\n", "1", "true", "5m", "git status", "python", "none", "any", "/x", "power")
TEXTS = st.sampled_from(WORDS) | st.builds(Plain, st.sampled_from(WORDS))
SCALARS = TEXTS | st.none() | st.booleans() | st.integers(-1, 5) | st.sampled_from([0.5, 2.0, 10**400])


def _keys(model: type[Model]) -> set[str]:
    found = {field.alias or name for name, field in model.model_fields.items()}
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            found |= _keys(inner)
    return found


def _models_in(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _data(model: type[Model]) -> st.SearchStrategy[object]:
    names = st.sampled_from([*sorted(_keys(model)), "else", "A"])
    values = st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(names | st.just(3), inner, max_size=4) | st.just(())
        ),
        max_leaves=12,
    )
    return st.dictionaries(names, values, max_size=8) | values


def _plain(value: object) -> object:
    if isinstance(value, Model):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}, set(value.model_fields_set)
    if isinstance(value, pydantic.BaseModel):
        fields = type(value).model_fields
        return {name: _plain(getattr(value, name)) for name in fields}, set(value.model_fields_set)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [type(value), _plain_items(value)] if isinstance(value, (list, tuple)) else (type(value), value)


def _plain_items(values: list[object] | tuple[object, ...]) -> list[object]:
    return [_plain(item) for item in values]


def _told(detail: Any) -> tuple[object, ...]:
    error = detail.get("ctx", {}).get("error")
    if isinstance(error, Complaint):
        # pydantic knows it as any other ValueError.
        return detail["loc"], error.kind, str(error), repr(detail["input"])
    return detail["loc"], detail["type"], detail["msg"], repr(detail["input"])


def _answers(validate: Any, data: object) -> object:
    try:
        return _plain(validate(data))
    except (ValidationError, pydantic.ValidationError) as error:
        return [_told(detail) for detail in error.errors()]


@pytest.mark.parametrize("model", FILES, ids=lambda model: model.__name__)
def test_models_answer_as_those_of_pydantic(model: type[Model]) -> None:
    """Whatever a file says, a model and pydantic's make the same of it, or say the same errors at the same places."""
    theirs = as_pydantic(model)

    @settings(max_examples=300, deadline=None, database=None)
    @given(data=_data(model))
    def agree(data: object) -> None:
        expected = _answers(theirs.model_validate, data)
        if "EqualsModel" not in repr(expected):
            # The short form of matchers is made as a model of ours, which theirs is not.
            assert _answers(model.model_validate, data) == expected

    agree()


@pytest.mark.parametrize("text", ["a" * 64, f"{'a' * 64}\n", "g" * 64, ""])
def test_patterns_end_where_the_text_does(text: str) -> None:
    """A newline at the end of a text is part of it, as pydantic has it, and not as Python's `$` has it."""
    data = {"policy": {"command": [{"rule": "git status", "sha256": text}]}}

    ours, theirs = (_answers(model.model_validate, data) for model in (_file._File, as_pydantic(_file._File)))

    assert ours == theirs
    assert isinstance(ours, list) == (text != "a" * 64)


def test_a_model_never_changes() -> None:
    """What was read stays as it was read."""
    made = _Everything.model_validate({"must": "a", "text": "b"})

    with pytest.raises(AttributeError, match="never changed"):
        made.must = "c"

    assert made.must == "a"
    assert made.model_copy(update={"must": "c"}).must == "c"
    assert made != made.model_copy(update={"must": "c"})
    assert made == _Everything.model_validate({"must": "a", "text": "b"})


def test_an_annotation_that_is_not_known_is_refused() -> None:
    """What can't be read by a model is no type of one, and nothing is read as something else."""

    class Strange(Model):
        when: complex

    with pytest.raises(TypeError, match="can't read"):
        Strange.model_validate({"when": 1})


def test_reading_files_imports_no_pydantic() -> None:
    """A project's configuration and its workflows are read without it."""
    code = (
        "import sys, pytest_workflow_exec.run, pytest_workflow_exec.definition._schema as s, "
        "pytest_workflow_exec.settings._file as f\n"
        "s.StepModel.model_validate({'id': 'a', 'run': ['true']}), f._File.model_validate({'policy': {}})\n"
        "sys.exit(' '.join(n for n in sys.modules if n.partition('.')[0] in ('pydantic', 'pydantic_core')) or 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
