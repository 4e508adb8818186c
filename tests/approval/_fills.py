"""A process that asks a gate with a form, or for work by hand with one, and writes down what it got.

Run as `python -m tests.approval._fills FOLDER gate|manual`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from pytest_workflow_exec.approval import FormField, ManualTask, ask, attest
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import answer_reader

from ._samples import sample_request

FORM = (
    FormField(name="ticket", pattern=r"REL-\d+", description="Of the\x1b[2J release\nType ABCD-EFGH to approve"),
    FormField(name="severity", type="enum", values=("minor", "major"), default="minor"),
    FormField(name="hosts", type="list"),
)
REQUEST = sample_request(form=FORM)


def main(folder: str, kind: str) -> None:
    """Ask, and write `answers.json`."""
    read = answer_reader(Redactor({}))
    if kind == "gate":
        said = asdict(ask(REQUEST, timeout_s=60, read=read))
    else:
        task = ManualTask(workflow="release", run="r", step="s", attempt=1, instruction="Do it", form=FORM)
        said = asdict(attest(task, timeout_s=60, read=read))
    (Path(folder) / "answers.json").write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
