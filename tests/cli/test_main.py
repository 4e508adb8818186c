"""What stands on the command line."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec.cli import main
from tests.evidence._logs import passed_run, records_in, written

from ._tool import ROOT, workflow_exec


def test_without_a_command_the_help_is_printed(tmp_path: Path) -> None:
    """The bare tool says what it can do and exits as for a usage error."""
    done = workflow_exec(cwd=tmp_path)

    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("usage: workflow-exec")
    assert "verify" in done.stdout
    assert "show" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["sell", "latest"], "there is no command 'sell'"),
        (["verify"], "required: RUN"),
        (["verify", "latest", "--expect-head", "abc"], "64 hexadecimal digits"),
        (["verify", "latest", "--policies", "x"], "unrecognized arguments: --policies"),
        (["verify", "latest", "--plan", ""], "it is empty"),
        (["verify", "latest", "--policy", " "], "it is empty"),
        (["verify", "latest", "--min-assurance", "4"], "invalid choice: 4"),
        (["verify", "latest", "--min-assurance=-1"], "invalid choice: -1"),
        (["verify", "latest", "--chain-only", "--min-assurance", "0"], "--chain-only reads no plan"),
        (["verify", "latest", "--signers", "missing"], "there is no file 'missing'"),
        (["seal", "latest"], "required: --key, --principal"),
        (["verify", "latest", "--chain-only", "--plan", "a" * 64], "--chain-only reads no plan"),
        (["verify", "latest", "--expect", "0" * 64], "unrecognized arguments: --expect"),
        (["show", "latest", "more"], "unrecognized arguments: more"),
        (["verify", "latest"], "there is no project here"),
        (["show", "latest"], "there is no project here"),
        (["verify", "./missing"], "there is no missing"),
        (["show", "missing.jsonl"], "there is no missing.jsonl"),
    ],
)
def test_a_usage_error_is_exit_2_in_words(tmp_path: Path, arguments: list[str], reason: str) -> None:
    """What isn't there or isn't known is refused on standard error, without a traceback and without a verdict."""
    done = workflow_exec(*arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_told_the_ones_there_are(tmp_path: Path) -> None:
    """A command that does not exist lists those that do."""
    error = workflow_exec("aprove", cwd=tmp_path).stderr

    assert "verify" in error
    assert "show" in error


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_are_exit_0(tmp_path: Path, argument: str) -> None:
    """Asking what the tool is succeeds."""
    done = workflow_exec(argument, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "workflow-exec" in done.stdout


def test_main_returns_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Called as a function the tool returns also those codes that argparse exits with."""
    assert main(["--help"]) == 0
    assert main(["nothing"]) == 2
    assert main([]) == 2
    assert "usage" in capsys.readouterr().out


@pytest.mark.parametrize("marker", ["workflow-exec.toml", ".git"])
def test_a_run_is_found_in_the_project_of_the_working_directory(tmp_path: Path, marker: str) -> None:
    """An id, a prefix and `latest` are looked up in the nearest project above."""
    (tmp_path / marker).mkdir() if marker == ".git" else (tmp_path / marker).touch()
    (tmp_path / "deep" / "below").mkdir(parents=True)
    run = written(tmp_path, passed_run()).parent.name

    for reference in (run, run[:13], "latest"):
        assert f"run       {run}" in workflow_exec("show", reference, cwd=tmp_path / "deep" / "below").stdout


