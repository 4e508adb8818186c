"""Good workflows with fragments, spoiled at random: what is read ends in a workflow or in problems, and soon."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError

EXAMPLES = int(os.environ.get("WORKFLOW_EXEC_FUZZ", "60"))
"""How many examples each test tries; thousands find what is rare."""
SPEED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

OUTER = """\
workflow: outer
description: Everything that a workflow can say
inputs:
  version: {pattern: '(?P<series>\\d+)\\.\\d+', default: '1.2'}
  hosts: {type: list, default: [a, b]}
  kind: {type: enum, values: [minor, major], default: minor}
  token: {type: secret}
vars: {tag: 'v${inputs.version}', long: '${vars.tag}-${inputs.version.series}'}
defaults: {timeout: 5m, retry: {attempts: 2}, env: {A: b}}
outputs: {image: '${steps.part.image}', tag: '${vars.long}'}
steps:
  - include: _plain.workflow.yaml
    with: {v: '${vars.tag}'}
  - {include: _part.workflow.yaml, id: part, with: {v: '${steps.plain.stdout}', hosts: '${inputs.hosts}', key: '${inputs.token}'}}
  - {id: one, foreach: {h: '${inputs.hosts}'}, run: [echo, '${each.h}', '${inputs.hosts[*]}'], outputs: {w: {stdout: '(?P<a>.)'}}}
  - {id: check, run: [echo], waive: 'Go on with ${vars.tag}?', expect: {exit: {in: ['0', '3']}, json: {$.a: 1}}}
  - {id: look, call: {function: 'checks:mentions', with: {version: '${inputs.version}'}}, poll: {every: 1m, wait: suspend}}
  - {id: tests, verify: ../smoke, when: inputs.kind == 'major' and not steps.check.outcome == 'waived'}
  - {id: hand, manual: {instruction: Do it, checklist: [a], form: {ticket: {}}}, check: {run: [echo]}}
  - {id: wait, pause: {until: '2030-01-01T00:00:00Z', wait: suspend}}
  - {id: go, gate: {question: 'Publish ${vars.tag}?', show: [part, one], form: {note: {}}}}
  - id: block
    foreach: {x: [a, b]}
    when: inputs.kind == 'minor'
    steps: [{id: in, run: [echo, '${each.x}'], check: {run: [echo]}}, {include: _plain.workflow.yaml, id: p, with: {v: '${each.x}'}}]
    finally: [{id: out, run: [echo]}]
finally:
  - {id: undo, run: [echo], undoes: [part, one]}
  - {include: _plain.workflow.yaml, id: tidy, with: {v: a}}
"""
PLAIN = "inputs: {v: {default: x}}\nsteps: [{id: plain, run: [echo, '${inputs.v}']}]\n"
PART = """\
inputs: {v: {pattern: '.*'}, hosts: {type: list}, key: {type: secret}, n: {type: integer, default: 3}}
vars: {a: '${inputs.v}-${inputs.n}'}
outputs: {image: '${steps.push.image}'}
steps:
  - {id: each, foreach: {h: '${inputs.hosts}'}, run: [echo, '${each.h}', '${inputs.hosts[*]}']}
  - {include: _plain.workflow.yaml, id: inner, with: {v: '${vars.a}'}}
  - {id: push, run: [echo, '${vars.a}'], env: {K: '${inputs.key}'}, outputs: {image: {stdout: '(.+)'}}}
