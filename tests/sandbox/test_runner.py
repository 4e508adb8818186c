"""Running commands: what is judged, granted, recorded and returned."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import (
    CommandNotFoundError,
    CommandRefusedError,
    CommandTimeoutError,
    EvidenceError,
    SandboxSetupError,
)
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.settings import RuleSettings

from .conftest import Project

SECRET = "s3cr3t-pässword"  # noqa: S105  # a made-up one
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
DUMP = "print(json.dumps(dict(os.environ)))"
TOUCH = "open('ran', 'w').close()"


def test_result_is_what_the_command_did(project: Project) -> None:
    """A command's exit status, output and digests come back, also if it failed."""
    result = project.run("print('out'); print('err', file=sys.stderr); sys.exit(3)")

    assert (result.exit, result.signal, result.stdout, result.stderr) == (3, None, "out\n", "err\n")
    assert result.stdout_sha256 == hashlib.sha256(b"out\n").hexdigest()
    assert result.stderr_sha256 == hashlib.sha256(b"err\n").hexdigest()
    assert (result.argv, result.truncated, result.level) == (("tool",), False, "none")


def test_signal_is_told_from_an_exit_status(project: Project) -> None:
    """A command that a signal ended has no exit status."""
    result = project.run("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)")

    assert (result.exit, result.signal) == (None, 15)
    assert project.facts("command.finished")["signal"] == 15


def test_cpu_time_is_the_commands_own(project: Project) -> None:
    """The CPU time is that of the command's process and of the children it waited for."""
    result = project.run("end = time.process_time() + 0.2\nwhile time.process_time() < end: pass")

    assert result.cpu_s >= 0.2
    assert project.facts("command.finished")["cpu_s"] == result.cpu_s


def test_command_runs_in_the_project(project: Project) -> None:
    """A command's current directory is the project root."""
    result = project.run("print(os.getcwd())")

    assert result.stdout.strip() == os.path.realpath(project.root)


def test_arguments_arrive_as_they_are(project: Project) -> None:
    """No argument is split, expanded or read by a shell."""
    project.tool("print(json.dumps(sys.argv[1:]))")
    words = ["$HOME;`id`", "*", "a b", "", "é✓", "&& touch ran"]

    result = project.runner().run(["tool", *words], step="build", attempt=1)

    assert json.loads(result.stdout) == words
    assert list(project.root.iterdir()) == []


def test_announcement_holds_every_fact(project: Project) -> None:
    """What is recorded before the start says exactly what will be started, under which rule, with what."""
    project.tool(DUMP)
    rule = RuleSettings(rule="tool {version}", env=("LANGUAGE",), secrets=("TOKEN_X",))
    runner = project.runner(rule, environment={"LANGUAGE": "en", "TOKEN_X": SECRET})

    result = runner.run(["tool", "1.2.3"], step="build", attempt=1, timeout_s=50)

    facts = project.facts("command.started")
    program = Path(os.path.realpath(project.folder / "bin" / "tool"))
    assert facts == {
        "argv": ["tool", "1.2.3"],
        "program": str(program),
        "program_sha256": hashlib.sha256(program.read_bytes()).hexdigest(),
        "rule": "tool {version}",
        "rule_digest": runner._policy.rules[0].digest,
        "cwd": ".",
        "environment": sorted(json.loads(result.stdout).keys() - {"LC_CTYPE"}),
        "secrets": ["TOKEN_X"],
        "level": "none",
        "limits": {
            "processes": 4096,
            "files": 1024,
            "file_size_bytes": 4 << 30,
            "memory_bytes": 4 << 30,
            "cpu_s": 43200,
        }
        if sys.platform == "linux"
        else {},
        "timeout_s": 50,
    }


