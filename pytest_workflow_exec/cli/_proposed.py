"""Proposed rules: as TOML for a person to read and accept, with why each of them is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.settings import SHARED_FILE

from ._text import escape

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedRule:
    """One rule, with all the reasons for it."""

    text: str
    rights: Mapping[str, str] = field(default_factory=dict)
    """The rights that its commands had when they ran, as TOML has them."""


@dataclass(slots=True, kw_only=True)
class Proposal:
    """What is proposed for one workflow."""

    workflow: str
    rules: dict[str, tuple[ProposedRule, list[str]]] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Commands that no short rule can say, with why."""

    def add(self, rule: ProposedRule, why: str) -> None:
        """Propose a rule; one that is there gets one more reason."""
        known, reasons = self.rules.setdefault(rule.text, (rule, []))
        if rule.rights and not known.rights:
            self.rules[rule.text] = (rule, reasons)
        if why not in reasons:
            reasons.append(why)

    def leave_out(self, command: str, why: str) -> None:
        """Say of a command why no rule is proposed for it."""
        reasons = self.left_out.setdefault(command, [])
        if why not in reasons:
            reasons.append(why)

    def lines(self, *, source: Path | None, said: str) -> Iterator[str]:
        """Give the proposal as TOML.

        Args:
            source: The project's configuration file, whose tables have the names that it wants; None if there is none.
            said: What it was made from.
        """
        table = _table(self.workflow, source)
        yield f"# The narrowest rules for workflow {escape(self.workflow)}, {escape(said)}. Nothing was written or allowed:"
        yield "# read them, and put what you trust into the project's configuration."
        plain = [(rule, reasons) for rule, reasons in self.rules.values() if not rule.rights]
        if plain:
            yield ""
            yield f"[{table}]"
            yield "commands = ["
            for rule, reasons in plain:
                yield from (f"  # why: {escape(reason)}" for reason in reasons)
                yield f"  {toml_text(rule.text)},"
            yield "]"
        for rule, reasons in self.rules.values():
            if rule.rights:
                yield ""
                yield f"[[{table}.command]]"
                yield from (f"# why: {escape(reason)}" for reason in reasons)
                yield f"rule = {toml_text(rule.text)}"
                yield from (f"{name} = {given}" for name, given in rule.rights.items())
        for command, reasons in self.left_out.items():
            yield ""
            yield f"# left out: {escape(command)}"
            yield from (f"#   {escape(reason)}" for reason in reasons)


def _table(workflow: str, source: Path | None) -> str:
    prefix = "tool.workflow-exec." if source is not None and source.name == SHARED_FILE else ""
    return f"{prefix}policy.workflows.{workflow if _BARE_KEY.fullmatch(workflow) else toml_text(workflow)}"


def toml_text(text: str) -> str:
    """Return a text as TOML has it."""
    # JSON's escapes are TOML's, but for pairs of surrogates.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_texts(texts: Sequence[str]) -> str:
    """Return a list of texts as TOML has it."""
    return "[" + ", ".join(map(toml_text, texts)) + "]"
