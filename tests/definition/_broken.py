"""Broken workflow files: what is wrong with each, and where."""

from __future__ import annotations

Expected = tuple[str, str]


def step(rest: str, *, before: str = "") -> str:
    """Return a workflow whose last step has these lines, starting in line 3 (without `before`)."""
    lines = "".join(f"    {line}\n" for line in rest.splitlines())
    return f"{before}steps:\n  - id: a\n{lines}"


def inputs(rest: str) -> str:
    """Return a workflow with one input, declared in line 2."""
    return f"inputs:\n  x: {rest}\nsteps:\n  - id: a\n    run: [git]\n"


TWO = (
    "steps:\n  - id: a\n    run: [git]\n"
    "    outputs: {wheel: {glob: '*.whl'}, v: {stdout: '(?P<major>.)(?P<minor>.)'}}\n  - id: b\n"
)
"""A first step with outputs; the second one's keys start in line 6."""

SYNTAX: dict[str, tuple[str | bytes, list[Expected]]] = {
    "empty": ("", [("1:1", "is empty")]),
    "only a comment": ("# nothing\n", [("1:1", "is empty")]),
    "two documents": ("steps: []\n---\nsteps: []\n", [("2:1", "a second document")]),
    "not UTF-8": (b"steps:\n  \xff", [("2:3", "is not UTF-8")]),
    "control character": ("steps:\n  - \x07", [("2:5", "U+0007")]),
    "hidden line end": ("steps: # a\u2028b: c\n", [("1:11", "U+2028")]),
    "lone carriage return": ("steps: # a\rb: c\n", [("1:11", "U+000D")]),
    "tab": ("steps:\n\t- id: a\n", [("2:1", "a tab can't indent")]),
    "reference in braces": ("a: {q: Publish ${x}?}\n", [("1:17", "put quotes around it")]),
    "reference in brackets": ("run: [git, ${x}]\n", [("1:13", "put quotes around it")]),
    "star": ("glob: *.whl\n", [("1:8", "put quotes around it")]),
    "skips of a command": (step("run: [git]\nskips: allow"), [("4:5", "skips belong to verify steps")]),
    "exclamation mark": ("run: [echo, !x]\n", [("1:15", "put quotes around it")]),
    "undefined alias": ("glob: *whl\n", [("1:7", "put quotes around it")]),
    "colon": ("name: Check: all\n", [("1:12", "put quotes around it")]),
    "at sign": ("name: @all\n", [("1:7", "'@'; put quotes around it")]),
    "open quote": ("name: 'x\n", [("2:1", "a quote is not closed")]),
    "open bracket": ("run: [git\n", [("2:1", "not closed")]),
    "indentation": ("  a: b\n c: d\n", [("2:2", "is not valid YAML")]),
    "deep": ("[" * 60, [("1:51", "nested deeper than 50")]),
    "a list in itself": ("steps: &s [*s]\n", [("1:8", "nested deeper than 50")]),
    "billion laughs": (
        f"a: &a [{'x,' * 10}]\nb: &b [{'*a,' * 10}]\nc: &c [{'*b,' * 10}]\nd: [{'*c,' * 10}]\n",
        [("1:8", "more than 1000")],
    ),
    "too large": ("#" * ((1 << 20) + 1), [("None:None", "larger than 1 MiB")]),
    "a list": ("- a\n", [("1:1", "must be a mapping, not a list")]),
    "a text": ("hello\n", [("1:1", "must be a mapping, not the text 'hello'")]),
}

STRUCTURE: dict[str, tuple[str | bytes, list[Expected]]] = {
    "duplicate key": (
        "mode: python\nmode: python\nsteps: [{id: a, run: [git]}]\n",
        [("2:1", "twice, first in line 1")],
    ),
    "duplicate key, quoted": (step('run: [git]\n"run": [rm]'), [("4:5", "'run' stands twice, first in line 3")]),
    "merge key": ("<<: {mode: python}\nsteps: [{id: a, run: [git]}]\n", [("1:1", "merge keys")]),
    "key that is a list": ("? [a]\n: b\nsteps: [{id: a, run: [git]}]\n", [("1:3", "a key must be a text")]),
    "tag": (step("run: [git, !x y]"), [("3:16", "put quotes around it")]),
    "standard tag": (step("run: [git, !!str y]"), [("3:16", "'!!str'")]),
    "unused anchor": (step("run: [git, &x y]"), [("3:16", "put quotes around it")]),
    "NUL": (step('run: [git, "\\0"]'), [("3:16", "U+0000")]),
}

