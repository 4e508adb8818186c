"""Every file that people write, made by a fuzzer that sees which code each reaches: `python -m tests.definition.fuzz`.

It takes the options of libFuzzer, such as `-max_total_time=600`, and needs the extra `fuzz`. It begins with good files, and
stops at any error that is not a list of problems in words, and at whatever takes longer than 25 seconds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=[
        f"pytest_workflow_exec.{package}"
        for package in ("definition", "settings", "context", "strict_json", "durations")
    ]
):
    from pytest_workflow_exec.context import Query, load_context
    from pytest_workflow_exec.definition import check_python_source, input_file, read_yaml_workflow
    from pytest_workflow_exec.definition._fragment_modules import ids_in
    from pytest_workflow_exec.errors import DefinitionError, PolicyError, PreflightError, Problem, SettingsError
    from pytest_workflow_exec.sandbox import compile_policy
    from pytest_workflow_exec.settings import load_settings

from tests.context.test_front_matter import WHOLE as MEMORY
from tests.definition._samples import make_project
from tests.definition.test_fuzz import FILES
from tests.definition.test_fuzz_inputs import FILES as VALUES
from tests.settings.test_fuzz import WHOLE as CONFIGURATION

PYTHON = b'''\
"""A fragment."""
from pytest_workflow_exec import Fragment, each, gate, step

FRAGMENT = Fragment(inputs={"v": {}}, outputs={"a": "${steps.one.a}"})


@each(host=["a", "b"])
@step(retry=3)
def one(workflow, host): return {"a": 1}


class TestIt:
    def test_two(self): assert True
'''
_HOLDERS = (DefinitionError, PreflightError, SettingsError, PolicyError)


def demand_words(problems: tuple[Problem, ...] | list[Problem]) -> None:
    """Return if there are problems, each with words of its own."""
    if not problems or not all(problem.message.strip() for problem in problems):
        raise AssertionError(problems)


class Project:
    """A folder whose files are replaced one after the other."""

    def __init__(self, root: Path) -> None:
        """Make it."""
        self.root = make_project(root)
        for name, text in FILES.items():
            (root / "wf" / f"{name}.workflow.yaml").write_text(text, encoding="utf-8")
        (root / "memory").mkdir()
        (root / "settings").mkdir()

    def workflow(self, name: str) -> Callable[[bytes], None]:
        """Return what reads the workflow with one of its files replaced."""
        path, good = self.root / "wf" / f"{name}.workflow.yaml", FILES[name].encode()

        def attempt(content: bytes) -> None:
            path.write_bytes(content)
            try:
                read_yaml_workflow(self.root / "wf" / "w.workflow.yaml", root=self.root, looking=True)
            finally:
                path.write_bytes(good)

        return attempt

    def python(self, content: bytes) -> None:
        """Look at a Python file before it is imported."""
        ids_in(content)
        check_python_source(self.root / "wf" / "_workflow_f.py", content, declares="FRAGMENT")

    def settings(self, content: bytes) -> None:
        """Read a configuration and its policy."""
        (self.root / "settings" / "workflow-exec.toml").write_bytes(content)
        compile_policy(load_settings(self.root / "settings").policy, workflow="w", environment={})

    def values(self, kind: str) -> Callable[[bytes], None]:
        """Return what reads a file of values of that kind."""
        path = self.root / f"values.{kind}"

        def attempt(content: bytes) -> None:
            path.write_bytes(content)
            input_file(path)

        return attempt

    def memory(self, content: bytes) -> None:
        """Read the context of a folder with one file."""
        (self.root / "memory" / "CLAUDE.md").write_bytes(content)
        load_context(
            self.root / "memory", self.root / "memory", Query(task_type="review", keywords=("a",), max_tokens=200)
        )


PROJECT = Project(Path(tempfile.mkdtemp(prefix="workflow-exec-fuzz-")) / "project")
ATTEMPTS: tuple[tuple[Callable[[bytes], None], bytes], ...] = (
    *((PROJECT.workflow(name), text.encode()) for name, text in FILES.items()),
    (PROJECT.python, PYTHON),
    (PROJECT.settings, CONFIGURATION.encode()),
    *((PROJECT.values(kind), text.encode()) for kind, text in VALUES.items()),
    (PROJECT.memory, f"---\n{MEMORY}---\n# Body\n\n@other.md\n\n```\n@no.md\n```\n".encode()),
)
"""What reads a kind of file, and a good one of it."""


def test_one_input(data: bytes) -> None:
    """Try what the fuzzer made: the first byte says of which kind it is."""
    if not data:
        return
    attempt, _ = ATTEMPTS[data[0] % len(ATTEMPTS)]
    try:
        attempt(data[1:])
    except _HOLDERS as error:
        demand_words(list(error.problems))


if __name__ == "__main__":
    seeds = Path(tempfile.mkdtemp(prefix="workflow-exec-seeds-"))
    for number, (_, good) in enumerate(ATTEMPTS):
        (seeds / str(number)).write_bytes(bytes([number]) + good)
    atheris.Setup([*sys.argv, "-timeout=25", "-max_len=6000", str(seeds)], test_one_input)
    atheris.Fuzz()
