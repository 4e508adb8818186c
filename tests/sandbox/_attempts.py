"""What a command at level `namespaces` must not manage, tried with and without confinement: `python -m ... FOLDER`.

It prints, for each attempt, whether it worked unconfined, whether it worked confined, and what it left behind.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_workflow_exec.sandbox._confinement import Grant, confined
from pytest_workflow_exec.sandbox._environment import MARKER
from pytest_workflow_exec.sandbox._process import Ended, RunningCommand

RUN = ".workflow-exec/runs/r"
ATTEMPTS = {
    "read the evidence": "open(run + '/evidence.jsonl').read()",
    "see that there is evidence": "os.stat(run + '/evidence.jsonl')",
    "see other runs": "assert 'other' in os.listdir('.workflow-exec/runs')",
    "write evidence": "open(run + '/evidence.jsonl', 'a').write('x')",
    "write an output": "open(run + '/outputs/made', 'a').write('x')",
    "add an output": "open(run + '/outputs/new', 'w')",
    "move the evidence": "os.rename('.workflow-exec', 'moved')",
    "make another run": "os.mkdir('.workflow-exec/runs/new')",
    "change git's configuration": "open('.git/config', 'a').write('x')",
    "replace git's configuration": "open('x', 'w'); os.replace('x', '.git/config')",
    "make a hook": "open('.git/hooks/pre-commit', 'w')",
    "move the hooks": "os.rename('.git/hooks', '.git/moved')",
    "make git's second configuration": "open('.git/config.worktree', 'w')",
    "make a submodule's repository": "os.mkdir('.git/modules')",
    "change conftest.py": "open('conftest.py', 'a').write('x')",
    "delete conftest.py": "os.unlink('conftest.py')",
    "move conftest.py": "os.rename('conftest.py', 'moved')",
    "replace conftest.py": "open('x', 'w'); os.replace('x', 'conftest.py')",
    "link over conftest.py": "os.unlink('conftest.py'); os.symlink('seed', 'conftest.py')",
    "make a configuration of pytest": "open('pytest.ini', 'w')",
    "make a link as configuration": "os.symlink('seed', 'tox.ini')",
    "make a folder of CI": "os.makedirs('.github/workflows')",
    "change the policy": "open('workflow-exec.toml', 'a').write('x')",
    "replace the policy": "open('x', 'w'); os.replace('x', 'workflow-exec.toml')",
    "change a workflow": "open('wf/site.workflow.yaml', 'a').write('x')",
    "change a Python workflow": "open('wf/workflow_site.py', 'a').write('x')",
    "change a test": "open('wf/test_it.py', 'a').write('x')",
    "write outside": "open(out + '/new', 'w')",
    "change a file's mode outside": "os.chmod(out + '/kept', 0o640)",
    "change a file's times outside": "os.utime(out + '/kept', (1, 1))",
    "give an attribute to a file outside": "os.setxattr(out + '/kept', 'user.x', b'1')",
    "change a file's mode in the evidence": "os.chmod(run + '/evidence.jsonl', 0o640)",
    "see other processes": "assert len([name for name in os.listdir('/proc') if name.isdigit()]) > 2",
    "see the engine's command line": "assert open(f'/proc/{engine}/cmdline').read()",
    "change the engine's scheduling": "os.sched_setaffinity(engine, os.sched_getaffinity(engine))",
    "signal the engine": "os.kill(engine, 0)",
    "be in the engine's user namespace": "assert os.readlink('/proc/self/ns/user') == spaces['user']",
    "be in the engine's network": "assert os.readlink('/proc/self/ns/net') == spaces['net']",
    "be among the engine's processes": "assert os.readlink('/proc/self/ns/pid') == spaces['pid']",
    "be in the engine's memory namespace": "assert os.readlink('/proc/self/ns/ipc') == spaces['ipc']",
    "be in the engine's mounts": "assert os.readlink('/proc/self/ns/mnt') == spaces['mnt']",
    "change the machine's settings": "open('/proc/self/oom_score_adj', 'w').write('1000')",
}
ALLOWED = {
    "read an output": "assert open(run + '/outputs/made').read() == 'made'",
    "see nothing but what is its own of the evidence": (
        "assert sorted(os.listdir(run)) == ['outputs', 'scratch', 'work'], os.listdir(run)\n"
        "assert os.listdir(run + '/scratch') == ['home']"
    ),
    "write in the run's folder": "open(run + '/work/new', 'w').write('x')",
    "write at home": "open(os.environ['HOME'] + '/new', 'w').write('x')",
    "write in the project": "open('new', 'w').write('x'); os.mkdir('folder'); open('folder/new', 'w')",
    "write in the repository": "os.makedirs('.git/refs/heads'); open('.git/refs/heads/main', 'w')",
    "read what is protected": "assert open('conftest.py').read() == 'conftest.py'",
    "see itself": "assert os.getpid() == 2 and os.readlink('/proc/self') == '2'",
    "be the user that it is": "assert (os.geteuid(), os.getegid()) == ids",
}


def project_in(folder: Path) -> tuple[Path, Path]:
    """Return a fresh project with evidence and protected files, and a folder that it has nothing to do with."""
    shutil.rmtree(folder, ignore_errors=True)
    root, outside = folder / "project", folder / "outside"
    for name in ("outputs", "work", "scratch/home"):
        (root / RUN / name).mkdir(parents=True)
    for name in (".workflow-exec/runs/other", ".git/hooks", "wf"):
        (root / name).mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (root / RUN / "outputs/made").write_text("made")
    for name in (
        f"{RUN}/evidence.jsonl", ".git/config", ".git/HEAD", "conftest.py", "workflow-exec.toml",
        "wf/site.workflow.yaml", "wf/workflow_site.py", "wf/test_it.py", "seed",
    ):  # fmt: skip
        (root / name).write_text(name)
    return root, outside


def run(code: str, root: Path, outside: Path, *, free: bool = False, **rights: Any) -> Ended:
    """Run Python code in a project: as it likes, or at level `namespaces` with the project writable."""
    spaces = {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("user", "net", "pid", "ipc", "mnt")}
    head = (
        f"import os; run, out, engine, spaces = {RUN!r}, {str(outside)!r}, {os.getpid()}, {spaces!r}\n"
        f"ids = ({os.geteuid()}, {os.getegid()})\n"
    )
    argv = [sys.executable, "-I", "-S", "-c", head + code]
    home = root / RUN / "scratch/home"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), MARKER: secrets.token_hex(16)}
    if free:
        command = RunningCommand(argv, cwd=root, environment=environment)
    else:
        grant = Grant(
            program=Path(sys.executable),
            root=root,
            private=(home, root / RUN / "work"),
            write=rights.pop("write", (".",)),
            namespaces=True,
            hidden=root / ".workflow-exec",
            shown=(root / RUN / "outputs",),
            **rights,
        )
        with confined(grant, find=Path) as confinement:
            command = RunningCommand(argv, cwd=root, environment=environment, confinement=confinement)
    try:
        command.wait(20)
    finally:
        ended = command.end()
    assert not ended.timed_out
    return ended


def tried(code: str, folder: Path) -> dict[str, Any]:
    """Return what became of one attempt."""
    free = run(code, *project_in(folder), free=True)
    root, outside = project_in(folder)
    before = _seen(root, outside)
    held = run(code, root, outside)
    return {
        "free": free.exit == 0,
        "confined": held.exit == 0,
        "left": sorted(str(each) for each in _seen(root, outside) ^ before if "'x'" not in str(each)),
        "said": bytes(held.stderr.content).decode()[-300:] or bytes(free.stderr.content).decode()[-300:],
    }


def allowed(code: str, folder: Path) -> dict[str, Any]:
    """Return whether something that a command may do works."""
    held = run(code, *project_in(folder))
    return {"works": held.exit == 0, "said": bytes(held.stderr.content).decode()[-300:]}


def _seen(*folders: Path) -> set[tuple[str, int, int, str]]:
    paths = [path for folder in folders for path in folder.rglob("*")]
    facts: Callable[[Path], tuple[str, int, int, str]] = lambda path: (  # noqa: E731  # one line
        path.name if path.name == "x" else str(path),
        path.lstat().st_mode,
        0 if path.is_dir() else path.lstat().st_mtime_ns,
        "" if path.is_dir() else path.read_text(),
    )
    return {facts(path) for path in paths}


def main(folder: Path) -> None:
    """Print what became of everything."""
    os.umask(0o022)
    found = {
        "attempts": {name: tried(code, folder / "p") for name, code in ATTEMPTS.items()},
        "allowed": {name: allowed(code, folder / "p") for name, code in ALLOWED.items()},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
