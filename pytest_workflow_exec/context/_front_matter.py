"""What a CLAUDE.md says of itself, between two lines of `---` at its top."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from enum import IntEnum

import yaml

from pytest_workflow_exec.lean_dataclasses import dataclass

_Loader: type[yaml.CSafeLoader | yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FENCE = re.compile(r"---[ \t]*\r?\n")
_CLOSE = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$\n?", re.MULTILINE)
_MAX_CHARACTERS = 16_384
_PLACE = "context"


class Priority(IntEnum):
    """What stays when not everything fits."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """What a file says of itself; what it does not say has the defaults."""

    keywords: frozenset[str] = frozenset()
    """In one case."""
    task_types: frozenset[str] = frozenset()
    """In one case."""
    priority: Priority = Priority.MEDIUM
    max_tokens: int | None = None
    children: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()

    @property
    def speaks(self) -> bool:
        """Whether it says what the file is about."""
        return bool(self.keywords or self.task_types)


NONE = FrontMatter()
_KEYS = ("keywords", "task_types", "priority", "max_tokens", "children", "dependencies")


def split_front_matter(text: str) -> tuple[FrontMatter, str, tuple[str, ...]]:
    """Return what a text says of itself, the rest of it, and what is wrong with the former.

    The keys stand at the top level or in a table `context:`, which wins. Whatever is wrong is left out.
    """
    opening = _FENCE.match(text)
    if opening is None:
        return NONE, text, ()
    closing = _CLOSE.search(text, opening.end())
    if closing is None:
        return NONE, text, ("its front matter has no closing ---",)
    source, body = text[opening.end() : closing.start()], text[closing.end() :]
    if len(source) > _MAX_CHARACTERS:
        return NONE, body, (f"its front matter has more than {_MAX_CHARACTERS} characters",)
    try:
        root = yaml.compose(source, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return NONE, body, (f"its front matter is not valid YAML: {_first_line(error)}",)
    reader = _Reader()
    return reader.front_matter(root), body, tuple(reader.problems)


@dataclass(slots=True)
class _Reader:
    problems: list[str] = field(default_factory=list)

    def front_matter(self, root: yaml.Node | None) -> FrontMatter:
        found: dict[str, yaml.Node] = {}
        for key, node in self._entries(root):
            if key == _PLACE and isinstance(node, yaml.MappingNode):
                found |= dict(self._known(node))
            elif key in _KEYS:
                found.setdefault(key, node)
        return FrontMatter(
            keywords=frozenset(word.casefold() for word in self._words(found, "keywords")),
            task_types=frozenset(word.casefold() for word in self._words(found, "task_types")),
            priority=self._priority(found.get("priority")),
            max_tokens=self._max_tokens(found.get("max_tokens")),
            children=tuple(self._texts(found, "children")),
            dependencies=tuple(self._texts(found, "dependencies")),
        )

    def _entries(self, node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            if node is not None:
                self.problems.append("its front matter is no table of keys")
            return
        seen = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name in seen:
                self.problems.append(f"its front matter has {name!r} twice; the first counts")
            elif isinstance(name, str):
                seen.add(name)
                yield name, value

    def _known(self, table: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
        for key, node in self._entries(table):
            if key in _KEYS:
                yield key, node
                continue
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(_KEYS)})"
            self.problems.append(f"its front matter has an unknown key {key!r} in 'context'{hint}")

    def _words(self, found: dict[str, yaml.Node], key: str) -> Iterable[str]:
        for text in self._texts(found, key):
            yield from (word.strip() for word in text.split(",") if word.strip())

    def _texts(self, found: dict[str, yaml.Node], key: str) -> Iterable[str]:
        node = found.get(key)
        items = node.value if isinstance(node, yaml.SequenceNode) else [] if node is None else [node]
        for item in items:
            if isinstance(item, yaml.ScalarNode):
                yield from [item.value] if item.value.strip() else []
            else:
                self.problems.append(f"{key!r} in its front matter must be a list of texts")
                return

    def _priority(self, node: yaml.Node | None) -> Priority:
        if node is None:
            return Priority.MEDIUM
        name = node.value.upper() if isinstance(node, yaml.ScalarNode) else ""
        if name in Priority.__members__:
            return Priority[name]
        allowed = ", ".join(priority.name.lower() for priority in reversed(Priority))
        self.problems.append(f"'priority' in its front matter must be one of {allowed}; it counts as medium")
        return Priority.MEDIUM

    def _max_tokens(self, node: yaml.Node | None) -> int | None:
        if node is None:
            return None
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        if re.fullmatch(r"[1-9][0-9_]{0,11}", text, re.ASCII):
            return int(text)
        self.problems.append("'max_tokens' in its front matter must be a whole number of at least 1; none counts")
        return None


def _first_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error) or "it is nested too deeply"
    return str(problem).splitlines()[0]