SHAPE: dict[str, tuple[str | bytes, list[Expected]]] = {
    "no steps": ("workflow: x\n", [("1:1", "'steps' is missing")]),
    "empty steps": ("steps: []\n", [("1:8", "must not be empty")]),
    "steps as text": ("steps: git\n", [("1:8", "must be a list, not the text 'git'")]),
    "nothing in steps": ("steps:\n", [("1:7", "must be a list, not nothing")]),
    "unknown workflow key": ("wrokflow: x\n" + step("run: [git]"), [("1:1", "did you mean 'workflow'?")]),
    "bad workflow name": ("workflow: Re lease\n" + step("run: [git]"), [("1:11", "must match [a-z]")]),
    "bad mode": ("mode: pyhton\n" + step("run: [git]"), [("1:7", "must be 'python', 'ai_json' or 'interactive'")]),
    "unknown step key": (step("run: [git]\ntimout: 5m"), [("4:5", "did you mean 'timeout'?")]),
    "misspelled id": ("steps:\n  - ids: a\n    run: [git]\n", [("2:5", "did you mean 'id'?")]),
    "no id": ("steps:\n  - run: [git]\n", [("2:5", "'id' is missing")]),
    "bad id": ("steps:\n  - id: 1st\n    run: [git]\n", [("2:9", "'1st' is not a name")]),
    "long id": (f"steps:\n  - id: {'a' * 65}\n    run: [git]\n", [("2:9", "longer than 64")]),
    "duplicate id": (step("run: [git]") + "  - id: a\n    run: [git]\n", [("4:9", "first in line 2")]),
    "step as text": ("steps:\n  - git status\n", [("2:5", "must be a mapping")]),
    "no kind": (step("name: x"), [("2:5", "needs one of run, call, verify, gate")]),
    "two kinds": (step("run: [git]\ngate: Go?"), [("2:5", "not run and gate")]),
    "run as text": (
        step("run: git status -s"),
        [("3:10", "there is no shell that would split a text: write [git, status, -s]")],
    ),
    "run as mapping": (step("run: {git: status}"), [("3:10", "must be a list, not a mapping")]),
    "empty run": (step("run: []"), [("3:10", "must not be empty")]),
    "empty program": (step('run: ["", x]'), [("3:11", "the name of the program is empty")]),
    "mapping in argv": (
        step("run: [echo, a: b]"),
        [("3:17", "not a mapping; if it is one text, put quotes around it")],
    ),
    "list in argv": (step("run: [echo, [a]]"), [("3:17", "not a list; if it is one text, put quotes around it")]),
    "nothing in argv": (step("run:\n  - echo\n  -"), [("5:8", 'write "" if an empty text is meant')]),
    "bad timeout": (step("run: [git]\ntimeout: 90"), [("4:14", "write it like 90s")]),
    "no timeout at all": (step("run: [git]\ntimeout: 0s"), [("4:14", "more than 0s")]),
    "name of two lines": (step('run: [git]\nname: "a\\nb"'), [("4:11", "must be one line")]),
    "comma in braces": (
        step("gate: {question: Publish a, b}"),
        [("3:33", "if it is part of a text, put quotes around it")],
    ),
}

