"""What a command must have done for its step to pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec import bounded_matching
from pytest_workflow_exec.errors import EndlessMatchError, ExpectationError
from pytest_workflow_exec.model import Expectation, Matcher, MatchOperator, Template
from pytest_workflow_exec.run import Values
from pytest_workflow_exec.run._expect import check_expectation
from pytest_workflow_exec.sandbox import CommandResult

VALUES = Values(
    root=Path(), run="", run_directory="", inputs={}, input_groups={}, variables={}, outputs={}, outcomes={}
)


def result(
    *, stdout: str = "", exit_status: int | None = 0, signal: int | None = None, truncated: bool = False
) -> CommandResult:
    """Return what became of a command."""
    return CommandResult(
        argv=("tool",),
        exit=exit_status,
        signal=signal,
        stdout=stdout,
        stderr="",
        truncated=truncated,
        duration_s=0.0,
        cpu_s=0.0,
        stdout_sha256="",
        stderr_sha256="",
        level="none",
    )


def matcher(operator: MatchOperator, *operands: str) -> Matcher:
    """Return one comparison with literal texts."""
    return Matcher(operator=operator, operands=tuple(Template(text=each, parts=(each,)) for each in operands))


@pytest.mark.parametrize(
    ("operator", "operands", "good", "bad"),
    [
        ("equals", ["done"], "done\n", "done\n\n"),
        ("equals", [""], "", "x"),
        ("in", ["a", "b"], "b\n", "c\n"),
        ("not", ["a"], "b\n", "a\n"),
        ("matches", ["^v[0-9]+$"], "v12\n", "w12\n"),
        ("not_matches", ["error"], "fine\n", "an error\n"),
        ("contains", ["ok"], "all ok\n", "none\n"),
        ("lt", ["3"], "2.5\n", "3\n"),
        ("le", ["3"], "3\n", "3.1\n"),
        ("gt", ["3"], "4\n", "3\n"),
        ("ge", ["3"], "3\n", "2\n"),
        ("lt", ["3"], "2\n", "two\n"),
    ],
)
def test_matchers(operator: MatchOperator, operands: list[str], good: str, bad: str) -> None:
    """Each matcher holds for what it says and for nothing else; a text equals after one final newline."""
    expectation = Expectation(stdout=(matcher(operator, *operands),))

    check_expectation(expectation, result(stdout=good), VALUES)
    with pytest.raises(ExpectationError):
        check_expectation(expectation, result(stdout=bad), VALUES)


@pytest.mark.parametrize("status", [1, 2, 255])
def test_exit_status_must_be_zero_without_a_word_on_it(status: int) -> None:
    """A command that fails fails its step, also where only its output is expected."""
    with pytest.raises(ExpectationError, match="exit status"):
        check_expectation(Expectation(stdout=(matcher("equals", ""),)), result(exit_status=status), VALUES)


def test_expected_exit_status_replaces_zero() -> None:
    """A command may be expected to fail, and then must."""
    expectation = Expectation(exit=(matcher("in", "1", "2"),))

    check_expectation(expectation, result(exit_status=2), VALUES)
    with pytest.raises(ExpectationError):
        check_expectation(expectation, result(exit_status=0), VALUES)


@pytest.mark.parametrize("operator", ["not", "not_matches"])
def test_command_that_a_signal_ended_meets_no_exit_status(operator: MatchOperator) -> None:
    """A killed command is never as expected, not even where everything but one status would be."""
    with pytest.raises(ExpectationError, match="signal 9"):
        check_expectation(Expectation(exit=(matcher(operator, "0"),)), result(exit_status=None, signal=9), VALUES)


def test_truncated_output_is_never_as_expected() -> None:
    """Output that was cut can't be compared, not even to say what is not in it."""
    with pytest.raises(ExpectationError, match="more output than is kept"):
        check_expectation(Expectation(stdout=(matcher("not_matches", "x"),)), result(truncated=True), VALUES)


@pytest.mark.parametrize("operator", ["matches", "not_matches"])
def test_a_pattern_that_comes_to_no_end_fails(monkeypatch: pytest.MonkeyPatch, operator: MatchOperator) -> None:
    """Of output on which a pattern would be tried for years nobody can say that it does not match either."""
    monkeypatch.setattr(bounded_matching, "_MAX_CPU_S", 0.05)
    expectation = Expectation(stdout=(matcher(operator, "(a+)+$"),))

    with pytest.raises(EndlessMatchError, match=r"'\(a\+\)\+\$' came to no end"):
        check_expectation(expectation, result(stdout="a" * 60 + "b\n"), VALUES)
