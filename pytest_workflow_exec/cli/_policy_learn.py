"""`workflow-exec policy learn`: the narrowest rules for what a run ran or wanted to run; nothing is run or written."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LogUnreadableError, PolicyError
from pytest_workflow_exec.evidence import Record, read_log
from pytest_workflow_exec.redaction import holds_mask
from pytest_workflow_exec.sandbox import Rule, RuleTextError, compile_policy, narrow_rule_of
from pytest_workflow_exec.settings import Settings, find_project, load_settings

from ._find import log_of
from ._proposed import Proposal, ProposedRule, toml_text, toml_texts
from ._view import RunView

_OF_THE_ENGINE = "verify"
_CUT = "…"
_MOST_WORDS = 1000
"""So many arguments at most are in a record; the rest is cut off."""
_RIGHTS = ("exec", "env", "secrets", "network", "read", "write", "cwd", "sockets", "needs")


def learn(arguments: argparse.Namespace) -> int:
    """Print the rules; return 0, or 1 if some command can't be said by a rule.

    Raises:
        LogUnreadableError: There is no such run, or its log can't be read.
    """
    log = log_of(arguments.run)
    records, view = list(read_log(log)), RunView()
    view.take(records)
    if view.run is None:
        raise LogUnreadableError(f"{log} holds no run: it ended before its first record")
    settings = _settings()
    known = _known(settings, view.workflow or "")
    proposal = Proposal(workflow=view.workflow or "")
    for record in records:
        _learn(proposal, record, known)
    lines = proposal.lines(source=None if settings is None else settings.source, said=f"from its run {view.run}")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(proposal.left_out))


def _settings() -> Settings | None:
    """Return the project's configuration; None without one: a run's log may lie anywhere."""
    root = find_project(Path.cwd())
    return None if root is None else load_settings(root)


def _known(settings: Settings | None, workflow: str) -> Mapping[str, Rule]:
    """Return the rules that the project has now, by their digests: what ran by one of them keeps its rights."""
    try:
        policy = (
            None if settings is None else compile_policy(settings.policy, workflow=workflow, environment=os.environ)
        )
    except PolicyError:
        return {}
    return {} if policy is None else {rule.digest: rule for rule in policy.rules}


def _learn(proposal: Proposal, record: Record, known: Mapping[str, Rule]) -> None:
    data = record.data
    if record.type == "command.started" and data.get("rule") != _OF_THE_ENGINE:
        rule = known.get(str(data.get("rule_digest")))
        why = f"step {record.step} ran it, by rule {data.get('rule')!s}"
        why += "" if rule is not None else ", whose rights are not known: the policy has it no more"
        _add(proposal, _words(data.get("judged_as") or data.get("argv")), why, rule)
    elif record.type == "command.refused":
        _add(proposal, _words(data.get("argv")), f"step {record.step} was refused it: {data.get('reason')!s}", None)


def _add(proposal: Proposal, words: Sequence[str] | None, why: str, ran_by: Rule | None) -> None:
    if words is None:
        proposal.leave_out("a command", f"{why}. No rule: the log does not hold all of it")
        return
    shown = "[" + ", ".join(map(ascii, words)) + "]"
    try:
        _demand_whole(words)
        proposal.add(ProposedRule(text=narrow_rule_of(words), rights=_rights(ran_by)), why)
    except RuleTextError as error:
        proposal.leave_out(shown, f"{why}. No rule: {error}")


def _demand_whole(words: Sequence[str]) -> None:
    if any(word.endswith(_CUT) for word in words):
        raise RuleTextError("the log does not hold all of it")
    if any(map(holds_mask, words)):
        raise RuleTextError("a secret is in it, which belongs in env or stdin")


def _rights(rule: Rule | None) -> Mapping[str, str]:
    if rule is None:
        return {}
    rights = {name: toml_texts(given) for name in _RIGHTS if (given := getattr(rule, name))}
    rights |= {"home": "true"} if rule.home else {}
    rights |= {"sha256": toml_text(rule.sha256)} if rule.sha256 is not None else {}
    if rule.gated is not None:
        by = f", approvers = {toml_texts(rule.gated.approvers)}" if rule.gated.approvers else ""
        rights["gated"] = f"{{assurance = {rule.gated.assurance}{by}}}"
    return rights


def _words(argv: Json) -> Sequence[str] | None:
    if not isinstance(argv, Sequence) or isinstance(argv, str) or not argv or len(argv) >= _MOST_WORDS:
        return None
    return [word for word in argv if isinstance(word, str)] if all(isinstance(word, str) for word in argv) else None
