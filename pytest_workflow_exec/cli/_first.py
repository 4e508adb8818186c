"""The files that `workflow-exec init` writes: a policy, a first workflow, and the schema for editors."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.definition import workflow_schema
from pytest_workflow_exec.settings import OWN_FILE

from ._schema import spelled

FLOW = "workflows/hello/hello.workflow.yaml"
SCHEMA = "workflows/workflow.schema.json"

_POLICY = """\
# What workflows of this project may run. Everything else is refused, and a workflow file grants nothing.
[policy]
{sandbox}commands = [
  "uname -s",
  "cat hello-out/hello.txt",
]

# A rule with rights of its own is a table.
[[policy.command]]
rule = "mkdir -p hello-out"
write = ["hello-out"]

[[policy.command]]
rule = "tee hello-out/hello.txt"
write = ["hello-out"]
"""
_UNCONFINED = """\
# Commands can't be confined on the machine where this was written: `workflow-exec doctor` says why. This line lets them
# run all the same; without it, Linux machines that can't confine them refuse to run workflows.
sandbox = "available"
"""
_FLOW = """\
# yaml-language-server: $schema=../workflow.schema.json
workflow: hello
description: A first workflow. It looks at the system, asks, and writes a greeting.
inputs:
  name: {default: world, description: Who is greeted.}
steps:
  - id: system
    name: Which system this is
    run: [uname, -s]
    outputs: {kernel: {stdout: '(\\S+)'}}
  - id: folder
    run: [mkdir, -p, hello-out]
  - id: approve
    gate:
      question: Write a greeting to ${inputs.name}?
      show: [system.kernel]
  - id: write
    run: [tee, hello-out/hello.txt]
    stdin: "hello ${inputs.name}, from ${steps.system.kernel}"
  - id: check
    name: The greeting is there
    run: [cat, hello-out/hello.txt]
    expect: {stdout: "hello ${inputs.name}, from ${steps.system.kernel}"}
"""


def first_files(*, confined: bool) -> Mapping[str, tuple[str, str]]:
    """Return the files by their path in the project, each with its content and what it is for.

    Args:
        confined: Whether commands can be confined on this machine.
    """
    return {
        OWN_FILE: (_POLICY.format(sandbox="" if confined else _UNCONFINED), "what workflows of the project may run"),
        SCHEMA: (spelled(workflow_schema()), "what editors complete and check workflows with"),
        FLOW: (_FLOW, "a first workflow, with a gate"),
    }