def test_end_is_recorded_as_returned(project: Project) -> None:
    """What is recorded of a command's end is what its step sees."""
    result = project.run("print('out'); print('err', file=sys.stderr); sys.exit(3)")

    assert project.kinds() == ["command.started", "command.finished"]
    assert project.facts("command.finished") == {
        "argv": ["tool"],
        "exit": 3,
        "signal": None,
        "timed_out": False,
        "truncated": False,
        "flooded": False,
        "duration_s": result.duration_s,
        "cpu_s": result.cpu_s,
        "stdout": "out\n",
        "stderr": "err\n",
        "stdout_sha256": result.stdout_sha256,
        "stderr_sha256": result.stderr_sha256,
        "swept": 0,
        "error": "",
        "rusage": {
            "user_s": result.rusage.user_s,
            "system_s": result.rusage.system_s,
            "max_rss_bytes": result.rusage.max_rss_bytes,
        },
        "limit": "",
    }


def test_announcement_comes_before_the_start(project: Project) -> None:
    """When a command is announced, nothing of it has happened yet."""
    seen: list[tuple[str, bool]] = []

    def record(event: Event) -> None:
        seen.append((event.type, (project.root / "ran").exists()))

    project.run(TOUCH, record=record)

    assert seen == [("command.started", False), ("command.finished", True)]


def test_nothing_starts_without_evidence(project: Project) -> None:
    """If a command can't be announced, it is not started."""

    def record(event: Event) -> None:
        raise EvidenceError(event.type)

    with pytest.raises(EvidenceError, match=r"command\.started"):
        project.run(TOUCH, record=record)

    assert list(project.root.iterdir()) == []


@pytest.mark.parametrize(
    "argv",
    [
        ["tool", "x"],
        ["./tool"],
        ["tool "],
        ["tool\n"],
        ["tool\u200b"],
        ["tool\0"],
        ["/proc/self/exe"],
        ["tool; touch ran"],
        [],
        "tool",
        ["tool", "\udcff"],
        ["tool", "x" * 200_000],
        ["sh", "-c", "touch ran"],
    ],
)
def test_refused_command_is_recorded_and_not_started(project: Project, argv: list[str]) -> None:
    """A command that the policy does not allow leaves a record of the refusal and nothing else."""
    project.tool(TOUCH)
    project.tool(TOUCH, name="other")

    runner = project.runner(RuleSettings(rule="tool"), RuleSettings(rule="other {unknown}"))

    with pytest.raises(CommandRefusedError) as caught:
        runner.run(argv, step="build", attempt=1)

    assert project.kinds() == ["command.refused"]
    assert project.facts("command.refused")["reason"] == caught.value.reason
    assert caught.value.step == "build"
    assert "] in step 'build': " in str(caught.value)
    assert list(project.root.iterdir()) == []


def test_program_that_is_missing_is_recorded_and_not_started(project: Project) -> None:
    """An allowed program that is not installed is refused by name, though the current directory holds one."""
    decoy = project.root / "tool"
    decoy.write_text("#!/bin/sh\ntouch ran\n")
    decoy.chmod(0o755)

    with pytest.raises(CommandNotFoundError, match="'tool' was not found"):
        project.runner().run(["tool"], step="build", attempt=1)

    assert project.kinds() == ["command.refused"]
    assert not (project.root / "ran").exists()


def test_program_that_can_not_start_is_recorded(project: Project) -> None:
    """A program that the system can't start ends as an error of the set-up, not as an exit status."""
    path = project.folder / "bin" / "tool"
    path.write_text("#!/nonexistent/interpreter\n")
    path.chmod(0o755)

    with pytest.raises(SandboxSetupError, match="could not be started"):
        project.runner().run(["tool"], step="build", attempt=1)

    assert project.kinds() == ["command.started", "command.finished"]
    facts = project.facts("command.finished")
    assert (facts["exit"], facts["signal"], facts["stdout_sha256"]) == (None, None, EMPTY_SHA256)
    assert "could not be started" in facts["error"]


