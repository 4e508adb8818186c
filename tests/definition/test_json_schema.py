"""The JSON Schema of workflow files: current, never stricter than what reads them, and strict where it can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_workflow_exec.definition import read_yaml_workflow, workflow_schema
from pytest_workflow_exec.errors import DefinitionError
from tests._published import FRAGMENTS, ROOT, WORKFLOWS, complaints, fenced, texts_in_tests

from ._broken import BROKEN as BROKEN_FILES
from ._broken import step
from ._samples import write_workflow

ENOUGH = 80
"""How many of the test-suite's workflows have to be found, at least, for the test to mean something."""
BROKEN = {
    "no steps": "workflow: a\n",
    "an empty list": "steps: []\n",
    "an unknown key": "stepz: []\nsteps: [{id: a, run: [git]}]\n",
    "an unknown key of a step": step("runs: [git]"),
    "an unknown key of a gate": step("gate: {question: Why?, shows: [b]}"),
    "no id": "steps: [{run: [git]}]\n",
    "an id in capitals": "steps: [{id: Build, run: [git]}]\n",
    "a number as an id": "steps: [{id: 5, run: [git]}]\n",
    "nothing to do": "steps: [{id: a}]\n",
    "two things to do": step("run: [git]\ngate: Why?"),
    "a shell's text": step("run: git status"),
    "no argument": step("run: []"),
    "a list in an argument": step("run: [git, [status]]"),
    "no duration": step("run: [git]\ntimeout: 5 minutes"),
    "a number as a duration": step("run: [git]\ntimeout: 90"),
    "no time at all": step("run: [git]\ntimeout: 0s"),
    "a text as a number": step("run: [git]\nretry: thrice"),
    "an unknown class of errors": step("run: [git]\nretry: {attempts: 2, for: [bad]}"),
    "no truth value": step("run: [git]\nidempotent: yes"),
    "an empty matcher": step("run: [git]\nexpect: {stdout: {}}"),
    "an unknown matcher": step("run: [git]\nexpect: {stdout: {like: x}}"),
    "an unknown matcher of JSON": step("run: [git]\nexpect: {json: {$.a: {like: x}}}"),
    "an unknown type of input": "inputs: {x: {type: text}}\nsteps: [{id: a, run: [git]}]\n",
    "an input's bad name": "inputs: {a b: {}}\nsteps: [{id: a, run: [git]}]\n",
    "outputs of a gate": step("gate: Why?\noutputs: {x: {stdout: x}}"),
    "standard input of tests": step("verify: tests\nstdin: x"),
    "no variable": step("run: [git]\nforeach: {}"),
    "a mapping as a list of cases": step("run: [git]\nforeach: {a: {b: c}}"),
    "a block that does something": "steps: [{id: a, run: [git], steps: [{id: b, run: [git]}]}]\n",
    "a block of nothing": "steps: [{id: a, steps: []}]\n",
    "a broken step in a block": "steps: [{id: a, steps: [{id: b, run: git}]}]\n",
    "a broken step that cleans up": "steps: [{id: a, run: [git]}]\nfinally: [{id: b, run: git}]\n",
    "no group": step("gate: {question: Why?, required: {}}"),
    "a broken field of a form": step("gate: {question: Why?, form: {x: {kind: string}}}"),
}


def test_published_schema_is_that_of_the_models() -> None:
    """What is checked in is what the models say now."""
    assert json.loads(WORKFLOWS.read_text(encoding="utf-8")) == workflow_schema(), (
        "run: workflow-exec schema > schema/workflow.schema.json"
    )
    assert json.loads(FRAGMENTS.read_text(encoding="utf-8")) == workflow_schema(fragment=True), (
        "run: workflow-exec schema --fragment > schema/fragment.schema.json"
    )


def test_it_is_a_schema() -> None:
    """It is valid 2020-12, and each of its references leads somewhere."""
    schema: Any = workflow_schema()

    Draft202012Validator.check_schema(schema)

    assert set(_references(schema)) <= {f"#/$defs/{name}" for name in schema["$defs"]}


def test_every_key_is_explained() -> None:
    """An editor has something to show for each key, and no text is left of a key that is gone."""
    tables = _tables()

    silent = [
        f"{name}.{key}"
        for name, table in tables.items()
        for key, said in table.get("properties", {}).items()
        if "description" not in said
    ]

    assert silent == [], "say in definition/_key_texts.py what they mean"


def test_every_text_is_of_a_key() -> None:
    """No explanation outlives its key."""
    from pytest_workflow_exec.definition._key_texts import ANY, KEY_TEXTS

    tables = _tables()
    keys = {name: set(table.get("properties", {})) for name, table in tables.items()}

    assert set().union(*keys.values()) >= set(KEY_TEXTS[ANY])
    assert all(keys[name] >= set(texts) for name, texts in KEY_TEXTS.items() if name != ANY)


def _of_the_project() -> list[Path]:
    return sorted(path for folder in ("workflows", "examples") for path in ROOT.glob(f"{folder}/**/*.workflow.y*ml"))


