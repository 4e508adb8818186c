"""Programs as they were when a run was checked."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import CommandNotFoundError, CommandRefusedError, PolicyError
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandRunner, Policy, compile_policy, pin_programs
from pytest_workflow_exec.settings import PolicySettings, RuleSettings

from .conftest import Project

_TOUCH = "open('ran', 'w').close()"


def _policy(project: Project, *rules: RuleSettings, more: tuple[str, ...] = ()) -> Policy:
    settings = PolicySettings(rules=rules, path=(str(project.folder / "bin"), *more, "/usr/bin"), sandbox="none")
    return compile_policy(settings, workflow="release", environment={})


def _run(project: Project, policy: Policy, *argv: str, pinned: bool = True) -> CommandRunner:
    """Return a runner that has the programs as they are now."""
    return CommandRunner(
        policy=policy,
        root=project.root,
        scratch=project.folder / "scratch",
        inputs={},
        environment=os.environ,
        redactor=Redactor({}),
        record=project.events.append,
        programs=pin_programs(policy) if pinned else None,
    )


def _start(runner: CommandRunner, *argv: str) -> None:
    runner.run(argv, step="build", attempt=1)


def test_a_program_that_did_not_change_runs(project: Project) -> None:
    """Again and again, in the state that was looked at."""
    project.tool(_TOUCH)
    runner = _run(project, _policy(project, RuleSettings(rule="tool")))

    _start(runner, "tool")
    _start(runner, "tool")

    assert project.kinds() == ["command.started", "command.finished"] * 2


@pytest.mark.parametrize("how", ["written", "replaced", "shadowed", "interpreter"])
def test_a_program_that_changed_is_refused(project: Project, how: str) -> None:
    """Whether its content, its file, its place or its interpreter is another: nothing of it runs."""
    (project.folder / "first").mkdir()
    project.tool(_TOUCH)
    tool = project.folder / "bin" / "tool"
    interpreter = project.folder / "interpreter"
    interpreter.write_bytes(Path("/bin/sh").read_bytes())
    interpreter.chmod(0o755)
    if how == "interpreter":
        tool.write_text(f"#!{interpreter}\n: > ran\n")
    settings = PolicySettings(
        rules=(RuleSettings(rule="tool"),),
        path=(str(project.folder / "first"), str(project.folder / "bin")),
        sandbox="none",
    )
    runner = _run(project, compile_policy(settings, workflow="release", environment={}))
    other = tool.read_text() + "# changed\n"
    if how == "written":
        tool.write_text(other)
    elif how == "replaced":
        tool.unlink()
        tool.write_text(other)
    elif how == "shadowed":
        (project.folder / "first" / "tool").write_text(tool.read_text())
        (project.folder / "first" / "tool").chmod(0o755)
    else:
        interpreter.write_bytes(Path("/bin/ls").read_bytes())
    tool.chmod(0o755)

    with pytest.raises(CommandRefusedError, match="not the one that was there when the run was checked"):
        _start(runner, "tool")

    assert project.kinds() == ["command.refused"]
    assert not (project.root / "ran").exists()


def test_a_program_that_was_not_there_is_refused(project: Project) -> None:
    """One that appears during the run was not looked at; without it, it is just not found."""
    runner = _run(project, _policy(project, RuleSettings(rule="tool")))

    with pytest.raises(CommandNotFoundError):
        _start(runner, "tool")
    project.tool(_TOUCH)
    with pytest.raises(CommandRefusedError, match="was not there then"):
        _start(runner, "tool")

    assert not (project.root / "ran").exists()


def test_pins_name_what_else_a_rule_lets_start(project: Project) -> None:
    """Programs of `exec` too; as evidence holds them they are JSON."""
    project.tool(_TOUCH)
    project.tool(_TOUCH, name="helper")
    pins = pin_programs(_policy(project, RuleSettings(rule="tool", exec=("helper", "missing"))))

    data = json.loads(json.dumps(pins.to_data()))

    assert sorted(data) == ["helper", "missing", "tool"]
    assert data["missing"] is None
    tool = project.folder / "bin" / "tool"
    assert data["tool"]["path"] == str(tool)
    assert data["tool"]["files"][os.path.realpath(tool)] == hashlib.sha256(tool.read_bytes()).hexdigest()


def test_a_program_off_the_path_runs_by_its_digest_only(project: Project) -> None:
    """It needs no folder of the path, but the very content that its rule names; a bare name never finds it."""
    project.tool(_TOUCH)
    off = project.folder / "off" / "tool"
    off.parent.mkdir()
    (project.folder / "bin" / "tool").rename(off)
    digest = hashlib.sha256(off.read_bytes()).hexdigest()
    policy = _policy(project, RuleSettings(rule=f"{off}", sha256=digest))

    _start(_run(project, policy, pinned=False), str(off))
    assert (project.root / "ran").exists()
    (project.root / "ran").unlink()
    off.write_text(off.read_text() + "\n")
    with pytest.raises(CommandRefusedError, match="names its program by the digest"):
        _start(_run(project, policy, pinned=False), str(off))
    with pytest.raises(CommandRefusedError):
        _start(_run(project, policy, pinned=False), "tool")

    assert not (project.root / "ran").exists()


def test_a_digest_holds_on_the_path_too(project: Project) -> None:
    """A rule may name the content of any program."""
    project.tool(_TOUCH)
    runner = _run(project, _policy(project, RuleSettings(rule="tool", sha256="0" * 64)))

    with pytest.raises(CommandRefusedError, match="names its program by the digest"):
        _start(runner, "tool")

    assert not (project.root / "ran").exists()


def test_a_program_off_the_path_without_digest_is_no_rule(project: Project) -> None:
    """The policy does not load, and says what is missing."""
    with pytest.raises(PolicyError, match="with sha256"):
        _policy(project, RuleSettings(rule="/opt/tool x"))


def test_a_digest_is_part_of_the_rule() -> None:
    """Another one is another rule."""
    digests = {
        compile_policy(
            PolicySettings(rules=(RuleSettings(rule="git status", sha256=sha256),), sandbox="none"),
            workflow="release",
            environment={},
        )
        .rules[0]
        .digest
        for sha256 in (None, "0" * 64, "1" * 64)
    }

    assert len(digests) == 3
