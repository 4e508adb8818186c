"""Rules of asking a person, at real pseudo-terminals with a real process."""

from __future__ import annotations

import os
import pwd
import signal
import time
from collections.abc import Callable
from datetime import datetime, timezone

import pytest

from .conftest import Terminal

ENGINE = {"kind": "engine", "id": "pytest-workflow-exec"}
# LOGNAME says "somebody else" in these sessions; what counts is whose process it is.
PERSON = {"kind": "human", "id": pwd.getpwuid(os.getuid()).pw_name}


@pytest.mark.parametrize("change", [str, str.lower, lambda code: f"  {code} "], ids=["as-shown", "lowercase", "spaces"])
def test_code_approves(terminal: Terminal, change: Callable[[str], str]) -> None:
    """The code approves, in any case and between spaces, and the terminal is recorded."""
    # given
    terminal.start()
    terminal.see_prompt()

    # when
    terminal.type(change(terminal.code))
    shown = terminal.end()

    # then
    assert "Approved." in shown
    assert terminal.effect
    assert terminal.decision["terminal"].startswith("/dev/")
    assert terminal.decision == {
        "decision": "approved",
        "reason": "",
        "approver": PERSON,
        "channel": "terminal",
        "terminal": terminal.decision["terminal"],
        "assurance": 1,
        "answers": {},
        "proof": None,
    }


def test_frames_stand_above_the_prompt(terminal: Terminal, plain: Callable[[str], str]) -> None:
    """The facts come first, then the words, then a line that begins with the prompt."""
    # given
    terminal.start()

    # when
    lines = plain(terminal.see_prompt()).split("\n")

    # then
    assert lines[-1] == ""
    facts, words = (next(n for n, line in enumerate(lines) if start in line) for start in ("Facts,", "Words of"))
    assert facts < words
    assert "│ Publish 1.2.3?" in lines[words:]


