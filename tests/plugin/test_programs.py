"""Programs in a real session: named by content, looked at before the first step, the same to the end."""

from __future__ import annotations

import hashlib
import sys

from .conftest import Project

_TOOL = f"#!{sys.executable} -IS\nimport sys\nopen(sys.argv[1], 'w').close()\n"


def _project(project: Project, *, sha256: str) -> None:
    tool = project.write("tools/tool", _TOOL)
    tool.chmod(0o755)
    rule = f'[[policy.command]]\nrule = "{tool} {{:ran-[a-z]+}}"\nsha256 = "{sha256}"\n'
    project.write("workflow-exec.toml", f'[policy]\nsandbox = "none"\ncommands = ["true"]\n{rule}')
    project.write(
        "wf/checks.py", f"def change():\n    with open({str(tool)!r}, 'a') as file:\n        file.write('#')\n"
    )
    project.write(
        "wf/flow.workflow.yaml",
        f"steps:\n  - {{id: one, run: [{tool}, ran-one]}}\n  - {{id: change, call: 'checks:change'}}\n"
        f"  - {{id: two, run: [{tool}, ran-two]}}\n",
    )


def test_a_program_that_changes_under_the_run_is_refused(project: Project) -> None:
    """What was looked at runs; changed in between, it does not, and the log knows what it was."""
    digest = hashlib.sha256(_TOOL.encode()).hexdigest()
    _project(project, sha256=digest)

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert project.outcomes() == {"one": "passed", "change": "passed", "two": "failed"}
    assert "not the one that was there when the run was checked" in session.text
    assert not (project.root / "ran-two").exists()
    [started] = project.of_type("run.started")
    assert (
        started["data"]["programs"][str(project.root / "tools/tool")]["files"][str(project.root / "tools/tool")]
        == digest
    )


def test_another_program_than_the_rule_names_is_found_before_the_first_step(project: Project) -> None:
    """Exit 4 with both digests; nothing was run or written."""
    _project(project, sha256="0" * 64)

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "names its program by the digest 0000" in session.text
    assert project.untouched


def test_git_takes_the_policy_s_identity_and_nothing_else(project: Project) -> None:
    """The user's own configuration is not read, even where the rule grants home; the repository's hooks do not run."""
    home = project.root / "home"
    project.write("home/.gitconfig", "[user]\nname = Somebody Else\nemail = else@example.org\n[alias]\nx = status\n")
    project.environment["HOME"] = str(home)
    project.write(
        "workflow-exec.toml",
        '[policy]\nsandbox = "none"\n'
        'git_identity = {name = "Release Bot", email = "bot@example.org"}\n'
        'commands = ["git init -q .", "git commit -q --allow-empty -m *", "git x"]\n'
        '[[policy.command]]\nrule = "git log -1 --format=%an-%ae-%cn-%ce"\nhome = true\n',
    )
    project.write(
        "wf/checks.py",
        "from pathlib import Path\n\ndef hook(workflow):\n"
        "    hook = workflow.root / '.git/hooks/pre-commit'\n    hook.parent.mkdir(exist_ok=True)\n"
        "    hook.write_text('#!/bin/sh\\ntouch ran-hook\\n')\n    hook.chmod(0o755)\n",
    )
    project.write(
        "wf/flow.workflow.yaml",
        "steps:\n  - {id: init, run: [git, init, -q, .]}\n  - {id: hook, call: 'checks:hook'}\n"
        "  - {id: commit, run: [git, commit, -q, --allow-empty, -m, one]}\n"
        "  - id: look\n    run: [git, log, '-1', '--format=%an-%ae-%cn-%ce']\n"
        "    expect: {stdout: 'Release Bot-bot@example.org-Release Bot-bot@example.org'}\n"
        "  - {id: alias, run: [git, x], expect: {exit: 1}}\n",
    )

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert not (project.root / "ran-hook").exists()
