"""Rules of reading YAML workflows."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.model import Call, Command, Gate, Matcher, OutputRule, Template, Verify

from ._broken import BROKEN, LATER, TWO, Expected, step
from ._broken_cases import FOREACH
from ._samples import MARK, MINIMAL, contents, places, problems_of, read, write_workflow

RELEASE = """\
workflow: release
description: Build, check, approve and publish
inputs:
  version:
    pattern: '(?P<series>\\d+\\.\\d+)\\.\\d+'
    default: {from: pyproject.toml, key: project.version}
vars:
  tag: v${inputs.version}
steps:
  - id: clean-tree
    name: The working tree is clean
    run: [git, status, --porcelain]
    expect: {stdout: ""}
  - id: build
    run: [python, -m, build, --outdir, dist]
    timeout: 5m
    outputs: {wheel: {glob: "dist/*.whl"}}
  - id: smoke
    verify: ../smoke
  - id: changelog
    call: {function: "checks:mentions", with: {version: "${inputs.version}"}}
  - id: approve
    gate:
      question: Publish ${vars.tag} of ${inputs.version.series}?
      show: [build.wheel, changelog]
      timeout: 10m
      refs: [REL-1]
  - id: publish
    run: [twine, upload, "${steps.build.wheel}"]
"""


@pytest.mark.parametrize(("text", "expected"), [*BROKEN.values(), *FOREACH.values()], ids=[*BROKEN, *FOREACH])
def test_broken_file_is_refused_at_the_place_of_each_mistake(
    project: Path, text: str | bytes, expected: list[Expected]
) -> None:
    """Every mistake is reported once, at its own line and column, in words that say what to do."""
    problems = problems_of(project, text)

    assert places(problems) == [place for place, _ in expected], "\n".join(map(str, problems))
    for problem, (_, fragment) in zip(problems, expected, strict=True):
        assert fragment in problem.message


def test_all_problems_of_a_file_are_reported_together(project: Path) -> None:
    """Structure, keys, values and references that are wrong are found in one reading, in the order of the file."""
    text = (
        "workflow: x\n"
        "workflow: y\n"
        "descripton: z\n"
        "inputs: {v: {type: int}}\n"
        "steps:\n"
        "  - id: a\n"
        "    run: git status\n"
        "  - id: b\n"
        "    run: [git, '${steps.c.stdout}', '${inputs.v.any}']\n"
        "    when: x\n"
        "  - id: c\n"
        "    run: [git, '${steps.a.any}', '${steps.zz.exit}']\n"
    )

    problems = problems_of(project, text)

    assert places(problems) == ["2:1", "3:1", "4:20", "7:10", "9:16", "10:11", "12:34"]


def test_message_names_file_line_and_column(project: Path) -> None:
    """A problem reads `file:line:column: message`."""
    path = write_workflow(project, "steps:\n  - id: a\n    run: git\n")

    with pytest.raises(DefinitionError) as caught:
        read_yaml_workflow(path, root=project)

    assert str(caught.value).startswith(f"{path}:3:10: takes a list of arguments, as there is no shell")


def test_release_workflow_becomes_the_model(project: Path) -> None:
    """A good file becomes the steps that its author wrote, in order, with everything they said."""
    workflow = read(project, RELEASE)

    assert (workflow.name, workflow.mode, workflow.root) == ("release", "python", project)
    assert [(item.id, item.kind) for item in workflow.steps] == [
        ("clean-tree", "run"),
        ("build", "run"),
        ("smoke", "verify"),
        ("changelog", "call"),
        ("approve", "gate"),
        ("publish", "run"),
    ]
    assert [item.location.line for item in workflow.steps] == [10, 14, 18, 20, 22, 28]
    assert workflow.steps[0].name == "The working tree is clean"
    assert workflow.steps[1].name == "build"
    assert workflow.steps[1].timeout_s == 300.0
    assert workflow.variables["tag"].text == "v${inputs.version}"


def test_bodies_hold_what_was_written(project: Path) -> None:
    """Commands, calls, tests and gates carry their texts, paths and options."""
    clean, build, smoke, changelog, approve, _ = (item.body for item in read(project, RELEASE).steps)

    assert isinstance(clean, Command)
    assert clean.expect.stdout == (Matcher(operator="equals", operands=(Template(text="", parts=()),)),)
    assert isinstance(build, Command)
    [wheel] = build.outputs
    assert (wheel.name, wheel.kind, wheel.pattern.text, wheel.count) == ("wheel", "glob", "dist/*.whl", 1)
    assert isinstance(smoke, Verify)
    assert (smoke.path, smoke.skips_allowed) == (project / "smoke", False)
    assert isinstance(changelog, Call)
    assert (changelog.path, changelog.function) == (project / "wf" / "checks.py", "mentions")
    assert changelog.fixtures == ("workflow",)
    assert isinstance(approve, Gate)
    assert approve.show == (("build", "wheel"), ("changelog", None))
    assert (approve.timeout_s, approve.meaning, approve.refs) == (600.0, "approve", ("REL-1",))


def test_reading_runs_nothing(project: Path) -> None:
    """Neither a called module nor the tests of a verify step run while a workflow is read."""
    path = write_workflow(project, RELEASE)
    before = contents(project)

    read_yaml_workflow(path, root=project)

    assert contents(project) == before
    assert not list(project.rglob(f"*.{MARK}"))


def test_keys_and_arguments_are_source_text(project: Path) -> None:
    """What YAML would read as a number, a truth value or a time stays what its author typed."""
    workflow = read(
        project, step("run: [echo, 3.10, no, on, 12:30, 0x10, ~, 1_000, 'q', *a]", before="vars: {y: &a x}\n")
    )

    body = workflow.steps[0].body
    assert isinstance(body, Command)
    assert [item.text for item in body.argv] == ["echo", "3.10", "no", "on", "12:30", "0x10", "~", "1_000", "q", "x"]


def test_call_arguments_have_the_types_that_json_gives_them(project: Path) -> None:
    """Plain true, null and exact numbers in `with:` are values; everything else, and all in quotes, is text."""
    workflow = read(
        project,
        step("call:\n  function: checks:mentions\n  with: {version: [3, '3', 1.5, true, null, no, 007, {a: -1}]}"),
    )

    body = workflow.steps[0].body
    assert isinstance(body, Call)
    values = body.arguments["version"]
    assert isinstance(values, tuple)
    assert [value.text if isinstance(value, Template) else value for value in values[:-1]] == [
        3, "3", 1.5, True, None, "no", "007",
    ]  # fmt: skip
    assert values[-1] == {"a": -1}


def test_parameter_with_a_default_is_left_alone(project: Path) -> None:
    """Parameters without a default that `with:` does not fill are fixtures; those with one keep it."""
    workflow = read(project, step("call: checks:mentions"))

    body = workflow.steps[0].body
    assert isinstance(body, Call)
    assert body.fixtures == ("workflow", "version")


def test_module_is_named_from_the_workflow_file(project: Path) -> None:
    """`lib.deep:check` is the function check in lib/deep.py beside the workflow file."""
    body = read(project, step("call: lib.deep:check")).steps[0].body

    assert isinstance(body, Call)
    assert body.path == project / "wf" / "lib" / "deep.py"
    assert body.source == body.path.read_bytes()


@pytest.mark.parametrize("kind", ["call: linked:f", "verify: linked.py"])
def test_link_out_of_the_project_is_refused(project: Path, kind: str) -> None:
    """A file that a link leads out of the project to is not part of it, however it is named."""
    (project / "wf" / "linked.py").symlink_to(project.parent / "outside.py")

    [problem] = problems_of(project, step(kind))

    assert "leads out of the project" in problem.message


@pytest.mark.parametrize("kind", ["call: loop:f", "verify: loop.py"])
def test_loop_of_links_is_refused(project: Path, kind: str) -> None:
    """A link that leads to itself is a problem of the definition, not an exception."""
    (project / "wf" / "loop.py").symlink_to(project / "wf" / "loop.py")

    assert len(problems_of(project, step(kind))) == 1


@pytest.mark.parametrize(
    ("options", "count", "as_list"),
    [
        ("", 1, False),
        (", count: 1", 1, False),
        (", count: 3", 3, True),
        (", type: list", None, True),
        (", type: list, count: 2", 2, True),
        (", type: file", 1, False),
    ],
)
def test_glob_says_how_many_files(project: Path, options: str, count: int | None, *, as_list: bool) -> None:
    """A glob finds exactly one file unless `count:` or `type: list` says otherwise."""
    body = read(project, step(f"run: [git]\noutputs: {{o: {{glob: '*.whl'{options}}}}}")).steps[0].body

    assert isinstance(body, Command)
    template = Template(text="*.whl", parts=("*.whl",))
    assert body.outputs == (OutputRule(name="o", kind="glob", pattern=template, count=count, as_list=as_list),)


def test_matchers_keep_their_operators(project: Path) -> None:
    """Each matcher of an expectation becomes one comparison, a plain text equality."""
    text = (
        "run: [x]\nexpect:\n  exit: {in: [0, 3]}\n"
        "  stderr: {not: a, matches: b, not_matches: c, contains: d, lt: 1, le: 2, gt: 3, ge: 4.5}"
    )
    body = read(project, step(text)).steps[0].body

    assert isinstance(body, Command)
    assert [operand.text for operand in body.expect.exit[0].operands] == ["0", "3"]
    assert [(matcher.operator, matcher.operands[0].text) for matcher in body.expect.stderr] == [
        ("not", "a"), ("matches", "b"), ("not_matches", "c"), ("contains", "d"),
        ("lt", "1"), ("le", "2"), ("gt", "3"), ("ge", "4.5"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "reference",
    [
        "steps.a.stdout",
        "steps.a.exit",
        "steps.a.outcome",
        "steps.a.wheel",
        "steps.a.v",
        "steps.a.v.minor",
        "run.id",
        "run.dir",
    ],
)
def test_every_known_value_can_be_named(project: Path, reference: str) -> None:
    """A command's own values, its outputs, their named groups and the run can be named by later steps."""
    body = read(project, f"{TWO}    run: [x, '${{{reference}}}']\n").steps[1].body

    assert isinstance(body, Command)
    assert [str(found) for found in body.argv[1].references] == [f"${{{reference}}}"]


