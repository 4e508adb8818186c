"""`workflow-exec pending`: the gates at which runs of the project wait."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence

from pytest_workflow_exec.approval import allowed
from pytest_workflow_exec.digests import Json, canonical_json

from ._find import project
from ._open_gates import Waiting, waiting_everywhere, way_on
from ._text import escape


def pending(arguments: argparse.Namespace) -> int:
    """Print what waits, and what was decided about it; return 0, or 1 if a log could not be trusted.

    Raises:
        LogUnreadableError: There is no project here.
    """
    found = list(waiting_everywhere(project()))
    waiting = [each for each in found if isinstance(each, Waiting)]
    if arguments.json:
        sys.stdout.write(json.dumps([_data(each) for each in waiting], indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for each in waiting for line in _lines(each)) or "nothing waits\n")
    for each in found:
        if not isinstance(each, Waiting):
            sys.stderr.write(f"workflow-exec: {escape(str(each[1]))}\n")
    return 1 if len(waiting) < len(found) else 0


def _data(waiting: Waiting) -> dict[str, object]:
    request = waiting.request
    return {
        "run": waiting.run,
        "workflow": request.workflow,
        "step": waiting.step,
        "question": next((words.text for words in request.author_words if words.source == "question"), ""),
        "issued": request.issued,
        "expires": request.expires,
        "digest": waiting.gate.digest,
        "decision": waiting.gate.decision,
        "approver": waiting.gate.approver or None,
        "rules": None if request.rules is None else request.rules.to_data(),
        "signed": _votes(waiting),
    }


def _votes(waiting: Waiting) -> list[dict[str, object]]:
    """Return what was taken in of signed answers; each is judged again when the run goes on."""
    keys = ("decision", "approver", "assurance")
    return [{"at": vote.at} | {key: vote.data.get(key) for key in keys} for vote in waiting.gate.votes]


def _filled(waiting: Waiting) -> Sequence[Json]:
    """Return what the first of the signed approvals filled in, which the others have to sign, too."""
    forms = (vote.data.get("form") for vote in waiting.gate.votes if vote.data.get("decision") == "approved")
    return [form for form in forms if form][:1]


def _lines(waiting: Waiting) -> list[str]:
    data, named = _data(waiting), f"{waiting.run} {shlex.quote(waiting.step)}"
    lines = [
        f"run {waiting.run} of workflow {waiting.request.workflow} waits at gate {waiting.step}",
        f"  asks     {escape(str(data['question']))}",
        f"  since    {waiting.request.issued}, until {waiting.request.expires}",
    ]
    if waiting.request.rules is not None and waiting.gate.decision is None:
        lines += [f"  wants    {escape(said)}" for said in waiting.request.rules.said()]
        lines += [f"  signed   {each['decision']} by {escape(str(each['approver']))}" for each in _votes(waiting)]
        fills = "".join(f" --fill {field.name}=VALUE" for field in waiting.request.fields_to_fill)
        lines += [f"  fill in  {escape(field.name)}: {allowed(field)}" for field in waiting.request.fields_to_fill]
        lines += [f"  filled   {escape(canonical_json(each))}" for each in _filled(waiting)]
        lines.append(f"  sign     workflow-exec challenge {named}{fills} --out challenge")
        lines.append(f"  decide   workflow-exec approve {named} --signature challenge.sig")
    elif waiting.gate.decision is None:
        lines.append(f"  decide   workflow-exec approve {named}")
        lines.append(f"           workflow-exec reject {named}")
    else:
        who = escape(waiting.gate.approver)
        lines.append(
            f"  decided  {waiting.gate.decision} by {who}: {escape(way_on(waiting.step, str(waiting.gate.decision)))}"
        )
    return lines