def environment_of(project: Project, rule: RuleSettings, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment that a command under `rule` sees."""
    project.tool(DUMP)
    result = project.runner(rule, environment=environment).run(["tool"], step="build", attempt=1)
    seen: dict[str, str] = json.loads(result.stdout)
    return {name: value for name, value in seen.items() if name != "LC_CTYPE"}


def test_environment_is_built_from_nothing(project: Project) -> None:
    """A command sees what the engine sets, and nothing of the engine's own environment."""
    hostile = {"LD_LIBRARY_PATH": "/x", "PYTEST_ADDOPTS": "-p x", "GIT_DIR": "/x", "TOKEN_X": SECRET, "PATH": "/x"}

    seen = dict(environment_of(project, RuleSettings(rule="tool"), hostile))

    scratch = project.folder / "scratch"
    marker = seen.pop("WORKFLOW_EXEC_COMMAND")
    home, tmp = Path(seen["HOME"]), Path(seen["TMPDIR"])
    assert home.parent == tmp.parent == scratch
    assert home != tmp
    seen.pop("VIRTUAL_ENV", None)
    assert len(marker) == 32
    assert seen == {
        "PATH": f"{project.folder / 'bin'}:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(tmp),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": "7",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": str(project.root),
        "GIT_CONFIG_KEY_1": "core.hooksPath",
        "GIT_CONFIG_VALUE_1": "/dev/null",
        "GIT_CONFIG_KEY_2": "core.fsmonitor",
        "GIT_CONFIG_VALUE_2": "false",
        "GIT_CONFIG_KEY_3": "core.editor",
        "GIT_CONFIG_VALUE_3": "false",
        "GIT_CONFIG_KEY_4": "core.pager",
        "GIT_CONFIG_VALUE_4": "cat",
        "GIT_CONFIG_KEY_5": "core.askPass",
        "GIT_CONFIG_VALUE_5": "",
        "GIT_CONFIG_KEY_6": "core.attributesFile",
        "GIT_CONFIG_VALUE_6": "/dev/null",
    }


def test_virtual_environment_is_named(project: Project) -> None:
    """A command learns which virtual environment it runs in, if the engine runs in one."""
    seen = environment_of(project, RuleSettings(rule="tool"), {})

    assert seen.get("VIRTUAL_ENV") == (sys.prefix if sys.prefix != sys.base_prefix else None)


def test_rule_grants_variables_by_name(project: Project) -> None:
    """A rule's variables and secrets are passed on if they are set; its home is the user's own."""
    rule = RuleSettings(rule="tool", env=("SEEN", "UNSET", "LANG"), secrets=("TOKEN_X",), home=True)

    seen = environment_of(project, rule, {"SEEN": "1", "LANG": "de_DE", "TOKEN_X": SECRET, "HOME": "/home/someone"})

    assert (seen["SEEN"], seen["LANG"], seen["TOKEN_X"], seen["HOME"]) == ("1", "de_DE", SECRET, "/home/someone")
    assert "UNSET" not in seen


@pytest.mark.parametrize("environment", [{}, {"TOKEN_X": ""}])
def test_missing_secret_is_refused_before_the_start(project: Project, environment: dict[str, str]) -> None:
    """A command whose secret is not set is not started to fail halfway."""
    project.tool(TOUCH)
    runner = project.runner(RuleSettings(rule="tool", secrets=("TOKEN_X",)), environment=environment)

    with pytest.raises(CommandRefusedError, match="needs TOKEN_X"):
        runner.run(["tool"], step="build", attempt=1)

    assert project.kinds() == ["command.refused"]
    assert list(project.root.iterdir()) == []


def test_private_folders_are_private_and_of_one_command(project: Project) -> None:
    """The home and the temporary folder of a command are for the user alone, empty, and gone when it has ended."""
    project.tool(
        "seen = {}\n"
        "for name in ('HOME', 'TMPDIR'):\n"
        "  folder = os.environ[name]\n"
        "  seen[folder] = [oct(os.stat(folder).st_mode & 0o777), os.listdir(folder)]\n"
        "  open(folder + '/.netrc', 'w')\n"
        "print(json.dumps(seen))"
    )
    runner = project.runner()

    first, second = (json.loads(runner.run(["tool"], step="build", attempt=1).stdout) for _ in range(2))

    assert [*first.values(), *second.values()] == [["0o700", []]] * 4
    assert not {*first} & {*second}
    assert list((project.folder / "scratch").iterdir()) == []


def test_private_folder_that_is_a_link_is_refused(project: Project) -> None:
    """A link in place of the folder with the private homes would let commands write somewhere else."""
    (project.folder / "elsewhere").mkdir(mode=0o755)
    (project.folder / "scratch").rmdir()
    (project.folder / "scratch").symlink_to(project.folder / "elsewhere")

    with pytest.raises(SandboxSetupError, match="no directory"):
        project.runner()

    assert stat.S_IMODE((project.folder / "elsewhere").stat().st_mode) == 0o755


def test_private_folder_that_can_not_be_made_is_refused(project: Project) -> None:
    """Without its scratch directory there is no runner."""
    (project.folder / "scratch").rmdir()

    with pytest.raises(SandboxSetupError, match="can't be made"):
        project.runner()


def test_command_has_no_terminal_input_or_descriptors(project: Project) -> None:
    """A command has an empty input, a session of its own, no terminal and no inherited descriptors."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    body = (
        "print(sys.stdin.read() == '', os.getsid(0) == os.getpid())\n"
        "try: print(os.open('/dev/tty', os.O_RDWR))\n"
        "except OSError: print('no terminal')\n"
        f"try: os.fstat({write}); print('inherited')\n"
        "except OSError: print('closed')\n"
    )
    try:
        result = project.run(body)
    finally:
        os.close(read)
        os.close(write)

    assert result.stdout.split("\n") == ["True True", "no terminal", "closed", ""]


def test_engines_input_is_not_the_commands(project: Project) -> None:
    """What is typed or piped into the engine is not read by a command."""
    read, write = os.pipe()
    os.write(write, b"typed ahead")
    os.close(write)
    before = os.dup(0)
    os.dup2(read, 0)
    try:
        result = project.run("print(repr(sys.stdin.read()))")
        left = os.read(0, 100)
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(read)

    assert result.stdout == "''\n"
    assert left == b"typed ahead"


def test_known_secret_is_masked_everywhere(project: Project) -> None:
    """A secret that a command prints, in whatever spelling, is in no result and in no record."""
    project.tool(
        "import base64\n"
        "t = os.environ['TOKEN_X']\n"
        "print(t, json.dumps(t), t.encode().hex())\n"
        "print(base64.b64encode(t.encode()).decode(), file=sys.stderr)"
    )
    runner = project.runner(
        RuleSettings(rule="tool **", secrets=("TOKEN_X",)), environment={"TOKEN_X": SECRET}, secrets={"TOKEN_X": SECRET}
    )

    result = runner.run(["tool", f"--token={SECRET}"], step="build", attempt=1)

    shown = str(result) + project.everything()
    for spelling in (SECRET, json.dumps(SECRET)[1:-1], SECRET.encode().hex(), "czNjcjN0LXDDpHNzd29y"):
        assert spelling not in shown
    assert result.stdout.count("[secret TOKEN_X]") == 3
    assert result.argv == ("tool", "--token=[secret TOKEN_X]")
    assert result.stdout_sha256 == hashlib.sha256(result.stdout.encode()).hexdigest()


def test_refusal_does_not_show_a_secret(project: Project) -> None:
    """A secret in a refused command is neither in the error nor in the record."""
    runner = project.runner(RuleSettings(rule="tool x"), secrets={"TOKEN_X": SECRET})

    with pytest.raises(CommandRefusedError) as caught:
        runner.run(["tool", SECRET], step="build", attempt=1)

    shown = str(caught.value) + str(caught.value.argv) + project.everything()
    assert "[secret TOKEN_X]" in shown
    assert SECRET not in shown
    assert ascii(SECRET)[1:-1] not in shown


def test_output_that_is_no_text_is_replaced(project: Project) -> None:
    """Bytes that are no UTF-8 become replacement characters, never an error."""
    result = project.run(r"os.write(1, b'a\xff\xfeb')")

    assert result.stdout == "a\ufffd\ufffdb"


def test_threads_may_run_commands_at_once(project: Project) -> None:
    """Commands of several threads don't end or mix up each other."""
    project.tool("print(sys.argv[1]); time.sleep(0.1)")
    runner = project.runner(record=lambda event: lock_and_append(project, event))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: runner.run(["tool", str(n)], step="build", attempt=1), range(16)))

    assert [(result.exit, result.stdout) for result in results] == [(0, f"{n}\n") for n in range(16)]
    assert sorted(project.kinds()) == ["command.finished"] * 16 + ["command.started"] * 16


