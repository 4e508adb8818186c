"""Attempts on a gate that is answered at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_workflow_exec.settings import OWN_FILE

from ._result import Result, got_through, not_applicable, not_tried, stopped
from ._scratch import APPROVED, Present, Scratch
from ._terminal import Terminal

REFUSED = (1, 4)
"""How pytest exits when a gate was denied, and when nothing was begun."""
_CODE = r"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to approve, or reject to stop: "
_PUSH = """\
import fcntl, os, sys, termios

pushed, refused = 0, ""
for terminal in ("/dev/tty", open("terminal-path").read()):
    try:
        opened = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
        for byte in b"reject\\n":
            fcntl.ioctl(opened, termios.TIOCSTI, bytes([byte]))
            pushed += 1
    except OSError as error:
        refused = os.strerror(error.errno)
print(f"pushed {pushed} characters" if pushed else f"pushed nothing: {refused}")
"""


def scripted_terminal(scratch: Scratch, now: Present) -> Result:
    """A script owns the terminal, reads the code and types it."""
    del now
    scratch.renew()
    with scratch.pytest_terminal() as terminal:
        approve(terminal)
        status = terminal.finish()
    if status == 0 and scratch.released == APPROVED:
        return got_through("a process that owns the terminal reads the code and types it: assurance 2 is for that")
    return not_tried(f"the code was typed, and yet pytest exited {status}")


def endless_yes(scratch: Scratch, now: Present) -> Result:
    """`yes` is piped into pytest on a terminal."""
    del now
    scratch.renew()
    with scratch.piped_terminal("yes") as terminal:
        status = terminal.finish()
    return held(
        scratch, status, terminal.text, "standard input is no terminal", "a pipe is no terminal: nothing is begun"
    )


def left_out(scratch: Scratch, now: Present) -> Result:
    """The gate is left out of the selection."""
    del now
    scratch.renew()
    session = scratch.pytest("-k", "not approve")
    return held(
        scratch,
        session.status,
        session.text,
        "the plan is cut",
        "a workflow runs whole or not at all: nothing is begun",
    )


def patched_input(scratch: Scratch, now: Present) -> Result:
    """A step of the workflow replaces `input()` by a function that gives the code."""
    del now
    scratch.renew(before='  - {id: patch, call: "acts:answer_itself"}\n')
    with scratch.pytest_terminal() as terminal:
        status = terminal.finish()
    return held(
        scratch, status, terminal.text, "input() has been replaced", "a gate sees that input() was replaced, and denies"
    )


def pushed_keys(scratch: Scratch, now: Present) -> Result:
    """A command of the workflow pushes keys into the terminal with TIOCSTI."""
    if not now.runs_python:
        return not_applicable("the policy's path has no venv, so no command can run this interpreter")
    before = "  - {id: push, run: [python, push.py], idempotent: true}\n"
    scratch.renew(before=before, files={"push.py": _PUSH, "terminal-path": ""})
    with scratch.pytest_terminal() as terminal:
        (scratch.project / "terminal-path").write_text(terminal.path, encoding="utf-8")
        terminal.wait_for(_CODE)
        # Whatever was pushed would answer now; nobody else types anything but the end of input.
        terminal.type("\x04")
        status = terminal.finish()
    said = [line for line in _printed(scratch, "push") if line.startswith("pushed")]
    if not said:
        return not_tried(f"the command did not run; pytest exited {status}")
    if (
        "neither the code nor reject" in terminal.text
        or "Reason: " in terminal.text
        or "end of input" not in terminal.text
    ):
        return got_through(f"what a command pushed answered the gate ({said[0]})")
    return held(
        scratch,
        status,
        terminal.text,
        "end of input",
        f"the command {said[0]}; a gate forgets what came before it asked",
    )


def file_changed(scratch: Scratch, now: Present) -> Result:
    """A file that the gate showed is changed before the answer."""
    del now
    scratch.renew()
    with scratch.pytest_terminal() as terminal:
        code = terminal.wait_for(_CODE).group(1)
        (scratch.project / "out/app.txt").write_text("something else\n", encoding="utf-8")
        terminal.type(f"{code}\n")
        status = terminal.finish()
    return _swapped(
        scratch, status, terminal.text, "the file is compared when the approval is used, and the step fails"
    )


def copy_changed(scratch: Scratch, now: Present) -> Result:
    """A step behind the gate changes what was approved, in the project and in the run's copy."""
    del now
    scratch.renew(behind='  - {id: swap, call: "acts:swap"}\n')
    with scratch.pytest_terminal() as terminal:
        approve(terminal)
        status = terminal.finish()
    return _swapped(
        scratch, status, terminal.text, "the run's copy is hashed before and after each use, and the step fails"
    )


def policy_changed_meanwhile(scratch: Scratch, now: Present) -> Result:
    """The policy is loosened while the gate asks."""
    del now
    scratch.renew()
    with scratch.pytest_terminal() as terminal:
        code = terminal.wait_for(_CODE).group(1)
        loosen(scratch)
        terminal.type(f"{code}\n")
        status = terminal.finish()
    return held(
        scratch,
        status,
        terminal.text,
        "the policy",
        "the policy is read again when the approval is used, and it lapses",
    )


def policy_changed_before(scratch: Scratch, now: Present) -> Result:
    """The policy is loosened before the run."""
    scratch.renew()
    loosen(scratch)
    session = scratch.pytest("--workflow-until", "build")
    if session.status == 0:
        return got_through("without a pin nobody sees it, but gates say 'policy unpinned': workflow-exec trust")
    if now.pinned and session.status == REFUSED[1] and "--- the pin" in session.text:
        return stopped("the pin holds another policy: exit 4 with the diff")
    return not_tried(f"pytest exited {session.status}: {_last(session.text)}")


def approve(terminal: Terminal) -> None:
    """Type the code that is asked for."""
    terminal.type(f"{terminal.wait_for(_CODE).group(1)}\n")


def loosen(scratch: Scratch) -> None:
    """Allow one more command."""
    config = scratch.project / OWN_FILE
    rule = '{"rule" = "rm *"}'
    config.write_text(
        config.read_text(encoding="utf-8").replace('{"command" = [', f'{{"command" = [{rule}, ', 1), encoding="utf-8"
    )


def held(scratch: Scratch, status: int, text: str, because: str, says: str) -> Result:
    """Return that nothing was released, if that is so and for the reason that is meant."""
    if scratch.released is not None:
        return got_through(f"it was released, and pytest exited {status}")
    if status in REFUSED and because in text:
        return stopped(says)
    return not_tried(f"nothing was released, but pytest exited {status}: {_last(text)}")


def _swapped(scratch: Scratch, status: int, text: str, says: str) -> Result:
    released = scratch.released
    if released is not None and released != APPROVED:
        return got_through(f"what was released is not what was approved, and pytest exited {status}")
    if released == APPROVED and status == 0:
        return stopped("what was released is the run's own copy of what was approved")
    return held(scratch, status, text, "app.txt", says)


def _printed(scratch: Scratch, step: str) -> Iterator[str]:
    from ._forge import records

    for record in records(scratch.log):
        if record["type"] == "step.finished" and record["step"] == step:
            yield from str(record["data"]["outputs"].get("stdout", "")).split("\n")


def _last(text: str) -> str:
    return next((line for line in reversed(text.split("\n")) if line.strip()), "")[:200]