BODIES: dict[str, tuple[str | bytes, list[Expected]]] = {
    "expect on a gate": (step("gate: Go?\nexpect: {exit: 0}"), [("4:5", "expect belongs to run and verify")]),
    "outputs on a call": (
        step("call: lib.deep:check\noutputs: {a: {stdout: x}}"),
        [("4:5", "outputs belong to run steps; this one is a call step")],
    ),
    "stdout of a verify": (
        step("verify: ../smoke\nexpect: {exit: 5, stdout: x}"),
        [("4:23", "only the exit status")],
    ),
    "exit as text": (step("run: [git]\nexpect: {exit: zero}"), [("4:20", "a whole number, not 'zero'")]),
    "exit as list": (step("run: [git]\nexpect: {exit: [0, 1]}"), [("4:20", "write {in: [...]}")]),
    "exit contains": (step("run: [git]\nexpect: {exit: {contains: 1}}"), [("4:21", "contains can't be used on it")]),
    "no matcher": (step("run: [git]\nexpect: {stdout: {}}"), [("4:22", "holds no matcher")]),
    "unknown matcher": (step("run: [git]\nexpect: {stdout: {macthes: x}}"), [("4:23", "did you mean 'matches'?")]),
    "equals is no matcher": (step("run: [git]\nexpect: {stdout: {equals: x}}"), [("4:23", "unknown key 'equals'")]),
    "in takes a list": (step("run: [git]\nexpect: {stdout: {in: x}}"), [("4:27", "must be a list")]),
    "expected regex": (step("run: [git]\nexpect: {stdout: {matches: '('}}"), [("4:32", "no regular expression")]),
    "lt compares numbers": (step("run: [git]\nexpect: {stdout: {lt: many}}"), [("4:27", "'many' is none")]),
    "expected nothing": (step("run: [git]\nexpect: {stdout: }"), [("4:22", "has no value")]),
    "output from two": (
        step("run: [git]\noutputs: {o: {stdout: x, glob: y}}"),
        [("4:18", "exactly one of stdout, json, glob")],
    ),
    "output from none": (step("run: [git]\noutputs: {o: {}}"), [("4:18", "exactly one of stdout, json, glob")]),
    "output named stdout": (step("run: [git]\noutputs: {stdout: {stdout: x}}"), [("4:15", "already; choose another")]),
    "output name": (step("run: [git]\noutputs: {1st: {stdout: x}}"), [("4:15", "is not a name")]),
    "output regex": (step("run: [git]\noutputs: {o: {stdout: '['}}"), [("4:27", "no regular expression")]),
    "count of stdout": (step("run: [git]\noutputs: {o: {stdout: x, count: 1}}"), [("4:30", "count belongs to a glob")]),
    "absolute glob": (step("run: [git]\noutputs: {o: {glob: /etc/*}}"), [("4:25", "without '..'")]),
    "glob upwards": (step("run: [git]\noutputs: {o: {glob: ../*}}"), [("4:25", "without '..'")]),
    "count none": (step("run: [git]\noutputs: {o: {glob: x, count: 0}}"), [("4:35", "at least 1")]),
    "count no number": (
        step("run: [git]\noutputs: {o: {glob: x, count: two}}"),
        [("4:35", "a whole number, not 'two'")],
    ),
    "one file, two": (step("run: [git]\noutputs: {o: {glob: x, type: file, count: 2}}"), [("4:47", "a type: list")]),
    "verify outside": (step("verify: ../../outside.py"), [("3:13", "leads out of the project")]),
    "verify nothing": (step("verify: {path: tests, skips: allow}"), [("3:20", "there is no 'tests' beside this file")]),
    "verify skips": (step("verify: {path: ../smoke, skips: 'yes'}"), [("3:37", "must be 'allow', not 'yes'")]),
    "gate asks nothing": (step('gate: "  "'), [("3:11", "asks nothing")]),
    "gate without question": (step("gate: {timeout: 5m}"), [("3:11", "'question' is missing")]),
    "gate with two timeouts": (step("gate: {question: Go?, timeout: 5m}\ntimeout: 6m"), [("4:5", "keep one of them")]),
    "manual that says nothing": (step("manual: ' '"), [("3:13", "says nothing")]),
    "manual with an empty item": (step("manual: {instruction: Do, checklist: [' ']}"), [("3:43", "says nothing")]),
    "manual in finally": (
        "steps: [{id: a, run: [git]}]\nfinally: [{id: b, manual: Do it}]\n",
        [("2:19", "work by hand can't stand in finally")],
    ),
    "pause for nothing": (step("pause: {wait: suspend}"), [("3:12", "waits either for a duration or until a moment")]),
    "pause for two things": (step("pause: {for: 1s, until: x}"), [("3:12", "waits either for")]),
    "pause with a timeout": (step("pause: 1s\ntimeout: 2s"), [("4:5", "a pause ends by itself")]),
    "pause in finally": (
        "steps: [{id: a, run: [git]}]\nfinally: [{id: b, pause: 1s}]\n",
        [("2:19", "a pause can't stand in finally")],
    ),
    "gate that approves itself": (
        step("gate: {question: Go?, on_timeout: approve}"),
        [("3:39", "must be 'reject' or 'suspend'")],
    ),
    "gate that waits somehow": (step("gate: {question: Go?, wait: forever}"), [("3:33", "must be 'suspend'")]),
    "gate assurance": (step("gate: {question: Go?, assurance: 4}"), [("3:27", "must be 1 (terminal), 2 (signature)")]),
    "gate without assurance": (
        step("gate: {question: Go?, approvers: [pmc], required: 2, min_wait: 1h, veto: false, wait: suspend}"),
        [(place, "needs assurance: 2 (signature)") for place in ("3:27", "3:45", "3:58", "3:72")],
    ),
    "gate for one alone": (
        step("gate: {question: Go?, assurance: 2, required: 2, min_wait: 1h}"),
        [("3:41", "add wait: suspend"), ("3:54", "add wait: suspend")],
    ),
    "gate roles": (
        step("gate: {question: Go?, assurance: 2, approvers: [pmc, sec], required: {pcm: 1}, wait: suspend}"),
        [("3:64", "did you mean 'pmc'?"), ("3:64", "how many of 'pmc'"), ("3:64", "how many of 'sec'")],
    ),
    "gate group twice": (
        step("gate: {question: Go?, assurance: 2, approvers: [pmc, pmc]}"),
        [("3:41", "names a group twice")],
    ),
    "gate without persons": (
        step("gate: {question: Go?, assurance: 2, required: 0}"),
        [("3:41", "needs at least one person")],
    ),
    "gate with crowds": (
        step("gate: {question: Go?, assurance: 2, required: 101, wait: suspend}"),
        [("3:41", "more than 100 persons")],
    ),
    "gate required as text": (
        step("gate: {question: Go?, assurance: 2, required: many}"),
        [("3:51", "must be a whole number, not 'many'")],
    ),
    "gate required of nobody": (
        step("gate: {question: Go?, assurance: 2, required: {}}"),
        [("3:51", "names no group")],
    ),
    "gate times": (
        step("gate: {question: Go?, assurance: 2, min_wait: 2h, expires: 2h, wait: suspend}"),
        [("3:41", "expires before it can be approved")],
    ),
    "gate in advance at a terminal": (
        step("gate: {question: Go?, in_advance: true, wait: suspend}"),
        [("3:27", "in_advance needs assurance: 2 (signature)")],
    ),
    "gate in advance that does not wait": (
        step("gate: {question: Go?, assurance: 2, in_advance: true, min_wait: 1h, expires: 2h}"),
        [
            ("2:5", "gate 'a' lets no plan run"),
            ("3:41", "add wait: suspend"),
            ("3:41", "passes at once, and min_wait says"),
            ("3:59", "add wait: suspend"),
        ],
    ),
    "gate in advance with a form": (
        step("gate: {question: Go?, assurance: 2, wait: suspend, in_advance: true, form: {a: {}}}"),
        [("2:5", "gate 'a' lets no plan run"), ("3:74", "fills in no form")],
    ),
    "gate in advance without a plan": (
        step("gate: {question: Go?, assurance: 2, wait: suspend, in_advance: true}"),
        [("2:5", "gate 'a' lets no plan run")],
    ),
    "gate in a hurry": (
        step("gate: {question: Go?, assurance: 3, expires: 30s}"),
        [("3:41", "in less than a minute")],
    ),
    "gate shows later": (
        step("gate: {question: Go?, show: [b]}") + "  - id: b\n    run: [git]\n",
        [("3:34", "step 'b' comes later")],
    ),
    "gate shows itself": (step("gate: {question: Go?, show: [a]}"), [("3:34", "can't use its own values")]),
    "gate shows unknown": (TWO + "    gate: {question: Go?, show: [c]}\n", [("6:34", "unknown step 'c'")]),
    "gate shows no output": (
        TWO + "    gate: {question: Go?, show: [a.whel]}\n",
        [("6:34", "did you mean 'wheel'?")],
    ),
    "gate shows a text": (TWO + "    gate: {question: Go?, show: a}\n", [("6:33", "takes a list: write [a]")]),
    "gate shows a gate": (
        TWO + "    gate: Go?\n  - id: c\n    gate: {question: Go?, show: [b]}\n",
        [("8:34", "step 'b' is a gate")],
    ),
}

