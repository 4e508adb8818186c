"""`workflow-exec policy check`: what the policy says of a command, without running it."""

from __future__ import annotations

from pathlib import Path

from ._tool import workflow_exec

_POLICY = """
[policy]
sandbox = "none"
commands = ["git tag v{version}", "touch out"]

[[policy.command]]
program = "ls"
options = ["--", "-n="]
arguments = "any"
write = ["dist"]
sockets = ["/run/x.sock"]
gated = {assurance = 1}

[[policy.workflows.site.command]]
rule = "rsync dist"
"""


def _check(root: Path, *arguments: str) -> tuple[int, str]:
    done = workflow_exec("policy", "check", *arguments, cwd=root)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_an_allowed_command_is_told_its_rule_and_what_it_grants(tmp_path: Path) -> None:
    """Exit 0, with the rule, its rights and whether it waits for a decision; nothing is run."""
    (tmp_path / "workflow-exec.toml").write_text(_POLICY)

    code, said = _check(tmp_path, "--", "ls", "-n", "3", "--", "-x")
    assert code == 0
    assert said == (
        "allowed by rule 'ls [-n=] (any)'\nit grants: write dist; sockets /run/x.sock\n"
        "it is gated: it runs only after a decision of its run that listed it\n"
    )
    assert _check(tmp_path, "--input", "version=1.0", "--", "git", "tag", "v1.0")[0] == 0
    assert _check(tmp_path, "--workflow", "site", "--", "rsync", "dist")[0] == 0
    assert _check(tmp_path, "--", "touch", "out")[0] == 0
    assert not (tmp_path / "out").exists()


def test_a_refused_command_is_told_the_nearest_rule(tmp_path: Path) -> None:
    """Exit 4, with the rule that came nearest and where it differs; other workflows' rules do not count."""
    (tmp_path / "workflow-exec.toml").write_text(_POLICY)

    code, said = _check(tmp_path, "--", "ls", "x", "-n", "3")
    assert code == 4
    assert "nearest rule 'ls [-n=] (any)': argument 2 is '-n', the rule says 'options before arguments'" in said
    assert _check(tmp_path, "--", "rsync", "dist")[0] == 4
    assert _check(tmp_path, "--", "git", "tag", "v1.0")[0] == 4


def test_a_policy_that_does_not_load_allows_nothing(tmp_path: Path) -> None:
    """Exit 4 with every problem and its line; without a command, or a project, it is usage."""
    (tmp_path / "workflow-exec.toml").write_text('[policy]\nsandbox = "none"\ncommands = ["sh *", "ls"]\n')

    code, said = _check(tmp_path, "--", "ls")
    assert code == 4
    assert "workflow-exec.toml:3: policy: rule 'sh *'" in said
    assert _check(tmp_path)[0] == 2
    assert _check(tmp_path, "--input", "x", "--", "ls")[0] == 2