@pytest.mark.parametrize(
    "env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_plain_terminal_gets_plain_frames(terminal: Terminal, env: dict[str, str], plain: Callable[[str], str]) -> None:
    """A terminal without colors, or without the characters of the frames, gets them in ASCII."""
    # given
    terminal.start(env=env)

    # when
    shown = terminal.see_prompt()

    # then
    assert plain(shown).isascii()
    assert "| Publish 1.2.3?" in shown
    assert "\x1b[1m" not in shown


def test_dumb_terminal_gets_no_control_sequence(terminal: Terminal) -> None:
    """A terminal that knows no control sequences is sent none."""
    # given
    terminal.start(env={"TERM": "dumb"})

    # when
    shown = terminal.see_prompt()

    # then
    assert "Facts, by the engine alone" in shown
    assert "\x1b" not in shown


def test_reject_asks_for_a_reason(terminal: Terminal) -> None:
    """A rejection is recorded with the person's own words."""
    # given
    terminal.start()
    terminal.see_prompt()

    # when
    terminal.type("Reject")
    terminal.see("Reason: ")
    terminal.type("the changelog is empty")
    shown = terminal.end()

    # then
    assert "Rejected: the changelog is empty" in shown
    assert not terminal.effect
    decision = terminal.decision
    assert (decision["decision"], decision["reason"]) == ("rejected", "the changelog is empty")
    assert (decision["approver"], decision["channel"], decision["assurance"]) == (PERSON, "terminal", 1)


@pytest.mark.parametrize("key", ["m", "d", "c"], ids=["empty", "end-of-input", "interrupt"])
def test_reject_without_a_reason_still_rejects(terminal: Terminal, key: str) -> None:
    """An empty reason, the end of input and an interrupt at the reason all leave the rejection as it is."""
    # given
    terminal.start()
    terminal.see_prompt()
    terminal.type("reject")
    terminal.see("Reason: ")

    # when
    terminal.press(key)
    shown = terminal.end()

    # then
    assert "Rejected." in shown
    assert not terminal.effect
    assert (terminal.decision["decision"], terminal.decision["reason"]) == ("rejected", "")


def test_reject_without_a_reason_in_time_still_rejects(terminal: Terminal) -> None:
    """A reason that nobody types before the time is over leaves the rejection as it is."""
    # given
    terminal.start(timeout_s=2)
    terminal.see_prompt()

    # when
    terminal.type("reject")
    terminal.see("Reason: ")
    terminal.end()

    # then
    assert not terminal.effect
    assert (terminal.decision["decision"], terminal.decision["reason"]) == ("rejected", "")


def test_reason_can_not_act_on_the_terminal(terminal: Terminal) -> None:
    """A reason is shown escaped."""
    # given
    terminal.start()
    terminal.see_prompt()
    terminal.type("reject")
    terminal.see("Reason: ")

    # when
    terminal.send_bytes("left\u202eright\r".encode())
    shown = terminal.end()

    # then
    assert r"Rejected: left\u202eright" in shown
    assert not terminal.effect


def test_fifth_wrong_answer_denies(terminal: Terminal) -> None:
    """Anything else asks again and says how many tries are left; the fifth wrong answer denies, empty ones count."""
    # given
    terminal.start()
    wrong = ["yes", "", terminal.code[:-1], "approve"]

    # when
    for answer, left in zip(wrong, ["4 tries are", "3 tries are", "2 tries are", "1 try is"], strict=True):
        terminal.see_prompt()
        terminal.type(answer)
        terminal.see(f"{left} left.")
    terminal.see_prompt()
    terminal.type("y")
    shown = terminal.end()

    # then
    assert "Denied: five wrong answers" in shown
    assert not terminal.effect
    decision = terminal.decision
    assert (decision["decision"], decision["reason"]) == ("denied", "five wrong answers")
    assert (decision["approver"], decision["assurance"]) == (ENGINE, 0)


def test_code_after_wrong_answers_approves(terminal: Terminal) -> None:
    """The fifth try counts as much as the first."""
    # given
    terminal.start()
    for _ in range(4):
        terminal.see_prompt()
        terminal.type("yes")

    # when
    terminal.see_prompt()
    terminal.type(terminal.code)
    terminal.end()

    # then
    assert terminal.effect
    assert terminal.decision["decision"] == "approved"


def test_end_of_input_denies(terminal: Terminal) -> None:
    """Ctrl-D is no answer."""
    # given
    terminal.start()
    terminal.see_prompt()

    # when
    terminal.press("d")
    shown = terminal.end()

    # then
    assert "Denied: end of input" in shown
    assert not terminal.effect
    assert (terminal.decision["decision"], terminal.decision["reason"]) == ("denied", "end of input")


def test_unreadable_answer_denies(terminal: Terminal) -> None:
    """An error while the answer is read is no answer, and is named."""
    # given
    terminal.start("ascii-input")
    terminal.see_prompt()

    # when
    terminal.send_bytes("é\r".encode())
    shown = terminal.end()

    # then
    assert "Denied: input() failed: 'ascii' codec can't decode" in shown
    assert not terminal.effect
    assert terminal.decision["decision"] == "denied"


def test_typed_ahead_answer_does_not_count(terminal: Terminal) -> None:
    """The right code, typed before the question stood there, is forgotten."""
    # given
    terminal.start("typed-ahead")
    _wait_for(terminal, "ready")
    terminal.type(terminal.code)
    terminal.type(terminal.code)
    (terminal.folder / "go").touch()

    # when
    terminal.see_prompt()
    terminal.press("d")
    terminal.end()

    # then
    assert not terminal.effect
    assert (terminal.decision["decision"], terminal.decision["reason"]) == ("denied", "end of input")


def test_time_over_expires(terminal: Terminal) -> None:
    """Without an answer in time nothing is approved, and nothing waits for ever."""
    # given
    terminal.start(timeout_s=1)
    terminal.see_prompt()

    # when
    shown = terminal.end()

    # then
    assert "Expired: no answer within 1 s" in shown
    assert not terminal.effect
    decision = terminal.decision
    assert (decision["decision"], decision["reason"]) == ("expired", "no answer within 1 s")
    assert (decision["approver"], decision["channel"], decision["assurance"]) == (ENGINE, "terminal", 0)


def test_half_typed_code_expires(terminal: Terminal) -> None:
    """A code without its Enter is no answer."""
    # given
    terminal.start(timeout_s=1)
    terminal.see_prompt()

    # when
    terminal.send_bytes(terminal.code.encode())
    terminal.end()

    # then
    assert not terminal.effect
    assert terminal.decision["decision"] == "expired"


def test_wrong_answers_do_not_extend_the_time(terminal: Terminal) -> None:
    """The time is that of all tries together."""
    # given
    terminal.start(timeout_s=2)
    terminal.see_prompt()

    # when
    terminal.type("yes")
    terminal.see_prompt()
    terminal.end()

    # then
    assert not terminal.effect
    assert terminal.decision["decision"] == "expired"


def test_blocked_alarm_can_not_make_it_hang(terminal: Terminal) -> None:
    """The time ends also where alarms were blocked, and they are blocked again afterwards."""
    # given
    terminal.start("blocked-alarm", timeout_s=0.3)
    terminal.see_prompt()

    # when
    terminal.end()

    # then
    assert not terminal.effect
    assert terminal.decision["decision"] == "expired"
    assert terminal.state["after"] == terminal.state["before"]
    assert terminal.state["after"]["blocked"]


def test_code_after_the_time_does_not_count(terminal: Terminal) -> None:
    """The right code, typed when the time was over, is no approval even if the alarm was lost."""
    # given
    terminal.start("stopped-alarm", timeout_s=1)
    terminal.see_prompt()
    (terminal.folder / "go").touch()
    _wait_for(terminal, "done")
    time.sleep(1.1)

    # when
    terminal.type(terminal.code)
    terminal.end()

    # then
    assert not terminal.effect
    assert (terminal.decision["decision"], terminal.decision["reason"]) == ("expired", "no answer within 1 s")


def test_code_after_the_request_expired_does_not_count(terminal: Terminal) -> None:
    """The expiry that the screen states holds, whatever the time for the terminal is."""
    # given
    terminal.start("soon-expired")
    shown = terminal.see("to approve, or reject to stop: ")
    expires = datetime.fromisoformat(shown.split("Expires")[1].split("\x1b[0m")[1].split()[0])
    while datetime.now(timezone.utc) < expires:
        time.sleep(0.01)

    # when
    terminal.type(shown.rsplit("Type ", 1)[1].strip())
    told = terminal.end()

    # then
    assert "Expired: no answer before the request expired" in told
    assert not terminal.effect
    assert terminal.decision["decision"] == "expired"


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf"), 1e300])
def test_time_that_can_not_be_counted_denies(terminal: Terminal, timeout_s: float) -> None:
    """A time that no timer can count never becomes an endless one: nothing is asked."""
    # given
    terminal.start(timeout_s=timeout_s)

    # when
    shown = terminal.end()

    # then
    assert "Denied: the gate could not be asked" in shown
    assert terminal.prompt not in shown
    assert not terminal.effect
    assert terminal.decision["decision"] == "denied"


def test_expiry_that_is_no_time_denies(terminal: Terminal) -> None:
    """A request whose expiry can't be read is not asked."""
    # given
    terminal.start("no-expiry")

    # when
    shown = terminal.end()

    # then
    assert "to approve" not in shown
    assert not terminal.effect
    assert "which is no time with its zone" in terminal.decision["reason"]


def test_interrupt_passes_through(terminal: Terminal) -> None:
    """Ctrl-C at the prompt is no decision: it interrupts the process, with everything put back."""
    # given
    terminal.start("own-alarm")
    terminal.see_prompt()

    # when
    terminal.press("c")
    shown = terminal.end()

    # then
    assert "KeyboardInterrupt" in shown
    assert terminal.ended_by == signal.SIGINT
    assert not terminal.effect
    assert not (terminal.folder / "decision.json").exists()
    assert terminal.state["after"] == terminal.state["before"]


def test_interrupt_that_ends_no_wait_is_heard(terminal: Terminal) -> None:
    """A signal that comes just before Python begins to read is noted, and ends no read: it is heard a moment later."""
    # given
    terminal.start("unheard-interrupt")
    terminal.see_prompt()

    # when
    (terminal.folder / "go").touch()
    shown = terminal.end()

    # then
    assert "KeyboardInterrupt" in shown
    assert terminal.ended_by == signal.SIGINT
    assert not terminal.effect
    assert not (terminal.folder / "decision.json").exists()


@pytest.mark.parametrize("answer", ["code", "reject"])
def test_lost_screen_never_approves(terminal: Terminal, answer: str) -> None:
    """A screen that fails when the decision is told turns an approval into a denial and leaves a rejection."""
    # given
    terminal.start("lost-screen")
    terminal.see_prompt()

    # when
    if answer == "code":
        terminal.type(terminal.code)
    else:
        terminal.type("reject")
        terminal.see("Reason: ")
        terminal.type("no")
    terminal.end()

    # then
    expected = {"code": ("denied", "the gate could not be asked: the line was cut"), "reject": ("rejected", "no")}
    assert not terminal.effect
    assert (terminal.decision["decision"], terminal.decision["reason"]) == expected[answer]


@pytest.mark.parametrize("circumstance", ["", "own-alarm", "captured-stdout"])
def test_asking_leaves_the_process_as_it_was(terminal: Terminal, circumstance: str) -> None:
    """Afterwards standard output, the alarm's handler and a running timer are what they were."""
    # given
    terminal.start(circumstance)
    terminal.see_prompt()

    # when
    terminal.type(terminal.code)
    terminal.end()

    # then
    assert terminal.decision["decision"] == "approved"
    assert terminal.state["after"] == terminal.state["before"]
    assert terminal.state["after"]["timer"] == (circumstance == "own-alarm")


def _wait_for(terminal: Terminal, name: str) -> None:
    patience = time.monotonic() + 20
    while not (terminal.folder / name).exists():
        assert time.monotonic() < patience, f"the process never said {name}"
        time.sleep(0.01)
