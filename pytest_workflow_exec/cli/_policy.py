"""`workflow-exec policy check`: whether the project's policy allows a command, by which rule, or why not."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pytest_workflow_exec.errors import CommandRefusedError, PolicyError, SettingsError, WorkflowExecError
from pytest_workflow_exec.sandbox import Rule, compile_policy
from pytest_workflow_exec.settings import find_project, load_settings

from ._text import lines

_ALLOWED, _REFUSED = 0, 4


def policy(arguments: argparse.Namespace) -> int:
    """Answer what is asked of the policy; nothing is run, and nothing written.

    Raises:
        WorkflowExecError: It can't be answered.
    """
    if arguments.asked == "propose":
        from ._policy_propose import propose

        return propose(arguments)
    if arguments.asked == "learn":
        from ._policy_learn import learn

        return learn(arguments)
    return _check(arguments)


def _check(arguments: argparse.Namespace) -> int:
    """Print what the policy says of a command; return 0 if it is allowed, else 4. Nothing is run.

    Raises:
        WorkflowExecError: There is no project here.
    """
    inputs = dict(arguments.input)
    try:
        root = find_project(Path.cwd())
        if root is None:
            message = "there is no project here: no workflow-exec.toml, no [tool.workflow-exec], no .git at or above"
            raise WorkflowExecError(message)
        compiled = compile_policy(load_settings(root).policy, workflow=arguments.workflow or "", environment=os.environ)
        rule = compiled.judge(arguments.argv, inputs=inputs)
    except (CommandRefusedError, PolicyError, SettingsError) as error:
        sys.stdout.write("\n".join(lines(str(error))) + "\n")
        return _REFUSED
    sys.stdout.write("\n".join(lines(_said(rule))) + "\n")
    return _ALLOWED


def _said(rule: Rule) -> str:
    granted = f"\nit grants: {rule.rights}" if rule.rights else ""
    waits = f"\nit is gated: it runs only after {rule.gated.words} of its run that listed it" if rule.gated else ""
    return f"allowed by rule {rule.text!r}{granted}{waits}"