finally: [{id: clean, run: [echo]}]
"""
FILES = {"w": OUTER, "_plain": PLAIN, "_part": PART}
KEYS = st.sampled_from(
    [
        "id",
        "run",
        "call",
        "verify",
        "gate",
        "manual",
        "pause",
        "include",
        "with",
        "when",
        "foreach",
        "steps",
        "finally",
        "outputs",
        "inputs",
        "vars",
        "waive",
        "poll",
        "retry",
        "check",
        "undoes",
        "expect",
        "stdout",
        "json",
        "glob",
        "count",
        "type",
        "default",
        "question",
        "show",
        "form",
        "env",
        "cwd",
        "stdin",
        "evidence",
        "timeout",
        "a",
        "b",
        "x",
    ]
)
TEXTS = st.sampled_from(
    [
        *(
            "",
            "x",
            "a",
            "no",
            "3.10",
            "12:30",
            "true",
            "null",
            "5m",
            "0",
            "-1",
            "9" * 30,
            "é",
            "\0",
            "${",
            "$${",
            "${x}",
        ),
        *("${inputs.version}", "${inputs.hosts}", "${inputs.hosts[*]}", "${vars.tag}", "${vars.a}", "${each.h}"),
        *("${steps.part.image}", "${steps.push.image}", "${steps.one[a].w.a}", "${steps.part/push.image}", "${run.id}"),
        *("_part.workflow.yaml", "_plain.workflow.yaml", "w.workflow.yaml", "../w", "/etc/passwd", "checks:mentions"),
        *("(", "(?P<a>", "[", "a*" * 50, "$.a", "$..*", "inputs.kind == 'x'", "not not not inputs.kind", "a" * 5000),
    ]
)
NODES: st.SearchStrategy[Any] = st.recursive(
    TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=3), max_leaves=6
)


def places_in(node: object, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to every value."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [way, *(place for key, child in children for place in places_in(child, (*way, key)))]


def at(data: Any, way: tuple[Any, ...]) -> Any:
    """Return the value there."""
    for key in way:
        data = data[key]
    return data


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[str, Any]:
    """Return one of the files with up to three of its values put in each other's place, taken out or made up."""
    name = draw(st.sampled_from(list(FILES)))
    data = copy.deepcopy(yaml.safe_load(FILES[name]))
    for _ in range(draw(st.integers(1, 3))):
        ways = [way for way in places_in(data) if way]
        if not ways:
            break
        way = draw(st.sampled_from(ways))
        holder, what = at(data, way[:-1]), draw(st.sampled_from(["drop", "make", "swap", "key"]))
        if what == "drop":
            del holder[way[-1]]
        elif what == "swap":
            holder[way[-1]] = copy.deepcopy(at(data, draw(st.sampled_from(ways))))
        elif what == "key" and isinstance(holder, dict):
            holder[draw(KEYS | TEXTS)] = holder.pop(way[-1])
        else:
            holder[way[-1]] = draw(NODES)
    return name, data


def read_or_refuse(project: Path, changed: dict[str, bytes]) -> None:
    """Read the workflow with some of its files changed."""
    for name, text in FILES.items():
        content = changed.get(name, text.encode())
        (project / "wf" / f"{name}.workflow.yaml").write_bytes(content)
    try:
        read_yaml_workflow(project / "wf" / "w.workflow.yaml", root=project)
    except DefinitionError as error:
        problems = error.problems
    else:
        return
    assert problems
    for problem in problems:
        assert problem.path is not None
        assert problem.message.strip()
        assert "\n" not in problem.message


def test_what_is_spoiled_is_good(project: Path) -> None:
    """Spoiling says something only if the files are good to begin with."""
    for name, text in FILES.items():
        (project / "wf" / f"{name}.workflow.yaml").write_text(text, encoding="utf-8")

    workflow = read_yaml_workflow(project / "wf" / "w.workflow.yaml", root=project)

    assert len(workflow.steps) == 22


@SPEED
@given(change=spoiled())
def test_any_spoiled_structure_is_a_workflow_or_refused(project: Path, change: tuple[str, Any]) -> None:
    """Whatever stands in place of what, in the workflow or in a fragment, no exception of another kind comes of it."""
    name, data = change
    read_or_refuse(project, {name: yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "replace")})


@SPEED
@given(
    name=st.sampled_from(list(FILES)),
    start=st.integers(0, 3000),
    length=st.integers(0, 40),
    instead=st.binary(max_size=6)
    | st.sampled_from([b"\t", b"\r", b"\xff", b"&a ", b"*a", b"!!x", b"---\n", b"${", b"]"]),
)
def test_any_spoiled_bytes_are_a_workflow_or_refused(
    project: Path, name: str, start: int, length: int, instead: bytes
) -> None:
    """The same for the bytes of a file, wherever they are cut, doubled or replaced."""
    content = FILES[name].encode()
    start %= len(content)
    read_or_refuse(project, {name: content[:start] + instead + content[start + length :]})


@SPEED
@given(depth=st.integers(1, 60), width=st.integers(1, 30))
def test_texts_that_stand_for_each_other_end_soon(project: Path, depth: int, width: int) -> None:
    """Variables and `with:` that multiply are refused before they fill the memory."""
    lines = [f"  v{number}: '" + f"${{vars.v{number - 1}}}" * width + "'" for number in range(1, depth)]
    variables = "\n".join(["vars:", "  v0: x", *lines])
    read_or_refuse(project, {"w": f"{variables}\nsteps: [{{id: a, run: [echo, '${{vars.v{depth - 1}}}']}}]\n".encode()})
    inner = f"inputs: {{v: {{default: x}}}}\nsteps: [{{id: plain, run: [echo, '{'${inputs.v}' * width}']}}]\n"
    outer = f"vars: {{t: '{'${run.id}' * width}'}}\nsteps: [{{include: _plain.workflow.yaml, with: {{v: '{'${vars.t}' * width}'}}}}]\n"
    read_or_refuse(project, {"w": outer.encode(), "_plain": inner.encode()})
