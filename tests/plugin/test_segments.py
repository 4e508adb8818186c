"""Runs whose logs have several files, from the first step to the last reader of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import read_log, segments_of
from pytest_workflow_exec.sandbox._level import offered_level

from .conftest import Project

OFFER = offered_level()
CONFIGURATION = (
    'segment_mib = 0.004\n[policy]\nsandbox = "none"\n'
    'commands = ["echo *", "seq 5000", "test -f there", "touch ran-last"]\n'
)
FLOW = """\
workflow: flow
steps:
  - {id: long, run: [seq, "5000"]}
  - {id: one, run: [echo, one]}
  - {id: two, run: [test, -f, there]}
  - {id: last, run: [touch, ran-last]}
"""


@pytest.fixture
def small(project: Project) -> Project:
    """A project whose logs have files of 4 KiB."""
    project.write("workflow-exec.toml", CONFIGURATION)
    project.write("wf/flow.workflow.yaml", FLOW)
    return project


def _files(project: Project) -> list[Path]:
    [log] = project.logs()
    return list(segments_of(log))


def test_a_run_in_several_files_goes_on_and_is_verified_and_used_by_every_command(small: Project) -> None:
    """It fails, goes on in the same log, passes, and each command finds all of it, whichever file it stands in."""
    first = small.pytest("wf")
    assert first.status == 1, first.text
    before = {path: path.read_bytes() for path in _files(small)}
    assert len(before) > 1
    assert small.run("workflow-exec", "verify", "latest").status == 4
    small.write("there", "")

    second = small.pytest("wf", "--workflow-resume")

    assert second.status == 0, second.text
    assert "long ... CARRIED" in second.text
    assert "one ... CARRIED" in second.text
    files = _files(small)
    assert len(files) > len(before)
    assert all(path.stat().st_size <= 4 * 1024 or path.read_bytes().count(b"\n") <= 2 for path in files)
    for path in files[: len(before) - 1]:
        assert path.read_bytes() == before[path], "what was ended is never changed"
    [head] = second.heads
    told = small.run("workflow-exec", "verify", "latest", "--expect-head", head)
    assert told.status == 0, told.text
    assert f"files     {len(files)}" in told.text
    assert small.run("workflow-exec", "verify", "latest", "--expect-head", head, "--chain-only").status == 3
    _use(small, head, files)


def _use(project: Project, head: str, files: list[Path]) -> None:
    log = files[0]
    assert "result    passed" in project.run("workflow-exec", "show", "latest").text
    assert len(json.loads(project.run("workflow-exec", "show", "latest", "--json").text)["sessions"]) == 2
    [run] = json.loads(project.run("workflow-exec", "runs", "--json").text)["runs"]
    assert (run["result"], run["problems"]) == ("passed", [])
    assert project.run("workflow-exec", "note", "latest", "last", "seen").status == 0
    redacted = project.run("workflow-exec", "redact", "latest", "--step", "long", "--reason", "too long")
    assert redacted.status == 0, redacted.text
    verdict = json.loads(project.run("workflow-exec", "verify", "latest", "--expect-head", head, "--json").text)
    assert (verdict["predicate"]["verificationResult"], len(verdict["predicate"]["inputAttestations"])) == (
        "PASSED", len(segments_of(log)),
    )  # fmt: skip
    for name in ("in-toto", "junit", "otel-json", "csv"):
        exported = project.run("workflow-exec", "export", "latest", "--format", name)
        assert exported.status == 0, exported.text
        assert "last" in exported.text
    assert project.run("workflow-exec", "verify", str(files[1])).status == 2
    assert project.run("workflow-exec", "export", "latest", "--bundle", str(project.root / "run.tar")).status == 0
    other = Project(project.root / "other")
    other.write("workflow-exec.toml", CONFIGURATION)
    taken = other.run("workflow-exec", "import", str(project.root / "run.tar"))
    assert taken.status == 0, taken.text
    assert [path.read_bytes() for path in _files(other)] == [path.read_bytes() for path in segments_of(log)]
    assert other.run("workflow-exec", "verify", "latest", "--expect-head", head).status == 0
    copy = project.root / "copy"
    shutil.copytree(log.parent, copy)
    assert project.run("workflow-exec", "verify", str(copy / "evidence.jsonl"), "--expect-head", head).status == 0
    segments_of(copy / "evidence.jsonl")[1].unlink()
    broken = project.run("workflow-exec", "verify", str(copy / "evidence.jsonl"), "--expect-head", head)
    assert broken.status == 1, broken.text
    assert "gap: line" in broken.text


def test_a_run_that_is_not_whole_does_not_go_on(small: Project) -> None:
    """Without one of its files a run is broken: no step runs, nothing is written, and the message names what to do."""
    assert small.pytest("wf").status == 1
    files = _files(small)
    small.write("there", "")
    files[0].write_bytes(b"".join(files[0].read_bytes().splitlines(keepends=True)[:-1]))
    before = {path: path.read_bytes() for path in files}

    session = small.pytest("wf", "--workflow-resume")

    assert session.status == 4, session.text
    assert "evidence.0001.jsonl is there, but no record" in session.text
    assert "verify" in session.text
    assert not (small.root / "ran-last").exists()
    assert {path: path.read_bytes() for path in _files(small)} == before


def test_a_step_that_takes_a_file_of_the_log_away_ends_the_run(small: Project) -> None:
    """Each file counts: the session exits 3, nothing runs after it, and what was saved is the whole log."""
    small.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: long, run: [seq, '5000']}\n  - {id: harm, call: 'harm:harm'}\n"
        "  - {id: last, run: [touch, ran-last]}\n",
    )
    small.write(
        "wf/harm.py",
        "from pathlib import Path\n"
        "def harm():\n    [path] = Path('.workflow-exec/runs').glob('*/evidence.0001.jsonl')\n    path.unlink()\n",
    )

    session = small.pytest("wf")

    assert session.status == 3, session.text
    assert "evidence.0001.jsonl was deleted or moved away" in session.text
    assert not (small.root / "ran-last").exists()
    [saved] = [path for path in (small.root / ".workflow-exec" / "saved").iterdir() if path.stem.endswith("-1")]
    assert ("step.started", "harm") in [(record.type, record.step) for record in read_log(saved, blobs=False)]


ATTACK = """\
import os, sys
from pathlib import Path
[run] = (Path.cwd() / ".workflow-exec/runs").iterdir()
tries = {
    "append": lambda path: path.open("ab").close(),
    "cut": lambda path: os.truncate(path, 0),
    "rename": lambda path: path.rename(path.with_suffix(".gone")),
    "remove": lambda path: path.unlink(),
    "link": lambda path: os.link(path, "out/second"),
}
for name in ("evidence.jsonl", "evidence.0001.jsonl", "evidence.0002.jsonl"):
    for what, attempt in tries.items():
        try:
            attempt(run / name)
            print(name, what, "DONE")
        except OSError:
            pass
try:
    (run / "evidence.0099.jsonl").touch()
    print("planted DONE")
except OSError:
    print("refused")
"""


@pytest.mark.skipif(OFFER.level != "landlock", reason=OFFER.reason or "confined")
def test_a_confined_command_can_touch_no_file_of_the_log(small: Project) -> None:
    """Neither the files that are there nor a next one can be written, cut, renamed, removed, linked or made."""
    small.write(
        "workflow-exec.toml",
        'segment_mib = 0.004\n[policy]\ncommands = ["seq 5000"]\n'
        '[[policy.command]]\nrule = "python attack.py"\nwrite = ["out"]\n',
    )
    small.write("attack.py", ATTACK)
    small.write("out/kept", "")
    small.write(
        "wf/flow.workflow.yaml",
        "workflow: flow\nsteps:\n  - {id: long, run: [seq, '5000']}\n  - {id: more, run: [seq, '5000']}\n"
        "  - {id: attack, run: [python, attack.py], expect: {stdout: refused}}\n",
    )

    session = small.pytest("wf")

    assert session.status == 0, session.text
    assert len(_files(small)) > 3
    [head] = session.heads
    assert small.run("workflow-exec", "verify", "latest", "--expect-head", head).status == 0