_LOCK = threading.Lock()


def lock_and_append(project: Project, event: Event) -> None:
    """Record an event from any thread."""
    with _LOCK:
        project.events.append(event)


def test_engines_own_command_needs_no_rule(project: Project) -> None:
    """The engine's own command runs without a rule, with what the engine adds, and is recorded as such."""
    project.tool(DUMP)
    argv = [str(project.folder / "bin" / "tool")]

    result = project.runner(RuleSettings(rule="true"), environment={"PYTEST_ADDOPTS": "-x"}).run_trusted(
        argv, step="build", attempt=1, timeout_s=50, extra_environment={"EXTRA": "1"}
    )

    seen = json.loads(result.stdout)
    assert seen["EXTRA"] == "1"
    assert "PYTEST_ADDOPTS" not in seen
    assert project.kinds() == ["command.started", "command.finished"]
    facts = project.facts("command.started")
    assert (facts["rule"], facts["secrets"], facts["timeout_s"]) == ("verify", [], 50)
    assert "EXTRA" in facts["environment"]


@pytest.mark.parametrize("argv", [["tool"], ["bin/tool"], [], ["{bin}/tool", "a\0"], ["{bin}/gone"]])
def test_engines_own_command_must_be_startable(project: Project, argv: list[str]) -> None:
    """Even the engine's own command is refused if it is no absolute, existing program with possible arguments."""
    project.tool(TOUCH)

    with pytest.raises(CommandRefusedError):
        project.runner().run_trusted(
            [word.format(bin=project.folder / "bin") for word in argv],
            step="build",
            attempt=1,
            timeout_s=None,
            extra_environment={},
        )

    assert project.kinds() == ["command.refused"]
    assert list(project.root.iterdir()) == []


