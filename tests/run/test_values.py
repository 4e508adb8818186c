"""What references stand for, and what a value may not do to the place where it stands."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest

from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.model import EachReference, Outcome, Reference, Template
from pytest_workflow_exec.run import FileOutput, StepOutputs, Values

VERSION = Reference(scope="inputs", path=("version",))
WHEEL = Reference(scope="steps", path=("build", "wheel"))


def template(*parts: str | Reference) -> Template:
    """Return a text made of these parts."""
    return Template(text="".join(str(part) for part in parts), parts=parts)


def values(root: Path, *, version: object = "1.2.3", **outputs: object) -> Values:
    """Return values with one input and the outputs of one step."""
    return Values(
        root=root,
        run="0198",
        run_directory="/run",
        inputs={"version": version},  # type: ignore[dict-item]  # any JSON value
        input_groups={"version": {"series": "1.2"}},
        variables=MappingProxyType({"tag": template("v", VERSION)}),
        outputs={"build": StepOutputs(values=outputs, files={})},  # type: ignore[arg-type]  # any JSON values
        outcomes={"build": Outcome.PASSED},
    )


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (VERSION, "1.2.3"),
        (Reference(scope="inputs", path=("version", "series")), "1.2"),
        (Reference(scope="vars", path=("tag",)), "v1.2.3"),
        (Reference(scope="run", path=("id",)), "0198"),
        (Reference(scope="run", path=("dir",)), "/run"),
        (WHEEL, "dist/x.whl"),
        (Reference(scope="steps", path=("build", "about", "size")), "7"),
    ],
)
def test_each_scope_is_filled_in(tmp_path: Path, reference: Reference, text: str) -> None:
    """Inputs with their groups, variables, the run and outputs of steps can stand in a text."""
    assert values(tmp_path, wheel="dist/x.whl", about={"size": 7}).text(template("[", reference, "]")) == f"[{text}]"


@pytest.mark.parametrize("value", ["-x", "--upload-pack=evil", "-"])
def test_value_does_not_become_an_option(tmp_path: Path, value: str) -> None:
    """An argument that the author did not write as an option can't become one."""
    with pytest.raises(OutputError, match="becomes the option"):
        values(tmp_path, version=value).argument(template(VERSION))


def test_empty_value_does_not_uncover_an_option(tmp_path: Path) -> None:
    """A value that is empty does not let the text behind it become an option."""
    with pytest.raises(OutputError, match="becomes the option"):
        values(tmp_path, version="").argument(template(VERSION, "--force"))


def test_authors_own_option_stays_one(tmp_path: Path) -> None:
    """An option that the author wrote may hold a value."""
    assert values(tmp_path).argument(template("--tag=", VERSION)) == "--tag=1.2.3"


def test_value_is_never_split(tmp_path: Path) -> None:
    """Spaces, quotes and shell signs of a value are part of one argument."""
    assert values(tmp_path, version="a b; rm 'x'").argument(template(VERSION)) == "a b; rm 'x'"


def test_reference_in_a_pattern_is_literal(tmp_path: Path) -> None:
    """A value in a regular expression stands for exactly its text."""
    assert values(tmp_path).pattern(template("^", VERSION, "$")) == r"^1\.2\.3$"


@pytest.mark.parametrize("missing", [WHEEL, Reference(scope="steps", path=("other", "x"))])
def test_missing_output_is_an_error(tmp_path: Path, missing: Reference) -> None:
    """A value that no step left is an error, never an empty text."""
    with pytest.raises(OutputError, match="has no value"):
        values(tmp_path).text(template(missing))


def test_list_does_not_stand_inside_a_text(tmp_path: Path) -> None:
    """A list inside a text would be spelled by accident; it is refused."""
    with pytest.raises(OutputError, match="can't stand inside a text"):
        values(tmp_path, wheel=["a", "b"]).text(template("x", WHEEL))


def test_whole_reference_keeps_the_values_type(tmp_path: Path) -> None:
    """A `with:` value that is one reference is handed on as it is."""
    assert values(tmp_path, wheel=["a", "b"]).argument_value(template(WHEEL)) == ["a", "b"]


def test_file_is_checked_at_every_use(tmp_path: Path) -> None:
    """A file output that changed since its step made it is not used."""
    made = tmp_path / "x.whl"
    made.write_text("now")
    file = FileOutput(path="x.whl", sha256="0" * 64, size_bytes=3)
    held = Values(
        root=tmp_path,
        run="",
        run_directory="",
        inputs={},
        input_groups={},
        variables={},
        outputs={"build": StepOutputs(values={"wheel": "x.whl"}, files={"wheel": file})},
        outcomes={},
    )

    with pytest.raises(OutputError, match="changed since its step made it"):
        held.text(template(WHEEL))
    made.unlink()
    with pytest.raises(OutputError, match="is gone"):
        held.text(template(WHEEL))


def test_only_inputs_are_known_before_the_first_step(tmp_path: Path) -> None:
    """Preflight knows an argument of inputs and variables, and knows that it does not know the others."""
    known = values(tmp_path)

    assert known.known(template("v", VERSION)) == "v1.2.3"
    assert known.known(template(Reference(scope="vars", path=("tag",)))) == "v1.2.3"
    assert known.known(template(WHEEL)) is None


def test_value_of_a_case_is_a_value_like_any_other(tmp_path: Path) -> None:
    """It is known before any step ran, exactly itself in a pattern, of its own type alone, and never an option."""
    here = values(tmp_path)
    dotted, number = (EachReference(scope="each", path=("x",), value=value) for value in ("a.b", 3))

    assert here.known(template("v", dotted, number)) == "va.b3"
    assert here.pattern(template("v.", dotted)) == "v.a\\.b"
    assert here.argument_value(template(number)) == 3
    assert here.text(template(EachReference(scope="each", path=("x",), value=True))) == "true"
    with pytest.raises(OutputError, match="becomes the option '-rf'"):
        here.known(template(EachReference(scope="each", path=("x",), value="-rf")))
