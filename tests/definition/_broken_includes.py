"""Broken includes: the workflow, its fragments, and what is wrong with them, where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Expected = tuple[str, str, str]
"""The file (`w` for the workflow), the place and a part of the message."""

GOOD = "inputs: {v: {}}\noutputs: {word: '${steps.push.word}'}\nsteps:\n  - {id: push, run: [echo, '${inputs.v}'], outputs: {word: {stdout: '(.+)'}}}\n"
PLAIN = "steps:\n  - {id: push, run: [echo, hello]}\n"


@dataclass(frozen=True)
class Broken:
    """A workflow that includes, and what is wrong."""

    steps: str
    expected: list[Expected]
    fragments: Mapping[str, str | bytes] = field(default_factory=lambda: {"_f": GOOD})
    before: str = ""

    @property
    def text(self) -> str:
        """The workflow; its steps begin in line 2."""
        return "steps:\n" + "".join(f"  {line}\n" for line in self.steps.splitlines()) + self.before


def of_fragment(text: str | bytes, *expected: Expected, steps: str = "- {include: _f.workflow.yaml, id: f}") -> Broken:
    """Return a workflow whose fragment is wrong."""
    return Broken(steps, list(expected), {"_f": text})


def of_include(steps: str, *expected: Expected, fragment: str = GOOD) -> Broken:
    """Return a workflow that includes a good fragment badly."""
    return Broken(steps, list(expected), {"_f": fragment})


_CHAIN = {f"_f{number}": f"steps:\n  - {{include: _f{number + 1}.workflow.yaml, id: f}}\n" for number in range(9)}

INCLUDES: dict[str, Broken] = {
    "missing file": of_include("- {include: _g.workflow.yaml}", ("w", "2:15", "there is no '_g.workflow.yaml' beside")),
    "no fragment": of_include("- {include: w.workflow.yaml}", ("w", "2:15", "is no fragment; those are named _*.work")),
    "no name": of_include("- {include: ''}", ("w", "2:15", "is empty")),
    "a list": of_include("- {include: [_f.workflow.yaml]}", ("w", "2:15", "must be a text, not a list")),
    "a folder": of_include("- {include: _d.workflow.yaml}", ("w", "2:15", "there is no '_d.workflow.yaml' beside")),
    "outside the project": of_include("- {include: ../../_o.workflow.yaml}", ("w", "2:15", "leads out of the project")),
    "a link out of the project": of_include("- {include: _l.workflow.yaml}", ("w", "2:15", "leads out of the project")),
    "a link to a workflow": of_include(
        "- {include: _w.workflow.yaml}", ("w", "2:15", "is a link to w.workflow.yaml, which is no fragment")
    ),
    "a reference": of_include("- {include: '${inputs.x}'}", ("w", "2:15", "is no fragment")),
    "Python without a declaration": of_include(
        "- {include: _workflow_p.py}",
        (
            "_workflow_p",
            "1:1",
            "must define FRAGMENT = Fragment(...) at its top level (included by wf/w.workflow.yaml:2)",
        ),
    ),
    "Python that nobody imports": of_include(
        "- {include: _workflow_q.py}",
        ("_workflow_q", "None:None", "is Python, which only pytest imports"),
    ),
    "unknown key": of_include(
        "- {include: _f.workflow.yaml, wiht: {v: x}}",
        ("w", "2:33", "unknown key 'wiht' (did you mean 'with'?)"),
    ),
    "does something": of_include(
        "- {include: _f.workflow.yaml, run: [x]}",
        ("w", "2:33", "an include does nothing itself; put 'run' into a step"),
    ),
    "foreach": of_include(
        "- {include: _f.workflow.yaml, foreach: {h: [a]}}", ("w", "2:33", "an include with a foreach needs an id")
    ),
    "bad id": of_include("- {include: _f.workflow.yaml, id: F}", ("w", "2:37", "'F' is not a name")),
    "with a finally in finally": Broken(
        "- {id: a, run: [x]}",
        [("w", "4:15", "_f.workflow.yaml has a finally, which can't stand in another")],
        {"_f": PLAIN + "finally:\n  - {id: c, run: [x]}\n"},
        before="finally:\n  - {include: _f.workflow.yaml, id: f}\n",
    ),
    "with a gate in finally": Broken(
        "- {id: a, run: [x]}",
        [("_f", "2:13", "a gate can't stand in finally")],
        {"_f": "steps:\n  - {id: g, gate: Go?}\n"},
        before="finally:\n  - {include: _f.workflow.yaml, id: f}\n",
    ),
    "with a block in finally": Broken(
        "- {id: a, run: [x]}",
        [("_f", "2:5", "a block can't stand in finally")],
        {"_f": "steps:\n  - {id: b, steps: [{id: c, run: [x]}]}\n"},
        before="finally:\n  - {include: _f.workflow.yaml, id: f}\n",
    ),
    "undone though in finally": Broken(
        "- {id: a, run: [x]}",
        [("w", "5:32", "'f' can't be undone")],
        {"_f": PLAIN},
        before="finally:\n  - {include: _f.workflow.yaml, id: f}\n  - {id: b, run: [x], undoes: [f]}\n",
    ),
    "used behind the finally of a block": Broken(
        "- id: b\n  steps: [{id: a, run: [x]}]\n  finally: [{include: _f.workflow.yaml, id: f, with: {v: x}}]\n"
        "- {id: c, run: [echo, '${steps.b/f.word}']}",
        [("w", "5:25", "stands in the finally of a block; only later steps of the same finally can use it")],
    ),
    "same id as a step": of_include(
        "- {id: f, run: [x]}\n- {include: _f.workflow.yaml, id: f, with: {v: x}}",
        ("w", "3:37", "two steps have the id 'f', first in line 2"),
    ),
    "step as in the workflow": of_include(
        "- {id: push, run: [x]}\n- include: _f.workflow.yaml",
        (
            "_f",
            "2:10",
            "two steps have the id 'push', first in line 2 of w.workflow.yaml (included by wf/w.workflow.yaml:3)",
        ),
        fragment=PLAIN,
    ),
    "twice without an id": of_include(
        "- include: _f.workflow.yaml\n- include: _f.workflow.yaml",
        ("_f", "2:10", "two steps have the id 'push', as the fragment is included twice; give each include an id"),
        fragment=PLAIN,
    ),
    "input without a value": of_include(
        "- {include: _f.workflow.yaml, id: f}",
        ("w", "2:15", "input 'v' of wf/_f.workflow.yaml has no value; say it with: {v: ...}"),
    ),
    "unknown input": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: x, w: y}}",
        ("w", "2:53", "wf/_f.workflow.yaml has no input 'w' (known: v)"),
    ),
    "value that is not allowed": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: x}}",
        ("w", "2:50", "input 'v' of wf/_f.workflow.yaml must be a whole number, not 'x'"),
        fragment=GOOD.replace("{v: {}}", "{v: {type: integer}}"),
    ),
    "mapping for a text": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: {a: b}}}", ("w", "2:50", "must be a text or a list of texts")
    ),
    "list for a text": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: [a]}}", ("w", "2:50", "must be of type string")
    ),
    "reference in a list": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: ['${run.id}']}}",
        ("w", "2:50", "a list holds plain texts"),
        fragment=GOOD.replace("{v: {}}", "{v: {type: list}}").replace("'${inputs.v}'", "'${inputs.v[*]}'"),
    ),
    "unknown reference": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: '${inputs.no}'}}", ("w", "2:50", "unknown input 'no'")
    ),
    "later step": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: '${steps.b.stdout}'}}\n- {id: b, run: [x]}",
        ("w", "2:50", "step 'b' comes later"),
    ),
    "its own output": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: '${steps.f.word}'}}",
        ("w", "2:50", "step 'f' can't use its own values"),
    ),
    "secret that is none": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: hunter2hunter2}}",
        ("w", "2:50", "is a secret; only a secret input can be handed over"),
        fragment="inputs: {v: {type: secret}}\n" + PLAIN,
    ),
    "secret for a text": Broken(
        "- {include: _f.workflow.yaml, id: f, with: {v: '${inputs.token}'}}",
        [("w", "2:50", "'token' is a secret")],
        before="inputs: {token: {type: secret}}\n",
    ),
    "secret in an argument": Broken(
        "- {include: _f.workflow.yaml, id: f, with: {v: '${inputs.token}'}}",
        [("_f", "4:28", "'v' is a secret; only env and stdin")],
        {"_f": GOOD.replace("{v: {}}", "{v: {type: secret}}")},
        before="inputs: {token: {type: secret}}\n",
    ),
    "list of cases that no one knows": of_include(
        "- {id: a, run: [x]}\n- {include: _f.workflow.yaml, id: f, with: {v: '${steps.a.stdout}'}}",
        ("_f", "3:29", "stands for ${steps.a.stdout}; a list must be known before any step runs"),
        fragment="inputs: {v: {type: list}}\nsteps:\n  - {id: push, foreach: {h: '${inputs.v}'}, run: [x]}\n",
    ),
    "list of cases that is none": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: x}}",
        ("_f", "3:29", "is no list; declare the fragment's input with type: list"),
        fragment="inputs: {v: {}}\nsteps:\n  - {id: push, foreach: {h: '${inputs.v}'}, run: [x]}\n",
    ),
    "inner step from outside": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: x}}\n- {id: b, run: [x, '${steps.f/push.stdout}']}",
        (
            "w",
            "3:22",
            "step 'f/push' stands in the fragment 'f'; only what that declares as outputs can be used (declared: word)",
        ),
    ),
    "unknown output": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: x}}\n- {id: b, run: [x, '${steps.f.wrod}']}",
        ("w", "3:22", "step 'f' has no value 'wrod' (did you mean 'word'?)"),
    ),
    "unknown output at a gate": of_include(
        "- {include: _f.workflow.yaml, id: f, with: {v: x}}\n- {id: b, gate: {question: Go?, show: [f.wrod]}}",
        ("w", "3:42", "step 'f' has no value 'wrod'"),
    ),
    "nothing to show": of_include(
        "- {include: _f.workflow.yaml, id: f}\n- {id: b, gate: {question: Go?, show: [f]}}",
        ("w", "3:42", "the fragment 'f' declares no outputs"),
        fragment=PLAIN,
    ),
    "output of what may not apply": Broken(
        "- {include: _f.workflow.yaml, id: f, when: inputs.x, with: {v: x}}\n- {id: b, run: [x, '${steps.f.word}']}",
        [("w", "3:22", "step 'f' may not apply")],
        before="inputs: {x: {type: boolean}}\n",
    ),
    "behind a gate of a fragment": Broken(
        "- {include: _f.workflow.yaml, id: f, when: inputs.x}\n- {id: b, run: [x]}",
        [("w", "3:5", "step 'b' stands behind gate 'f/go', which may not apply")],
        {"_f": "steps:\n  - {id: go, gate: Go?}\n"},
        before="inputs: {x: {type: boolean}}\n",
    ),
    "input of the workflow": Broken(
        "- {include: _f.workflow.yaml, id: f}",
        [("_f", "2:28", "unknown input 'x'")],
        {"_f": "steps:\n  - {id: push, run: [echo, '${inputs.x}']}\n"},
        before="inputs: {x: {}}\n",
    ),
    "step of the workflow": of_include(
        "- {id: a, run: [x]}\n- {include: _f.workflow.yaml, id: f}",
        ("_f", "2:27", "unknown step 'a' (there are none); a fragment sees its own steps only"),
        fragment="steps:\n  - {id: one, run: [echo, '${steps.a.stdout}']}\n",
    ),
    "case of a block around": of_include(
        "- {id: u, foreach: {h: [a]}, steps: [{include: _f.workflow.yaml, id: f}]}",
        ("_f", "2:27", "only a step with a foreach of its own"),
        fragment="steps:\n  - {id: one, run: [echo, '${each.h}']}\n",
    ),
    "itself": of_fragment(
        "steps:\n  - {include: _f.workflow.yaml, id: f}\n",
        ("_f", "2:15", "'_f.workflow.yaml' includes itself: _f.workflow.yaml -> _f.workflow.yaml"),
    ),
    "a circle": Broken(
        "- {include: _f.workflow.yaml, id: f}",
        [
            (
                "_g",
                "2:15",
                "'_f.workflow.yaml' includes itself: _f.workflow.yaml -> _g.workflow.yaml -> _f.workflow.yaml",
            )
        ],
        {
            "_f": "steps:\n  - {include: _g.workflow.yaml, id: f}\n",
            "_g": "steps:\n  - {include: _f.workflow.yaml, id: f}\n",
        },
    ),
    "a circle without ids": Broken(
        "- include: _f.workflow.yaml",
        [("_g", "2:14", "includes itself")],
        {"_f": "steps:\n  - include: _g.workflow.yaml\n", "_g": "steps:\n  - include: _f.workflow.yaml\n"},
    ),
    "too deep": Broken(
        "- {include: _f0.workflow.yaml, id: f}",
        [("_f7", "2:5", "nested deeper than 8 levels")],
        {**_CHAIN, "_f9": PLAIN},
    ),
    "no YAML": of_fragment("steps: [\n", ("_f", "2:1", "is not valid YAML")),
    "empty fragment": of_fragment(
        "", ("_f", "1:1", "is empty; write at least steps: with a list of them (included by wf/w.workflow.yaml:2)")
    ),
    "fragment without steps": of_fragment("inputs: {}\n", ("_f", "1:1", "the key 'steps' is missing")),
    "fragment that is a list": of_fragment("- a\n", ("_f", "1:1", "must be a mapping, not a list")),
    "not UTF-8": of_fragment(b"steps: \xff", ("_f", "1:8", "is not UTF-8")),
    "fragment with a name": of_fragment(
        "workflow: x\n" + PLAIN, ("_f", "1:1", "'workflow' belongs to a workflow, and this is a fragment")
    ),
    "everything in a fragment": of_fragment(
        "descripton: x\nsteps:\n  - {id: one, run: git}\n  - {id: one, rum: [x]}\n",
        ("_f", "1:1", "did you mean 'description'?"),
        ("_f", "3:20", "takes a list of arguments"),
        ("_f", "4:10", "two steps have the id 'one', first in line 3"),
        ("_f", "4:15", "did you mean 'run'?"),
    ),
    "said once for two includes": of_fragment(
        "steps:\n  - {id: one, run: git}\n",
        ("_f", "2:20", "(included by wf/w.workflow.yaml:2)"),
        steps="- {include: _f.workflow.yaml, id: f}\n- {include: _f.workflow.yaml, id: g}",
    ),
    "output that is a text": of_fragment(
        "outputs: {a: hello}\n" + PLAIN, ("_f", "1:14", "must be one reference to a value of a step")
    ),
    "output of an input": of_fragment(
        "outputs: {a: '${inputs.x}'}\ninputs: {x: {default: y}}\n" + PLAIN,
        ("_f", "1:14", "must be one reference to a value of a step"),
    ),
    "output that is not left": of_fragment(
        "outputs: {a: '${steps.push.nope}'}\n" + PLAIN, ("_f", "1:14", "step 'push' has no value 'nope'")
    ),
    "output with a bad name": of_fragment(
        "outputs: {'a b': '${steps.push.stdout}'}\n" + PLAIN, ("_f", "1:11", "'a b' is not a name")
    ),
    "output that is not closed": of_fragment("outputs: {a: '${steps.push'}\n" + PLAIN, ("_f", "1:14", "is not closed")),
    "output of what may not apply inside": of_fragment(
        "outputs: {a: '${steps.push.stdout}'}\ninputs: {x: {type: boolean, default: 'true'}}\nsteps:\n"
        "  - {id: push, when: inputs.x, run: [x]}\n",
        ("_f", "1:14", "step 'push' may not apply"),
    ),
    "finally without an id": of_fragment(
        PLAIN + "finally:\n  - {id: clean, run: [x]}\n",
        ("w", "2:15", "has a finally; give the include an id"),
        steps="- {include: _f.workflow.yaml}",
    ),
    "defaults of a fragment": of_fragment(
        "defaults: {timeot: 5m}\n" + PLAIN, ("_f", "1:12", "did you mean 'timeout'?")
    ),
    "texts that stand for too much": of_fragment(
        "inputs: {x: {default: y}}\nvars:\n  a: '"
        + "${inputs.x}" * 40
        + "'\n  b: '"
        + "${vars.a}" * 40
        + "'\n"
        + PLAIN,
        ("_f", "4:6", "stands for more than 1000 references"),
    ),
}