def test_values_of_a_call_are_known_when_it_ran(project: Path) -> None:
    """What a function returns isn't known before, so any key of a call step may be named."""
    workflow = read(project, step("call: checks:mentions") + "  - {id: b, run: [x, '${steps.a.anything}']}\n")

    assert len(workflow.steps) == 2


def test_a_step_timeout_is_a_gates_own(project: Path) -> None:
    """`timeout:` beside `gate:` is how long the terminal waits, and limits nothing else."""
    short, default = read(project, step("gate: Go?\ntimeout: 2s") + "  - {id: b, gate: Go on?}\n").steps

    assert isinstance(short.body, Gate)
    assert isinstance(default.body, Gate)
    assert (short.body.timeout_s, short.timeout_s) == (2.0, None)
    assert default.body.timeout_s == 3600.0


@pytest.mark.parametrize("mode", ["python", "ai_json", "interactive"])
def test_mode_is_a_ceiling(project: Path, mode: str) -> None:
    """A workflow may say any of the three modes; its steps may use less."""
    assert read(project, f"mode: {mode}\n{MINIMAL}").mode == mode


@pytest.mark.parametrize("name", ["audit.workflow.yaml", "audit.workflow.yml"])
def test_name_defaults_to_the_files(project: Path, name: str) -> None:
    """A workflow that does not say its name is called like its file."""
    assert read(project, MINIMAL, name).name == "audit"


