"""Answers that are kept and given again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.ai import AiAnswer, AiNews, AiRequest, RecordingBackend, ReplayingBackend
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError
from pytest_workflow_exec.redaction import Redactor

from ._spoken import Spoken

REQUEST = AiRequest(
    step="triage",
    model="claude-x-1",
    system="Be brief.",
    prompt="Why?\nBecause:\nyes",
    schema={"type": "object"},
    attempts=3,
    timeout=60.0,
)
COMMAND = "pytest workflows/triage --workflow-ai=record"


def anything(_: Json) -> tuple[str, ...]:
    """Accept it."""
    return ()


def unless(bad: Json) -> Callable[[Json], tuple[str, ...]]:
    """Accept everything else."""
    return lambda value: (f"not {value}",) if value == bad else ()


def record(folder: Path, *values: Json, request: AiRequest = REQUEST, **given: Any) -> AiAnswer:
    """Ask for one answer and keep it."""
    backend = RecordingBackend(Spoken(list(values)), folder=folder, redact=given.get("redact", lambda value: value))
    return backend.ask(request, given.get("accept", anything), lambda news: None)


def replaying(folder: Path, redact: Callable[[Json], Json] = lambda value: value) -> ReplayingBackend:
    """Return a backend that gives kept answers."""
    return ReplayingBackend(folder=folder, redact=redact, record_with=COMMAND)


def replay(
    folder: Path, request: AiRequest = REQUEST, accept: Callable[[Json], tuple[str, ...]] = anything
) -> AiAnswer:
    """Ask for one kept answer."""
    return replaying(folder).ask(request, accept, lambda news: None)


def refused(folder: Path, words: str, request: AiRequest = REQUEST, **given: Any) -> None:
    """Expect that nothing is replayed, with the command that records."""
    with pytest.raises(AiError, match=words) as caught:
        replay(folder, request, **given)
    assert str(caught.value).endswith(f"Record it with: {COMMAND}")
    assert caught.value.kind == "business"


def test_recorded_answer_comes_back_whole(tmp_path: Path) -> None:
    """With its attempts, usage, versions and options; only where it comes from differs."""
    recorded = record(tmp_path / "new" / "folder", {"n": 0}, {"n": 1}, accept=unless({"n": 0}))
    asked: list[Json] = []
    news: list[AiNews] = []

    def accept(value: Json) -> tuple[str, ...]:
        asked.append(value)
        return ()

    answer = replaying(tmp_path / "new" / "folder").ask(REQUEST, accept, news.append)

    assert answer == replace(recorded, source="replay")
    assert (answer.source, recorded.source) == ("replay", "live")
    assert [attempt.errors for attempt in answer.attempts] == [("not {'n': 0}",), ()]
    assert asked == [{"n": 1}]
    assert [each.text for each in news] == ["replayed from triage.json"]


def test_same_answers_are_kept_in_the_same_bytes(tmp_path: Path) -> None:
    """A recording changes only where an answer does."""
    record(tmp_path, {"n": 1})
    first = (tmp_path / "triage.json").read_bytes()

    record(tmp_path, {"n": 1})

    assert (tmp_path / "triage.json").read_bytes() == first
    assert os.listdir(tmp_path) == ["triage.json"]  # noqa: PTH208  # nothing else is left


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": "Why?\nSince:\nyes"}, r"the prompt \(from line 2 on\) changed"),
        ({"prompt": "Why?\nBecause:\nyes\nand no"}, r"the prompt \(from line 4 on\) changed"),
        ({"system": "Be long."}, "the system prompt changed"),
        ({"model": "claude-x-2"}, "the model changed"),
        ({"schema": {"type": "array"}}, "the type of the answer changed"),
        ({"schema": {"type": "array"}, "model": "y"}, "the model, type of the answer changed"),
    ],
)
def test_changed_request_is_not_answered(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """What was said to another question is no answer, and the error names what changed."""
    record(tmp_path, {"n": 1})

    refused(tmp_path, words, replace(REQUEST, **change))


@pytest.mark.parametrize("change", [{"attempts": 1}, {"timeout": 1.0}, {"budget_usd": 1.0}])
def test_bounds_of_a_request_may_change(tmp_path: Path, change: dict[str, Any]) -> None:
    """They decide nothing about an answer that is there."""
    record(tmp_path, {"n": 1})

    assert replay(tmp_path, replace(REQUEST, **change)).value == {"n": 1}


def test_nothing_recorded_is_an_error(tmp_path: Path) -> None:
    """And nobody is asked instead."""
    refused(tmp_path, "nothing was recorded for this step")
    record(tmp_path, {"n": 1})
    refused(tmp_path, "nothing was recorded for this step", replace(REQUEST, step="other"))


def test_recorded_value_is_judged_again(tmp_path: Path) -> None:
    """A type that became stricter, or a file that was edited, is noticed."""
    record(tmp_path, {"n": 1})

    refused(tmp_path, "not accepted any more: not {'n': 1}", accept=unless({"n": 1}))


def test_answers_of_one_step_are_told_apart(tmp_path: Path) -> None:
    """By what was asked, and for the same question by their order; the last one stays."""
    backend = RecordingBackend(Spoken([{"n": 1}, {"m": 1}, {"n": 2}]), folder=tmp_path, redact=lambda value: value)
    other = replace(REQUEST, prompt="And now?")
    for request in (REQUEST, other, REQUEST):
        backend.ask(request, anything, lambda news: None)

    again = replaying(tmp_path)

    assert [again.ask(each, anything, lambda news: None).value for each in (other, REQUEST, REQUEST, REQUEST)] == [
        {"m": 1},
        {"n": 1},
        {"n": 2},
        {"n": 2},
    ]


def test_new_recording_forgets_the_old_one(tmp_path: Path) -> None:
    """What a step no longer asks is not kept."""
    record(tmp_path, {"n": 1})
    record(tmp_path, {"n": 2}, request=replace(REQUEST, prompt="New"))

    refused(tmp_path, "changed")
    assert replay(tmp_path, replace(REQUEST, prompt="New")).value == {"n": 2}


def test_secrets_are_not_written_and_not_compared(tmp_path: Path) -> None:
    """A secret in a prompt or a refused answer is masked, and another value of it tomorrow changes nothing."""
    request = replace(REQUEST, prompt="Use hunter2-hunter2", system="hunter2-hunter2!")
    before, after = Redactor({"KEY": "hunter2-hunter2"}), Redactor({"KEY": "swordfish-swordfish"})
    record(
        tmp_path,
        {"n": "hunter2-hunter2"},
        {"n": 1},
        request=request,
        redact=before.value,
        accept=unless({"n": "hunter2-hunter2"}),
    )

    assert b"hunter2" not in (tmp_path / "triage.json").read_bytes()
    changed = replace(REQUEST, prompt="Use swordfish-swordfish", system="swordfish-swordfish!")
    assert replaying(tmp_path, after.value).ask(changed, anything, lambda news: None).value == {"n": 1}


def test_answer_with_a_secret_is_not_recorded(tmp_path: Path) -> None:
    """It could not be given again."""
    with pytest.raises(AiError, match="holds a secret") as caught:
        record(tmp_path, {"n": "hunter2-hunter2"}, redact=Redactor({"KEY": "hunter2-hunter2"}).value)

    assert caught.value.cost_usd == 0.25
    assert list(tmp_path.iterdir()) == []


def test_failed_request_is_not_recorded(tmp_path: Path) -> None:
    """The other backend's error comes through as it is."""
    with pytest.raises(AiError, match="nothing left to say") as caught:
        record(tmp_path)

    assert caught.value.cost_usd == 0.5
    assert list(tmp_path.iterdir()) == []


