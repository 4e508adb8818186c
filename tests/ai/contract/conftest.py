"""The real SDK and the real program, asked about a scripted model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from pytest_workflow_exec.ai import AiAnswer, AiNews, AiRequest, ClaudeBackend
from pytest_workflow_exec.ai.testing import FakeClaude
from pytest_workflow_exec.errors import AiError

MODEL = "claude-sonnet-4-5"


class Count(BaseModel):
    """The plainest type of an answer."""

    n: int


@dataclass
class Asker:
    """Asks a scripted model through the real SDK and program."""

    fake: FakeClaude
    news: list[str] = field(default_factory=list)
    backend: ClaudeBackend = field(default_factory=lambda: ClaudeBackend(idle_s=60))

    def __call__(self, kind: Any = Count, **asked: Any) -> AiAnswer:
        """Ask for a value of a type."""
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        request = {
            "step": "triage",
            "model": MODEL,
            "system": "Be brief.",
            "prompt": "How many?",
            "schema": adapter.json_schema(),
            "attempts": 3,
            "timeout": 60.0,
            **{name: value for name, value in asked.items() if name != "accept"},
        }
        accept = asked.get("accept") or accepting(adapter)
        return self.backend.ask(AiRequest(**request), accept, self._hear)

    @contextmanager
    def failing(self, match: str) -> Iterator[pytest.ExceptionInfo[AiError]]:
        """Expect that there is no answer, in one line."""
        with pytest.raises(AiError, match=match) as caught:
            yield caught
        assert str(caught.value).isprintable()

    def _hear(self, news: AiNews) -> None:
        self.news.append(news.text)


def tools_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the tools that a request offers to the model."""
    return list(body["tools"])


def accepting(adapter: TypeAdapter[Any]) -> Callable[[Any], tuple[str, ...]]:
    """Return what a step makes of a type: pydantic's words on a value."""

    def accept(value: Any) -> tuple[str, ...]:
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            return tuple(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return ()

    return accept


@pytest.fixture(autouse=True)
def _extra() -> None:
    if find_spec("claude_agent_sdk") is None:
        pytest.skip("needs the extra `ai`")


@pytest.fixture
def ask(fake_claude: FakeClaude) -> Asker:
    """Ask a scripted model."""
    return Asker(fake_claude)