CALLS: dict[str, tuple[str | bytes, list[Expected]]] = {
    "call form": (step("call: checks"), [("3:11", "write module:function")]),
    "call outside": (step("call: '../outside:f'"), [("3:11", "write module:function")]),
    "call no module": (step("call: check:f"), [("3:11", "there is no check.py")]),
    "call no function": (step("call: checks:mention"), [("3:11", "did you mean 'mentions'?")]),
    "call no Python": (step("call: broken:f"), [("3:11", "broken.py is no Python: line 1")]),
    "call twice defined": (step("call: checks:twice"), [("3:11", "more than once (lines 11, 12)")]),
    "call replaced": (step("call: checks:replaced"), [("3:11", "more than once (lines 13, 14)")]),
    "call conditional": (step("call: checks:conditional"), [("3:11", "no function 'conditional' at its top level")]),
    "call generator": (step("call: checks:lazy"), [("3:11", "is a generator")]),
    "call *args": (step("call: checks:anything"), [("3:11", "*args and **kwargs")]),
    "call **kwargs": (step("call: checks:everything"), [("3:11", "*args and **kwargs")]),
    "call positional": (step("call: checks:positional"), [("3:11", "positional-only")]),
    "call argument": (
        step("call: {function: 'checks:mentions', with: {versoin: x}}"),
        [("3:48", "did you mean 'version'?")],
    ),
    "call version as number": (
        step("call: {function: 'checks:mentions', with: {version: 3.10}}"),
        [("3:57", "read as the number 3.1; if it is a text, put quotes around it")],
    ),
    "call number too long": (
        step("call: {function: 'checks:mentions', with: {version: 12345678901234567890}}"),
        [("3:57", "more digits")],
    ),
    "call nothing": (step("call: {function: 'checks:mentions', with: {version: }}"), [("3:57", "write null")]),
    "call with text": (step("call: {function: 'checks:mentions', with: x}"), [("3:47", "must be a mapping")]),
}

REFERENCES: dict[str, tuple[str | bytes, list[Expected]]] = {
    "open reference": (step("run: [git, '${inputs.x']"), [("3:16", "is not closed")]),
    "empty reference": (step("run: [git, '${}']"), [("3:16", "is no reference")]),
    "computed reference": (step("run: [git, '${1+1}']"), [("3:16", "is no reference")]),
    "unknown scope": (step("run: [git, '${input.x}']"), [("3:16", "did you mean 'inputs'?")]),
    "scope alone": (step("run: [git, '${inputs}']"), [("3:16", "names no value")]),
    "unknown input": (
        "inputs: {version: {}}\n" + step("run: [git, '${inputs.versoin}']"),
        [("4:16", "did you mean 'version'?")],
    ),
    "unknown group": (
        "inputs: {v: {pattern: '(?P<major>.*)'}}\n" + step("run: [git, '${inputs.v.mayor}']"),
        [("4:16", "did you mean 'major'?")],
    ),
    "unknown variable": ("vars: {tag: x}\n" + step("run: [git, '${vars.tagg}']"), [("4:16", "did you mean 'tag'?")]),
    "later variable": ("vars: {a: '${vars.b}', b: x}\n" + step("run: [git]"), [("1:11", "variable 'b' comes later")]),
    "variable of a step": (
        "vars: {a: '${steps.a.stdout}'}\n" + step("run: [git]"),
        [("1:11", "values of steps aren't known here")],
    ),
    "variable of nothing": ("vars:\n  a:\n" + step("run: [git]"), [("2:5", "has no value")]),
    "unknown run value": (step("run: [git, '${run.dirr}']"), [("3:16", "did you mean 'dir'?")]),
    "unknown step": (TWO + "    run: [x, '${steps.aa.stdout}']\n", [("6:14", "did you mean 'a'?")]),
    "later step": (step("run: [x, '${steps.b.exit}']") + "  - {id: b, run: [x]}\n", [("3:14", "'b' comes later")]),
    "own step": (step("run: [x, '${steps.a.exit}']"), [("3:14", "can't use its own values")]),
    "step alone": (TWO + "    run: [x, '${steps.a}']\n", [("6:14", "write ${steps.a.key}")]),
    "unknown output": (TWO + "    run: [x, '${steps.a.whel}']\n", [("6:14", "did you mean 'wheel'?")]),
    "below a file": (TWO + "    run: [x, '${steps.a.wheel.name}']\n", [("6:14", "'wheel' has no values below it")]),
    "unknown group of an output": (TWO + "    run: [x, '${steps.a.v.mayor}']\n", [("6:14", "did you mean 'major'?")]),
    "output of a gate": (
        step("gate: Go?") + "  - {id: b, run: [x, '${steps.a.reason}']}\n",
        [("4:22", "no value 'reason'")],
    ),
    "expected": (step("run: [x]\nexpect: {stdout: '${inputs.x}'}"), [("4:22", "unknown input 'x'")]),
    "glob": (step("run: [x]\noutputs: {o: {glob: '${inputs.x}'}}"), [("4:25", "unknown input 'x'")]),
    "question": (step("gate: 'Publish ${inputs.x}?'"), [("3:11", "unknown input 'x'")]),
    "argument": (
        step("call: {function: 'checks:mentions', with: {version: ['${inputs.x}']}}"),
        [("3:58", "unknown input 'x'")],
    ),
}

