"""YAML as its author wrote it: every scalar is its source text, every value knows its place, nothing is constructed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

import yaml

from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._names import quoted
from ._problems import Mark, Problems, Where
from ._yaml_text import QUOTES, Plain, Tree, Value, refusal

MAX_DEPTH = 50
MAX_ALIASED_NODES = 1000

_Loader: type[yaml.CSafeLoader | yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The last three and a lone carriage return end a line for YAML but not for an editor: a step could
# hide behind what looks like a comment.
_UNREADABLE = lazy_pattern(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]|\r(?!\n)"
)
_NEVER_IN_A_TEXT = lazy_pattern("[\x00\ud800-\udfff]")

_REASONS = (
    (lazy_pattern(r"expected alphabetic or numeric"), f"'*' and '&' have a meaning of their own in YAML; {QUOTES}"),
    (lazy_pattern(r"mapping values are not allowed"), f"a text with ': ' in it is read as a mapping; {QUOTES}"),
    (lazy_pattern(r"scanning a tag|tag handle"), f"a text that starts with '!' is read as a tag; {QUOTES}"),
    (lazy_pattern(r"undefined alias"), f"a text that starts with '*' is read as an alias of an anchor; {QUOTES}"),
    (lazy_pattern(r"expected ',' or"), "a '[' or '{' is not closed, or a text inside it needs quotes"),
    (lazy_pattern(r"block end|'-' indicator|block mapping|block collection"), "the indentation does not fit"),
    (lazy_pattern(r"quoted scalar"), "a quote is not closed"),
)


def read_tree(path: Path, content: bytes) -> Tree:
    """Return the one document of a YAML file.

    Problems that leave the rest of the file readable are in the tree's `problems`.

    Raises:
        DefinitionError: The content is not one readable YAML document within bounds.
    """
    text = _decode(path, content)
    try:
        anchors = _check_events(path, text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _syntax_error(path, text, error) from error
    if root is None:
        raise refusal(path, Mark(1, 1), "is empty; write at least steps: with a list of them")
    walk = _Walk(path=path)
    value = walk.value(root, ())
    problems = Problems(path, values=walk.values, keys=walk.keys)
    for mark, message in [*anchors, *walk.found]:
        problems.standing_at(mark).at((), message)
    return Tree(value=value, problems=problems)


def _decode(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        raise refusal(path, _mark_at(before, len(before)), "is not UTF-8") from error
    text = text.removeprefix("\ufeff")
    unreadable = _UNREADABLE.search(text)
    if unreadable is not None:
        mark = _mark_at(text, unreadable.start())
        character = f"U+{ord(unreadable.group()):04X}"
        raise refusal(path, mark, f"the character {character} can't stand here; write an escape in double quotes")
    return text


def _mark_at(text: str, position: int) -> Mark:
    return Mark(text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


_STARTS = frozenset({yaml.MappingStartEvent, yaml.SequenceStartEvent})
_ENDS = frozenset({yaml.MappingEndEvent, yaml.SequenceEndEvent})


def _check_events(path: Path, text: str) -> list[tuple[Mark, str]]:
    # Before the nodes are composed: composing recurses, and a file of brackets would end the interpreter.
    depth = documents = 0
    anchors: dict[str, Mark] = {}
    odd: list[tuple[Mark, str]] = []
    for event in yaml.parse(text, Loader=_Loader):
        kind = type(event)
        if kind is yaml.DocumentStartEvent:
            documents += 1
            if documents > 1:
                raise refusal(path, _mark_of(event), "a second document starts here; one file is one workflow")
        elif kind in _STARTS:
            depth += 1
            if depth > MAX_DEPTH:
                raise refusal(path, _mark_of(event), f"is nested deeper than {MAX_DEPTH} levels")
        elif kind in _ENDS:
            depth -= 1
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None and kind is yaml.AliasEvent:
            anchors.pop(anchor, None)
        elif anchor is not None:
            anchors[anchor] = _mark_of(event)
        if tag is not None:
            said = f"a text that starts with '!' is read as a tag ({_short_tag(tag)}), and workflows have none"
            odd.append((_mark_of(event), f"{said}; {QUOTES}"))
    said = "a text that starts with '&' is read as an anchor, and nothing uses the anchor"
    return odd + [(mark, f"{said} {quoted(name)}; {QUOTES}") for name, mark in anchors.items()]


def _short_tag(tag: str) -> str:
    return quoted(tag.replace("tag:yaml.org,2002:", "!!", 1))


@dataclass(slots=True, kw_only=True)
class _Walk:
    path: Path
    values: dict[Where, Mark] = field(default_factory=dict)
    keys: dict[Where, Mark] = field(default_factory=dict)
    found: list[tuple[Mark, str]] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)
    _aliased: int = 0

    def value(self, node: yaml.Node, where: Where) -> Value:
        mark = _mark_of(node)
        self._count(node, mark, len(where))
        self.values[where] = mark
        if isinstance(node, yaml.MappingNode):
            return dict(self._entries(node, where))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*where, index)) for index, child in enumerate(node.value)]
        return self._scalar(node) if isinstance(node, yaml.ScalarNode) else Plain("")

    def _count(self, node: yaml.Node, mark: Mark, depth: int) -> None:
        # A node that is met again stands behind an alias. Nine lists of nine aliases each are a
        # billion values; a list that holds itself has no end.
        if id(node) in self._seen:
            self._aliased += 1
        self._seen.add(id(node))
        if self._aliased > MAX_ALIASED_NODES:
            raise refusal(self.path, mark, f"aliases repeat more than {MAX_ALIASED_NODES} values")
        if depth > MAX_DEPTH:
            raise refusal(self.path, mark, f"is nested deeper than {MAX_DEPTH} levels, counting aliases")

    def _entries(self, node: yaml.MappingNode, where: Where) -> Iterator[tuple[str, Value]]:
        first_lines: dict[str, int] = {}
        for key_node, child in node.value:
            mark = _mark_of(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.found.append((mark, f"a key must be a text; if braces or brackets belong to it, {QUOTES}"))
                continue
            key = self._scalar(key_node)
            if key in first_lines:
                self.found.append((mark, f"the key {quoted(key)} stands twice, first in line {first_lines[key]}"))
                continue
            place = (*where, key)
            first_lines[key], self.keys[place] = mark.line, mark
            if key == "<<" and not key_node.style:
                self.found.append((mark, "merge keys (<<) aren't used in workflows; write the keys out"))
                continue
            yield key, self.value(child, place)

    def _scalar(self, node: yaml.ScalarNode) -> str:
        text: str = node.value
        if _NEVER_IN_A_TEXT.search(text) is not None:
            self.found.append((_mark_of(node), "a text can't hold the character U+0000 or half a surrogate pair"))
        return text if node.style else Plain(text)


def _mark_of(thing: yaml.Node | yaml.Event) -> Mark:
    start = thing.start_mark
    return Mark(1, 1) if start is None else Mark(start.line + 1, start.column + 1)


def _syntax_error(path: Path, text: str, error: yaml.YAMLError) -> DefinitionError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = " ".join(str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    if mark is None:
        return refusal(path, Mark(1, 1), f"is not valid YAML: {reason or 'unreadable'}")
    place = Mark(mark.line + 1, mark.column + 1)
    if "nesting depth" in reason:
        # Some builds of libyaml look far ahead, and give up before the events that are counted here.
        return refusal(path, place, f"is nested deeper than {MAX_DEPTH} levels")
    return refusal(path, place, f"is not valid YAML: {_reason(text, place, reason)}")


def _reason(text: str, mark: Mark, reason: str) -> str:
    lines = text.split("\n")
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    if "expected ',' or" in reason and "${" in line:
        return f"a text with ${{...}} inside brackets or braces is cut at its '{{' or '}}'; {QUOTES}"
    if "a tab character that violates indentation" in reason:
        return "a tab can't indent a line; use spaces"
    if "cannot start any token" in reason:
        character = line[mark.column - 1 : mark.column]
        if character == "\t":
            return "a tab can't indent a line; use spaces"
        return f"a text can't start with {character!r}; {QUOTES}"
    return next((said for pattern, said in _REASONS if pattern.search(reason)), reason or "it can't be read")
