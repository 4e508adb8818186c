"""A live answer that is recorded, and given again without a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pytest_workflow_exec.ai import AiRequest, RecordingBackend, ReplayingBackend

from .conftest import MODEL, Asker, Count, accepting


def test_live_answer_is_given_again_without_a_model(ask: Asker, tmp_path: Path) -> None:
    """Everything of it is the same but where it comes from; neither SDK nor API is asked."""
    from pydantic import TypeAdapter

    adapter = TypeAdapter(Count)
    ask.fake.answers({"n": "many"}, {"n": 1})
    request = AiRequest(
        step="count",
        model=MODEL,
        system="Be brief.",
        prompt="How many?",
        schema=adapter.json_schema(),
        attempts=2,
        timeout=60.0,
    )

    live = RecordingBackend(ask.backend, folder=tmp_path, redact=lambda value: value).ask(
        request, accepting(adapter), lambda news: None
    )
    ask.fake.close()
    again = ReplayingBackend(folder=tmp_path, redact=lambda value: value, record_with="pytest").ask(
        request, accepting(adapter), lambda news: None
    )

    assert again == replace(live, source="replay")
    assert len(live.attempts) == 2
    assert len(ask.fake.requests) == 2