INPUTS: dict[str, tuple[str | bytes, list[Expected]]] = {
    "input name": ("inputs:\n  1st: {}\n" + step("run: [git]"), [("2:3", "is not a name")]),
    "input as text": (inputs("string"), [("2:6", "must be a mapping")]),
    "input type": (inputs("{type: str}"), [("2:13", "must be 'string', 'integer'")]),
    "input key": (inputs("{patern: x}"), [("2:7", "did you mean 'pattern'?")]),
    "input pattern": (inputs("{pattern: '('}"), [("2:16", "no regular expression")]),
    "pattern of a number": (inputs("{type: integer, pattern: x}"), [("2:22", "not integer")]),
    "enum without values": (inputs("{type: enum}"), [("2:6", "an enum needs values")]),
    "values without enum": (inputs("{values: [a]}"), [("2:7", "values belong to type enum")]),
    "default no integer": (inputs("{type: integer, default: many}"), [("2:31", "a whole number, not 'many'")]),
    "default no match": (inputs("{pattern: 'a+', default: b}"), [("2:31", "does not match a+")]),
    "default no choice": (inputs("{type: enum, values: [minor], default: mino}"), [("2:45", "did you mean 'minor'?")]),
    "default outside": (inputs("{default: {from: ../x.toml, key: a}}"), [("2:23", "without '..'")]),
    "default from text": (inputs("{default: {from: x.txt, key: a}}"), [("2:23", "TOML, JSON or YAML")]),
    "default without key": (inputs("{default: {from: x.toml}}"), [("2:16", "'key' is missing")]),
}

LATER = {
    "step": (
        "concurrency",
    ),
}  # fmt: skip

SHAPE["narrowing no mapping"] = ("policy: x\n" + step("run: [git]"), [("1:9", "must be")])
SHAPE["narrowing key"] = ("policy: {onyl: []}\n" + step("run: [git]"), [("1:10", "did you mean 'only'?")])
SHAPE["narrowing nothing"] = ("policy: {}\n" + step("run: [git]"), [("1:9", "'only' is missing")])
SHAPE["narrowing no list"] = ("policy: {only: git}\n" + step("run: [git]"), [("1:16", "must be a list")])
for _key in LATER["step"]:
    SHAPE[f"later step: {_key}"] = (step(f"run: [git]\n{_key}: x"), [("4:5", f"'{_key}' can't be used yet")])
BODIES["gate shows too deep"] = (
    TWO + "    gate: {question: Go?, show: [a.v.major]}\n",
    [("6:34", "write step or step.key")],
)
SHAPE |= {
    "retry of a gate": (step("gate: Go?\nretry: 3"), [("4:5", "a gate step is not tried again")]),
    "retry of a pause": (step("pause: 5m\nretry: 3"), [("4:5", "a pause step is not tried again")]),
    "retry of work by hand": (step("manual: Do it\nretry: 3"), [("4:5", "a manual step is not tried again")]),
    "retry too often": (step("run: [git]\nretry: 101"), [("4:12", "must be from 1 to 100 attempts, not 101")]),
    "retry never": (step("run: [git]\nretry: 0"), [("4:12", "must be from 1 to 100 attempts, not 0")]),
    "retry for ever": (step("run: [git]\nretry: always"), [("4:12", "must be a whole number, not 'always'")]),
    "retry of a class that stays": (
        step("run: [git]\nretry: {attempts: 3, for: [policy]}"),
        [("4:32", "must be 'transient', 'permission' or 'business', not 'policy'")],
    ),
    "retry for and never": (
        step("run: [git]\nretry: {attempts: 3, for: [transient, business], never: [business]}"),
        [("4:61", "business can't be both for and never")],
    ),
    "retry waits the wrong way": (
        step("run: [git]\nretry: {attempts: 3, wait: 2m}"),
        [("4:12", "must not be shorter than the first wait of 120 s")],
    ),
    "retry unknown key": (step("run: [git]\nretry: {attempt: 3}"), [("4:13", "did you mean 'attempts'?")]),
    "default retry": ("defaults: {retry: {attempts: 3, for: [x]}}\n" + step("run: [git]"), [("1:39", "not 'x'")]),
}
SHAPE |= {
    "poll of a gate": (step("gate: Go?\npoll: 5m"), [("4:5", "poll belongs to run, call and verify steps")]),
    "poll of a call fails on something": (
        step("call: 'lib.deep:check'\npoll: {every: 5m, fail_on: {exit: 3}}"),
        [("4:23", "a function says itself what ends the poll")],
    ),
    "poll that waits otherwise": (
        step("run: [git]\npoll: {every: 5m, wait: sleep}"),
        [("4:29", "must be 'suspend', not 'sleep'")],
    ),
    "output of nothing": (
        f"outputs: {{x: '${{steps.b.stdout}}'}}\n{step('run: [git]')}",
        [("1:14", "unknown step 'b'")],
    ),
    "output that no step leaves": (
        f"outputs: {{x: '${{steps.a.file}}'}}\n{step('run: [git]')}",
        [("1:14", "step 'a' has no value 'file'")],
    ),
    "output with a bad name": (f"outputs: {{x y: a}}\n{step('run: [git]')}", [("1:11", "'x y' is not a name")]),
    "output that is a list": (f"outputs: {{x: [a]}}\n{step('run: [git]')}", [("1:14", "must be a text, not a list")]),
    "outputs that are a list": (f"outputs: [x]\n{step('run: [git]')}", [("1:10", "must be a mapping, not a list")]),
    "output of what may not apply": (
        "inputs: {k: {type: boolean}}\noutputs: {x: '${steps.a.stdout}'}\n" + step("run: [git]\nwhen: inputs.k"),
        [("2:14", "step 'a' may not apply")],
    ),
    "output of what may be waived": (
        "outputs: {x: '${steps.a.stdout}'}\n" + step("run: [git]\nwaive: Go on?"),
        [("1:14", "step 'a' may be waived")],
    ),
    "output that is a secret": (
        "inputs: {k: {type: secret}}\noutputs: {x: '${inputs.k}'}\n" + step("run: [git]"),
        [("2:14", "'k' is a secret")],
    ),
    "poll and retry": (step("run: [git]\npoll: 5m\nretry: 3"), [("4:5", "can't stand beside a retry")]),
    "poll for too short": (
        step("run: [git]\npoll: {every: 5m, timeout: 1m}"),
        [("4:32", "not be shorter than the 300")],
    ),
    "poll all the time": (step("run: [git]\npoll: 0s"), [("4:11", "is no time at all")]),
    "poll without a time": (step("run: [git]\npoll: {timeout: 1m}"), [("4:11", "'every' is missing")]),
    "poll fails on nothing": (step("run: [git]\npoll: {every: 1s, fail_on: {}}"), [("4:32", "names nothing")]),
    "poll of tests fails on words": (
        step("verify: ../smoke\npoll: {every: 1s, fail_on: {stdout: x}}"),
        [("4:32", "only the exit status can be matched")],
    ),
    "poll fails on unknown": (
        step("run: [git]\npoll: {every: 1s, fail_on: {stdot: x}}"),
        [("4:33", "did you mean 'stdout'?")],
    ),
}
SHAPE["run as text, open quote"] = (step('run: git "x'), [("3:10", "write [git, ")])
REFERENCES["input too deep"] = (
    "inputs: {v: {pattern: '(?P<a>.*)'}}\n" + step("run: [x, '${inputs.v.a.b}']"),
    [("4:14", "too many parts")],
)
REFERENCES["variable too deep"] = (
    "vars: {v: x}\n" + step("run: [x, '${vars.v.a}']"),
    [("4:14", "too many parts")],
)
REFERENCES["below a call"] = (
    step("call: lib.deep:check") + "  - {id: b, run: [x, '${steps.a.x.y}']}\n",
    [("4:22", "'x' has no values below it")],
)
REFERENCES["each without cases"] = (
    step("run: [git, '${each.host}']"),
    [("3:16", "only a step with a foreach of its own, or in a block with one, has cases")],
)

