"""What a failed command's error shows of its output."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.errors import CommandFailedError, CommandRefusedError


def message(*, signal: int | None = None, stdout: str = "", stderr: str = "", limit: str = "", **bounds: bool) -> str:
    """Return the message of a command that failed."""
    status = None if signal is not None else 3
    return str(
        CommandFailedError(
            argv=["tool"], exit_status=status, signal=signal, stdout=stdout, stderr=stderr, limit=limit, **bounds
        )
    )


def test_stderr_comes_first() -> None:
    """A command that wrote to stderr said there what is wrong."""
    assert message(stdout="out\n", stderr="err\n") == "['tool'] exited with 3:\nerr"


def test_stdout_is_shown_if_there_is_nothing_else() -> None:
    """A command that complains on stdout is heard, too."""
    assert message(stdout="out\n", stderr=" \n") == "['tool'] exited with 3. The end of stdout:\nout"
    assert message() == "['tool'] exited with 3"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_long_output_is_shown_by_its_last_lines(stream: str) -> None:
    """Of much output the last whole lines are shown."""
    lines = [f"line {number}" for number in range(1000)]

    text = "\n".join(lines)
    shown = (message(stdout=text) if stream == "stdout" else message(stderr=text)).split("\n")[1:]

    assert 100 < len(shown) < 300
    assert shown == lines[-len(shown) :]


def test_endless_line_is_shown_by_its_end() -> None:
    """A line that is longer than what is shown is cut."""
    assert message(stderr="x" * 10_000 + "end").endswith("xxxend")


def test_bounded_output_is_named_as_such() -> None:
    """Where not all output is there, the message says so, since its end is not the end of the output."""
    shown = message(stderr="err", truncated=True)

    assert shown == "['tool'] exited with 3; it printed more than is kept. The end of what is kept of stderr:\nerr"


def test_flood_is_named_as_the_cause() -> None:
    """A command that was ended for its output did not just die of a signal."""
    shown = message(signal=9, stdout="y", truncated=True, flooded=True)

    assert shown.startswith("['tool'] was killed because it printed more than is read")
    assert "signal" not in shown


def test_refusal_without_a_step_names_none() -> None:
    """Before the run no step asks for a command."""
    assert str(CommandRefusedError(argv=["rm", "x"], reason="no")) == "the policy refuses ['rm', 'x']: no"
    assert str(CommandRefusedError(argv=["rm", "x"], reason="no", step="two")) == (
        "the policy refuses ['rm', 'x'] in step 'two': no"
    )


def test_limit_of_the_policy_is_named() -> None:
    """Who reads the error knows which key of the policy to look at."""
    assert message(signal=24, limit="cpu") == "['tool'] was killed at the policy's limit 'cpu'"
