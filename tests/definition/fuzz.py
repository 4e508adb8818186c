"""Every file that people write, made by a fuzzer that sees which code each reaches: `python -m tests.definition.fuzz`.

It takes the options of libFuzzer, such as `-max_total_time=600`, and needs the extra `fuzz`. It begins with good files, broken
ones that tests know, and the words of workflows, and stops at any error that is not a list of problems in words, and at
whatever takes longer than a minute. All inputs are tried in one process, and its files are in memory where there is a place for that.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
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
    from pytest_workflow_exec.definition._fragment_modules import ids_in, includes_in
    from pytest_workflow_exec.errors import DefinitionError, PolicyError, PreflightError, Problem, SettingsError
    from pytest_workflow_exec.sandbox import compile_policy
    from pytest_workflow_exec.settings import load_settings

from tests._published import ROOT
from tests.context.test_front_matter import WHOLE as MEMORY
from tests.definition._broken import BROKEN
from tests.definition._broken_blocks import BLOCKS
from tests.definition._broken_cases import FOREACH
from tests.definition._broken_includes import INCLUDES
from tests.definition._samples import make_project
from tests.definition.test_fuzz import FILES, OUTER
from tests.definition.test_fuzz_inputs import FILES as VALUES
from tests.settings.test_fuzz import WHOLE as CONFIGURATION

PYTHON = b'''\
"""A fragment."""
from pytest_workflow_exec import Fragment, each, gate, include, step

FRAGMENT = Fragment(inputs={"v": {}}, outputs={"a": "${steps.one.a}"})

include("_plain.workflow.yaml", id="p", with_={"v": "x"})


@each(host=["a", "b"])
@step(retry=3)
def one(workflow, host): return {"a": 1}


class TestIt:
    def test_two(self): assert True
'''
_HOLDERS = (DefinitionError, PreflightError, SettingsError, PolicyError)
_INCLUDER = "inputs: {t: {type: secret}}\nsteps: [{include: _one.workflow.yaml, id: f, with: {v: x, hosts: [a, b], key: '${inputs.t}'}}]\n"
_MAX_SEED = 1500
_WORDS = (
    "${inputs.", "${vars.", "${each.", "${steps.", "${run.id}", "[*]}", "$${", ".workflow.yaml", "_plain.workflow.yaml",
    "checks:mentions", "suspend", "secret", "integer", "list", "(?P<a>.)", "$.a", " == ", " in ", " and ", "not ", "- ", "\n  ", ": ",
    "{", "}", "[", "]", "'", "&a ", "*a", "!!", "|\n", "---\n", "\xef\xbb\xbf", "\t", "\r\n",
    "def test_", "@step", "@gate", "@each(", "include(", "class Test", "always=True", "@pytest.fixture", "    ", "if True:\n",
)  # fmt: skip


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
        self._alone = root / "wf" / "alone.workflow.yaml"
        self._fragment = root / "wf" / "_one.workflow.yaml"
        self._includer = root / "wf" / "includer.workflow.yaml"
        self._includer.write_text(_INCLUDER, encoding="utf-8")
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

    def alone(self, content: bytes) -> None:
        """Read a workflow."""
        self._alone.write_bytes(content)
        read_yaml_workflow(self._alone, root=self.root, looking=True)

    def fragment(self, content: bytes) -> None:
        """Read a workflow of nothing but one fragment."""
        self._fragment.write_bytes(content)
        read_yaml_workflow(self._includer, root=self.root, looking=True)

    def python(self, content: bytes) -> None:
        """Look at a Python file before it is imported."""
        ids_in(content)
        includes_in(content)
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


_MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made there
PLACE = Path(tempfile.mkdtemp(prefix="workflow-exec-fuzz-", dir=_MEMORY if Path(_MEMORY).is_dir() else None))
PROJECT = Project(PLACE / "project")


def _small_workflows() -> Iterator[str | bytes]:
    """Give workflows that are read in a moment: single steps of the one that says everything, and all that tests know."""
    head, _, entries = OUTER.partition("steps:\n")
    steps, _, cleaning = entries.partition("finally:\n")
    yield from (f"{head}steps:\n  - {entry}" for entry in steps.removeprefix("  - ").split("\n  - "))
    yield f"steps: [{{id: a, run: [echo]}}]\nfinally:\n{cleaning}"
    yield from (text for table in (BROKEN, BLOCKS, FOREACH) for text, _ in table.values())
    yield from (broken.text for broken in INCLUDES.values())
    yield from (path.read_bytes() for path in sorted(ROOT.glob("examples/**/*.workflow.yaml")))


def _fragments() -> Iterator[str | bytes]:
    yield from (FILES["_plain"], FILES["_part"])
    yield from (text for broken in INCLUDES.values() for text in broken.fragments.values())


ATTEMPTS: tuple[tuple[Callable[[bytes], None], tuple[str | bytes, ...]], ...] = (
    (PROJECT.alone, tuple(_small_workflows())),
    (PROJECT.fragment, tuple(_fragments())),
    (PROJECT.workflow("w"), (FILES["w"],)),
    (PROJECT.python, (PYTHON,)),
    (PROJECT.settings, (CONFIGURATION,)),
    *((PROJECT.values(kind), (text,)) for kind, text in VALUES.items()),
    (PROJECT.memory, (f"---\n{MEMORY}---\n# Body\n\n@other.md\n\n```\n@no.md\n```\n",)),
)
"""What reads a kind of file, and files of it to begin with."""


def test_one_input(data: bytes) -> None:
    """Try what the fuzzer made: the first byte says of which kind it is."""
    if not data:
        return
    attempt, _ = ATTEMPTS[data[0] % len(ATTEMPTS)]
    try:
        attempt(data[1:])
    except _HOLDERS as error:
        demand_words(list(error.problems))


def _seeds() -> Path:
    folder = PLACE / "seeds"
    folder.mkdir()
    for number, (_, files) in enumerate(ATTEMPTS):
        for index, file in enumerate(files):
            content = file.encode("utf-8", "surrogatepass") if isinstance(file, str) else file
            if len(content) <= _MAX_SEED or len(files) == 1:
                (folder / f"{number}-{index}").write_bytes(bytes([number]) + content)
    return folder


def _dictionary() -> Path:
    """Write the words that files are made of, as libFuzzer reads them."""
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "schema").glob("*.json"))]
    keys = {
        key
        for table in tables
        for part in (table, *table.get("$defs", {}).values())
        for key in part.get("properties", {})
    }
    words = [*(f"{key}: " for key in sorted(keys)), *_WORDS]
    lines = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in words)
    path = PLACE / "words"
    path.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")
    return path


def _fuzz() -> None:
    options = ["-timeout=60", "-max_len=2500", f"-dict={_dictionary()}", str(_seeds())]
    atheris.Setup([*sys.argv, *options], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    child = os.fork()
    if not child:
        _fuzz()
    # libFuzzer ends its process where it stands, and the files would stay in memory.
    try:
        _, status = os.waitpid(child, 0)
    finally:
        shutil.rmtree(PLACE, ignore_errors=True)
    sys.exit(os.waitstatus_to_exitcode(status))