def test_recording_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    """An answer that is not kept is not used."""
    (tmp_path / "file").write_text("")

    with pytest.raises(AiError, match="can't be recorded in") as caught:
        record(tmp_path / "file", {"n": 1})

    assert caught.value.attempts == ({"value": {"n": 1}, "errors": []},)


@pytest.mark.parametrize("step", ["update[web 1]/drain", "../../etc/passwd", ".hidden", "a.b", "ü" * 200, "x" * 300])
def test_every_step_has_a_file_of_the_folder(tmp_path: Path, step: str) -> None:
    """No id of a step leads anywhere else."""
    request = replace(REQUEST, step=step)

    record(tmp_path / "cassettes", {"n": 1}, request=request)

    [file] = (tmp_path / "cassettes").iterdir()
    assert (file.parent, file.suffix) == (tmp_path / "cassettes", ".json")
    assert not file.name.startswith(".")
    assert replay(tmp_path / "cassettes", request).value == {"n": 1}


def test_file_is_plain_ascii(tmp_path: Path) -> None:
    """Nothing hides from whoever reviews it: escapes, bidirectional controls and halves of characters are spelled."""
    said = "\x1b[31m\u202e\u200bü"
    record(tmp_path, {"n": "\ud800" + said}, {"n": said}, accept=unless({"n": "\ud800" + said}))

    content = (tmp_path / "triage.json").read_bytes()

    assert content.isascii()
    assert b"\x1b" not in content
    assert replay(tmp_path).value == {"n": said}


def broken(**changes: Any) -> str:
    """Return a cassette's text with something else in it."""
    turn = {
        "question": {"model": "m", "system": "s", "prompt": "p", "schema_digest": "d"},
        "attempts": [{"value": 1, "errors": []}],
        "usage": {"input_tokens": 1, "output_tokens": 1, "cost_usd": 0.0},
        "versions": {},
        "options": {},
    }
    return json.dumps({"format": "workflow-exec-cassette/1", "step": "triage", "turns": [turn], **changes})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": 1, "format": 2}', "it has a key twice"),
        ('{"x": NaN}', "it holds NaN"),
        ("[]", "Input should be a valid dictionary"),
        (broken(format="workflow-exec-cassette/2"), "format"),
        (broken(step="other"), "it is that of step 'other'"),
        (broken(more=1), "more: Extra inputs"),
        (broken(turns=[]), "nothing was recorded"),
        (broken(turns=[{}]), r"turns\.0\.question: Field required"),
        (broken().replace('"errors": []', '"errors": ["no"]'), "its last attempt was not accepted"),
        (broken().replace('"attempts": [{"value": 1, "errors": []}]', '"attempts": []'), "attempts"),
        (broken().replace("0.0", "-1"), "cost_usd"),
        (broken().replace("0.0", "1e999"), "a number that is too large"),
    ],
)
def test_broken_file_is_told(tmp_path: Path, text: str, words: str) -> None:
    """With the file, what is wrong, and the command that writes it anew."""
    (tmp_path / "triage.json").write_text(text)

    refused(tmp_path, words)
    refused(tmp_path, "triage.json: ")


def test_what_is_no_text_file_is_told(tmp_path: Path) -> None:
    """Folders, pipes and bytes in its place are an error, and nothing waits."""
    file = tmp_path / "triage.json"
    file.mkdir()
    refused(tmp_path, "can't be read")
    file.rmdir()
    os.mkfifo(file)
    refused(tmp_path, "no regular file")
    file.unlink()
    file.write_bytes(b"\xff")
    refused(tmp_path, "no text")
