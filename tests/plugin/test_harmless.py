"""What a command printed, and what a file is called, act on no terminal that shows them."""

from __future__ import annotations

import pytest

from .conftest import Project

HOSTILE = "a\x1b[2J\x1b]0;pwn\x07b\u202ec\x9bd\x00e\r\n"


@pytest.mark.parametrize(
    "step",
    ["run: [cat, esc], expect: {exit: 3}", "run: [cat, esc], expect: {stdout: x}", "verify: ../red"],
)
def test_output_of_a_failed_command_is_shown_harmless(project: Project, step: str) -> None:
    """Escapes, other controls and marks of direction are spelled out; what was printed is in the evidence as it was."""
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["cat esc"]\n')
    project.write("wf/flow.workflow.yaml", f"steps:\n  - {{id: one, {step}}}\n")
    project.write(
        "red/test_red.py", f"import sys\n\ndef test_red():\n    sys.stdout.write({HOSTILE!r})\n    assert False\n"
    )
    (project.root / "esc").write_text(HOSTILE, encoding="utf-8", newline="")

    session = project.pytest("wf", "--color=no", "-p", "no:rerunfailures")

    assert session.status == 1
    assert "\\x1b[2J" in session.text
    assert not [each for each in session.text if each not in "\n\t" and not each.isprintable()]


def test_name_of_a_file_is_shown_harmless(project: Project) -> None:
    """A problem names its file without acting on the terminal."""
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["cat esc"]\n')
    project.write("wf/n\x1b[31m.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, run: [rm, x]}\n")

    session = project.pytest("wf", "--color=no")

    assert session.status == 4
    assert "n\\x1b[31m.workflow.yaml:3:" in session.text
    assert "\x1b" not in session.text
    assert project.untouched
