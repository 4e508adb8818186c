"""`workflow-exec policy propose` and `learn`: rules for a person to accept, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import CommandRefusedError
from pytest_workflow_exec.sandbox import Policy, compile_policy
from pytest_workflow_exec.settings import load_settings

from ._tool import workflow_exec

_FLOW = r"""
workflow: release
inputs:
  version: {type: string, pattern: '\d+'}
  folder: {type: path, default: out}
vars:
  tag: v${inputs.version}
steps:
  - {id: clean, run: [git, status, --porcelain]}
  - {id: again, run: [git, status, --porcelain]}
  - id: build
    run: [python, -m, build, --outdir, dist]
    outputs: {wheel: {glob: "dist/*.whl"}, name: {stdout: '(?P<name>.+)'}}
    check: {run: [ls, dist]}
  - {id: tag, run: [git, tag, -a, "${vars.tag}", -m, "Release ${inputs.version}"]}
  - {id: into, run: [ls, "${inputs.folder}"]}
  - {id: upload, run: [twine, upload, "${steps.build.wheel}"]}
  - {id: each, foreach: {host: [web1, web2]}, run: [ping, "${each.host}"]}
  - {id: shell, run: [sh, -c, "echo a b"]}
"""


def _tool(root: Path, *arguments: str) -> tuple[int, str]:
    done = workflow_exec("policy", *arguments, cwd=root)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def _policy(root: Path, proposed: str, workflow: str = "release") -> Policy:
    """Return the policy that a proposal makes, put where it belongs."""
    (root / "workflow-exec.toml").write_text(f'[policy]\nsandbox = "none"\n\n{proposed}', encoding="utf-8")
    return compile_policy(load_settings(root).policy, workflow=workflow, environment={"HOME": "/", "TOKEN_X": "x"})


def _files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_plan_makes_the_narrowest_rules(tmp_path: Path) -> None:
    """Each command once with its steps, inputs by name, files by their pattern; what no rule can say is left out."""
    (tmp_path / "workflow-exec.toml").write_text('[policy]\nsandbox = "none"\n')
    (tmp_path / "release.workflow.yaml").write_text(_FLOW)
    before = _files(tmp_path)

    code, said = _tool(tmp_path, "propose", "release")

    assert code == 1
    assert _files(tmp_path) == before
    assert "# left out: ['sh', '-c', 'echo a b']" in said
    assert "  # why: step clean\n  # why: step again\n" in said
    policy = _policy(tmp_path, said)
    assert [rule.text for rule in policy.rules] == [
        "git status --porcelain",
        "python -m build --outdir dist",
        "ls dist",
        r"git tag -a v{version} -m Release{:\x20}{version}",
        "ls {folder:[A-Za-z0-9][A-Za-z0-9._+/-]*}",
        "twine upload dist/*.whl",
        "ping web1",
        "ping web2",
    ]
    inputs = {"version": "3", "folder": "a/b"}
    for argv in (["git", "tag", "-a", "v3", "-m", "Release 3"], ["ls", "a/b"], ["twine", "upload", "dist/x-3.whl"]):
        policy.judge(argv, inputs=inputs)
    for argv in (
        ["git", "tag", "-a", "v4", "-m", "Release 4"],
        ["ls", "a"],
        ["twine", "upload", "x.whl"],
        ["ping", "x"],
    ):
        with pytest.raises(CommandRefusedError):
            policy.judge(argv, inputs=inputs)


def test_tables_are_named_as_the_project_s_file_wants_them(tmp_path: Path) -> None:
    """In a pyproject.toml they lie below tool.workflow-exec."""
    (tmp_path / "pyproject.toml").write_text("[tool.workflow-exec]\n")
    (tmp_path / "a.workflow.yaml").write_text("workflow: a\nsteps:\n  - {id: one, run: [echo, a]}\n")

    code, said = _tool(tmp_path, "propose", "a.workflow.yaml")

    assert code == 0
    assert "\n[tool.workflow-exec.policy.workflows.a]\n" in said


def test_what_is_no_workflow_is_usage(tmp_path: Path) -> None:
    """Exit 2 with what to do: an unknown name, Python, a run that is not there."""
    (tmp_path / "workflow-exec.toml").write_text("")
    (tmp_path / "workflow_py.py").write_text("raise SystemExit('imported')\n")

    for arguments, words in (
        (("propose", "zzz"), "workflow-exec list"),
        (("propose", "workflow_py.py"), "workflow-exec policy learn"),
        (("learn", "zzz"), "zzz"),
    ):
        code, said = _tool(tmp_path, *arguments)
        assert code == 2
        assert words in said


def test_a_run_makes_rules_of_what_it_ran_and_was_refused(tmp_path: Path) -> None:
    """With the rights that its commands had, why each was tried, and nothing that it did not try."""
    (tmp_path / "workflow-exec.toml").write_text(
        '[policy]\nsandbox = "none"\n\n[[policy.command]]\nrule = "touch *"\nwrite = ["out"]\n'
    )
    (tmp_path / "workflow_py.py").write_text(
        "import os\nimport pytest\nfrom pytest_workflow_exec import CommandRefusedError, Workflow, step\n\n"
        "WORKFLOW = Workflow(name='release')\n\n@step\ndef one(sandbox):\n"
        "    sandbox.run(['touch', 'a b'])\n"
        "    for argv in (['git', 'push', '--force'], ['git push', 'x'], ['echo', '*']):\n"
        "        with pytest.raises(CommandRefusedError):\n            sandbox.run(argv)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "workflow_py.py"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    before = _files(tmp_path)

    code, said = _tool(tmp_path, "learn", "latest")

    assert code == 1
    assert _files(tmp_path) == before
    assert "# why: step one ran it, by rule touch *" in said
    assert "# why: step one was refused it: nearest rule" in said
    assert "# left out: ['git push', 'x']" in said
    policy = _policy(tmp_path, said)
    rules = {rule.text: rule.write for rule in policy.rules}
    assert rules == {"git push --force": (), r"echo {:\x2a}": (), r"touch {:a\x20b}": ("out",)}
    with pytest.raises(CommandRefusedError):
        policy.judge(["touch", "b"], inputs={})
