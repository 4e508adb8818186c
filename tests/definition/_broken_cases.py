"""Broken steps with cases: what is wrong with each, and where."""

from __future__ import annotations

from ._broken import TWO, Expected, step


def foreach(rest: str, *, run: str = "[git]", before: str = "") -> str:
    """Return a workflow whose last step has this foreach, in line 3 (without `before`)."""
    return step(f"foreach: {rest}\nrun: {run}", before=before)


HOSTS = "inputs: {hosts: {type: list, default: [a, b]}, name: {default: x}, late: {type: list}}\n"
"""One line of inputs: a list, a text, and a list without a value."""

FOREACH: dict[str, tuple[str | bytes, list[Expected]]] = {
    "foreach as text": (foreach("hosts"), [("3:14", "must be a mapping, not the text 'hosts'")]),
    "foreach of nothing": (foreach("{}"), [("3:14", "a variable with its list, or several of them, not none")]),
    "foreach of two, one wrong": (foreach("{a: [x], b: y}"), [("3:26", "one reference to a list and nothing else")]),
    "foreach of two, one empty": (foreach("{a: [x], b: []}"), [("3:26", "the list is empty, and nothing would run")]),
    "foreach of two, same names": (
        foreach("{a: [x, x-y], b: [y-z, z]}"),
        [("3:14", "two cases have the name 'x-y-z'; their values, joined by '-', must keep them apart")],
    ),
    "foreach of too many": (
        foreach(f"{{a: [{', '.join(map(str, range(50)))}], b: [{', '.join(map(str, range(50)))}]}}"),
        [("3:14", "the lists make 2500 cases together; 2000 is the most")],
    ),
    "foreach variable": (foreach("{1st: [x]}"), [("3:15", "is not a name")]),
    "foreach no list": (foreach("{h: web1}"), [("3:18", "one reference to a list and nothing else")]),
    "foreach a mapping": (foreach("{h: {x: y}}"), [("3:18", "must be a list")]),
    "foreach in a text": (
        foreach("{h: 'x${inputs.hosts}'}", before=HOSTS),
        [("4:18", "one reference to a list and nothing else")],
    ),
    "foreach empty": (foreach("{h: []}"), [("3:18", "the list is empty, and nothing would run")]),
    "foreach empty, bad flag": (
        foreach("{h: []}\nallow_empty: maybe"),
        [("4:18", "must be true or false, not 'maybe'")],
    ),
    "foreach nowhere": (
        foreach("{h: []}\nallow_empty: true"),
        [("2:3", "no step is left: the list of each foreach is empty")],
    ),
    "allow_empty alone": (step("run: [git]\nallow_empty: true"), [("4:5", "allow_empty belongs to a foreach")]),
    "foreach over steps": (
        TWO + "    foreach: {h: '${steps.a.wheel}'}\n    run: [git]\n",
        [("6:18", "${steps.a.wheel}: a list must be known before any step runs")],
    ),
    "foreach over the run": (foreach("{h: ['${run.id}']}"), [("3:19", "there is no run then")]),
    "foreach over itself": (foreach("{h: ['${each.h}']}"), [("3:19", "can't stand in it")]),
    "foreach over unknown": (foreach("{h: '${inputs.hots}'}", before=HOSTS), [("4:18", "did you mean 'hosts'?")]),
    "foreach over a text": (
        foreach("{h: '${inputs.name}'}", before=HOSTS),
        [("4:18", "${inputs.name} is no list; declare the input with type: list")],
    ),
    "foreach list in a list": (foreach("{h: ['${inputs.hosts}']}", before=HOSTS), [("4:19", "is a list; it can't")]),
    "foreach run in a variable": (
        foreach("{h: '${vars.v}'}", before="vars: {v: 'x,${run.id}'}\n"),
        [("4:18", "${vars.v} holds ${run.id}")],
    ),
    "foreach bad list": (foreach("{h: '${vars.v}'}", before="vars: {v: '[x'}\n"), [("4:18", "is no JSON list")]),
    "foreach open": (foreach("{h: ['${inputs.hosts']}", before=HOSTS), [("4:19", "is not closed")]),
    "foreach no value": (
        foreach("{h: '${inputs.late}'}", before=HOSTS),
        [("1:68", "input 'late' has no value. Give --workflow-input late=VALUE")],
    ),
    "foreach no value, said once": (
        (
            f"{HOSTS}steps:\n  - {{id: a, foreach: {{h: '${{inputs.late}}'}}, run: [x]}}\n"
            "  - {id: b, foreach: {h: ['${inputs.late}']}, run: [x, '${each.h}', '${steps.a.exit}', '${steps.a[q].exit}']}\n"
        ),
        [("1:68", "input 'late' has no value")],
    ),
    "foreach of a broken input": (
        foreach("{h: '${inputs.x}'}", before="inputs: {x: {type: lst}}\n"),
        [("1:20", "must be 'string'")],
    ),
    "foreach twice": (foreach("{h: [a, b, 'a']}"), [("3:25", "'a' stands twice in the list")]),
    "foreach 1 and '1'": (foreach("{h: [1, '1']}"), [("3:22", "'1' stands twice")]),
    "foreach twice in an input": (
        foreach("{h: '${inputs.x}'}", before="inputs: {x: {type: list, default: [a, a]}}\n"),
        [("4:18", "'a' stands twice")],
    ),
    "foreach empty text": (foreach("{h: ['']}"), [("3:19", "an empty text can't be the name")]),
    "foreach no item": (step("foreach:\n  h:\n    - a\n    -\nrun: [git]"), [("6:10", "has no value; leave it out")]),
    "foreach null": (foreach("{h: [null]}"), [("3:19", "must be a text, a number")]),
    "foreach nested": (foreach("{h: [[a], {b: c}]}"), [("3:19", "must be a text"), ("3:24", "must be a text")]),
    "foreach version": (foreach("{h: [3.10]}"), [("3:19", "read as the number 3.1")]),
    "foreach long": (foreach(f"{{h: [{'a' * 65}]}}"), [("3:19", "longer than the 64 characters")]),
    "foreach long when spelled": (foreach(f"{{h: [{'ä' * 11}]}}"), [("3:19", "longer than the 64 characters")]),
    "gate with cases": (step("foreach: {h: [a]}\ngate: Go?"), [("3:5", "a gate asks once")]),
    "unknown variable of foreach": (foreach("{host: [a]}", run="[git, '${each.hots}']"), [("4:16", "'host'?")]),
    "each too deep": (foreach("{host: [a]}", run="[git, '${each.host.x}']"), [("4:16", "too many parts")]),
    "each in a condition": (step("when: each.host == 'a'\nrun: [git]"), [("3:11", "only a step with a foreach")]),
    "each in a variable": ("vars: {v: '${each.h}'}\n" + foreach("{h: [a]}"), [("1:11", "only a step with a foreach")]),
    "mistake of an empty step": (
        foreach("{h: []}\nallow_empty: true", run="[git, '${inputs.x}']"),
        [("5:16", "unknown input 'x'")],
    ),
    "step with cases, bare": (
        foreach("{h: [a, b]}") + "  - {id: b, run: [x, '${steps.a.exit}']}\n",
        [("5:22", "${steps.a.exit}: step 'a' has cases; name one of them: a[a], a[b]")],
    ),
    "step with cases, bare in a condition": (
        foreach("{h: [a, b]}") + "  - {id: b, when: steps.a.exit == 0, run: [x]}\n",
        [("5:19", "name one of them: a[a], a[b]")],
    ),
    "step without a case": (
        foreach("{h: []}\nallow_empty: true") + "  - {id: b, run: [x, '${steps.a.exit}']}\n",
        [("6:22", "step 'a' has no case: its list is empty")],
    ),
    "unknown case": (
        foreach("{h: [web1, web2]}") + "  - {id: b, run: [x, '${steps.a[web3].exit}']}\n",
        [("5:22", "has no case 'a[web3]' (did you mean 'a[web2]'?)")],
    ),
    "case of a step without": (TWO + "    run: [x, '${steps.a[x].exit}']\n", [("6:14", "step 'a' has no case")]),
    "case of a later step": (
        step("run: [x, '${steps.b[x].exit}']") + "  - {id: b, foreach: {h: [x]}, run: [x]}\n",
        [("3:14", "step 'b[x]' comes later")],
    ),
    "case of the own step": (
        foreach("{h: [x, y]}", run="[x, '${steps.a[x].exit}']"),
        [("4:14", "can't use its own values")],
    ),
    "brackets elsewhere": (step("run: [x, '${inputs.a[x]}']"), [("3:14", "is no reference")]),
    "gate shows no case": (
        foreach("{h: [web1]}") + "  - {id: b, gate: {question: Go on, show: ['a[web2]']}}\n",
        [("5:44", "has no case 'a[web2]'")],
    ),
    "gate shows no output of a case": (
        foreach("{h: [x, y]}") + "  - {id: b, gate: {question: Go on, show: [a.whel]}}\n",
        [("5:44", "has no value 'whel'")],
    ),
    "gate shows what may not apply": (
        step("foreach: {h: [x, y]}\nwhen: each.h == 'x'\nrun: [git]")
        + "  - {id: b, gate: {question: Go on, show: [a]}}\n",
        [("6:44", "step 'a[x]' may not apply")],
    ),
    "cases behind a gate that may not ask": (
        (
            "steps:\n  - {id: b, run: [x]}\n  - {id: g, when: steps.b.exit == 0, gate: Go on}\n"
            "  - {id: c, foreach: {h: [x, y]}, run: [git]}\n"
        ),
        [("4:5", "step 'c' stands behind gate 'g'")],
    ),
}