@pytest.mark.parametrize("path", _of_the_project(), ids=lambda path: path.name)
def test_workflows_of_the_project_fit(path: Path) -> None:
    """The project's own workflows are valid for a validator that is not ours."""
    assert complaints(path.read_bytes(), FRAGMENTS if path.name.startswith("_") else WORKFLOWS) == []


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_snippets_of_the_documentation_fit(page: Path) -> None:
    """Each YAML in the README and the documentation is a workflow, or keys of a step, that the schema allows."""
    for block in fenced(page, "yaml"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if not lines or lines[0] == "---" or _is_of_another_tool(block):
            continue  # front matter of a context file, or a job of a CI
        whole = any(line.startswith("steps:") for line in lines)
        keys = f"steps:\n{block}" if lines[0].startswith("- ") else step("run: [git]\n" + "\n".join(lines))
        text = block if whole else keys

        assert complaints(text) == [], block


def _is_of_another_tool(block: str) -> bool:
    first = block.partition("\n")[0]
    return first.startswith("# .github/")


def test_what_is_read_is_allowed(project: Path) -> None:
    """Every workflow of the test-suite that reads well is valid: the schema never complains of what works."""
    found = 0
    refused: dict[str, list[str]] = {}
    for text in texts_in_tests():
        try:
            read_yaml_workflow(write_workflow(project, text), root=project, looking=True)
        except DefinitionError:
            continue
        found += 1
        wrong = complaints(text)
        refused |= {text: wrong} if wrong else {}

    assert refused == {}
    assert found >= ENOUGH


WORDS = st.sampled_from(
    ["null", "~", "true", "no", "3", "3.10", "0x1F", ".inf", "12:30", "x", "1e3", "5m", "${run.id}"]
)


@given(word=WORDS, place=st.sampled_from(["run: [git, {}]", "run: [git]\nenv: {{A: {}}}", "run: [git]\nname: {}",
    "run: [git]\nexpect: {{stdout: {}}}", "run: [git]\nexpect: {{exit: {}}}", "run: [git]\nretry: {}",
    "run: [git]\nidempotent: {}", "run: [git]\ntimeout: {}", "gate: {}", "manual: {}", "pause: {}",
    "run: [git]\nexpect: {{json: {{$.a: {}}}}}", "run: [git]\nexpect: {{json: {{$.a: {{in: [{}]}}}}}}",
    "run: [git]\nforeach: {{a: [{}]}}", "run: [git]\nmax_age: {}", "verify: {}"]))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_scalars_are_allowed_wherever_they_are_read(project: Path, word: str, place: str) -> None:
    """Whatever YAML makes of a plain word, the schema allows it where it is read as it is written."""
    text = step(place.format(f'"{word}"' if word.startswith("$") else word))
    try:
        read_yaml_workflow(write_workflow(project, text), root=project)
    except DefinitionError:
        return

    assert complaints(text) == []


FRAGMENT = """\
inputs: {version: {}}
vars: {tag: "v${inputs.version}"}
outputs: {made: "${steps.build.made}"}
steps: [{id: build, run: [make], outputs: {made: {stdout: "(.*)"}}}]
finally: [{id: clean, run: [make, clean]}]
"""
INCLUDING = """\
steps:
  - {include: _part.workflow.yaml, id: part, with: {version: "1"}}
  - {id: use, run: [echo, "${steps.part.made}"]}
"""


def test_fragments_and_what_includes_them_are_allowed(project: Path) -> None:
    """A fragment has a schema of its own, and an include is one of the things that a step can be."""
    write_workflow(project, FRAGMENT, "_part.workflow.yaml")
    read_yaml_workflow(write_workflow(project, INCLUDING), root=project)

    assert complaints(INCLUDING) == []
    assert complaints(FRAGMENT, FRAGMENTS) == []
    # Both have steps and outputs; only a workflow has a mode.
    assert complaints("mode: python\n" + FRAGMENT) == []
    assert complaints("mode: python\n" + FRAGMENT, FRAGMENTS) != []
    assert complaints(INCLUDING.replace("with:", "width:")) != []
    assert complaints("workflow: a\n" + FRAGMENT, FRAGMENTS) != []


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_mistakes_of_shape_are_refused(project: Path, text: str) -> None:
    """What is wrong without looking at anything else is wrong in an editor already, and in what reads it."""
    assert complaints(text) != []
    with pytest.raises(DefinitionError):
        read_yaml_workflow(write_workflow(project, text), root=project)


HANGS_ON_A_VALUE = {"secret from a file"}
OF_SHAPE = (
    "unknown key",
    "is missing",
    "must be a mapping",
    "must be a list",
    "takes a list of arguments",
    " does nothing",
)


@pytest.mark.parametrize(
    "text",
    [
        text
        for name, (text, found) in BROKEN_FILES.items()
        if name not in HANGS_ON_A_VALUE and any(word in said for _, said in found for word in OF_SHAPE)
    ],
)
def test_mistakes_that_a_reader_calls_those_of_shape_are_refused(text: str | bytes) -> None:
    """Of the broken files that the tests know, the schema sees each unknown or missing key, and each wrong kind."""
    assert complaints(text) != []


def _tables() -> dict[str, Any]:
    schema: Any = workflow_schema()
    return {"File": schema, "Fragment": workflow_schema(fragment=True), **schema["$defs"]}


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield str(value["$ref"])
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