def test_pipe_in_place_of_a_program_is_refused(project: Project) -> None:
    """A pipe is no program; looking at it does not wait for somebody to write to it."""
    pipe = project.folder / "bin" / "tool"
    os.mkfifo(pipe, 0o755)

    with pytest.raises(CommandRefusedError, match="no regular file"):
        project.runner().run_trusted([str(pipe)], step="build", attempt=1, timeout_s=None, extra_environment={})

    assert project.kinds() == ["command.refused"]


def test_errors_show_no_frame_of_the_engine(project: Project) -> None:
    """What pytest prints of a refusal or a timeout is the author's line, not the runner's inside."""
    project.tool("time.sleep(60)")
    runner = project.runner(RuleSettings(rule="tool"))

    with pytest.raises(CommandRefusedError) as refused:
        runner.run(["tool", "x"], step="build", attempt=1)
    with pytest.raises(CommandTimeoutError) as timed_out:
        runner.run(["tool"], step="build", attempt=1, timeout_s=0.1)
    with pytest.raises(CommandRefusedError) as trusted:
        runner.run_trusted(["tool"], step="build", attempt=1, timeout_s=None, extra_environment={})

    for caught in (refused, timed_out, trusted):
        shown = caught.traceback.filter(caught)
        assert [Path(str(entry.path)).name for entry in shown] == ["test_runner.py"]


def test_repository_can_not_run_its_own_programs(project: Project) -> None:
    """A repository's file system monitor is a program that no rule names; git is told not to start it."""
    monitor = project.root / "monitor"
    monitor.write_text("#!/bin/sh\ntouch ran\n")
    monitor.chmod(0o755)
    runner = project.runner(
        RuleSettings(rule="git init --quiet"),
        RuleSettings(rule=f"git config core.fsmonitor {monitor}"),
        RuleSettings(rule="git status --porcelain"),
    )

    for argv in (["git", "init", "--quiet"], ["git", "config", "core.fsmonitor", str(monitor)]):
        assert runner.run(argv, step="build", attempt=1).exit == 0
    result = runner.run(["git", "status", "--porcelain"], step="build", attempt=1)

    assert (result.exit, result.stdout) == (0, "?? monitor\n")
    assert not (project.root / "ran").exists()
