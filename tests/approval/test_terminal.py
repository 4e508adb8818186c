"""Rules of a usable terminal: every doubt about it denies, says what to do, and asks nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from pytest_workflow_exec.approval import terminal_problem

from .conftest import ROOT, Terminal

NOT_TERMINAL = "standard input is no terminal: run it in a terminal, without a pipe or redirect"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        pytest.param("{} </dev/null", NOT_TERMINAL, id="null"),
        pytest.param("echo CODE | {}", NOT_TERMINAL, id="pipe"),
        pytest.param("yes CODE | {}", NOT_TERMINAL, id="endless-pipe"),
        pytest.param("{} <<<CODE", NOT_TERMINAL, id="here-string"),
        pytest.param("{} <&-", "standard input is closed: run it in a terminal", id="closed-input"),
        pytest.param("{} >FOLDER/out", "standard output is redirected: run it in a terminal", id="output-to-file"),
        pytest.param("{} | cat", "standard output is redirected: run it in a terminal", id="output-to-pipe"),
        pytest.param("{} >&-", "standard output is closed: run it in a terminal", id="closed-output"),
        pytest.param("{} 2>&-", "standard error is closed: run it in a terminal", id="closed-errors"),
        pytest.param("set -m; {} & wait", "in the background: bring it to the foreground (fg)", id="background"),
        pytest.param("setsid --wait {}", "without setsid", id="other-session"),
    ],
)
def test_unusable_terminal_denies(terminal: Terminal, script: str, problem: str) -> None:
    """Without a foreground terminal for both input and screen nobody is asked and nothing is approved."""
    # given
    line = script.replace("CODE", terminal.code).replace("FOLDER", str(terminal.folder))
    terminal.start(script=line)

    # when
    shown = terminal.end()

    # then
    _is_denied_unasked(terminal, shown, problem)


@pytest.mark.parametrize(
    ("circumstance", "problem"),
    [
        ("patched-input", "input() has been replaced by __main__.patched_input.<locals>.<lambda>: remove"),
        ("replaced-stdin", "sys.stdin has been replaced by a _io.StringIO: remove what replaces it"),
        ("second-thread", "can only be asked in the main thread"),
        ("other-screen", "the screen of the gate is not the terminal"),
    ],
)
def test_doubtful_process_denies(terminal: Terminal, circumstance: str, problem: str) -> None:
    """At a real terminal, too, nobody is asked where something may answer for the person or hide the question."""
    # given
    terminal.start(circumstance)

    # when
    shown = terminal.end()

    # then
    _is_denied_unasked(terminal, shown, problem)


def test_two_terminals_deny(terminal: Terminal) -> None:
    """Input from one terminal can't answer a question that another one shows."""
    # given
    master, other = os.openpty()
    terminal.start(script=f"{{}} >{os.ttyname(other)}")

    # when
    shown = terminal.end()
    os.close(master)
    os.close(other)

    # then
    _is_denied_unasked(terminal, shown, "standard input and standard output are different terminals")


def _is_denied_unasked(terminal: Terminal, shown: str, problem: str) -> None:
    decision = terminal.decision
    assert problem in decision["reason"]
    assert "to approve" not in shown
    assert not terminal.effect
    assert (decision["decision"], decision["channel"], decision["assurance"]) == ("denied", "none", 0)
    assert (decision["terminal"], decision["approver"]["kind"]) == ("", "engine")


def test_input_patched_while_asking_denies(terminal: Terminal) -> None:
    """Before every try it is looked at again whether a person answers."""
    # given
    terminal.start("patched-while-asking")
    terminal.see_prompt()
    (terminal.folder / "go").touch()
    patience = time.monotonic() + 20
    while not (terminal.folder / "done").exists():
        assert time.monotonic() < patience
        time.sleep(0.01)

    # when
    terminal.type("wrong")
    shown = terminal.end()

    # then
    assert "Denied: input() has been replaced" in shown
    assert not terminal.effect
    assert terminal.decision["decision"] == "denied"