BODIES["check of nothing"] = (step("run: [git]\ncheck: {}"), [("4:12", "exactly one of run, call, verify")])
BODIES["check as text"] = (step("run: [git]\ncheck: git"), [("4:12", "must be a mapping")])
BODIES["check twice"] = (
    step("run: [git]\ncheck: {run: [git], verify: tests}"),
    [("4:12", "exactly one of run, call, verify")],
)
BODIES["check by no function"] = (
    step("run: [git]\ncheck: {call: 'a:b'}"),
    [("4:19", "there is no a.py beside this file")],
)
BODIES["check by a fixture"] = (
    step("run: [git]\ncheck: {call: 'checks:asks'}"),
    [("4:19", "a check is asked before any fixture is made, and can have workflow and sandbox only")],
)
BODIES["check with what is no parameter"] = (
    step("run: [git]\ncheck: {call: 'checks:mentions', with: {versoin: x, version: y}}"),
    [("4:45", "did you mean 'version'?")],
)
BODIES["check with twice"] = (
    step("run: [git]\ncheck: {call: {function: 'checks:mentions', with: {version: x}}, with: {version: y}}"),
    [("4:70", "the call has a with already")],
)
BODIES["check with of a run"] = (
    step("run: [git]\ncheck: {run: [git], with: {a: b}}"),
    [("4:25", "with belongs to a call")],
)
BODIES["check expecting of a call"] = (
    step("run: [git]\ncheck: {call: 'checks:mentions', with: {version: x}, expect: {exit: '0'}}"),
    [("4:58", "a function says itself whether the effect is there")],
)
BODIES["check of a gate"] = (step("gate: Go?\ncheck: {run: [git]}"), [("4:5", "a gate has none")])
BODIES["check by exit above"] = (
    step("run: [git]\ncheck: {run: [git], expect: {exit: {gt: '0'}}}"),
    [("4:40", "one number, or a choice")],
)
BODIES["check in finally"] = (
    "steps: [{id: a, run: [git]}]\nfinally:\n  - {id: b, run: [git], check: {run: [git]}}\n",
    [("3:25", "a step of finally runs at the end of every session")],
)
BODIES["undoing gate"] = (TWO + "    gate: Go?\n    undoes: [a]\n", [("7:5", "a gate undoes nothing")])
REFERENCES["undoes unknown"] = (TWO + "    run: [git]\n    undoes: [aa]\n", [("7:14", "did you mean 'a'?")])
REFERENCES["undoes itself"] = (TWO + "    run: [git]\n    undoes: [b]\n", [("7:14", "can't use its own values")])
REFERENCES["undoes later"] = (
    step("run: [git]\nundoes: [b]") + "  - {id: b, run: [x]}\n",
    [("4:14", "'b' comes later")],
)
REFERENCES["undoes an output"] = (TWO + "    run: [git]\n    undoes: [a.v]\n", [("7:14", "name the step alone")])
REFERENCES["undoes a gate"] = (
    step("gate: Go?") + "  - {id: b, run: [x], undoes: [a]}\n",
    [("4:32", "can't be undone")],
)
SURROUNDINGS: dict[str, tuple[str | bytes, list[Expected]]] = {
    "cwd upwards": (step("run: [git]\ncwd: ../x"), [("4:10", "from its root and without '..'")]),
    "absolute cwd": (step("run: [git]\ncwd: /tmp"), [("4:10", "from its root and without '..'")]),
    "cwd of an unknown input": (step("run: [git]\ncwd: '${inputs.x}'"), [("4:10", "unknown input 'x'")]),
    "cwd of a call": (step("call: lib.deep:check\ncwd: x"), [("4:5", "cwd belongs to run steps; this one is a call")]),
    "env as text": (step("run: [git]\nenv: A=b"), [("4:10", "must be a mapping")]),
    "env value": (step("run: [git]\nenv: {A: [b]}"), [("4:14", "must be a text, not a list")]),
    "env name": (step("run: [git]\nenv: {a-b: c}"), [("4:11", "'a-b' is no variable's name")]),
    "env injection": (
        step("run: [git]\nenv: {LD_PRELOAD: x, PATH: y}"),
        [("4:11", "can't be set: its value chooses what code runs"), ("4:26", "'PATH' can't be set")],
    ),
    "env of a gate": (step("gate: Go?\nenv: {A: b}"), [("4:5", "env belongs to run steps; this one is a gate step")]),
    "env of a later step": (
        step("run: [git]\nenv: {A: '${steps.b.exit}'}") + "  - {id: b, run: [x]}\n",
        [("4:14", "'b' comes later")],
    ),
    "stdin of a verify": (step("verify: ../smoke\nstdin: x"), [("4:5", "stdin belongs to run steps")]),
    "stdin as list": (step("run: [git]\nstdin: [x]"), [("4:12", "must be a text, not a list")]),
}
_HIDDEN = "inputs: {token: {type: secret}}\n"
_ONLY = "'token' is a secret; only env and stdin of a run step may hold it"
SECRETS: dict[str, tuple[str | bytes, list[Expected]]] = {
    "secret with a value": (inputs("{type: secret, default: hunter22}"), [("2:30", "write {env: NAME}")]),
    "secret from a file": (
        inputs("{type: secret, default: {from: x.toml, key: a}}"),
        [("2:30", "'env' is missing"), ("2:31", "unknown key 'from'"), ("2:45", "unknown key 'key'")],
    ),
    "secret from no variable": (inputs("{type: secret, default: {env: a-b}}"), [("2:36", "is no variable's name")]),
    "secret with a pattern": (inputs("{type: secret, pattern: x}"), [("2:21", "a pattern belongs to type string")]),
    "secret in argv": (_HIDDEN + step("run: [git, '${inputs.token}']"), [("4:16", _ONLY)]),
    "secret in cwd": (_HIDDEN + step("run: [git]\ncwd: '${inputs.token}'"), [("5:10", _ONLY)]),
    "secret in a variable": (_HIDDEN + "vars: {a: '${inputs.token}'}\n" + step("run: [git]"), [("2:11", _ONLY)]),
    "secret in a condition": (_HIDDEN + step("run: [git]\nwhen: inputs.token == 'x'"), [("5:11", _ONLY)]),
    "secret in a question": (_HIDDEN + step("gate: 'Go ${inputs.token}?'"), [("4:11", _ONLY)]),
    "secret in an expectation": (_HIDDEN + step("run: [x]\nexpect: {stdout: '${inputs.token}'}"), [("5:22", _ONLY)]),
    "secret in a glob": (_HIDDEN + step("run: [x]\noutputs: {o: {glob: '${inputs.token}'}}"), [("5:25", _ONLY)]),
    "secret as an argument": (
        _HIDDEN + step("call: {function: 'checks:mentions', with: {version: '${inputs.token}'}}"),
        [("4:57", _ONLY)],
    ),
    "secret in a list": (
        _HIDDEN + step("foreach: {x: '${inputs.token}'}\nrun: [git]"),
        [("4:18", _ONLY)],
    ),
    "secret in a group": ("concurrency: '${inputs.token}'\n" + _HIDDEN + step("run: [git]"), [("1:14", _ONLY)]),
}