def test_a_path_needs_no_project(tmp_path: Path) -> None:
    """A log by its path is read anywhere, even where the project's own configuration is broken."""
    path = written(tmp_path, passed_run())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pyproject.toml").write_text("broken = [")

    assert workflow_exec("verify", path, cwd=elsewhere).returncode == 3
    assert workflow_exec("verify", path.parent, cwd=elsewhere).returncode == 3
    by_name = workflow_exec("verify", "latest", cwd=elsewhere)
    assert (by_name.returncode, by_name.stdout) == (2, "")
    assert "is not valid TOML" in by_name.stderr


def test_an_ambiguous_run_is_refused_with_its_choices(tmp_path: Path) -> None:
    """A beginning of several runs is exit 2 and lists them."""
    (tmp_path / ".git").mkdir()
    runs = [written(tmp_path, passed_run()).parent.name for _ in range(2)]

    done = workflow_exec("verify", runs[0][:6], cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert all(run in done.stderr for run in runs)


@pytest.mark.parametrize("command", ["verify", "show"])
def test_a_reader_that_goes_away_gets_no_traceback_and_no_success(tmp_path: Path, command: str) -> None:
    """When the output can't be delivered the exit code is not the verdict's."""
    path = written(tmp_path, passed_run())
    head = ["--expect-head", records_in(path)[-1]["hash"]] if command == "verify" else []
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [sys.executable, "-m", "pytest_workflow_exec.cli", command, str(path), *head],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("arguments", [["verify"], ["verify", "--json"], ["show"], ["export", "--format", "csv"]])
@pytest.mark.parametrize("stderr_too", [False, True])
def test_what_a_full_disk_keeps_from_being_said_is_no_verdict(
    tmp_path: Path, arguments: list[str], stderr_too: bool
) -> None:
    """Exit 2, and not 1, which would say that the evidence is broken; in words, if those can be written."""
    path = written(tmp_path, passed_run())

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pytest_workflow_exec.cli", *arguments, str(path)],
            cwd=ROOT,
            stdout=full,
            stderr=full if stderr_too else subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 2
    assert stderr_too or done.stderr == "workflow-exec: error: No space left on device\n"


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_verdict_and_no_log(tmp_path: Path, streams: str) -> None:
    """The exit code is the verdict's, and nothing that is opened gets the number of a stream, to be written into."""
    path = written(tmp_path, passed_run())
    head = records_in(path)[-1]["hash"]
    tool = f"{shlex.quote(sys.executable)} -m pytest_workflow_exec.cli"
    log = shlex.quote(str(path))

    def closed(command: str) -> tuple[int, str, str]:
        done = subprocess.run(["sh", "-c", f"{tool} {command} {streams}"], cwd=ROOT, capture_output=True, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    assert closed(f"verify {log} --expect-head {head}")[0] == 0
    assert closed(f"verify {log}")[0] == 3
    assert closed(f"note {log} 'looked at'")[0] == 0
    assert closed(f"show {log}")[0] == 0
    assert closed("show nothing-of-the-kind")[0] == 2
    assert not any("Traceback" in said for _, *both in [closed(f"show {log}")] for said in both)
    assert records_in(path)[-1]["type"] == "note"
    assert workflow_exec("verify", path, "--expect-head", head, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("command", ["verify", "show"])
def test_the_tool_needs_neither_pytest_nor_pydantic(tmp_path: Path, command: str) -> None:
    """A verdict is reached in an interpreter that loads no pytest, no pydantic and no YAML reader."""
    (tmp_path / "pyproject.toml").write_text("[tool.workflow-exec.policy]\ncommands = ['git status']\n")
    written(tmp_path, passed_run())
    script = (
        "import sys; from pytest_workflow_exec.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'pytest', '_pytest', 'pydantic', 'yaml', 'asyncio'} & set(sys.modules);"
        "heavy |= {'rich'} & set(sys.modules) if sys.argv[1] == 'verify' else set();"
        "sys.exit(f'loaded {sorted(heavy)}' if heavy else code)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, command, "latest"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (3 if command == "verify" else 0, "")


def test_nothing_of_the_project_is_imported(tmp_path: Path) -> None:
    """Modules that lie in the working directory are not run, whatever they are called."""
    for name in ("rich", "json", "conftest", "argparse"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the project ran')")
    path = written(tmp_path, passed_run())
    script = "import sys; from pytest_workflow_exec.cli import main; sys.exit(main())"

    for command in ("verify", "show"):
        done = subprocess.run(
            [sys.executable, "-I", "-c", f"import sys; sys.path.append({str(ROOT)!r}); {script}", command, str(path)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (3 if command == "verify" else 0, "")


@pytest.mark.parametrize(
    ("typed", "said"),
    [("shwo", "there is no command 'shwo' (did you mean 'show'?). "), ("qqq", "there is no command 'qqq'. ")],
)
def test_a_command_that_is_not_there_names_the_nearest(tmp_path: Path, typed: str, said: str) -> None:
    """A slip is answered with what was meant most likely, before all that there is; exit 2."""
    done = workflow_exec(typed, "latest", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {said}There are: approve, attack, " in done.stderr


def test_a_project_without_runs_says_so(tmp_path: Path) -> None:
    """Where nothing ran yet, the way to a first run is named; exit 2."""
    (tmp_path / ".git").mkdir()

    done = workflow_exec("show", "latest", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no run 'latest', and no other: " in done.stderr
    assert "`workflow-exec list` names the project's workflows" in done.stderr
