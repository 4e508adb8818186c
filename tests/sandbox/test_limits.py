"""What a command may use up: each bound holds for a real program that goes beyond it, and what it used is told."""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import Any

import pytest

from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandResult, CommandRunner, compile_policy
from pytest_workflow_exec.sandbox._level import offered_level
from pytest_workflow_exec.settings import LimitSettings, PolicySettings, RuleSettings, SandboxMode

from .conftest import Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no bounds are set elsewhere")

MIB = 1 << 20
NO_CONFINEMENT = offered_level().reason
MODES = [
    "none",
    pytest.param("required:landlock", marks=pytest.mark.skipif(bool(NO_CONFINEMENT), reason=NO_CONFINEMENT or "-")),
]
MEMORY = "block = bytearray(600 << 20); print('had it')"
LARGE_FILE = (
    "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); open('out/large', 'wb').write(bytes(3 << 20)); print('had it')"
)
LARGE_FILE_HANDLED = "open('out/large', 'wb', 0).write(bytes(3 << 20)); open('out/large', 'ab', 0).write(b'x')"
FILES = "held = [os.open('/dev/null', 0) for _ in range(60)]; print('had it')"
SPIN = "end = time.process_time() + 2.5\nwhile time.process_time() < end: pass\nprint('had it')"
SPIN_ON = "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n" + SPIN
PROCESSES = (
    "made = [os.fork() or time.sleep(1000) for _ in range(40)]\ntime.sleep(3)\nprint('had it', flush=True)\nos._exit(0)"
)


def runner_of(project: Project, mode: SandboxMode, **limits: int | None) -> CommandRunner:
    """Return a runner for the project's tool within these limits, and the usual ones."""
    rule = RuleSettings(rule="tool", write=("out",), limits=LimitSettings(stated=tuple(limits.items())))
    settings = PolicySettings(
        rules=(rule,), path=(str(project.folder / "bin"), "/usr/bin", "/bin"), sandbox=mode, limits=rule.limits
    )
    (project.root / "out").mkdir(exist_ok=True)
    return CommandRunner(
        policy=compile_policy(settings, workflow="release", environment=os.environ),
        root=project.root,
        scratch=project.folder / "scratch",
        inputs={},
        environment=os.environ,
        redactor=Redactor({}),
        record=project.events.append,
    )


def run(project: Project, body: str, mode: SandboxMode, **limits: int | None) -> CommandResult:
    """Return what the project's tool with that body does within these limits."""
    project.tool(body)
    return runner_of(project, mode, **limits).run(["tool"], step="build", attempt=1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("body", "limits", "ended"),
    [
        pytest.param(MEMORY, {"memory_bytes": 300 * MIB}, (1, None, "", "MemoryError"), id="memory"),
        pytest.param(LARGE_FILE, {"file_size_bytes": MIB}, (None, signal.SIGXFSZ, "file_size", ""), id="file size"),
        pytest.param(
            LARGE_FILE_HANDLED, {"file_size_bytes": MIB}, (1, None, "", "File too large"), id="file size, handled"
        ),
        pytest.param(FILES, {"files": 40}, (1, None, "", "Too many open files"), id="files"),
        pytest.param(SPIN, {"cpu_s": 1}, (None, signal.SIGXCPU, "cpu", ""), id="cpu"),
        pytest.param(SPIN_ON, {"cpu_s": 1}, (None, signal.SIGKILL, "cpu", ""), id="cpu, ignored"),
    ],
)
def test_bound_holds_and_is_told(
    project: Project, body: str, limits: dict[str, int], ended: tuple[Any, ...], mode: SandboxMode
) -> None:
    """What goes beyond a bound gets an error or is ended, and the result and the record say by which."""
    result = run(project, body, mode, **limits)

    *how, words = ended
    assert [result.exit, result.signal, result.limit] == how, result.stderr
    assert "had it" not in result.stdout
    assert words in result.stderr
    assert project.facts("command.finished")["limit"] == result.limit
    assert project.facts("command.started")["limits"].items() >= limits.items()
    if (project.root / "out/large").exists():
        assert (project.root / "out/large").stat().st_size <= MIB


@pytest.mark.parametrize("mode", MODES)
def test_too_many_processes_are_refused_or_ended(project: Project, mode: SandboxMode) -> None:
    """A command with more processes than it may have is kept from making them or ended with all of them, also root's."""
    result = run(project, PROCESSES, mode, processes=12)

    assert "had it" not in result.stdout
    assert (result.signal, result.limit) == (signal.SIGKILL, "processes") or "BlockingIOError" in result.stderr
    assert project.facts("command.finished")["limit"] == result.limit


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("body", "name"),
    [
        (MEMORY, "memory_bytes"),
        (LARGE_FILE, "file_size_bytes"),
        (SPIN, "cpu_s"),
        (PROCESSES, "processes"),
    ],
)
def test_the_same_works_without_the_bound(project: Project, body: str, name: str, mode: SandboxMode) -> None:
    """What the bounds stop works where the policy takes them away."""
    result = run(project, body, mode, **{name: None})

    assert (result.exit, result.limit) == (0, ""), result.stderr
    assert "had it" in result.stdout
    assert project.facts("command.started")["limits"][name] is None


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_dumped(project: Project, mode: SandboxMode) -> None:
    """A crash leaves no image of the memory behind, whatever the bounds; it could hold secrets."""
    body = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE), flush=True); os.chdir('out'); os.abort()"

    result = run(project, body, mode, memory_bytes=None)

    # For more than one byte, and for none, the kernel starts a program that keeps cores, if the machine has one.
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    most = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    assert (result.stdout, result.signal) == (f"({most}, {most})\n", signal.SIGABRT), result.stderr
    assert list((project.root / "out").iterdir()) == []


@pytest.mark.parametrize("mode", MODES)
def test_use_is_that_of_the_whole_tree(project: Project, mode: SandboxMode) -> None:
    """What is told of processors and memory counts also what the command's other processes used, and each once."""
    spin = "end = time.process_time() + {}\n{}while time.process_time() < end: pass\n"
    body = (
        f"if os.fork() == 0:\n if os.fork() == 0:\n  os.setsid(); block = bytearray(80 << 20)\n  "
        f"{spin.format(0.4, '  ')}  open('out/done', 'w').close()\n  time.sleep(1000)\n os._exit(0)\n"
        f"os.wait()\n{spin.format(0.2, '')}while not os.path.exists('out/done'): time.sleep(0.01)\n"
    )

    uses = [run(project, body, mode).rusage, run(project, "pass", mode).rusage]

    assert uses[0].user_s + uses[0].system_s >= 0.55
    assert uses[0].max_rss_bytes >= 80 * MIB
    assert uses[1].user_s + uses[1].system_s < 0.5
    assert 0 < uses[1].max_rss_bytes < 80 * MIB


def test_engines_own_commands_are_bound_as_well(project: Project) -> None:
    """The policy's own bounds hold for commands that no rule is for."""
    project.tool(FILES)
    runner = runner_of(project, "none", files=40)

    result = runner.run_trusted(
        [str(project.folder / "bin/tool")], step="build", attempt=1, timeout_s=None, extra_environment={}
    )

    assert result.exit == 1
    assert "Too many open files" in result.stderr