JSON: dict[str, tuple[str | bytes, list[Expected]]] = {
    "json expects nothing": (step("run: [x]\nexpect: {json: {}}"), [("4:20", "write a path with its value")]),
    "json as text": (step("run: [x]\nexpect: {json: $.a}"), [("4:20", "must be a mapping")]),
    "json path": (step("run: [x]\nexpect: {json: {a.b: c}}"), [("4:21", "is no path into JSON, such as")]),
    "json path of another dialect": (step("run: [x]\nexpect: {json: {$.a.~: c}}"), [("4:21", "RFC 9535")]),
    "json path with a reference": (
        step("run: [x]\nexpect: {json: {'$[?@.a == \"${run.id}\"]': c}}"),
        [("4:21", "can't hold references")],
    ),
    "json value": (step("run: [x]\nexpect: {json: {$.a: 3.10}}"), [("4:26", "read as the number 3.1")]),
    "json nothing": (step("run: [x]\nexpect: {json: {$.a: }}"), [("4:26", "has no value")]),
    "json no matcher": (step("run: [x]\nexpect: {json: {$.a: {}}}"), [("4:26", "holds no matcher")]),
    "json unknown matcher": (step("run: [x]\nexpect: {json: {$.a: {lte: 3}}}"), [("4:27", "did you mean 'lt'?")]),
    "json in": (step("run: [x]\nexpect: {json: {$.a: {in: x}}}"), [("4:31", "must be a list")]),
    "json in nothing": (step("run: [x]\nexpect: {json: {$.a: {in: []}}}"), [("4:31", "must not be empty")]),
    "json lt": (step("run: [x]\nexpect: {json: {$.a: {lt: many}}}"), [("4:31", "'many' is none")]),
    "json lt of a truth": (step("run: [x]\nexpect: {json: {$.a: {lt: true}}}"), [("4:31", "'True' is none")]),
    "json matches": (step("run: [x]\nexpect: {json: {$.a: {matches: '('}}}"), [("4:36", "no regular expression")]),
    "json matches a number": (step("run: [x]\nexpect: {json: {$.a: {matches: 3}}}"), [("4:36", "must be a text")]),
    "json unknown input": (step("run: [x]\nexpect: {json: {$.a: '${inputs.x}'}}"), [("4:26", "unknown input 'x'")]),
    "json of a verify": (step("verify: ../smoke\nexpect: {json: {$.a: b}}"), [("4:14", "only the exit status")]),
    "json path empty": (step("run: [x]\nexpect: {json: {'': c}}"), [("4:21", "is empty; write a path into JSON")]),
    "json output path": (step("run: [x]\noutputs: {o: {json: a.b}}"), [("4:25", "is no path into JSON")]),
    "json output and glob": (
        step("run: [x]\noutputs: {o: {json: $.a, glob: x}}"),
        [("4:18", "exactly one of stdout, json, glob")],
    ),
    "json count": (step("run: [x]\noutputs: {o: {json: $.a, count: 2}}"), [("4:30", "count belongs to a glob")]),
    "file from stdout": (step("run: [x]\noutputs: {o: {stdout: x, type: file}}"), [("4:36", "belongs to a glob")]),
    "number from a glob": (step("run: [x]\noutputs: {o: {glob: x, type: number}}"), [("4:34", "file or list")]),
    "type of an output": (step("run: [x]\noutputs: {o: {stdout: x, type: int}}"), [("4:36", "must be 'file', 'list'")]),
    "type of named groups": (
        step("run: [x]\noutputs: {o: {stdout: '(?P<a>.)(?P<b>.)', type: integer}}"),
        [("4:53", "gives texts by name")],
    ),
    "default of a type": (
        step("when: run.id == 'x'\nrun: [x]\noutputs: {o: {stdout: x, type: integer, default: many}}"),
        [("5:54", "the default must be a whole number")],
    ),
}

