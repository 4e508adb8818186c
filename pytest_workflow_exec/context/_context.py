"""What is asked for, and what came of it: values only."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import DEFAULT_CONTEXT_TOKENS

from ._sections import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a piece of work is about.

    Raises:
        ValueError: Nothing could ever fit.
    """

    task_type: str | None = None
    keywords: tuple[str, ...] = ()
    max_tokens: int = DEFAULT_CONTEXT_TOKENS
    required: tuple[str, ...] = ()
    """Files and folders that must be loaded whole, from the project's root."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")

    @property
    def asks(self) -> bool:
        """Whether it says what the work is about."""
        return self.task_type is not None or bool(self.keywords)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What was left out of the end of a file."""

    sections: int
    of_sections: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A file that was loaded, and why."""

    path: str
    """From the project's root, with `/`."""
    reason: str
    sha256: str
    """Of the whole file, in hex."""
    tokens: int
    """Estimated, of what was loaded."""
    text: str
    cut: Cut | None = None

    def to_data(self) -> Mapping[str, Json]:
        """Return it as the evidence holds it: without its text."""
        cut = None if self.cut is None else {"sections": self.cut.sections, "of_sections": self.cut.of_sections}
        return {"path": self.path, "reason": self.reason, "sha256": self.sha256, "tokens": self.tokens, "cut": cut}


@dataclass(frozen=True, slots=True, kw_only=True)
class Omitted:
    """A file that was not loaded, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What was loaded for a piece of work, root first."""

    files: tuple[Loaded, ...]
    omitted: tuple[Omitted, ...]
    warnings: tuple[str, ...]
    max_tokens: int
    sections: tuple[Section, ...] = ()
    """What belongs to it and comes from no file."""

    @property
    def tokens(self) -> int:
        """How many tokens the text has, estimated."""
        return sum(file.tokens for file in self.files) + sum(each.tokens for each in self.sections)

    @property
    def text(self) -> str:
        """The files and sections one after the other, each under a line that names it."""
        return "\n".join([*(file.text for file in self.files), *(each.text for each in self.sections)])

    def __str__(self) -> str:
        """Return the text."""
        return self.text

    def to_data(self) -> Mapping[str, Json]:
        """Return it as the evidence holds it: digests of what was loaded, and what was not."""
        return {
            "max_tokens": self.max_tokens,
            "tokens": self.tokens,
            "files": [dict(file.to_data()) for file in self.files],
            "omitted": [{"path": each.path, "reason": each.reason} for each in self.omitted],
            "warnings": list(self.warnings),
            "sections": [{"name": each.name, "tokens": each.tokens, "cut": each.cut} for each in self.sections],
        }
