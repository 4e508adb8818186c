"""`workflow-exec note`."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from pytest_workflow_exec.cli import main
from pytest_workflow_exec.verify import verify_log
from tests.evidence._logs import begun, new_log, passed_run, records_in, started, written


def test_a_remark_says_who_when_and_on_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A person's words are appended, durable and in the chain; the run is as good as before, and `show` tells them."""
    path = written(tmp_path, passed_run())
    head, before = records_in(path)[-1]["hash"], path.read_bytes()

    assert main(["note", str(path), "build", "The second runner was slow."]) == 0
    assert main(["note", str(path), "Checked by hand\nand signed."]) == 0

    assert path.read_bytes().startswith(before)
    about, general = records_in(path)[-2:]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert (about["type"], about["step"], about["actor"]) == ("note", "build", {"kind": "human", "id": user})
    assert about["data"] == {"text": "The second runner was slow.", "who": user}
    assert (general["step"], general["data"]["text"]) == (None, "Checked by hand\nand signed.")
    assert f"noted: the head of the log is now {general['seq']} {general['hash']}\n" in capsys.readouterr().out
    assert verify_log(path, expect_head=head).exit_code == 0
    main(["show", str(path)])
    shown = capsys.readouterr().out
    assert f"note      {about['ts'][:19].replace('T', ' ')} UTC {user} on build:\n          The second" in shown
    assert "          Checked by hand\n          and signed.\n" in shown


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["deploy", "x"], "the run has no step 'deploy' (it has build, approve, publish)"),
        ([""], "the remark is empty"),
        ([" \n"], "the remark is empty"),
    ],
)
def test_a_remark_on_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    """An unknown step and an empty text are exit 2, and nothing is written."""
    path = written(tmp_path, passed_run())
    before = path.read_bytes()

    assert main(["note", str(path), *arguments]) == 2

    assert reason in capsys.readouterr().err
    assert path.read_bytes() == before


def test_what_can_not_be_gone_on_with_is_not_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken log, one without a run, another file and a run under way are left as they are."""
    path = written(tmp_path, passed_run())
    broken, other = path.read_bytes().replace(b'"exit":0', b'"exit":1'), tmp_path / "copy.jsonl"
    other.write_bytes(path.read_bytes())
    under_way = new_log(tmp_path)
    under_way.append(started())

    for log, content in ((path, broken), (path, b""), (path, b"hello\n"), (other, other.read_bytes())):
        log.write_bytes(content)
        assert main(["note", str(log), "x"]) == 2
        assert log.read_bytes() == content
    assert main(["note", str(under_way.path), "x"]) == 2
    assert "is being written by another process" in capsys.readouterr().err
    assert len(records_in(under_way.path)) == 1
    under_way.close()


def test_a_killed_run_takes_remarks(tmp_path: Path) -> None:
    """Behind a torn record the remark follows its recovery, and the run stays unfinished."""
    path = written(tmp_path, [started(), begun("build")])
    path.write_bytes(path.read_bytes() + b'{"v":1,"seq":2,"ru')

    assert main(["note", str(path), "The machine lost power."]) == 0

    verdict = verify_log(path)
    assert (verdict.word, verdict.recoveries, verdict.torn_bytes) == ("bounded", 1, 0)