_LIST = "inputs: {x: {type: list, default: [a]}}\n"
_WHOLE = "can only be a whole element of run"
SPLAT: dict[str, tuple[str | bytes, list[Expected]]] = {
    "every value of an unknown input": (step("run: [git, '${inputs.x[*]}']"), [("3:16", "unknown input 'x'")]),
    "every value in a text": (_LIST + step("run: [git, 'a${inputs.x[*]}']"), [("4:16", _WHOLE)]),
    "every value twice": (_LIST + step("run: [git, '${inputs.x[*]}${inputs.x[*]}']"), [("4:16", _WHOLE)]),
    "every value as program": (_LIST + step("run: ['${inputs.x[*]}']"), [("4:11", _WHOLE)]),
    "every value in env": (_LIST + step("run: [git]\nenv: {A: '${inputs.x[*]}'}"), [("5:14", _WHOLE)]),
    "every value in a question": (_LIST + step("gate: '${inputs.x[*]}'"), [("4:11", _WHOLE)]),
    "every value in foreach": (_LIST + step("foreach: {h: '${inputs.x[*]}'}\nrun: [git]"), [("4:18", _WHOLE)]),
    "every value of a variable": ("vars: {v: a}\n" + step("run: [git, '${vars.v[*]}']"), [("4:16", "is no list")]),
}
DEFAULTS: dict[str, tuple[str | bytes, list[Expected]]] = {
    "defaults as text": ("defaults: x\n" + step("run: [git]"), [("1:11", "must be a mapping")]),
    "unknown default": ("defaults: {timout: 5m}\n" + step("run: [git]"), [("1:12", "did you mean 'timeout'?")]),
    "default of one step only": ("defaults: {run: [git]}\n" + step("run: [git]"), [("1:12", "unknown key 'run'")]),
    "default timeout": ("defaults: {timeout: 90}\n" + step("run: [git]"), [("1:21", "write it like 90s")]),
    "default cwd": (
        "defaults: {cwd: ../x}\n" + step("run: [git]") + "  - {id: b, run: [git]}\n",
        [("1:17", "without '..'")],
    ),
    "default env": (
        "defaults: {env: {PATH: x, A: '${inputs.x}'}}\n"
        + step("run: [git]\nenv: {A: b}")
        + "  - {id: b, run: [git]}\n",
        [("1:18", "'PATH' can't be set"), ("1:30", "unknown input 'x'")],
    ),
}
EVIDENCE: dict[str, tuple[str | bytes, list[Expected]]] = {
    "evidence as text": (step("run: [git]\nevidence: v"), [("4:15", "takes a list: write [v]")]),
    "evidence of nothing": (step("run: [git]\nevidence: []"), [("4:15", "must not be empty")]),
    "evidence that is no output": (
        step("run: [git]\noutputs: {ticket: {stdout: x}}\nevidence: [tiket]"),
        [("5:16", "did you mean 'ticket'?")],
    ),
    "evidence of the outcome": (step("run: [git]\nevidence: [outcome]"), [("4:16", "the step leaves no 'outcome'")]),
    "evidence name": (step("call: lib.deep:check\nevidence: [1st]"), [("4:16", "is not a name")]),
    "evidence of a gate": (step("gate: Go?\nevidence: [a]"), [("4:5", "run, call, verify and ai steps")]),
}

BROKEN = {
    **SPLAT,
    **DEFAULTS,
    **EVIDENCE,
    **JSON,
    **SURROUNDINGS,
    **SECRETS,
    **SYNTAX,
    **STRUCTURE,
    **SHAPE,
    **BODIES,
    **CALLS,
    **REFERENCES,
    **INPUTS,
}
