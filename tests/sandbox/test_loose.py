"""Interpreters and wrappers: a rule may not leave open what they run."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.sandbox._loose import loose_problem
from pytest_workflow_exec.sandbox._names import runner_of
from pytest_workflow_exec.sandbox._rules import parse_tokens

LOOSE = [
    "sh *",
    "sh",
    "bash **",
    "bash -c *",
    "bash -lc {x}",
    "bash -x *",
    "bash -o pipefail *",
    "zsh {script}",
    "dash v{x}",
    "/bin/sh *",
    "python",
    "python *",
    "python **",
    "python -m *",
    "python -m {module}",
    "python -m build **",
    "python -B -m *",
    "python -W ignore -m *",
    "python -W ignore *",
    "python -c *",
    "python -Bc *",
    "python -c{:.*}",
    "python -",
    "python - *",
    "python3 *",
    "python3.11 *",
    "python3.13t -m *",
    "PYTHON *",
    "/usr/bin/python3.11 *",
    "pypy3 *",
    "perl -e *",
    "perl -ne *",
    "perl5.36 *",
    "ruby *",
    "ruby -r json *",
    "node --require ./x.js *",
    "node -e {:.*}",
    "php -r *",
    "lua5.4 *",
    "awk *",
    "gawk -f *",
    "gawk -F : *",
    "java -cp x *",
    "env",
    "env *",
    "env git **",
    "env A=B *",
    "env -i sh *",
    "env -S {x}",
    "xargs *",
    "busybox *",
    "busybox sh *",
    "nice *",
    "nice -n 5 *",
    "timeout *",
    "timeout 5 *",
    "timeout -s KILL 5 *",
    "timeout 5 sh -c *",
    "timeout 5 env python *",
    "env -Z timeout 5 *",
    "nohup {x}",
    "setsid *",
    "stdbuf -oL *",
    "time *",
    "sudo *",
    "sudo -u root *",
    "sudo **",
    "doas *",
    "su *",
    "su -c *",
    "find *",
    "find . -exec *",
    "find . -exec sh *",
    "find **",
    "ssh *",
    "ssh host *",
    "ssh host {command}",
    "ssh host run {x:.*}",
    "watch *",
    "watch ls *",
    "script -c *",
    "expect *",
    "eval *",
    "parallel *",
    "strace *",
    "strace -f *",
    "gdb *",
    "/lib64/ld-linux-x86-64.so.2 *",
]

NARROW = [
    "git **",
    "make *",
    "sed -n *",
    "python -m build --outdir *",
    "python -B -m build *",
    "python3.11 tools/check.py {version}",
    "python --version",
    "python -W ignore tools/check.py *",
    "bash scripts/release.sh {version}",
    "bash -eu scripts/release.sh *",
    "sh -c true",
    "perl -w tools/x.pl *",
    "node tools/x.js *",
    "gawk -f prog.awk *",
    "java -jar app.jar *",
    "env LANG=C git status *",
    "timeout 5 git log *",
    "timeout 5 python -m build *",
    "nice -n 5 make *",
    "find src -name *.py",
    "ssh host deploy {version}",
    "ssh host deploy v{version}",
    "sudo -u bob systemctl restart *",
    "pythonic *",
    "shellcheck *",
    "perltidy *",
    "twine upload dist/*.whl",
]


@pytest.mark.parametrize("text", LOOSE)
def test_loose_rule_is_refused(text: str) -> None:
    """A rule that leaves open what an interpreter or wrapper runs would allow everything."""
    problem = loose_problem(parse_tokens(text))

    assert problem is not None
    assert "interpreter" in problem or "wrapper" in problem


@pytest.mark.parametrize("text", NARROW)
def test_narrow_rule_is_accepted(text: str) -> None:
    """A rule that fixes what is run may leave the arguments of that open."""
    assert loose_problem(parse_tokens(text)) is None


@pytest.mark.parametrize("name", ["python3.11", "python3-dbg", "Python", "bash5", "perl5.36.0", "ld-musl-x86_64.so.1"])
def test_program_is_known_by_its_versions(name: str) -> None:
    """An interpreter is known by its name with any version behind it, in any case."""
    assert runner_of(f"/opt/{name}") is not None


@pytest.mark.parametrize("name", ["git", "make", "sed", "python-build", "sha256sum", "timeout-report", "environ"])
def test_other_programs_are_no_interpreters(name: str) -> None:
    """A program is not taken for an interpreter because its name begins like one."""
    assert runner_of(name) is None