@pytest.mark.parametrize("name", ["Audit.workflow.yaml", ".workflow.yaml", "a b.workflow.yaml"])
def test_file_name_that_is_no_name_must_be_replaced(project: Path, name: str) -> None:
    """A workflow whose file gives it no name must say one."""
    [problem] = problems_of(project, MINIMAL, name)

    assert "Say it: workflow: my-name" in problem.message
    assert read(project, f"workflow: audit\n{MINIMAL}", name).name == "audit"


def test_byte_order_mark_and_windows_lines_are_no_text(project: Path) -> None:
    """A file written by a Windows editor is the same workflow, with the same places."""
    workflow = read(project, b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())

    assert [(item.id, item.location.line, item.location.column) for item in workflow.steps] == [("one", 2, 5)]


def test_aliases_within_bounds_are_read(project: Path) -> None:
    """An alias stands for what its anchor holds."""
    workflow = read(project, "steps:\n  - {id: a, run: &r [git, status]}\n  - {id: b, run: *r}\n")

    first, second = (item.body for item in workflow.steps)
    assert first == second


def test_missing_file_is_refused(project: Path) -> None:
    """A path without a file is a problem of the definition, not an exception of the system."""
    with pytest.raises(DefinitionError, match="is not a file"):
        read_yaml_workflow(project / "wf" / "none.workflow.yaml", root=project)


