"""The fuzzer of rules runs, and it finds what it is to find; `nox -s fuzz` lets it look for longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BROKEN = """
import sys
from tests.sandbox import _reference
# As if the documentation allowed less: whatever a rule with a star allows is then too much.
_reference.accepts = lambda rule, argv: "*" not in rule
sys.argv[1:] = {arguments!r}
import runpy
runpy.run_module("tests.sandbox.fuzz", run_name="__main__")
"""


def fuzzed(code: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what became of a session of the fuzzer; what it finds lies in `folder`."""
    pytest.importorskip("atheris", reason="the fuzzer is not installed: pip install 'pytest-workflow-exec[fuzz]'")
    return subprocess.run([sys.executable, *code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_nothing_is_found_in_a_few_thousand_inputs(tmp_path: Path) -> None:
    """No rule allows what the reference refuses, and no text makes an error that is not said in words."""
    done = fuzzed(["-m", "tests.sandbox.fuzz", "-runs=5000", "-seed=1", f"-artifact_prefix={tmp_path}/"], tmp_path)

    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    assert "Done 5000 runs" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    """With a reference that refuses more, the fuzzer finds the rule that allows too much."""
    arguments = ["-runs=200000", "-seed=1", f"-artifact_prefix={tmp_path}/"]

    done = fuzzed(["-c", BROKEN.format(arguments=arguments)], tmp_path)

    assert done.returncode != 0
    assert "AssertionError: ('" in done.stdout + done.stderr
    assert [path.name[:6] for path in tmp_path.iterdir()] == ["crash-"]
