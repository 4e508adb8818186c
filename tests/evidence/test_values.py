"""What may stand in a record."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest

from pytest_workflow_exec.errors import EvidenceError, OutputError, ValueRefusedError
from pytest_workflow_exec.evidence import read_log, refuse_unkeepable

from ._logs import new_log, note

SECRET = "correct horse battery"  # noqa: S105


def _nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def _cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


class _Color(str, enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "where", "reason"),
    [
        ({"x": math.nan}, "data.outputs.x", "NaN"),
        ({"x": [1, {"y": -math.inf}]}, r"data.outputs.x\[1\].y", "infinities"),
        ({"x": 2**63}, "data.outputs.x", "64 bits"),
        ({"x": -(2**63) - 1}, "data.outputs.x", "64 bits"),
        ({1: "a", "1": "b"}, "data.outputs", "key of type int"),
        ({True: "a"}, "data.outputs", "key of type bool"),
        ({None: "a"}, "data.outputs", "key of type NoneType"),
        ({"x": b"bytes"}, "data.outputs.x", "type bytes"),
        ({"x": {1, 2}}, "data.outputs.x", "type set"),
        ({"x": object()}, "data.outputs.x", "type object"),
        ({"x": "half \ud83d"}, "data.outputs.x", "lone surrogate"),
        ({"half \ud83d": 1}, "data.outputs", "lone surrogate"),
        ({"x": "long \ud83d" + "y" * 10_000}, "data.outputs.x", "lone surrogate"),
        ({"x": _nested(70)}, r"data.outputs.x\[0\]", "nested deeper"),
        ({"x": _cycle()}, r"data.outputs.x\[0\]", "nested deeper"),
        ({"x": {"blob": "b", "size_bytes": 1, "stored": ""}}, "data.outputs.x", "stored text"),
        ({SECRET: 1, "[secret TOKEN]": 2}, r"data.outputs.\[secret TOKEN\]", "the same once secrets"),
    ],
)  # fmt: skip
def test_a_value_without_an_unambiguous_word_is_refused(tmp_path: Any, value: Any, where: str, reason: str) -> None:
    """What JSON would change, drop or double is refused with its place; nothing is written, and the log goes on."""
    log = new_log(tmp_path, secrets={"TOKEN": SECRET})
    log.append(note(text="before"))
    content = log.path.read_bytes()

    with pytest.raises(ValueRefusedError, match=f"^{where}.*{reason}") as caught:
        log.append(note(long="x" * 10_000, outputs=value))

    assert SECRET not in str(caught.value)
    if SECRET not in value:
        with pytest.raises(ValueRefusedError) as asked:
            refuse_unkeepable(value, "outputs")
        assert f"data.{asked.value}" == str(caught.value)
    assert log.path.read_bytes() == content
    assert not (log.path.parent / "blobs").exists()
    log.append(note(text="after"))
    assert [record.data["text"] for record in read_log(log.path)] == ["before", "after"]


def test_a_refused_value_is_the_steps_fault_and_not_the_logs() -> None:
    """A refusal is an output error, so that nobody who ends the run on evidence errors ends it for this."""
    assert issubclass(ValueRefusedError, OutputError)
    assert not issubclass(ValueRefusedError, EvidenceError)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -(2**63), 2**63 - 1, 0.1, -0.0, 1e300, 5e-324, "", 'ä \u2028 \u2029 \U0001f600 \x00 \x7f \\ "',
        [], {}, {"": {"a": [1, "2", [None]]}}, {"hash": "0" * 64, "prev": "0" * 64, "seq": 7}, {"blob": "x"},
    ],
)  # fmt: skip
def test_a_json_value_is_read_back_as_it_was_given(tmp_path: Any, value: Any) -> None:
    """Every JSON value comes back equal, with its type and the sign of its zero, on one line of the log."""
    log = new_log(tmp_path)

    refuse_unkeepable(value, "value")
    appended = log.append(note(value=value))

    [read] = read_log(log.path)
    assert read == appended
    assert repr(read.data["value"]) == repr(value)
    assert log.path.read_bytes().count(b"\n") == 1


def test_values_of_other_types_become_the_json_they_are(tmp_path: Any) -> None:
    """Tuples, other mappings and enumerations are recorded, and returned, as what they are read back as."""
    log = new_log(tmp_path)
    value = MappingProxyType({"tuple": (1, 2), "ordered": OrderedDict(a=1), "color": _Color.RED})

    appended = log.append(note(value=value))

    [read] = read_log(log.path)
    assert read.data == appended.data == {"value": {"tuple": [1, 2], "ordered": {"a": 1}, "color": "red"}}
    assert type(appended.data["value"]["color"]) is str  # type: ignore[call-overload,index]  # it is a mapping


def test_no_secret_reaches_the_run_directory(tmp_path: Any) -> None:
    """Known secrets are taken out of texts, keys and long texts before anything is hashed or written."""
    log = new_log(tmp_path, secrets={"TOKEN": SECRET})

    appended = log.append(note(text=f"it is {SECRET}!", long=SECRET + "x" * 10_000, nested=[{SECRET: [SECRET]}]))

    everything = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert SECRET.encode() not in everything
    assert everything.count(b"[secret TOKEN]") >= 4
    assert appended.data["text"] == "it is [secret TOKEN]!"


@pytest.mark.parametrize("levels", [62, 63, 64, 65])
def test_asking_first_gives_the_same_answer_at_every_depth(tmp_path: Any, levels: int) -> None:
    """Where a value stands in the data counts for how deep it may be, when it is asked and when it is written."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    log = new_log(tmp_path)

    for place, data in (("outputs.x", {"outputs": {"x": value}}), ("x", {"x": value})):
        asked = written = True
        try:
            refuse_unkeepable(value, place)
        except ValueRefusedError:
            asked = False
        try:
            log.append(note(**data))
        except ValueRefusedError:
            written = False
        assert asked == written == (levels <= (62 if place == "outputs.x" else 63))


def test_many_values_that_are_too_much_together_are_refused(tmp_path: Any) -> None:
    """What no text alone makes too long is refused by the sum; long texts, which have files of their own, don't count."""
    log = new_log(tmp_path)
    many, texts = ["y" * 8_000] * 9_000, ["z" * (30 << 20)] * 3

    with pytest.raises(ValueRefusedError, match=r"outputs\.x can't be recorded: it has \d+ bytes"):
        refuse_unkeepable(many, "outputs.x")
    with pytest.raises(ValueRefusedError, match=r"data can't be recorded: it has \d+ bytes"):
        log.append(note(outputs={"x": many}))
    assert log.path.read_bytes() == b""
    refuse_unkeepable(texts, "outputs.x")