def test_file_outside_of_the_project_is_refused(project: Path) -> None:
    """A workflow belongs to a project; one that lies elsewhere has no paths to start from."""
    path = project.parent / "x.workflow.yaml"
    path.write_text(MINIMAL, encoding="utf-8")

    with pytest.raises(DefinitionError, match="is not in the project"):
        read_yaml_workflow(path, root=project)


def test_every_key_that_comes_later_is_tested() -> None:
    """The keys that are refused by name are the ones that the tests above name, and no others."""
    from pytest_workflow_exec.definition import _names

    assert set() == _names.WORKFLOW_LATER
    assert set(LATER["step"]) <= _names.STEP_LATER


def test_plan_is_data(project: Path) -> None:
    """A workflow's plan can be written as JSON, with paths from the project's root."""
    workflow = read(project, RELEASE)

    assert json.loads(json.dumps(dict(workflow.plan)))["file"] == "wf/release.workflow.yaml"
    assert all(len(item.digest) == 64 for item in workflow.steps)


def test_workflow_can_not_be_edited(project: Path) -> None:
    """A workflow that was read is a value: nothing changes it later."""
    workflow = read(project, RELEASE)

    with pytest.raises(dataclasses.FrozenInstanceError):
        workflow.name = "other"  # type: ignore[misc]  # that is the test
    with pytest.raises(TypeError):
        workflow.sources["x"] = ""  # type: ignore[index]  # that is the test


SPEED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
KEYS = st.sampled_from([
    "workflow", "inputs", "vars", "steps", "id", "run", "call", "verify", "gate", "expect", "outputs", "stdout", "exit",
    "glob", "in", "with", "foreach", "allow_empty", "function", "type", "default", "from", "pattern", "show", "timeout", "when", "<<", "x",
])  # fmt: skip
SCALARS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "a",
            "${steps.a.x}",
            "${inputs.x}",
            "${each.x}",
            "${",
            "checks:mentions",
            "../smoke",
            "(",
            "5m",
            "enum",
            "list",
        ]
    ),
    st.integers(),
    st.booleans(),
    st.none(),
)
STRUCTURES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)


def _read_or_refuse(project: Path, content: bytes) -> None:
    path = write_workflow(project, content)
    try:
        read_yaml_workflow(path, root=project)
    except DefinitionError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert all("\n" not in problem.message for problem in problems)


@SPEED
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_workflow_or_refused(project: Path, content: bytes) -> None:
    """Whatever a file holds, reading it ends in a workflow or in problems, never in another exception."""
    _read_or_refuse(project, content)


@SPEED
@given(text=st.text(alphabet="abc:-[]{}&*!|>'\"%@`#,? \n\t$", max_size=60))
def test_any_yaml_like_text_is_a_workflow_or_refused(project: Path, text: str) -> None:
    """Text made of YAML's own signs is no exception to that."""
    _read_or_refuse(project, text.encode())


@SPEED
@given(data=st.dictionaries(KEYS, STRUCTURES, max_size=6))
def test_any_structure_is_a_workflow_or_refused(project: Path, data: dict[str, object]) -> None:
    """Known keys with values of any shape are no exception to that."""
    _read_or_refuse(project, yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "replace"))


@SPEED
@given(step_data=st.dictionaries(KEYS, STRUCTURES, max_size=5))
def test_any_step_is_a_step_or_refused(project: Path, step_data: dict[str, object]) -> None:
    """Neither is a step that has an id and values of any shape beside it."""
    data = {"steps": [{**step_data, "id": "a"}, {"id": "b", "run": ["x", "${steps.a.stdout}"]}]}
    _read_or_refuse(project, yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "replace"))


def test_very_deep_file_is_refused_wherever_the_parser_gives_up(project: Path) -> None:
    """A file of brackets neither overflows the stack nor shows a parser's own words; builds differ in how far they look."""
    [problem] = problems_of(project, b"[" * 200_000)

    assert "nested deeper than 50" in problem.message
    assert problem.line == 1