def test_hostile_terminal_is_reset_first(terminal: Terminal) -> None:
    """A terminal left raw, silent and elsewhere is an ordinary one before the facts are shown."""
    # given
    terminal.start("hostile-terminal")

    # when
    terminal.see("HOSTILE\x1b]0;half a title")
    reset, _ = terminal.see("Facts, by the engine alone"), terminal.see_prompt()
    has_echo = terminal.has_echo()
    terminal.type("reject")
    terminal.see("reject\r\n")
    terminal.see("Reason: ")
    terminal.type("")
    terminal.end()

    # then
    assert reset.startswith("\x18\x1b\\")
    wanted = ["\x1b[!p", "\x1b[?1049l", "\x1b[0m", "\x1b[?25h", "\x1b[?1000l", "\x1b[?2004l", "\x0f", "\x1b(B"]
    assert [sequence for sequence in wanted if sequence not in reset] == []
    assert has_echo
    assert terminal.decision["decision"] == "rejected"


def test_interrupt_works_on_a_hostile_terminal(terminal: Terminal) -> None:
    """Ctrl-C interrupts also where signals of the terminal were switched off."""
    # given
    terminal.start("hostile-terminal")
    terminal.see_prompt()

    # when
    terminal.press("c")
    terminal.end()

    # then
    assert terminal.ended_by == signal.SIGINT
    assert not terminal.effect


@pytest.mark.parametrize(
    ("circumstance", "script"),
    [
        pytest.param("captured-stdout", "{}", id="standard-output-elsewhere"),
        pytest.param("", "{} 2>FOLDER/log", id="errors-to-file"),
    ],
)
def test_prompt_reaches_the_terminal(terminal: Terminal, circumstance: str, script: str) -> None:
    """The prompt stands on the terminal wherever the other streams go."""
    # given
    terminal.start(circumstance, script=script.replace("FOLDER", str(terminal.folder)))

    # when
    terminal.see_prompt()
    terminal.type(terminal.code)
    terminal.end()

    # then
    assert terminal.decision["decision"] == "approved"
    log = terminal.folder / "log"
    assert not log.exists() or log.read_text() == ""


@pytest.mark.parametrize(("columns", "widest"), [(40, 40), (200, 80)])
def test_frames_fit_the_terminal(terminal: Terminal, plain: Callable[[str], str], columns: int, widest: int) -> None:
    """The frames are as wide as the terminal says, but never wider than 80."""
    # given
    terminal.start(columns=columns, env={"COLUMNS": "500"})

    # when
    lines = plain(terminal.see_prompt()).split("\n")

    # then
    assert max(len(line) for line in lines) == widest


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "pytest captures input: add -s (or --capture=tee-sys)"),
        (["--capture=sys"], "pytest captures input: add -s (or --capture=tee-sys)"),
        (["-s"], "None"),
        (["--capture=tee-sys"], "None"),
    ],
)
def test_capture_is_named_with_its_way_out(terminal: Terminal, options: list[str], problem: str) -> None:
    """Under a pytest that captures input the problem names the option that helps, and with it there is none."""
    # given
    test = terminal.folder / "test_look.py"
    test.write_text(
        "from pathlib import Path\n"
        "from pytest_workflow_exec.approval import terminal_problem\n"
        "def test_look():\n"
        "    Path(__file__).with_name('problem').write_text(str(terminal_problem()))\n"
    )
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, *options, str(test)]

    # when
    terminal.start(script=" ".join(argv))
    terminal.end()

    # then
    assert (terminal.folder / "problem").read_text() == problem


def test_other_input_is_judged_instead() -> None:
    """The caller may name the stream that input would come from."""
    # given
    program = (
        "import io; from pytest_workflow_exec.approval import terminal_problem;"
        "print(terminal_problem(stdin=io.StringIO('x')))"
    )

    # when
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )

    # then
    assert ran.stdout == "sys.stdin has been replaced by a _io.StringIO: remove what replaces it\n"


def test_problem_is_the_same_as_at_the_gate() -> None:
    """Asked twice, nothing about the terminal changes: looking leaves no trace."""
    # when
    first, second = terminal_problem(), terminal_problem()

    # then
    assert first == second
    assert first is not None or os.isatty(0)
